"""What a repository's package.json says about its tests and its packages. It is untrusted and only read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LARGEST = 1 << 20
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_OTHER_LOCKS = ("yarn.lock", "pnpm-lock.yaml", "bun.lock")
# Options of a `node --test …` script that decide how files are loaded; what they load is the repository's own code.
_LOADING = ("--import", "--require", "-r", "--loader", "--experimental-loader", "--conditions", "-C")
_RUN = re.compile(
    r"\b(?:(?:npm|pnpm|yarn|bun)\s+(?:-s\s+|--silent\s+)?(?:run|run-script)\s+|(?:pnpm|yarn)\s+)(?:-s\s+|--silent\s+)?"
    r"(?P<name>[\w:.-]+)(?=\s*(?:$|&&|\|\||;|\)))"
)
_PLACEHOLDER = re.compile(r"^\s*echo\b.*no test specified")
_DEEPEST, _MOST_RUN, _LONGEST = 3, 8, 4000
"""Of scripts that run others: how deep, how many in each, and characters of each."""
_FLAGS = re.compile(r"--experimental-[\w-]+|--no-warnings|--enable-source-maps")


@dataclass(frozen=True)
class Package:
    """A package.json; what it does not say is empty."""

    esm: bool = False
    """`"type": "module"`: `.js` files are ES modules."""
    test_script: str = ""
    """The script `test`, with the scripts that it runs by name in their place; empty for npm's placeholder."""
    pretest: str = ""
    """The script that npm runs before it."""
    packages: frozenset[str] = frozenset()
    """Names of all packages it depends on, development included."""
    workspaces: bool = False
    manager: str = ""
    """Its `packageManager`, such as `pnpm@9.1.0`."""

    @property
    def whole_script(self) -> str:
        """All that `npm test` would run before and for the tests, as one shell command."""
        return f"{self.pretest} && {self.test_script}" if self.pretest else self.test_script

    def loading_options(self) -> list[str]:
        """Options of its `node --test` (or `tsx --test`) script that load what its tests are written in."""
        words = _words(self.test_script)
        options: list[str] = []
        for number, word in enumerate(words):
            if word in _LOADING and number + 1 < len(words):
                options += [word, words[number + 1]]
            elif word.partition("=")[0] in _LOADING or _FLAGS.fullmatch(word):
                options.append(word)
        return ["--import", "tsx", *options] if "tsx" in words and "--import" not in options else options

    def test_paths(self) -> list[str]:
        """Files, folders and globs that its `node --test` script names."""
        words = _words(self.test_script)
        given = words[words.index("--test") + 1 :] if "--test" in words else []
        skipped = {given[number + 1] for number, word in enumerate(given[:-1]) if word in _LOADING}
        return [word.removeprefix("./") for word in given if not word.startswith("-") and word not in skipped]


def read_package(source: Path) -> Package | None:
    """The package.json of the repository at `source`; None when there is none. One that does not parse counts as
    empty: npm reports what is wrong with it."""
    file = source / "package.json"
    if not file.is_file() or file.is_symlink():
        return None
    try:
        content = json.loads(file.read_bytes()[:_LARGEST])
    except (ValueError, RecursionError):
        return Package()
    if not isinstance(content, dict):
        return Package()
    groups = (content.get(name) for name in ("dependencies", "devDependencies", "optionalDependencies"))
    scripts = {name: text for name, text in _table(content.get("scripts")).items() if isinstance(text, str)}
    script = scripts.get("test", "")
    return Package(
        esm=content.get("type") == "module",
        test_script="" if _PLACEHOLDER.search(script) else _expanded(script, scripts),
        pretest=_expanded(scripts.get("pretest", ""), scripts),
        packages=frozenset(name for group in groups for name in _table(group)),
        workspaces=bool(content.get("workspaces")) or _is_file(source / "pnpm-workspace.yaml"),
        manager=manager if isinstance(manager := content.get("packageManager"), str) else "",
    )


def package_manager(source: Path) -> tuple[str, str]:
    """Who installs the packages of the project at `source`, npm, pnpm or yarn, and which version: as package.json says,
    else by the lock file. The version is empty where any will do."""
    package = read_package(source)
    found = re.fullmatch(r"(npm|pnpm|yarn)@(\d[\w.-]*)(?:\+.*)?", package.manager if package else "")
    if found:
        return found[1], found[2]
    if _is_file(source / "pnpm-lock.yaml") or _is_file(source / "pnpm-workspace.yaml"):
        lock = _beginning(source / "pnpm-lock.yaml")
        return "pnpm", "8" if re.search(r"^lockfileVersion: '?6", lock, re.MULTILINE) else "9"
    if _is_file(source / "yarn.lock"):
        return "yarn", "4" if "__metadata:" in _beginning(source / "yarn.lock") else "1"
    return "npm", ""


def _beginning(file: Path) -> str:
    return file.read_bytes()[:4000].decode("utf-8", "replace") if _is_file(file) else ""


def dependency_files(source: Path) -> list[str]:
    """Files whose content decides what npm installs, sorted; those of workspaces among them."""
    names = ("package.json", *_LOCKS, *_OTHER_LOCKS, ".npmrc", "pnpm-workspace.yaml", ".yarnrc.yml")
    found = {name for name in names if _is_file(source / name)}
    package = read_package(source)
    if package is not None and package.workspaces:
        found |= {
            path.relative_to(source).as_posix()
            for path in source.glob("**/package.json")
            if "node_modules" not in path.parts and _is_file(path)
        }
    return sorted(found)


def has_lock(source: Path) -> bool:
    """Whether npm's own lock file is there, so that `npm ci` installs exactly what the owner did."""
    return any(_is_file(source / name) for name in _LOCKS)


def _expanded(script: str, scripts: Mapping[str, str], depth: int = _DEEPEST) -> str:
    """`script` with other scripts in the place of `npm run name` and the like."""

    def other(match: re.Match[str]) -> str:
        text = scripts.get(match["name"])
        if not text or not depth:
            return match[0]
        found = _expanded(text, scripts, depth - 1)
        return f"( {found} )" if re.search(r"[&|;]", found) else found

    return _RUN.sub(other, script[:_LONGEST], count=_MOST_RUN)[:_LONGEST]


def _words(script: str) -> Sequence[str]:
    """The words of the part of a script that runs tests; empty where only a shell could read it."""
    part = next((part for part in re.split(r"&&|\|\||;", script) if "--test" in part), "")
    try:
        return [word for word in shlex.split(part) if word not in "()"]
    except ValueError:
        return []


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
