"""Prompts are files beside this one: Jinja2, every variable must be given."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from monitoring import without_unseen

_FOLDER = Path(__file__).parent
_DATA_MARK = re.compile(
    r"(?<!\w)[<\uff1c\ufe64](?=\s*data\s*[>\uff1e\ufe65])|[<\uff1c\ufe64](?=\s*/\s*data\b)", re.IGNORECASE
)
_CHAT_MARK = re.compile(
    r"<(?=[|\uff5c]\w{1,40}[|\uff5c]>|/?(?:start|end)_of_turn>|</?SYS>>|/?s>\s*(?:</?s>|\[/?INST\]))"
    r"|(?<=s>)<(?=/?s>)|\[(?=/?INST\])"
)
"""How models' own templates mark whose turn it is; some servers take them for it wherever they stand."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=_kept_inside,
        autoescape=False,  # noqa: S701  # the output is plain text for a model, never a page
    )


def _kept_inside(value: object) -> object:
    """What is filled in cannot end the data block it stands in, nor the turn, and holds nothing that is not seen."""
    if not isinstance(value, str):
        return value
    return _CHAT_MARK.sub(_escaped, _DATA_MARK.sub(_escaped, without_unseen(value)))


def _escaped(mark: re.Match[str]) -> str:
    return f"{mark[0]}\\"


def render(name: str, **values: object) -> str:
    """The prompt `name` (a file without `.j2`) with `values` filled in; a missing value is an error."""
    return _environment().get_template(f"{name}.j2").render(**values).strip()
