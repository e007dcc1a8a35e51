"""How pages are drawn: Jinja templates, escaped without exception, in a frame that every page shares.

No script and no style stands in a page (the Content-Security-Policy forbids both), so what a repository or a model
wrote can be shown as it is. A template gets what a page hands it, and `visitor` (None on the way in), `path`, `here`,
`told`, `frame` and `layout`: a page that is asked for with `?part=…` comes without its frame, to take the place of what
is on the screen, or a part of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from config import VERSION, command
from memory import ANSWER_GATE, Activity, Priority, utc_now
from orchestrator.flow import LAND_GATE
from owner.inbox import merge_head, merge_size
from owner.sentences import sentence
from owner.words import agent_name, at_work_on, count, deployment_word, one_line, reason_words, span, status_word

if TYPE_CHECKING:
    from api.room import Room

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TOLD = {
    "approve": "It goes on. Your word is with the daemon, which takes it within a second.",
    "retry": "It is tried again. The daemon begins within a second.",
    "reject": "It is put aside. What has landed stays.",
    "cancel": "It is being stopped. What has landed stays.",
    "changed": "Changed. It holds from the task's next stage on.",
    "added": "The team has it. It begins when an agent is free.",
    "let-in": "They may come in. A link signs them in for the first time: make one beside their name.",
    "person-changed": "Changed. It holds at once.",
    "removed": "They are out. What they did stays in the audit trail.",
    "password": "Your password is set. Everywhere else you are signed out.",
    "withdrawn": "The key is worth nothing any more.",
    "said": "It stands in the agent's next prompt. The answer comes here.",
    "paused": "It finishes the step it is in, and begins nothing more until you resume it.",
    "resumed": "It goes on where it was.",
    "deploy": "The daemon does it, after what it deploys there now. The page says how it goes.",
    "forge": "The daemon looks at the forge within a second or two.",
    "saved": "Saved, and recorded in the audit trail. The daemon reads it at its next start.",
}
"""What a page says after a form was sent; only these words, whatever the address says."""
_MOST_OF_A_REASON = 4
"""Lines of a reason that are shown at once."""


_LAYOUTS = {"live": "_live.html", "panel": "_panel.html", "bare": "_bare.html"}
PAGES = (
    ("Inbox", "/", "inbox"),
    ("Now", "/now", "now"),
    ("Tasks", "/tasks", "tasks"),
    ("Activity", "/activity", "activity"),
    ("Costs", "/costs", "costs"),
    ("Team", "/team", "team"),
    ("Decisions", "/decisions", "decisions"),
    ("Repository", "/repository", "repository"),
    ("Deployments", "/deployments", "deployments"),
    ("People", "/people", "people"),
    ("Settings", "/settings", "settings"),
)
"""Name, address and icon of what is in the navigation."""


class _Query(dict[str, str]):
    """What an address asks for; what it leaves out is empty."""

    def __missing__(self, _: str) -> str:
        return ""


def _moment(moment: datetime) -> str:
    """A time for the attribute `datetime` of <time>; a script keeps its words up to date."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _ago(moment: datetime) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 d ago`, and the day when it is longer ago. As `ago` in app.js."""
    seconds = (utc_now() - moment).total_seconds()
    if seconds < 0:
        return f"in {span(-seconds)}"
    for limit, size, unit in ((3_600, 60, "min"), (86_400, 3_600, "h"), (30 * 86_400, 86_400, "d")):
        if seconds < limit:
            whole = int(seconds // size)
            return f"{whole} {unit} ago" if whole else "just now"
    return f"{moment:%Y-%m-%d}"


def _clock(moment: datetime) -> str:
    """`14:05:12 UTC`, with the day where that is not today; a script turns it into the reader's own time."""
    return (
        f"{moment:%H:%M:%S} UTC" if moment.date() == utc_now().date() else f"{moment:%b} {moment.day}, {moment:%H:%M}"
    )


def _words(text: str) -> Markup:
    """What somebody wrote, as text; what stands between backticks as code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped first


def _story(line: Activity, title: str = "") -> str:
    """A line of the stream beside the link to its task, whose id it need not name."""
    return sentence(line, title).replace(f" ({line.task_id})", "")


def _error_words(name: str) -> str:
    """The class of an error as words: `ProviderRefused` is `provider refused`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def urgency(priority: int) -> str:
    """A priority as a word."""
    return "high" if priority < Priority.MEDIUM else "normal" if priority == Priority.MEDIUM else "low"


def _money(dollars: float | None) -> str:
    """Dollars, exact enough for sums and for single calls; a dash where no price is known."""
    if dollars is None:
        return "–"
    return f"${dollars:,.2f}" if dollars >= 1 or dollars == 0 else f"${dollars:.4f}"


def _short(number: float) -> str:
    """`950`, `12.3 k`, `4.5 M`."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:g}"


def _gist(text: str) -> str:
    """What a long reason says without its evidence: its first line and its last paragraph."""
    lines = text.strip().splitlines()
    if len(lines) <= _MOST_OF_A_REASON:
        return text
    last = text.strip().rpartition("\n\n")[2].strip()
    first = re.sub(r"[;,:]?\s*the last (failure|one):?$", "", lines[0]).rstrip(";:, ")
    return first if len(last.splitlines()) > _MOST_OF_A_REASON else f"{first}.\n{last}"


_TEMPLATES.globals |= {
    "answer_gate": ANSWER_GATE, "land_gate": LAND_GATE, "pages": PAGES, "urlencode": urlencode, "version": VERSION,
}  # fmt: skip
_TEMPLATES.filters |= {
    "agent_name": agent_name,
    "ago": _ago,
    "at_work_on": at_work_on,
    "clock": _clock,
    "count": count,
    "deployment_word": deployment_word,
    "error_words": _error_words,
    "gist": _gist,
    "merge_head": merge_head,
    "merge_size": merge_size,
    "moment": _moment,
    "money": _money,
    "one_line": one_line,
    "reason_words": reason_words,
    "story": _story,
    "short": _short,
    "span": span,
    "urgency": urgency,
    "words": _words,
    "status_word": status_word,
    "tojson_text": lambda value: json.dumps(value, ensure_ascii=False, indent=1),
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
    asked = request.query_params.items()
    query = _Query({key: value for key, value in asked if key not in ("part", "told") and value})
    part = request.query_params.get("part", "")
    shared = {
        "visitor": visitor,
        "path": request.url.path,
        "here": f"{request.url.path}?{urlencode(query | {'part': 'live'})}",
        "query": query,
        "told": _TOLD.get(request.query_params.get("told", ""), ""),
        "frame": room.frame() if visitor else None,
        "layout": _LAYOUTS.get(part, "base.html") if visitor else "base.html",
        "live": False,
        "typed": command(),
    }
    return HTMLResponse(_TEMPLATES.get_template(template).render({**shared, **values}), status, headers)
