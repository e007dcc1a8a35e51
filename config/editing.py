"""Changes single values of `config.yaml` and keeps everything else of the file: comments, order, quotes.

A change is written only if the file is right with it.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from config.errors import ConfigError, ConfigProblem
from config.loading import load_settings

_HEAD = """\
# Your settings: only what differs from the defaults. `config set KEY VALUE` changes them, an editor does, too.
# Every key with its meaning and default: config.example.yaml
"""


def set_values(file: Path, values: Mapping[str, object]) -> None:
    """Set `section.key` -> value, and `section.name.key` in sections that have names; None removes the key.

    A missing file is made. Raises `ConfigError`, and leaves the file as it is, if it would be wrong.
    """

    def change(text: str) -> str:
        yaml = _round_trip()
        try:
            document = yaml.load(text)
        except YAMLError as error:
            said = " ".join(str(error).split())
            raise ConfigError(str(file), [ConfigProblem("(file)", "", f"is not readable YAML: {said}")]) from None
        comments = ""  # a file without a value is comments alone, which the library would lose
        if document is None:
            document, comments = CommentedMap(), text or _HEAD
        for path, value in values.items():
            _set(document, path.split("."), value)
        if not document:
            return comments
        made = io.StringIO()
        yaml.dump(document, made)
        return comments + made.getvalue()

    replace(file, change)


def replace(file: Path, change: Callable[[str], str]) -> None:
    """Put what `change` makes of the text of `file` in its place, if it is a right configuration.

    Raises `ConfigError` if it is not, or if the file cannot be read or written.
    """
    try:
        before = file.read_text(encoding="utf-8") if file.is_file() else ""
        after = change(before)
        file.parent.mkdir(parents=True, exist_ok=True)
        # In the same folder, since paths and `.env` are looked for beside the file.
        handle, name = tempfile.mkstemp(prefix=".config-", suffix=".yaml", dir=file.parent)
        trial = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as written:
                written.write(after)
            trial.chmod(file.stat().st_mode & 0o777 if file.is_file() else 0o644)
            try:
                load_settings(trial)
            except ConfigError as problem:
                raise ConfigError(str(file) if problem.source == name else problem.source, problem.problems) from None
            trial.replace(file.resolve())
        finally:
            trial.unlink(missing_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), [ConfigProblem("(file)", "", f"cannot be changed: {error}")]) from None


def _set(document: Any, path: list[str], value: object) -> None:
    if not isinstance(document, CommentedMap):
        return  # the check of the whole says what is wrong with it
    first, *rest = path
    if not rest:
        if value is None:
            document.pop(first, None)
        else:
            document[first] = value
        return
    if document.get(first) is None:
        if value is None:
            return
        document[first] = CommentedMap()
    _set(document[first], rest, value)


def _round_trip() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
