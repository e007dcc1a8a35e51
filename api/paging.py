"""Lists that come in pages, by key: a page costs the same however far back it is, and what is new moves nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Generic, Protocol, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from owner.errors import NotPossible

Item = TypeVar("Item")

Limit = Annotated[int, Query(ge=1, le=200, description="Rows of a page.")]
RowId = Annotated[int, Field(ge=0, lt=2**63)]
"""The number of a row: a greater one fits no database."""
Before = Annotated[RowId | None, Query(description="`next` of the page before.")]


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


class _Aged(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...


class Page(BaseModel, Generic[Item]):
    """A part of a list."""

    items: list[Item]
    next: str | None = Field(description="Pass it as `before` to get the following page; null: there is none.")


def paged(found: Sequence[Item], limit: int, key: Callable[[Item], str]) -> Page[Item]:
    """A page of what was `found` with one row more than its `limit`; `key` names a row."""
    items = list(found[:limit])
    return Page(items=items, next=key(items[-1]) if len(found) > limit else None)


def number_of(row: _Numbered) -> str:
    """The key of a row with a number."""
    return str(row.id)


def age_of(row: _Aged) -> str:
    """The key of a row that stands in its place by its time, as `cursor_of` reads it."""
    return f"{row.created_at:%Y-%m-%dT%H:%M:%S.%fZ}~{row.id}"


def row_id_of(text: str | None) -> int | None:
    """The number of a row that a text is; None where it is none."""
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 19 else None


def cursor_of(before: str | None) -> tuple[datetime, str] | None:
    """The time and id of a key. Raises `NotPossible` for what is none."""
    if before is None:
        return None
    moment, separator, row_id = before.partition("~")
    try:
        found = datetime.fromisoformat(moment)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC), row_id
    except (ValueError, OverflowError):
        told = "" if separator else " (a + in it has to be sent as %2B)"
        raise NotPossible(f"before={before[:80]!r} is not `next` of a page{told}") from None
