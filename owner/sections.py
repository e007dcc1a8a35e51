"""A result in sections, and its parts read from what is stored of it, whichever version wrote it."""

from __future__ import annotations

from pydantic import BaseModel, JsonValue


class Section(BaseModel):
    """A part of a result."""

    heading: str
    text: str = ""
    items: list[str] = []


def part(value: dict[str, JsonValue], key: str) -> dict[str, JsonValue]:
    """What stands under `key`, if it has keys itself."""
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def parts(value: dict[str, JsonValue], key: str) -> list[dict[str, JsonValue]]:
    """The list under `key`, of what has keys itself."""
    found = value.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def text(value: dict[str, JsonValue], key: str) -> str:
    """What stands under `key`, as text."""
    return str(value.get(key) or "")


def texts(value: dict[str, JsonValue], key: str) -> list[str]:
    """The list under `key`, as texts."""
    found = value.get(key)
    return [str(each) for each in found] if isinstance(found, list) else []
