"""Prompts are files beside this one: Jinja2, every variable must be given."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent
_DATA_MARK = re.compile(r"<(/?\s*data\s*>)", re.IGNORECASE)


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
    """What is filled in cannot end the data block it stands in."""
    return _DATA_MARK.sub(r"<\\\1", value) if isinstance(value, str) else value


def render(name: str, **values: object) -> str:
    """The prompt `name` (a file without `.j2`) with `values` filled in; a missing value is an error."""
    return _environment().get_template(f"{name}.j2").render(**values).strip()
