"""Alerts to the owner: a line in the log, and a message through each configured service.

Messages are sent through apprise, which makes a service of each address in the configuration: each problem once, few an
hour, and never holding up the work. A thread takes the alerts from a bounded queue. A file remembers what was reported,
so that a daemon that is restarted again and again does not report the same problem each time.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, JsonValue, SecretStr

from config import AlertSettings
from monitoring.logs import get_logger
from monitoring.redaction import redact, register_secret
from monitoring.waits import is_recent

if TYPE_CHECKING:
    from apprise import NotifyBase

log = get_logger(__name__)

_SHORTEST_PART = 12
"""A part of an address after its host that has so many characters is a secret of its own."""
_TITLE = "AI Agents"
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
    REPORT = "report"
    """No trouble: what a day brought."""


@dataclass(frozen=True)
class Alert:
    """One problem to report. `key` identifies it: a problem that was reported lately is not reported again."""

    kind: AlertKind
    key: str
    message: str


_receivers: list[Callable[[Alert], None]] = []


def alert(kind: AlertKind, key: str, message: str, **details: JsonValue) -> None:
    """Alert the owner. Never raises and never waits; sending is up to the receivers."""
    say = log.info if kind is AlertKind.REPORT else log.error
    say("alert", kind=kind.value, key=key, problem=message, **details)
    for receiver in _receivers:
        receiver(Alert(kind, key, message))


def receive_alerts(receiver: Callable[[Alert], None]) -> None:
    """Hand every alert to `receiver` from now on; it must return at once and not raise."""
    _receivers.append(receiver)


class _Reported(BaseModel):
    """What was reported, and when, in seconds since 1970."""

    troubles: dict[str, float] = {}
    sent: list[float] = []


class AlertSender:
    """A receiver of alerts; `receive_alerts(sender)` puts it in place."""

    def __init__(
        self, settings: AlertSettings, channels: list[Channel], memory: Path, *, title: str = "", hour: float = _HOUR
    ) -> None:
        """`memory` is the file that remembers what was reported; `title` says whose alerts these are."""
        self._settings = settings
        self._channels = channels
        self._memory = memory
        self._title = title
        self._hour = hour
        self._reported = self._recalled()
        self._coming: queue.Queue[Alert | None] = queue.Queue(_MOST_WAITING)
        self._waiting: deque[Alert] = deque(maxlen=_MOST_WAITING)
        self._left_out: Counter[str] = Counter()
        self._pause = 0.0
        self._not_before = 0.0
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)
        self._thread.start()

    def __call__(self, alert: Alert) -> None:
        """Take an alert; it is sent soon, later or, if it was reported lately, not at all."""
        try:
            self._coming.put_nowait(alert)
        except queue.Full:
            log.warning("too many alerts wait to be sent; this one is dropped", kind=alert.kind.value, key=alert.key)

    def close(self, seconds: float) -> None:
        """Send what can be sent at once, then end. It waits at most `seconds`."""
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
            except Exception:  # outermost: an alert that fails must not end all later ones
                log.exception("alerts could not be handled")

    def _round(self) -> bool:
        """Take alerts until something may be sent, and send it. False when it was the last."""
        try:
            first = self._coming.get(timeout=self._until_next())
        except queue.Empty:
            self._send()
            return True
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
        reported = self._reported.troubles.get(_name(alert))
        return reported is None or not is_recent(reported, self._settings.repeat_hours * self._hour)

    def _until_next(self) -> float | None:
        """Seconds until there may be something to send; None while there is nothing."""
        if self._waiting:
            return max(0.0, self._not_before - time.monotonic())
        if self._left_out:
            oldest = self._reported.sent[0] if self._reported.sent else 0.0
            until_room = min(max(0.0, oldest + self._hour - time.time()), self._hour)
            return max(until_room, self._not_before - time.monotonic())
        return None

    def _send(self) -> None:
        """Send the waiting alerts as far as is allowed."""
        if time.monotonic() < self._not_before:
            return
        while self._waiting:
            alert = self._waiting[0]
            if self._room() < 1:
                self._left_out[alert.kind.value] += 1
            elif not self._delivered(f"{alert.kind.value}: {alert.message}"):
                return
            self._reported.troubles[_name(alert)] = time.time()
            self._waiting.popleft()
            self._remember()
        if self._left_out and self._room() >= 1:
            kinds = ", ".join(f"{kind} {number}" for kind, number in self._left_out.most_common())
            number = self._left_out.total()
            if self._delivered(f"{number} further alert{'s' * (number > 1)} ({kinds}); see the log"):
                self._left_out.clear()
                self._remember()

    def _room(self) -> int:
        """Messages that may still be sent within this hour."""
        self._reported.sent = [moment for moment in self._reported.sent if is_recent(moment, self._hour)]
        return self._settings.per_hour - len(self._reported.sent)

    def _delivered(self, text: str) -> bool:
        """Whether the message reached anybody; if not, the next try comes after a pause."""
        reached = False
        for channel in self._channels:
            if problem := channel.send(self._title, redact(text)):
                log.warning("an alert could not be sent", service=channel.name, problem=problem)
            else:
                reached = True
        if reached:
            self._reported.sent.append(time.time())
            self._pause = self._not_before = 0.0
        else:
            self._pause = min(max(_FIRST_PAUSE, self._pause * 2), _LONGEST_PAUSE)
            self._not_before = time.monotonic() + self._pause
        return reached

    def _recalled(self) -> _Reported:
        try:
            return _Reported.model_validate_json(self._memory.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return _Reported()

    def _remember(self) -> None:
        newest = sorted(self._reported.troubles.items(), key=lambda trouble: trouble[1])[-_MOST_REMEMBERED:]
        self._reported.troubles = dict(newest)
        part = self._memory.with_suffix(".part")
        try:
            part.write_text(json.dumps(self._reported.model_dump()), encoding="utf-8")
            part.replace(self._memory)
        except OSError as problem:  # a full disk is what the alert may be about
            log.warning("what was reported cannot be remembered", problem=str(problem))


def _name(alert: Alert) -> str:
    return f"{alert.kind.value}/{alert.key}"


class Channel:
    """One service that takes messages."""

    def __init__(self, service: NotifyBase) -> None:
        self._service = service
        self.name = str(service.service_name)
        """Such as `Slack`."""

    def send(self, title: str, text: str) -> str:
        """Send a message; gives the reason if it could not be sent (without the address), else an empty text."""
        import apprise

        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as output:  # type: ignore[no-untyped-call]
            try:
                if self._service.notify(title=f"{_TITLE} {title}".strip(), body=text):
                    return ""
            except Exception as error:  # outermost: a hundred services, each with its own faults
                log.exception("the code of a service failed", service=self.name)
                return f"{type(error).__name__} in the service's own code"
            lines = str(output.getvalue()).strip().splitlines() if output else []
        return redact(" ".join(lines))[:300] or "the service gave no reason"


def open_channels(urls: Sequence[SecretStr]) -> tuple[list[Channel], list[str]]:
    """The services behind `urls`, and a problem for each address unknown to apprise, identified by its number."""
    found: list[Channel] = []
    problems: list[str] = []
    if not urls:
        return found, problems
    import apprise  # it takes 0.2 s, spent only if there are addresses

    logger = logging.getLogger("apprise")
    logger.propagate = False  # it logs addresses
    logger.addHandler(logging.NullHandler())
    for number, url in enumerate(urls):
        _register(url.get_secret_value())
        service = apprise.Apprise.instantiate(url.get_secret_value(), suppress_exceptions=True)
        if service is None:
            problems.append(f"monitoring.alerts.urls[{number}] is not an address that apprise knows")
        else:
            found.append(Channel(service))
    return found, problems


def _register(url: str) -> None:
    """The whole address is a secret, and so is each part of it after the name of the service's host."""
    register_secret(url)
    rest = url.partition("://")[2]
    credentials, at, place = rest.rpartition("@")
    for part in [*re.split(r"[:/@]", credentials), *re.split(r"[/?&=]", place if at else rest)[1:]]:
        if len(part) >= _SHORTEST_PART:
            register_secret(part)
