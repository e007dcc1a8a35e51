"""Slots of time: (begin, end), the end not included."""

from __future__ import annotations

from collections.abc import Iterable

Slot = tuple[int, int]


def overlaps(first: Slot, second: Slot) -> bool:
    """Whether two slots share any minute."""
    return first[0] <= second[1] and second[0] <= first[1]


def merged(slots: Iterable[Slot]) -> list[Slot]:
    """The slots in order, those that touch or overlap joined."""
    result: list[Slot] = []
    for begin, end in sorted(slots):
        if result and begin <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result


def free(slots: Iterable[Slot], begin: int, end: int) -> list[Slot]:
    """What of the time from `begin` to `end` no slot takes."""
    result = []
    for start, stop in merged(slots):
        if start > begin:
            result.append((begin, min(start, end)))
        begin = max(begin, stop)
    if begin < end:
        result.append((begin, end))
    return result
