"""How pages are drawn: Jinja templates, escaped without exception, in a frame that every page shares.

No script and no style stands in a page (the Content-Security-Policy forbids both), so what a repository or a model
wrote can be shown as it is. A template gets what a page hands it, `visitor` (None on the way in), `path` and `frame`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from config import VERSION
from owner.sentences import agent_name, at_work_on, count, one_line, reason_words, sentence, span, status_word

if TYPE_CHECKING:
    from api.room import Room

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _moment(moment: datetime) -> str:
    """A time for the attribute `datetime` of <time>; a script shows it in the reader's own clock."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


_TEMPLATES.globals |= {"version": VERSION}
_TEMPLATES.filters |= {
    "agent_name": agent_name,
    "at_work_on": at_work_on,
    "count": count,
    "moment": _moment,
    "one_line": one_line,
    "reason_words": reason_words,
    "sentence": sentence,
    "span": span,
    "status_word": status_word,
}


def page(
    request: Request,
    template: str,
    values: Mapping[str, object],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """A page, or a part of one (a template whose name begins with `_`), as an answer."""
    room: Room = request.app.state.room
    visitor = getattr(request.state, "visitor", None)
    shared = {"visitor": visitor, "path": request.url.path, "frame": room.frame() if visitor else None}
    return HTMLResponse(_TEMPLATES.get_template(template).render({**shared, **values}), status, headers)
