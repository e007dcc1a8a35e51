"""Column types that redact secrets, limit the length of texts and store times in UTC.

Because the type does it, no writer can forget it.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

from pydantic import JsonValue
from sqlalchemy import TIMESTAMP, Dialect, Text, TypeDecorator

from memory.errors import ValueTooLarge
from monitoring import redact

_SHORT = 400


class SafeText(TypeDecorator[str]):
    """Text without secrets. Above `limit` characters its middle is cut out and the cut is marked."""

    impl = Text
    cache_ok = True

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        super().__init__()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else cleaned(value, self.limit)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value


class SafeJson(TypeDecorator[JsonValue]):
    """JSON without secrets, stored as text. JSON cannot be cut, so above `limit` characters it is refused."""

    impl = Text
    cache_ok = True

    def __init__(self, what: str, limit: int) -> None:
        self.what, self.limit = what, limit
        super().__init__()

    def process_bind_param(self, value: JsonValue, dialect: Dialect) -> str:
        text = json_text(value)
        if len(text) > self.limit:
            raise ValueTooLarge(self.what, len(text), self.limit)
        return text

    def process_result_value(self, value: str | None, dialect: Dialect) -> JsonValue:
        decoded: JsonValue = None if value is None else json.loads(value)
        return decoded


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, timezone-aware in Python; SQLite, which has no timezones, stores the time as it is in UTC."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"the time {value} has no timezone; use datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def cleaned(text: str, limit: int | None) -> str:
    """`text` as `SafeText` stores it: without secrets, in at most `limit` characters."""
    clean = redact(storable(text))
    return clean if limit is None else shortened(clean, limit)


def storable(text: str) -> str:
    """`text` as both databases can hold it: no NUL (PostgreSQL) and no lone surrogates (UTF-8)."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\N{REPLACEMENT CHARACTER}")


def shortened(text: str, limit: int) -> str:
    """`text` in at most `limit` characters: a third from its head, the rest from its tail, where errors are."""
    if len(text) <= limit:
        return text
    if limit < _SHORT:
        return text[: limit - 1] + "…"
    mark = f"\n[… {len(text) - limit} characters cut …]\n"
    room = limit - len(mark) - 8  # the number in the mark may grow by a digit once the mark itself is counted
    head = room // 3
    mark = f"\n[… {len(text) - room} characters cut …]\n"
    return text[:head] + mark + text[len(text) - (room - head) :]


def json_text(value: JsonValue) -> str:
    """`value` as compact JSON without secrets; NaN and the infinities, which JSON lacks, become null."""
    return json.dumps(_clean(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _clean(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return redact(storable(value))
    if isinstance(value, dict):
        return {redact(storable(key)): _clean_item(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _clean_item(key: str, value: JsonValue) -> JsonValue:
    """Redact a text together with its key: {"password": …} shows what the text is."""
    if not isinstance(value, str):
        return _clean(value)
    prefix = f"{key}="
    together = redact(storable(prefix + value))
    return together.removeprefix(prefix) if together.startswith(prefix) else redact(storable(value))
