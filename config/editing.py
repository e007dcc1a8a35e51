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
from dataclasses import dataclass
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
from config.reading import unreadable
from config.settings import Settings

_HEAD = f"""\
# Your settings: only what differs from the defaults. `config set KEY VALUE` changes them, an editor does, too.
# Every key with its meaning and default: {ROOT / "config.example.yaml"}
"""


@dataclass(frozen=True)
class Key:
    """A setting by its name: the way to it, and what it holds."""

    path: list[str]
    kinds: list[Any]
    """The types of which one is its value's."""

    @property
    def is_text(self) -> bool:
        """Whether it is a text, so that what looks like a number in it is none."""
        return any(kind in (str, Path, SecretStr) or _is_word(kind) for kind in self.kinds)

    @property
    def is_secret(self) -> bool:
        """Whether it is a secret, or a list of them."""
        return any(SecretStr in (kind, *get_args(kind)) for kind in self.kinds)

    def typed(self, text: str) -> object:
        """The value that somebody typed; None for nothing. A text is no YAML, unless a list or names with values may
        stand there, too, and it is written as one."""
        whole = text.strip()
        brackets = {list: ("[", "]"), dict: ("{", "}")}
        known = [brackets[kind] for each in self.kinds if (kind := get_origin(each)) in brackets]
        if not text or (self.is_text and (whole[:1], whole[-1:]) not in known):
            return text or None
        try:
            value: object = yaml.safe_load(text)
        except yaml.YAMLError:
            return text
        return value


def find_key(key: str) -> Key:
    """The setting `section.key`; a name in a section of names may have dots of its own (`llm.prices.gpt-4.1`).

    Raises `ValueError` for a key that is no setting.
    """
    parts, path = key.split("."), list[str]()
    model: Any = Settings
    while parts:
        if isinstance(model, type) and issubclass(model, BaseModel):
            if parts[0] not in model.model_fields:
                raise ValueError(f"{key}: there is no {parts[0]}; there are: {', '.join(model.model_fields)}")
            model = model.model_fields[parts[0]].annotation
            path.append(parts.pop(0))
        elif get_origin(model) is dict:
            model = get_args(model)[1]
            inner = len(parts) > 1 and parts[-1] in getattr(model, "model_fields", {})
            path.append(".".join(parts[:-1] if inner else parts))
            parts = parts[-1:] if inner else []
        else:
            raise ValueError(f"{key}: there is no {parts[0]}; {'.'.join(path)} is a single value")
    return Key(path, _kinds(model))


def _kinds(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return [kind for each in get_args(annotation) for kind in _kinds(each)]
    return _kinds(get_args(annotation)[0]) if get_origin(annotation) is Annotated else [annotation]


def _is_word(kind: Any) -> bool:
    return get_origin(kind) is Literal and all(isinstance(each, str) for each in get_args(kind))


def set_values(file: Path, values: Mapping[str, object], check: Callable[[Settings], None] | None = None) -> bool:
    """Set `section.key` -> value; None removes the key. A missing file is made. Whether anything changed.

    Raises `ConfigError`, as `check` may, and leaves the file as it is, if it would be wrong or cannot be changed.
    """
    _, text, changed = _with_values(file, values)
    replace(file, text, check)
    return changed


def preview(
    file: Path, values: Mapping[str, object], check: Callable[[Settings], None] | None = None
) -> tuple[str, str]:
    """The text of the file before and after what `set_values` would do. Raises as that does; nothing is changed."""
    before, text, _ = _with_values(file, values)
    replace(file, text, check, only_try=True)
    return before, text


def _with_values(file: Path, values: Mapping[str, object]) -> tuple[str, str, bool]:
    """The text of the file before and after, and whether it means something else then."""
    try:
        before = file.read_bytes().decode() if file.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unchanged(file, error) from None
    mark = "\ufeff" if before.startswith("\ufeff") else ""
    ends = "\r\n" if "\r\n" in before else "\n"
    text = before.removeprefix(mark).replace("\r\n", "\n") or _HEAD
    changed = False
    for key, value in values.items():
        path, present = _path(key), _loaded(file, text)
        wanted = deepcopy(present)
        _put(wanted, path, value)
        if wanted != present:
            changed = True
            text = _edited(text, path, value, wanted)
    return before, mark + text.replace("\n", ends), changed


def _path(key: str) -> list[str]:
    try:
        return find_key(key).path
    except ValueError:
        return key.split(".")  # the check of the whole says what is wrong with it


def replace(file: Path, text: str, check: Callable[[Settings], None] | None = None, *, only_try: bool = False) -> None:
    """Put `text` in the place of the file's, if it is a right configuration. Raises as `set_values`. `only_try`: leave
    the file as it is, either way."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, since paths and `.env` are looked for beside the file.
        handle, name = tempfile.mkstemp(prefix=".config-", suffix=".yaml", dir=file.parent)
        trial = Path(name)
        try:
            with os.fdopen(handle, "wb") as written:
                written.write(text.encode())
            trial.chmod(file.stat().st_mode & 0o777 if file.is_file() else 0o644)
            try:
                settings = load_settings(trial)
                if check:
                    check(settings)
            except ConfigError as problem:
                raise ConfigError(str(file) if problem.source == name else problem.source, problem.problems) from None
            if not only_try:
                trial.replace(file.resolve())
        finally:
            trial.unlink(missing_ok=True)
    except (OSError, UnicodeEncodeError) as error:
        raise _unchanged(file, error) from None


def _unchanged(file: Path, error: Exception) -> ConfigError:
    return ConfigError(str(file), [ConfigProblem("(file)", "", f"cannot be changed: {error}")])


def _loaded(file: Path, text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(str(file), [unreadable(error)]) from None
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
    """Where the next part of the path would stand if it were new."""
    for depth, part in enumerate(path):
        if isinstance(node, yaml.CollectionNode) and node.flow_style:
            return None
        entries = node.value if isinstance(node, yaml.MappingNode) else []  # or a section that is all comments
        found = next((entry for entry in entries if entry[0].value == part), None)
        if found is None:
            if entries:
                indent, after = entries[0][0].start_mark.column, _last_line(entries[-1][1]) + 1
            return "".join([*lines[:after], *_block(path[depth:], value, indent), *lines[after:]])
        key, node = found
        indent, after = key.start_mark.column + 2, key.start_mark.line + 1
    assert node is not None
    line, last = after - 1, _last_line(node)
    if value is None:
        return "".join([*lines[:line], *lines[last + 1 :]])
    if not isinstance(node, yaml.ScalarNode) or not node.start_mark.line == line == last:
        return None
    changed = lines[line][: node.start_mark.column] + _in_text(value) + lines[line][node.end_mark.column :]
    return "".join([*lines[:line], changed, *lines[line + 1 :]])


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
    """The value as YAML in one line."""
    style = '"' if isinstance(value, str) and "\n" in value else None
    text = yaml.safe_dump(value, default_style=style, default_flow_style=True, allow_unicode=True, width=10**6)
    return text.removesuffix("...\n").strip("\n")


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
