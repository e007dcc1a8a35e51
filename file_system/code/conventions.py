"""How a repository wants code to be written: its instructions to contributors, and the settings of its tools.

The files are the owner's, but models are shown them as data, like any other text of the repository.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import JsonValue

from file_system.errors import FileSystemError
from file_system.file_manager import FileManager

_INSTRUCTIONS = ("AGENTS.md", "CLAUDE.md", ".github/copilot-instructions.md")
"""The first of these that exists is used; the others are usually copies of it."""
_CONTRIBUTING = ("CONTRIBUTING.md", "CONTRIBUTING.rst", ".github/CONTRIBUTING.md", "docs/CONTRIBUTING.md")
_MOST_INSTRUCTIONS = 4000
_MOST_CONTRIBUTING = 1500
_MOST_SETTINGS = 1000
_PYPROJECT = (
    "project.requires-python",
    "tool.ruff.line-length",
    "tool.ruff.target-version",
    "tool.ruff.lint.select",
    "tool.ruff.lint.pydocstyle.convention",
    "tool.ruff.format.quote-style",
    "tool.black.line-length",
    "tool.black.skip-string-normalization",
    "tool.isort.profile",
    "tool.mypy.strict",
    "tool.mypy.disallow_untyped_defs",
    "tool.pyright.typeCheckingMode",
)
_PACKAGE = ("type", "engines.node", "scripts.test", "scripts.lint", "prettier", "eslintConfig.extends")
_OWN_FILES = (".prettierrc", ".prettierrc.json", "rustfmt.toml", ".rustfmt.toml")
"""Settings of formatters that have a short file of their own."""


def conventions_of(root: Path) -> str:
    """What the repository below `root` says about its code, in at most 7000 characters; empty when it says nothing."""
    files = FileManager(root)
    parts = [
        _first(files, _INSTRUCTIONS, _MOST_INSTRUCTIONS),
        _first(files, _CONTRIBUTING, _MOST_CONTRIBUTING),
    ]
    settings = "\n".join(_settings(files))
    if settings:
        parts.append(f"## Settings of its tools\n{_cut(settings, _MOST_SETTINGS)}")
    return "\n\n".join(part for part in parts if part)


def _first(files: FileManager, names: tuple[str, ...], most: int) -> str:
    for name in names:
        if text := _text(files, name).strip():
            return f"## {name}\n{_cut(text, most)}"
    return ""


def _settings(files: FileManager) -> Iterator[str]:
    yield from _chosen("pyproject.toml", _toml(_text(files, "pyproject.toml")), _PYPROJECT)
    yield from _chosen("package.json", _json(_text(files, "package.json")), _PACKAGE)
    for name in _OWN_FILES:
        if text := " ".join(_text(files, name).split()):
            yield f"{name}: {text[:200]}"


def _chosen(name: str, tables: Mapping[str, JsonValue], wanted: tuple[str, ...]) -> Iterator[str]:
    """A line for each of the `wanted` dotted keys that is set."""
    for key in wanted:
        value: JsonValue = dict(tables)
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            yield f"{name}: {key} = {json.dumps(value, default=str)[:200]}"


def _toml(text: str) -> dict[str, JsonValue]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return {}


def _json(text: str) -> dict[str, JsonValue]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(files: FileManager, name: str) -> str:
    try:
        return files.read_file(name) if files.exists(name) else ""
    except FileSystemError:  # too large, not text, or a link that leads out
        return ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most].rpartition(chr(10))[0] or text[:most]}\n[… cut …]"
