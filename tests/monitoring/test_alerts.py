"""Alerts reach a real receiver once, few an hour, and nothing of theirs gets in the way or into the log."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from pydantic import SecretStr

from config import AlertSettings, MonitoringSettings
from monitoring import Alert, AlertKind, AlertSender, configure_logging, open_channels
from tests.monitoring.test_logs import lines, restored_logging
from tests.support.loopback import LoopbackServer

__all__ = ["restored_logging"]

SECRET_PATH = "hook-5f0c9e2b7a41"


class Receiver(LoopbackServer):
    """An HTTP server that keeps the messages it is sent; while `status` is no 200 it refuses them."""

    def __init__(self) -> None:
        self.messages: queue.Queue[str] = queue.Queue()
        self.status = 200
        self.tries = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if outer.status == 200:
                    outer.messages.put(f"{body['title']}: {body['message']}")
                self.send_response(outer.status)
                self.end_headers()
                outer.tries.set()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    @property
    def url(self) -> str:
        """The address of the service that sends messages here."""
        return f"json://127.0.0.1:{self.port}/{SECRET_PATH}"

    def next(self) -> str:
        return self.messages.get(timeout=120)

    def all(self) -> list[str]:
        return [self.messages.get() for _ in range(self.messages.qsize())]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@contextmanager
def sender(url: str, memory: Path, *, hour: float = 3600, **settings: float) -> Iterator[AlertSender]:
    channels, problems = open_channels([SecretStr(url)])
    assert problems == []
    sender = AlertSender(AlertSettings.model_validate(settings), channels, memory, title="(calc)", hour=hour)
    yield sender
    sender.close(20)


def trouble(key: str, kind: AlertKind = AlertKind.GIT) -> Alert:
    return Alert(kind, key, f"trouble with {key}")


def test_a_trouble_is_told_once_also_after_a_restart(receiver: Receiver, tmp_path: Path) -> None:
    with sender(receiver.url, tmp_path / "alerts.json") as send:
        send(trouble("push"))
        send(trouble("push"))
        send(trouble("push", AlertKind.DATABASE))
    with sender(receiver.url, tmp_path / "alerts.json") as send:
        send(trouble("push"))
        send(trouble("fetch"))
    assert receiver.all() == [
        "AI Agents (calc): git: trouble with push",
        "AI Agents (calc): database: trouble with push",
        "AI Agents (calc): git: trouble with fetch",
    ]


def test_an_old_trouble_is_told_again(receiver: Receiver, tmp_path: Path) -> None:
    with sender(receiver.url, tmp_path / "alerts.json", repeat_hours=0) as send:
        send(trouble("push"))
        assert "push" in receiver.next()
        send(trouble("push"))
        assert "push" in receiver.next()


def test_a_clock_that_was_years_ahead_mutes_nothing(receiver: Receiver, tmp_path: Path) -> None:
    later = time.time() + 5 * 365 * 24 * 3600
    told = {"troubles": {"git/push": later}, "sent": [later] * 50}
    (tmp_path / "alerts.json").write_text(json.dumps(told))
    with sender(receiver.url, tmp_path / "alerts.json", per_hour=2) as send:
        send(trouble("push"))
        assert "push" in receiver.next()


def test_too_many_come_as_one_line(receiver: Receiver, tmp_path: Path) -> None:
    with sender(receiver.url, tmp_path / "alerts.json", per_hour=2, hour=1.0) as send:
        for number in range(5):
            send(trouble(f"t{number}"))
        send(trouble("full", AlertKind.DATABASE))
        told = [receiver.next() for _ in range(3)]
    assert [line.rsplit(" ", 1)[-1] for line in told[:2]] == ["t0", "t1"]
    assert told[2] == "AI Agents (calc): 4 further alerts (git 3, database 1); see the log"
    assert receiver.all() == []


def test_what_reached_nobody_is_kept_and_the_log_holds_no_address(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging(MonitoringSettings(level="DEBUG"), tmp_path, stdout=False)
    monkeypatch.setattr("monitoring.alerting._FIRST_PAUSE", 0.2)
    receiver.status = 500
    with sender(receiver.url, tmp_path / "alerts.json") as send:
        send(trouble("push"))
        assert receiver.tries.wait(120)
        receiver.status = 200
        assert receiver.next() == "AI Agents (calc): git: trouble with push"
    (told,) = [line for line in lines(tmp_path) if line["message"] == "an alert could not be sent"]
    assert told["service"] == "JSON"
    assert "500" in str(told["problem"])
    assert SECRET_PATH not in (tmp_path / "agents.log").read_text(encoding="utf-8")


def test_an_address_nobody_knows_is_told_by_its_number() -> None:
    channels, problems = open_channels([SecretStr("gibberish-8d1f22c3"), SecretStr("json://127.0.0.1/x")])
    assert [channel.name for channel in channels] == ["JSON"]
    assert problems == ["monitoring.alerts.urls[0] is not an address that apprise knows"]
