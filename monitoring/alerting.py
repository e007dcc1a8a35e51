"""What the owner should hear of without looking for it: a line in the log, and a message where one is configured.

Messages are sent through apprise: each trouble once, few an hour, and never in the way of the work. A thread of its own
takes alerts from a bounded queue. What has been told is remembered in a file, so that a daemon that is started again
and again does not tell the same thing each time.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, JsonValue, ValidationError

from config import AlertSettings
from monitoring.channels import Channel
from monitoring.logs import get_logger
from monitoring.redaction import redact

log = get_logger(__name__)
_MOST_WAITING = 200
_MOST_REMEMBERED = 1000
_HOUR = 3600.0
_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 3600.0
"""Seconds until a message that reached nobody is tried again."""


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


class _Told(BaseModel):
    """What was told, and when, in seconds since 1970."""

    troubles: dict[str, float] = {}
    sent: list[float] = []


class AlertSender:
    """A receiver of alerts; `receive_alerts(sender)` puts it in place."""

    def __init__(
        self, settings: AlertSettings, channels: list[Channel], memory: Path, *, title: str = "", hour: float = _HOUR
    ) -> None:
        """`memory` is the file that remembers what was told; `title` says whose alerts these are."""
        self._settings = settings
        self._channels = channels
        self._memory = memory
        self._title = title
        self._hour = hour
        self._told = self._recalled()
        self._coming: queue.Queue[Alert | None] = queue.Queue(_MOST_WAITING)
        self._waiting: deque[Alert] = deque(maxlen=_MOST_WAITING)
        self._left_out: Counter[str] = Counter()
        self._pause = 0.0
        self._not_before = 0.0
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def __call__(self, alert: Alert) -> None:
        """Take an alert; it is sent soon, later or, when it was told lately, not at all."""
        try:
            self._coming.put_nowait(alert)
        except queue.Full:
            log.warning("too many alerts wait to be sent, this one is not", kind=alert.kind.value, key=alert.key)

    def close(self, seconds: float) -> None:
        """Send what can be sent at once, then end; waits `seconds` at most."""
        try:
            self._coming.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    # -- in the thread -----------------------------------------------------------------------------------------

    def _work(self) -> None:
        going_on = True
        while going_on:
            try:
                going_on = self._round()
            except Exception:  # outermost: an alert that breaks something must not end all later ones
                log.exception("alerts")

    def _round(self) -> bool:
        """Take in what comes until something may be sent, and send it. False when it was the last."""
        try:
            first = self._coming.get(timeout=self._until_next())
        except queue.Empty:
            return self._send() or True
        alerts = [first]
        while not self._coming.empty():
            alerts.append(self._coming.get_nowait())
        for alert in alerts:
            if alert is not None and self._is_news(alert):
                self._waiting.append(alert)
        self._send()
        return None not in alerts

    def _is_news(self, alert: Alert) -> bool:
        if any(_name(waiting) == _name(alert) for waiting in self._waiting):
            return False
        return time.time() - self._told.troubles.get(_name(alert), 0) >= self._settings.repeat_hours * self._hour

    def _until_next(self) -> float | None:
        """Seconds until there may be something to send; None while there is nothing."""
        if self._waiting:
            return max(0.0, self._not_before - time.time())
        if self._left_out:
            oldest = self._told.sent[0] if self._told.sent else 0.0
            return max(0.0, self._not_before - time.time(), oldest + self._hour - time.time())
        return None

    def _send(self) -> bool:
        """Send what waits, as far as it may be; True when anything was."""
        if time.time() < self._not_before:
            return False
        anything = False
        while self._waiting:
            alert = self._waiting[0]
            if self._room() < 1:
                self._left_out[alert.kind.value] += 1
            elif self._delivered(f"{alert.kind.value}: {alert.message}"):
                anything = True
            else:
                return anything
            self._told.troubles[_name(alert)] = time.time()
            self._waiting.popleft()
            self._remember()
        if self._left_out and self._room() >= 1:
            kinds = ", ".join(f"{kind} {number}" for kind, number in self._left_out.most_common())
            number = self._left_out.total()
            if self._delivered(f"{number} further alert{'s' * (number > 1)} ({kinds}); the log tells them"):
                self._left_out.clear()
                self._remember()
                anything = True
        return anything

    def _room(self) -> int:
        """Messages that may be sent within this hour."""
        since = time.time() - self._hour
        self._told.sent = [moment for moment in self._told.sent if moment > since]
        return self._settings.per_hour - len(self._told.sent)

    def _delivered(self, text: str) -> bool:
        """Whether the message reached anybody; if not, the next try is a while away."""
        reached = False
        for channel in self._channels:
            if problem := channel.send(self._title, redact(text)):
                log.warning("an alert could not be sent", service=channel.name, problem=problem)
            else:
                reached = True
        if reached:
            self._told.sent.append(time.time())
            self._pause = self._not_before = 0.0
        else:
            self._pause = min(max(_FIRST_PAUSE, self._pause * 2), _LONGEST_PAUSE)
            self._not_before = time.time() + self._pause
        return reached

    def _recalled(self) -> _Told:
        try:
            return _Told.model_validate_json(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValidationError, ValueError):
            return _Told()

    def _remember(self) -> None:
        newest = sorted(self._told.troubles.items(), key=lambda trouble: trouble[1])[-_MOST_REMEMBERED:]
        self._told.troubles = dict(newest)
        part = self._memory.with_suffix(".part")
        try:
            part.write_text(json.dumps(self._told.model_dump()), encoding="utf-8")
            part.replace(self._memory)
        except OSError as problem:  # a full disk is what the alert may be about
            log.warning("what was told cannot be remembered", problem=str(problem))


def _name(alert: Alert) -> str:
    return f"{alert.kind.value}/{alert.key}"
