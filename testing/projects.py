"""The projects in a repository: each has its language, its folder, its environment and its suite.

Most repositories are one project. Others hold a backend and a frontend, several packages, or tests in two languages.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testing.environments.package_json import read_package
from testing.environments.python_dependencies import is_python_project, text_of, workspace_members
from testing.frameworks.declared_tests import JAVASCRIPT_SUFFIXES
from testing.frameworks.javascript import test_files
from testing.frameworks.python import PYTEST, python_test_files
from testing.frameworks.registry import FRAMEWORKS, detect_framework
from testing.source_files import NOT_SOURCE

_DEEPEST, _MOST = 3, 12
_NOT_PROJECTS = NOT_SOURCE | {
    "vendor", "third_party", "tests", "test", "testing", "testdata", "fixtures", "examples", "example", "samples",
    "docs", "doc", "templates", "template", "benchmarks",
}  # fmt: skip
_LONGEST_MAKEFILE = 256 * 1024
_TARGET = re.compile(
    r"^(?P<name>tests?|check|unittest)[ \t]*:(?!=)[^\n]*\n(?P<recipe>(?:\t[^\n]*(?:\n|\Z))+)", re.MULTILINE
)
_NO_RUNNER_OF_ITS_OWN = re.compile(
    r"^(?:#|:$|(?:echo|true|exit 0|cd|export|mkdir|pip|uv sync|\$\(MAKE\)|make)(?![\w-]))"
    r"|\b(?:pytest|py\.test|tox|nox|hatch|npm|pnpm|yarn|jest|vitest|mocha|go test|cargo test|ruff|mypy|flake8|black)\b"
)
"""Lines of a recipe that do not say that tests are kept where no runner that we know would find them."""
_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "package.json", "go.mod", "Cargo.toml")


@dataclass(frozen=True)
class SubProject:
    """One project of a repository."""

    place: str
    """Its folder, relative to the repository; empty for the repository itself."""
    framework: str
    """By name, as in `testing.framework`."""

    def owns(self, path: str) -> bool:
        """Whether a file is of its language and in its folder."""
        inside = not self.place or path.startswith(f"{self.place}/")
        is_script = Path(path.partition("::")[0]).suffix in JAVASCRIPT_SUFFIXES
        return inside and is_script == (FRAMEWORKS[self.framework].language == "node")


def projects_of(source: Path) -> list[SubProject]:
    """The projects of the repository at `source`, the main one first; always at least one."""
    main = SubProject("", detect_framework(source))
    root_has_manifest = any((source / name).is_file() for name in _MANIFESTS)
    beside = _beside(source, main)
    members = {name for name in workspace_members(source) if (source / name).is_dir()}
    if root_has_manifest and not members:
        return [main, *beside]
    nested = [each for each in _nested(source) if not members or each.place in members]
    if not nested or _has_tests_outside(source, nested):
        return [main, *beside]  # its suite collects theirs, too
    return nested


def make_target(source: Path) -> str:
    """The target of a Makefile that runs tests by something else than the runners we know, such as `make test`; empty
    if there is none."""
    file = next((source / name for name in ("GNUmakefile", "makefile", "Makefile") if (source / name).is_file()), None)
    for match in _TARGET.finditer(text_of(file)[:_LONGEST_MAKEFILE] if file else ""):
        lines = [line.strip().lstrip("@-+ ") for line in match["recipe"].splitlines()]
        if any(line and not _NO_RUNNER_OF_ITS_OWN.search(line) for line in lines):
            return f"make {match['name']}"
    return ""


def owner_of(projects: Sequence[SubProject], path: str) -> SubProject | None:
    """The project that a file belongs to: the innermost that owns it."""
    return max((each for each in projects if each.owns(path)), key=lambda each: len(each.place), default=None)


def _beside(source: Path, main: SubProject) -> list[SubProject]:
    """A second language in the same folder, if it has a suite of its own."""
    package = read_package(source)
    if FRAMEWORKS[main.framework].language != "python" or package is None or not package.test_script:
        return []
    if not test_files(source, package, typed=True):
        return []
    found = next(
        (name for name, each in FRAMEWORKS.items() if each.language == "node" and each.recognises(source)), None
    )
    return [SubProject("", found)] if found else []


def _nested(source: Path) -> list[SubProject]:
    """Folders below that hold a project with tests, the outermost ones."""
    found: list[SubProject] = []
    waiting = [(source, 0)]
    while waiting and len(found) < _MOST:
        folder, depth = waiting.pop(0)
        for name in sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)):
            if name in _NOT_PROJECTS or name.startswith("."):
                continue
            path = folder / name
            made = _project_at(source, path)
            if made is not None:
                found.append(made)
            elif depth + 1 < _DEEPEST:
                waiting.append((path, depth + 1))
    return found[:_MOST]


def _project_at(source: Path, folder: Path) -> SubProject | None:
    place = folder.relative_to(source).as_posix()
    package = read_package(folder)
    if is_python_project(folder) and python_test_files(folder):
        return SubProject(place, PYTEST.name)
    if package is not None and package.test_script:
        framework = detect_framework(folder)
        return SubProject(place, framework) if FRAMEWORKS[framework].language == "node" else None
    return None


def _has_tests_outside(source: Path, nested: Sequence[SubProject]) -> bool:
    paths = [path.relative_to(source).as_posix() for path in python_test_files(source)]
    return any(not any(path.startswith(f"{each.place}/") for each in nested) for path in paths)
