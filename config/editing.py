"""Changes single values of `config.yaml` and nothing else of the file: comments, order, quotes, line ends stay.

The text is edited where the value stands. What comes out is compared with what it has to mean; where that differs (a
value inside braces, an anchor), the whole file is written anew by a library that keeps comments. A change is written
only if the file is right with it.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from config.errors import ConfigError, ConfigProblem
from config.loading import load_settings
from config.program import ROOT
from config.settings import Settings

_HEAD = f"""\
# Your settings: only what differs from the defaults. `config set KEY VALUE` changes them, an editor does, too.
# Every key with its meaning and default: {ROOT / "config.example.yaml"}
"""


def key_parts(key: str) -> list[str]:
    """The parts of `section.key`; the name in a section of names may have dots of its own (`llm.prices.gpt-4.1`).

    Raises `ValueError` for a key that is no setting.
    """
    parts, found = key.split("."), list[str]()
    model: Any = Settings
    while parts:
        if isinstance(model, type) and issubclass(model, BaseModel):
            if parts[0] not in model.model_fields:
                raise ValueError(f"{key}: there is no {parts[0]}; there are: {', '.join(model.model_fields)}")
            model = model.model_fields[parts[0]].annotation
            found.append(parts.pop(0))
        elif get_origin(model) is dict:
            model = get_args(model)[1]
            inner = len(parts) > 1 and isinstance(model, type) and parts[-1] in getattr(model, "model_fields", {})
            found += [".".join(parts[:-1]), parts[-1]] if inner else [".".join(parts)]
            break
        else:
            raise ValueError(f"{key}: there is no {parts[0]}; {'.'.join(found)} is a single value")
    return found


def is_text(key: str) -> bool:
    """Whether the setting is a text, so that what looks like a number in it is none. Raises as `key_parts`."""
    model: Any = Settings
    for part in key_parts(key):
        model = get_args(model)[1] if get_origin(model) is dict else model.model_fields[part].annotation
    return any(kind in (str, Path, SecretStr) or _is_word(kind) for kind in _kinds(model))


def _kinds(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return [kind for each in get_args(annotation) for kind in _kinds(each)]
    return _kinds(get_args(annotation)[0]) if get_origin(annotation) is Annotated else [annotation]


def _is_word(kind: Any) -> bool:
    return get_origin(kind) is Literal and all(isinstance(each, str) for each in get_args(kind))


def set_values(file: Path, values: Mapping[str, object], check: Callable[[Settings], None] | None = None) -> list[str]:
    """Set `section.key` -> value; None removes the key. A missing file is made. Gives the keys that changed.

    Raises `ConfigError`, and leaves the file as it is, if it would be wrong; `check` may raise one, too.
    """
    changed: list[str] = []

    def change(text: str) -> str:
        text = text or _HEAD
        for key, value in values.items():
            before = _loaded(file, text)
            wanted = deepcopy(before)
            path = key_parts(key) if value is None else _parts(key)
            _put(wanted, path, value)
            if wanted != before:
                changed.append(key)
                text = _edited(text, path, value, wanted)
        return text

    replace(file, change, check)
    return changed


def _parts(key: str) -> list[str]:
    try:
        return key_parts(key)
    except ValueError:
        return key.split(".")  # the check of the whole says what is wrong with it


def replace(file: Path, change: Callable[[str], str], check: Callable[[Settings], None] | None = None) -> None:
    """Put what `change` makes of the text of `file` in its place, if it is a right configuration.

    Raises `ConfigError` if it is not, or if the file cannot be read or written.
    """
    try:
        before = file.read_bytes().decode() if file.is_file() else ""
        mark = "\ufeff" if before.startswith("\ufeff") else ""
        ends = "\r\n" if "\r\n" in before else "\n"
        after = change(before.removeprefix(mark).replace("\r\n", "\n"))
        file.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, since paths and `.env` are looked for beside the file.
        handle, name = tempfile.mkstemp(prefix=".config-", suffix=".yaml", dir=file.parent)
        trial = Path(name)
        try:
            with os.fdopen(handle, "wb") as written:
                written.write((mark + after.replace("\n", ends)).encode())
            trial.chmod(file.stat().st_mode & 0o777 if file.is_file() else 0o644)
            try:
                settings = load_settings(trial)
                if check:
                    check(settings)
            except ConfigError as problem:
                raise ConfigError(str(file) if problem.source == name else problem.source, problem.problems) from None
            trial.replace(file.resolve())
        finally:
            trial.unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), [ConfigProblem("(file)", "", f"cannot be changed: {error}")]) from None


def _loaded(file: Path, text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise ConfigError(str(file), [ConfigProblem("(file)", "", f"is not readable YAML: {said}")]) from None
    return found if isinstance(found, dict) else {}


def _put(document: dict[str, Any], path: list[str], value: object) -> None:
    """Set or remove the value in what was loaded; a section that is left empty reads as nothing set."""
    first, *rest = path
    if rest:
        inner = document.get(first)
        if not isinstance(inner, dict):
            if value is None:
                return
            inner = document[first] = {}
        _put(inner, rest, value)
        if not inner:
            document[first] = None
    elif value is None:
        document.pop(first, None)
    else:
        document[first] = value


def _edited(text: str, path: list[str], value: object, wanted: dict[str, Any]) -> str:
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    made = _in_lines(lines, path, value)
    try:
        if made is not None and (yaml.safe_load(made) or {}) == wanted:
            return made
    except yaml.YAMLError:
        pass
    return _written_anew(text, path, value)


def _in_lines(lines: list[str], path: list[str], value: object) -> str | None:
    """The text with the value set or removed where it stands; None where that is no matter of whole lines."""
    node: yaml.Node | None = yaml.compose("".join(lines), yaml.SafeLoader)
    indent, after = 0, len(lines)
    for depth, part in enumerate(path):
        entries = node.value if isinstance(node, yaml.MappingNode) else []
        if isinstance(node, yaml.MappingNode) and node.flow_style:
            return None
        key, found = next(((key, inner) for key, inner in entries if key.value == part), (None, None))
        if key is None:
            if value is None:
                return None
            if entries:
                indent, after = entries[0][0].start_mark.column, _last_line(entries[-1][1]) + 1
            return "".join([*lines[:after], *_block(path[depth:], value, indent), *lines[after:]])
        node, line = found, key.start_mark.line
        indent, after = key.start_mark.column + 2, line + 1
        if isinstance(node, yaml.ScalarNode) and not node.value and depth < len(path) - 1:
            node = None  # a section whose every line is commented out
    if node is None:
        return None
    last = _last_line(node)
    if value is None:
        return "".join([*lines[:line], *lines[last + 1 :]])
    begin, end = node.start_mark, node.end_mark
    if begin.line != last or not isinstance(node, yaml.ScalarNode) or "\n" in _in_text(value):
        return None
    changed = lines[line][: begin.column] + _in_text(value) + lines[line][end.column :]
    return "".join([*lines[:line], changed, *lines[line + 1 :]]) if begin.line == line else None


def _last_line(node: yaml.Node) -> int:
    """The last line in which something of the node stands; comments after it are not its."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return int(node.end_mark.line) - 1
    return int(node.end_mark.line)


def _block(path: list[str], value: object, indent: int) -> list[str]:
    *outer, last = path
    made = [f"{' ' * (indent + 2 * depth)}{_in_text(name)}:\n" for depth, name in enumerate(outer)]
    return [*made, f"{' ' * (indent + 2 * len(outer))}{_in_text(last)}: {_in_text(value)}\n"]


def _in_text(value: object) -> str:
    """The value as YAML in one line, as far as that is possible."""
    if isinstance(value, str):
        plain = yaml.safe_dump(value, allow_unicode=True, width=10**6)
        return plain.removesuffix("...\n").strip("\n")
    return yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6).removesuffix("...\n").strip()


def _written_anew(text: str, path: list[str], value: object) -> str:
    document_yaml = YAML()
    document_yaml.preserve_quotes = True
    document_yaml.width = 4096
    document_yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        document = document_yaml.load(text)
    except YAMLError as error:  # it knows another version of YAML than the one that reads the file
        said = " ".join(str(error).split())
        raise ConfigError("config.yaml", [ConfigProblem("(file)", "", f"cannot be edited here: {said}")]) from None
    _put(document, path, _quoted(value))
    made = io.StringIO()
    document_yaml.dump(document, made)
    return made.getvalue()


def _quoted(value: object) -> object:
    """Texts that another reader could take for something else get quotes."""
    if isinstance(value, str):
        return value if yaml.safe_dump(value).startswith(value[:1] or "'") else DoubleQuotedScalarString(value)
    if isinstance(value, dict):
        return {key: _quoted(inner) for key, inner in value.items()}
    return [_quoted(inner) for inner in value] if isinstance(value, list) else value
