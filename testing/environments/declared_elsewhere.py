"""What tests need, as people also declare it: the groups of poetry, uv, pdm, hatch and Pipenv, and the environments of
tox, nox and conda. It is untrusted text and only read; what is not understood is left out.
"""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

_GROUPS = ("test", "tests", "testing", "dev", "develop", "development", "default", "main")
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_REQUIREMENT = re.compile(rf"{_NAME}(?:\[[\w,. -]*\])?\s*(?:(?:[<>=!~]=?|===).*|;.*)?")
_LARGEST = 256 << 10
_LONGEST = 300
"""Characters of a requirement."""
_FILE_NAME = re.compile(r"\.(?:txt|toml|cfg|in|py|whl|zip|gz)$")
_LONGEST_VERSION = 40
_LONGEST_YAML = 64 << 10
FILES = ("tox.ini", "tox.toml", "noxfile.py", "Pipfile", "environment.yml", "environment.yaml", "hatch.toml")


def further_requirements(source: Path) -> list[str]:
    """Requirements of the tests at `source` from the first place that names some, as pip takes them."""
    pyproject = _toml(source / "pyproject.toml")
    tool = _table(pyproject, "tool")
    places = (_poetry(_table(tool, "poetry")), _strings(_table(tool, "uv").get("dev-dependencies")),
              _of_groups(_table(_table(tool, "pdm"), "dev-dependencies")),
              _hatch(_table(_table(tool, "hatch"), "envs") or _table(_toml(source / "hatch.toml"), "envs")),
              _tox(source, tool), _nox(source), _pipfile(source), _conda(source))  # fmt: skip
    found = next(filter(None, ([*place] for place in places)), [])
    return list(dict.fromkeys(each.strip() for each in found if is_requirement(each)))


def is_requirement(text: object) -> bool:
    """Whether a text is a requirement by name, and neither an option nor the name of a file."""
    told = text.strip() if isinstance(text, str) else ""
    return len(told) <= _LONGEST and bool(_REQUIREMENT.fullmatch(told)) and not _FILE_NAME.search(told)


def _poetry(poetry: Mapping[str, Any]) -> Iterator[str]:
    groups = _table(poetry, "group")
    for name in [name for name in _GROUPS if name in groups] or [*groups][:1]:
        yield from _poetry_requirements(_table(_table(groups, name), "dependencies"))
    yield from _poetry_requirements(_table(poetry, "dev-dependencies"))


def _poetry_requirements(dependencies: Mapping[str, Any]) -> Iterator[str]:
    for name, wanted in dependencies.items():
        given = wanted[0] if isinstance(wanted, list) and wanted else wanted
        table = given if isinstance(given, dict) else {"version": given}
        if name == "python" or not isinstance(table.get("version", "*"), str) or {"path", "git", "url"} & set(table):
            continue
        extras = _strings(table.get("extras"))
        marker = table.get("markers")
        yield (
            name
            + (f"[{','.join(extras)}]" if extras else "")
            + _as_specifier(table.get("version", "*"))
            + (f"; {marker}" if isinstance(marker, str) else "")
        )


def _as_specifier(version: str) -> str:
    """`^1.2` and `~1.2` in the words of pip (poetry's own rule: the first part that is not 0 may not change)."""
    parts = []
    for part in version.split(","):
        text = part.strip() if len(part) <= _LONGEST_VERSION else ""
        if found := re.fullmatch(r"([\^~])\s*v?(\d+(?:\.\d+)*)(?:[.\w-]*)", text):
            numbers = [int(number) for number in found[2].split(".")]
            at = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
            at = min(at if found[1] == "^" else 1, len(numbers) - 1)
            upper = [*numbers[:at], numbers[at] + 1]
            parts.append(f">={found[2]},<{'.'.join(map(str, upper))}")
        elif text in ("*", ""):
            continue
        elif re.fullmatch(r"\d+(?:\.(?:\d+|\*))*", text):
            parts.append(f"=={text}")
        elif re.match(r"[<>=!~]", text) and "||" not in text:
            parts.append(text)
    return ",".join(parts)


def _of_groups(groups: Mapping[str, Any]) -> list[str]:
    return [each for name in _GROUPS for each in _strings(groups.get(name))]


def _hatch(environments: Mapping[str, Any]) -> Iterator[str]:
    for name in ("default", *(name for name in environments if "test" in name)):
        environment = _table(environments, name)
        yield from _strings(environment.get("dependencies"))
        yield from _strings(environment.get("extra-dependencies"))


def _tox(source: Path, tool: Mapping[str, Any]) -> Iterator[str]:
    table = _toml(source / "tox.toml") or _table(tool, "tox")
    yield from _strings(_table(table, "env_run_base").get("deps"))
    parser = configparser.RawConfigParser(strict=False)
    texts = [_text(source / "tox.ini"), str(table.get("legacy_tox_ini") or "")]
    for text in texts:
        try:
            parser.read_string(text)
        except configparser.Error:
            continue
    if parser.has_option("testenv", "deps"):
        for line in parser.get("testenv", "deps").splitlines():
            # A line that only some environments have begins with their names: py38: importlib-metadata
            yield re.sub(r"^(?:!?[\w,.{}-]+)\s*:\s+", "", line.partition(" #")[0].strip())


def _nox(source: Path) -> Iterator[str]:
    try:
        tree = ast.parse(_text(source / "noxfile.py"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    sessions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for session in [each for each in sessions if "test" in each.name] or sessions[:1]:
        for node in ast.walk(session):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "install":
                given = [each.value for each in node.args if isinstance(each, ast.Constant)]
                yield from (each for each in given if isinstance(each, str))


def _pipfile(source: Path) -> Iterator[str]:
    table = _toml(source / "Pipfile")
    for section in ("packages", "dev-packages"):
        yield from _poetry_requirements(_table(table, section))


def _conda(source: Path) -> Iterator[str]:
    """The packages of pip; conda's have names of their own, which may mean other packages elsewhere."""
    for name in ("environment.yml", "environment.yaml"):
        try:
            table = yaml.load(_text(source / name)[:_LONGEST_YAML], _WithoutAliases)  # noqa: S506  # a SafeLoader
        except (yaml.YAMLError, RecursionError, ValueError):
            continue
        for entry in _list(table.get("dependencies")) if isinstance(table, dict) else ():
            if isinstance(entry, dict):
                yield from _strings(entry.get("pip"))


class _WithoutAliases(yaml.SafeLoader):
    """Refuses what makes a short text a long one."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _table(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except (ValueError, RecursionError):
        return {}


def _text(path: Path) -> str:
    return path.read_bytes()[:_LARGEST].decode("utf-8", "replace") if path.is_file() and not path.is_symlink() else ""
