"""Meetings and who takes part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from planner.slots import Slot, overlaps


@dataclass(frozen=True)
class Meeting:
    """A meeting of some people in a slot."""

    title: str
    slot: Slot
    people: tuple[str, ...]


def of_person(meetings: Iterable[Meeting], name: str) -> list[Meeting]:
    """The meetings of a person, in the order of their begin."""
    return sorted((meeting for meeting in meetings if name in meeting.people), key=lambda meeting: meeting.slot)


def conflicts(meetings: Iterable[Meeting]) -> list[tuple[Meeting, Meeting]]:
    """Pairs of meetings that overlap and share a person."""
    known = list(meetings)
    return [
        (first, second)
        for index, first in enumerate(known)
        for second in known[index + 1 :]
        if overlaps(first.slot, second.slot) and set(first.people) & set(second.people)
    ]
