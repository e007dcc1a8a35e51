"""Who gets a task that names nobody: the role whose field its words are about. Code decides; no model is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.rows import Role, rows_of
from config import AgentSettings

DEFAULT = "tech_lead"
"""Who gets what is about no field, or about two at once."""


@dataclass(frozen=True)
class Routed:
    """Whose a task is, and why."""

    agent: str
    reason: str
    reviewer: str = ""
    """Who reviews its report; empty where no role reviews that agent's."""


def routed(type: str, text: str, own: Mapping[str, AgentSettings]) -> Routed:
    """Whose a task of this type with these words is, among those who handle its type. `own`: what the owner says of
    roles."""
    rows = rows_of(own, with_prompts=False)
    found = {role.name: words for role in rows.values() if type in role.handles and (words := _words_of(role, text))}
    most = max(map(len, found.values()), default=0)
    first = [name for name, words in found.items() if len(words) == most]
    if len(first) == 1:
        reviewer = next((role.name for role in rows.values() if first[0] in role.reviews), "")
        return Routed(first[0], f"its words are about {', '.join(found[first[0]])}", reviewer)
    if first:
        return Routed(DEFAULT, f"its words are about the fields of {' and '.join(first)} alike")
    return Routed(DEFAULT, "its words are about no one's field alone")


_ALWAYS = {"cfo": "every idea costs something", "risk": "every idea can go wrong"}
"""Who sits in each V-team that is made up for an idea, and why."""
_BUILDERS = ("backend", "frontend", "devops", "performance")
_MOST_SEATS = 6


def seats(text: str, own: Mapping[str, AgentSettings]) -> dict[str, str]:
    """Who gives an opinion on an idea with these words, and why each: who always does, then those whose field the words
    are about, first those who find most of theirs; the tech lead where nobody among them builds."""
    rows = {name: role for name, role in rows_of(own, with_prompts=False).items() if "opinion" in role.handles}
    found = {name: why for name, why in _ALWAYS.items() if name in rows}
    fields = {name: words for name, role in rows.items() if name not in found and (words := _words_of(role, text))}
    for name in sorted(fields, key=lambda name: -len(fields[name])):
        found[name] = f"its words are about {', '.join(fields[name])}"
    chosen = dict([*found.items()][:_MOST_SEATS])
    if not chosen.keys() & {*_BUILDERS}:
        chosen[DEFAULT] = "nobody else on this team builds"
    return chosen


def _words_of(role: Role, text: str) -> list[str]:
    """The words of a role's field that stand in a text, also with an ending (`costs`, `slower`)."""
    return [word for word in role.field if re.search(rf"\b{re.escape(word)}(?:s|ed|er|ing)?\b", text, re.IGNORECASE)]
