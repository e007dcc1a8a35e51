"""Prompts are files beside this one: Jinja2, every variable must be given."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_FOLDER = Path(__file__).parent


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        autoescape=False,  # noqa: S701  # the output is plain text for a model, never a page
    )


def render(name: str, **values: object) -> str:
    """The prompt `name` (a file without `.j2`) with `values` filled in; a missing value is an error."""
    return _environment().get_template(f"{name}.j2").render(**values).strip()
