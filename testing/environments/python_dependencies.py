"""What a repository says it needs in order to be imported and tested, read from its dependency files."""

from __future__ import annotations

import ast
import configparser
import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testing.environments.declared_elsewhere import FILES as ELSEWHERE
from testing.environments.declared_elsewhere import further_requirements, is_requirement
from testing.source_files import source_files

_TEST_WORDS = {"test", "tests", "testing"}
_DEVELOPMENT_WORDS = {"dev", "devel", "develop", "development"}
_FIXED_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "uv.toml", "MANIFEST.in", "Cargo.toml", "meson.build")
_REQUIREMENTS = ("*requirements*.txt", "*constraints*.txt", "requirements/*.txt")
# Sources that an installation turns into generated files: a change in them needs a new environment.
_BUILD_INPUTS = {".c", ".cc", ".cpp", ".h", ".hpp", ".pyx", ".pxd", ".rs", ".f90", ".po", ".proto"}
_VERSION_PLUGINS = {
    r"setuptools[-_]scm|hatch-vcs": "SETUPTOOLS_SCM_PRETEND_VERSION",
    r"vcs[-_]versioning": "VCS_VERSIONING_PRETEND_VERSION",
    r"\bpbr\b": "PBR_VERSION",
    r"pdm-backend|pdm\.backend": "PDM_BUILD_SCM_VERSION",
    r"poetry-dynamic-versioning": "POETRY_DYNAMIC_VERSIONING_BYPASS",
    r"uv-dynamic-versioning": "UV_DYNAMIC_VERSIONING_BYPASS",
}
"""How a plugin is recognised in the build files -> the variable that gives it a version."""
_VERSION = r"(\d+(?:\.\d+)+)"
_CHANGELOGS = (
    "CHANGELOG.md",
    "CHANGELOG.rst",
    "CHANGES.md",
    "CHANGES.rst",
    "CHANGES",
    "CHANGES.txt",
    "HISTORY.md",
    "HISTORY.rst",
    "NEWS.md",
    "NEWS.rst",
)
_HEADING = re.compile(
    rf"^(?:#+\s*|\*+\s*)?(?:version\s+|release\s+)?\[?v?{_VERSION}(?![\w.]*\d)", re.MULTILINE | re.IGNORECASE
)
_ABOVE_ALL, _BELOW_ALL = "9999.0.0", "0.0.0"
"""The first is above calendar versions, too."""


@dataclass(frozen=True)
class Dependencies:
    """How to install a repository. Paths are relative to it."""

    files: tuple[str, ...] = ()
    """Files whose content decides the environment, sorted."""
    buildable: bool = False
    """It has a build definition, so it can be installed itself."""
    listed: bool = False
    """Its pyproject lists dependencies that can be installed without the project."""
    extras: tuple[str, ...] = ()
    """Optional extras that bring what its tests need."""
    groups: tuple[str, ...] = ()
    """Its test dependency groups (PEP 735)."""
    group_requirements: tuple[str, ...] = ()
    """The requirements of these groups, written out."""
    requirements: tuple[str, ...] = ()
    """Its requirements file for running."""
    test_requirements: tuple[str, ...] = ()
    """Its requirements files for testing."""
    further: tuple[str, ...] = ()
    """Requirements of its tests that stand elsewhere, where none of these names any."""


def read_dependencies(source: Path) -> Dependencies:
    """What the repository unpacked at `source` needs. A file that cannot be parsed is left out: the installer
    reports what is wrong with it."""
    pyproject = _toml(source / "pyproject.toml")
    project = _table(pyproject, "project")
    buildable = bool(project) or "build-system" in pyproject or _is_file(source / "setup.py") or _has_metadata(source)
    requirements = _requirements_files(source)
    tests, development = _of_kind(requirements, _TEST_WORDS), _of_kind(requirements, _DEVELOPMENT_WORDS)
    groups = _table(pyproject, "dependency-groups")
    extras = _extras(source, project)
    test_extras, test_groups = _named(extras, _TEST_WORDS), _named(groups, _TEST_WORDS)
    if not (tests or test_extras or test_groups):
        tests, test_extras = development, _named(extras, _DEVELOPMENT_WORDS)
        test_groups = _named(groups, _DEVELOPMENT_WORDS)
    elsewhere = () if tests or test_extras or test_groups else further_requirements(source)
    files = {name for name in (*_FIXED_FILES, *ELSEWHERE, *_pip_files(source)) if _is_file(source / name)}
    if buildable:
        files |= _build_inputs(source)
    return Dependencies(
        files=tuple(sorted(files)),
        buildable=buildable,
        listed=isinstance(project.get("dependencies"), list),
        extras=tuple(test_extras) if buildable else (),
        groups=tuple(test_groups),
        group_requirements=tuple(filter(is_requirement, _expanded(groups, test_groups))),
        requirements=("requirements.txt",) if "requirements.txt" in requirements else (),
        test_requirements=tuple(sorted(set(tests) - {"requirements.txt"})),
        further=tuple(elsewhere),
    )


def requirements_by_place(source: Path) -> Iterator[tuple[Literal["extra", "group", "file"], str, list[str]]]:
    """Where the repository lists requirements, and which: extras that can be installed, groups, files."""
    pyproject = _toml(source / "pyproject.toml")
    for name, listed in _table(_table(pyproject, "project"), "optional-dependencies").items():
        yield "extra", name, [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    parser = _setup_cfg(source)
    if parser.has_section("options.extras_require"):
        for name, text in parser.items("options.extras_require"):
            yield "extra", name, text.replace(";", "\n").splitlines()
    for name, requirements in _extras_of_setup(source).items():
        yield "extra", name, requirements
    groups = _table(pyproject, "dependency-groups")
    for name in groups:
        yield "group", name, _expanded(groups, [name])
    for name in sorted(_requirements_files(source)):
        yield "file", name, requirement_lines(source, [name])


def _extras_of_setup(source: Path) -> dict[str, list[str]]:
    """The extras that a setup.py spells out, or the constant that it hands over."""
    try:
        tree = ast.parse(text_of(source / "setup.py"))
    except (SyntaxError, ValueError, RecursionError):
        return {}
    given = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "extras_require"]
    constants = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: dict[str, list[str]] = {}
    for value in given:
        table = constants.get(value.id) if isinstance(value, ast.Name) else value
        for key, listed in zip(table.keys, table.values, strict=True) if isinstance(table, ast.Dict) else []:
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                texts = (node.value for node in ast.walk(listed) if isinstance(node, ast.Constant))
                found[key.value] = [text for text in texts if isinstance(text, str)]
    return found


def _requirements_files(source: Path) -> list[str]:
    return [name for name in _pip_files(source) if _is_file(source / name) and "constraints" not in name]


def _pip_files(source: Path) -> list[str]:
    """Files of requirements and of constraints."""
    return [path.relative_to(source).as_posix() for pattern in _REQUIREMENTS for path in source.glob(pattern)]


def has_hashes(source: Path, names: Iterable[str]) -> bool:
    """Whether requirements say which files may be installed: then all of them are, or none."""
    return any(re.search(r"--(?:require-)?hash", text_of(source / name)) for name in names)


def listed_dependencies(source: Path) -> list[str]:
    """What the pyproject lists that the project needs to run."""
    listed = _table(_toml(source / "pyproject.toml"), "project").get("dependencies")
    return [each for each in listed if is_requirement(each)] if isinstance(listed, list) else []


def requirement_lines(source: Path, names: Iterable[str]) -> list[str]:
    """The requirements in files of the repository, one by one; files that they name are read, too. Options and what is
    installed from the repository itself are left out."""
    found: dict[str, None] = {}
    waiting, seen = [*names], set[str]()
    while waiting:
        path = (source / waiting.pop(0)).resolve()
        if not path.is_relative_to(source.resolve()) or (name := str(path.relative_to(source.resolve()))) in seen:
            continue
        seen.add(name)
        for line in text_of(source / name).replace("\\\n", " ").splitlines():
            text = re.sub(r"(?:^|\s)#.*|\s--(?:hash|config-settings)\S*", "", line).strip()
            if included := re.fullmatch(r"(?:-r|--requirement)[ =]*(\S+)", text):
                waiting.append((Path(name).parent / included[1]).as_posix())
            elif text and not text.startswith(("-", ".")):
                found[text] = None
    return list(found)


def is_python_project(folder: Path) -> bool:
    """Whether a folder is a Python project by itself."""
    return any(_is_file(folder / name) for name in ("setup.py", "setup.cfg", "requirements.txt")) or bool(
        {"project", "build-system", "tool"} & set(_toml(folder / "pyproject.toml"))
    )


def workspace_members(source: Path) -> list[str]:
    """The folders of the members of a uv workspace, relative to it."""
    workspace = _table(_table(_table(_toml(source / "pyproject.toml"), "tool"), "uv"), "workspace")
    patterns = workspace.get("members")
    found: set[str] = set()
    for pattern in patterns if isinstance(patterns, list) else ():
        # Looked up on this machine: nothing outside of the sources, and not all of them.
        if isinstance(pattern, str) and re.fullmatch(r"(?!\.)[\w*?.-]+(?:/(?!\.)[\w*?.-]+){0,3}", pattern):
            inside = (path for path in source.glob(pattern.replace("**", "*")) if not path.is_symlink())
            found |= {path.relative_to(source).as_posix() for path in inside if path.is_dir() and path != source}
    return sorted(found)


def content_hash(source: Path, files: Iterable[str]) -> str:
    """Digest of the names and contents of `files` below `source`."""
    digest = hashlib.sha256()
    for name in files:
        content = (source / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def pretended_versions(source: Path, release: str = "") -> list[str]:
    """Versions to give to a project whose version is asked of git, which is not in a run folder: the likeliest first.

    `release`: that of its newest tag. Then what its files say; if nothing does, one that is above all (dependencies ask
    for at least some version far more often than for one below another) and one that is below all. Empty for a project
    that states its version itself; any sdist does, by PKG-INFO.
    """
    if (source / "PKG-INFO").is_file() or not (_plugins(source) or _versioneer_files(source)):
        return []
    found = release or _told_version(source)
    return [found] if found else [_ABOVE_ALL, _BELOW_ALL]


def version_variables(source: Path, version: str) -> dict[str, str]:
    """Variables that give version plugins the version which they would ask git for."""
    return dict.fromkeys(_plugins(source), version)


def tell_versioneer(source: Path, version: str) -> None:
    """Write into the sources, which are a copy, what `git archive` would write: versioneer takes it from there."""
    for file in _versioneer_files(source):
        text = text_of(file)
        file.write_text(text.replace("$Format:%d$", f" (tag: v{version})").replace("$Format:%H$", "0" * 40), "utf-8")


def _plugins(source: Path) -> list[str]:
    texts = "".join(text_of(source / name) for name in ("pyproject.toml", "setup.py", "setup.cfg"))
    return [variable for words, variable in _VERSION_PLUGINS.items() if re.search(words, texts)]


def _versioneer_files(source: Path) -> list[Path]:
    places = ("_version.py", "*/_version.py", "src/*/_version.py", "*/*/_version.py")
    found = {path: None for pattern in places for path in source.glob(pattern) if _is_file(path)}
    return [path for path in found if "versioneer" in (text := text_of(path)) and "$Format:%d$" in text]


def _told_version(source: Path) -> str:
    """The version that the project's files state: a fallback of its plugin, a module's, or that of its changelog."""
    pyproject = text_of(source / "pyproject.toml")
    if found := re.search(rf"""fallback[-_]version\s*=\s*["']{_VERSION}["']""", pyproject):
        return found[1]
    modules = [*source.glob("*.py"), *source.glob("*/__init__.py"), *source.glob("src/*/__init__.py")]
    for module in sorted(modules):
        if found := re.search(rf"""^__version__\s*=\s*["']{_VERSION}""", text_of(module), re.MULTILINE):
            return found[1]
    for name in _CHANGELOGS:
        headings: list[str] = _HEADING.findall(text_of(source / name)[:100_000])
        if headings:
            return max(headings, key=_order)
    return ""


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def text_of(path: Path) -> str:
    """The text of a file of the project; empty when it is not there or a link."""
    return path.read_text(errors="replace") if _is_file(path) else ""


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text_of(path))
    except (ValueError, RecursionError):
        return {}


def _table(parent: Mapping[str, object], name: str) -> dict[str, object]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _setup_cfg(source: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text_of(source / "setup.cfg"))
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser


def _has_metadata(source: Path) -> bool:
    return _setup_cfg(source).has_option("metadata", "name")


def _extras(source: Path, project: Mapping[str, object]) -> list[str]:
    names = list(_table(project, "optional-dependencies"))
    parser = _setup_cfg(source)
    if parser.has_section("options.extras_require"):
        names += parser.options("options.extras_require")
    # setup.py is code; the words themselves are looked for, and an extra it does not have is only warned about
    names += re.findall(r"""["'](tests?|testing|dev)["']\s*:""", text_of(source / "setup.py"))
    return list(dict.fromkeys(names))


def _named(names: Iterable[str], words: set[str]) -> list[str]:
    return [name for name in names if name.lower() in words]


def _of_kind(files: Iterable[str], words: set[str]) -> list[str]:
    return [name for name in files if words & set(re.split(r"[-_./]", name.lower()))]


def _expanded(groups: Mapping[str, object], names: Sequence[str], within: tuple[str, ...] = ()) -> list[str]:
    """Requirements of `groups[names]`, `include-group` followed (PEP 735)."""
    found: list[str] = []
    for name in names:
        entries = groups.get(name)
        for entry in entries if isinstance(entries, list) and name not in within else []:
            if isinstance(entry, str):
                found.append(entry)
            elif isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
                found += _expanded(groups, [entry["include-group"]], (*within, name))
    return list(dict.fromkeys(found))


def _build_inputs(source: Path) -> set[str]:
    inputs = (path for path in source_files(source) if path.suffix in _BUILD_INPUTS and _is_file(path))
    return {path.relative_to(source).as_posix() for path in inputs}
