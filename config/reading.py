"""Reads `config.yaml` as plain values, and says in plain words why a file is not readable YAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from config.errors import ConfigError, ConfigProblem

_MERGE = "tag:yaml.org,2002:merge"
_OPENING = "at the mark where it began"
_WORDS = (
    (r"found character '\\t'", "a tab stands where YAML wants blanks; replace it by blanks"),
    (r"found character '(.)' that cannot start", r"a text that begins with {0} has to stand in quotes"),
    (r"found unexpected end of stream", f"a quote is not closed {_OPENING}"),
    (r"expected ',' or '([\]}])'", f"the bracket is not closed by {{0}} {_OPENING}, or a comma is missing behind it"),
    (r"mapping values are not allowed", "a colon stands where none belongs: put a value that holds `: ` in quotes, "
     "and begin all keys of a section in the same column"),
    (r"expected <block end>|expected the node content|did not find expected", "it does not fit the lines before it: "
     "begin all keys of a section in the same column, and all items of a list"),
    (r"could not find expected ':'", "a key has no colon and blank behind it: write KEY: VALUE"),
    (r"found unknown escape character '(.)'", r"\{0} means nothing inside double quotes; write single quotes"),
    (r"(.+) is there twice", "{0} is there twice; keep one"),
    (r"could not determine a constructor for the tag '?([^']+)", "the tag {0} is not read; take it out, or put the "
     "text in quotes"),
    (r"unhashable key", "a key is a list or a section; a key is a word"),
    (r"but found another document", "a second document begins; keep one, without the line ---"),
    (r"found undefined alias '?([^']+)", "*{0} is not defined; a text that begins with * has to stand in quotes"),
    (r"special characters are not allowed", "it holds a character that no text has; take it out"),
)  # fmt: skip
"""What the parser says, and what it means. The parser's own words speak of its tokens."""


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would silently take the last."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return node


def read_values(path: Path) -> dict[str, object]:
    """The sections of the file at `path`. Raises `ConfigError`."""
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506 - it is a SafeLoader
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; let the user of this program read it"
        raise ConfigError(str(path), [ConfigProblem("(file)", "", problem)]) from None
    except UnicodeDecodeError:
        problem = "is not readable YAML: it is no UTF-8 text; save it as UTF-8"
        raise ConfigError(str(path), [ConfigProblem("(file)", "", problem)]) from None
    except yaml.YAMLError as error:
        raise ConfigError(str(path), [unreadable(error)]) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(str(path), [ConfigProblem("(file)", "", "must hold sections such as `llm:` and `git:`")])
    # An empty section (`agents:` with every line commented out) parses as null; it means "nothing set".
    return {str(key): value for key, value in values.items() if value is not None}


def unreadable(error: Exception) -> ConfigProblem:
    """Where a file is not readable YAML, and why, by the error of PyYAML or of ruamel.yaml."""
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    found = next(((match, words) for shape, words in _WORDS if (match := re.search(shape, said))), None)
    told = found[1].format(*found[0].groups()) if found else said
    mark = getattr(error, "problem_mark", None)
    if _OPENING in told:
        mark, told = getattr(error, "context_mark", None) or mark, told.replace(f" {_OPENING}", "")
    where = f"line {mark.line + 1}" if mark else "(file)"
    return ConfigProblem(where, "", f"is not readable YAML: {told}")
