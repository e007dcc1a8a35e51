"""What the owner should hear of without looking for it: a line in the log, and a message where one is configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import JsonValue

from monitoring.logs import get_logger

log = get_logger(__name__)


class AlertKind(StrEnum):
    """What an alert is about."""

    CRITICAL = "critical"
    LOOP = "loop"
    PROVIDER = "provider"
    GIT = "git"
    BUDGET = "budget"
    SANDBOX = "sandbox"
    DATABASE = "database"
    OWNER = "owner"
    """A decision is the owner's: a blocked task, an approval."""


@dataclass(frozen=True)
class Alert:
    """One thing to tell. `key` names the trouble: what has been told of it lately is not told again."""

    kind: AlertKind
    key: str
    message: str


_receivers: list[Callable[[Alert], None]] = []


def alert(kind: AlertKind, key: str, message: str, **details: JsonValue) -> None:
    """Tell the owner. Never raises and never waits: sending is the receivers' matter."""
    log.error("alert", kind=kind.value, key=key, problem=message, **details)
    for receiver in _receivers:
        receiver(Alert(kind, key, message))


def receive_alerts(receiver: Callable[[Alert], None]) -> None:
    """Hand every alert to `receiver` from now on; it must return at once and not raise."""
    _receivers.append(receiver)
