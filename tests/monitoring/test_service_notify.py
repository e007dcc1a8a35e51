"""What systemd hears: a real socket, as it would listen on, and what the daemon's process sends."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from monitoring import Supervisor


@pytest.fixture
def listener(tmp_path: Path) -> socket.socket:
    """systemd's end."""
    heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.bind(str(tmp_path / "notify"))
    heard.settimeout(10)
    return heard


def heard_by(listener: socket.socket) -> list[str]:
    """What has arrived."""
    listener.settimeout(0)
    messages = []
    try:
        while True:
            messages.append(listener.recv(4096).decode())
    except BlockingIOError:
        return messages


def test_only_the_thread_of_the_main_loop_feeds_the_watchdog(listener: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "40000", "WATCHDOG_PID": str(os.getpid())}
    supervisor = Supervisor(environ)
    assert environ == {}  # no child may speak for the daemon
    supervisor.beat()  # the start is not over
    supervisor.ready()
    other = threading.Thread(target=lambda: supervisor.rest(threading.Event(), 0.05))
    other.start()
    other.join()
    assert heard_by(listener) == ["READY=1", "WATCHDOG=1"]

    assert not supervisor.rest(threading.Event(), 0.05)  # longer than the watchdog waits
    beats = heard_by(listener)
    assert set(beats) == {"WATCHDOG=1"} and 2 <= len(beats) <= 5
    stop = threading.Event()
    stop.set()
    assert supervisor.rest(stop, 100)


def test_the_status_is_one_line_without_secrets_and_is_said_once(listener: socket.socket) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": listener.getsockname()})
    for _ in range(2):
        supervisor.says("waits: https://me:hunter2hunter2@example.org\ncannot be reached")
    supervisor.stopping(61.5)
    said, ending = heard_by(listener)
    assert said.startswith("STATUS=waits: https://") and "hunter2" not in said and "\n" not in said
    assert ending.splitlines() == ["STOPPING=1", "STATUS=stopping", "EXTEND_TIMEOUT_USEC=61500000"]


def test_a_long_start_gets_more_time_only_while_it_gets_on(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.service_notify._LOOK", 0.01)
    counts, looked = iter([1, 1, 2, 2, 2]), threading.Event()

    def progress() -> int:
        if (count := next(counts, 0)) == 0:
            looked.set()
        return count or 2

    with Supervisor({"NOTIFY_SOCKET": listener.getsockname()}).long_start(progress, "fetching"):
        assert looked.wait(20)
    assert heard_by(listener) == ["STATUS=fetching", *["EXTEND_TIMEOUT_USEC=900000000"] * 2]


def test_abstract_names_are_heard_and_nobody_listening_is_no_error() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"ai-agents-test-{os.getpid()}"
        listener.bind(f"\0{name}")
        listener.settimeout(10)
        supervisor = Supervisor({"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
        supervisor.ready()
        assert listener.recv(100) == b"READY=1"
        supervisor.beat()  # the watchdog is about another process
        assert heard_by(listener) == []
    supervisor.ready()
