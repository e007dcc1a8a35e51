"""The control room of a daemon at work: what waits is answered over HTTP, and the answer lands."""

from __future__ import annotations

import json
import signal
import socket

import httpx2

from memory import TaskStatus
from owner.way_in import announced
from tests.api.conftest import csrf_of
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, eventually, stop
from tests.orchestrator.scripts import BAD_ADD, GOOD_ADD, team

__all__ = ["make_house"]

OPEN: dict[str, object] = {"enabled": True, "port": 0}


def way_in(house: House) -> tuple[str, str]:
    """Where the control room is, and the secret of a link that `open` makes."""
    eventually(lambda: announced(house.paths.state), "the control room opens")
    done = house.cli("open", "--show")
    assert done.returncode == 0, done.stderr
    address, _, token = done.stdout.strip().partition("/sign-in#")
    return address, token


def test_a_blocked_task_is_answered_over_http_and_lands(make_house: MakeHouse) -> None:
    once = {"max_task_attempts": 1, "max_approaches": 1}
    house, server = make_house(team(code=[BAD_ADD, GOOD_ADD]), api=OPEN, orchestrator=once)
    with house.daemon() as daemon, httpx2.Client(timeout=30) as client:
        address, token = way_in(house)
        client.base_url = httpx2.URL(address)
        assert client.post("/sign-in", data={"token": token}).status_code == 303
        headers = {"X-CSRF-Token": csrf_of(client)}
        new = {
            "title": "Add add",
            "description": "Add `add(a: int, b: int) -> int` to calc.py. `add(1, 2)` returns `3`.",
        }
        task_id = client.post("/api/v1/tasks", json=new, headers=headers).json()["task"]["id"]
        heard: list[str] = []
        with client.stream("GET", "/api/v1/events?after=0", timeout=200) as stream:
            for line in stream.iter_lines():
                if not line.startswith("data: "):
                    continue
                heard.append(json.loads(line[6:])["activity"])
                if heard[-1] == "task blocked":
                    (item,) = client.get("/api/v1/inbox").json()["items"]
                    assert item["task"]["id"] == task_id and "Add add" in client.get("/").text
                    note = {"note": "Plus, not minus.", "csrf": headers["X-CSRF-Token"]}
                    assert client.post(f"/tasks/{task_id}/approve", data=note).status_code == 303
                elif heard[-1] == "task completed":
                    break
        assert [word for word in heard if word in ("told the daemon", "task retried", "landed")] == [
            "told the daemon", "task retried", "landed",
        ]  # fmt: skip
        assert any("Plus, not minus." in message.text for request in server.requests for message in request.messages)
        assert "+def add" in client.get(f"/api/v1/tasks/{task_id}/diff").text
        details = client.get(f"/api/v1/tasks/{task_id}").json()
        assert (details["task"]["status"], details["stopped"], details["task"]["run"]) == ("completed", None, 1)
        assert [entry["kind"] for entry in client.get(f"/api/v1/tasks/{task_id}/thread").json()].count("attempt") == 2
        with client.stream("GET", "/api/v1/events", timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(lines).startswith("retry")
            assert stop(daemon) == 0  # an open stream keeps no daemon
    assert not announced(house.paths.state)
    assert len(token) > 20 and token not in house.log()
    assert house.task(task_id).status is TaskStatus.COMPLETED


def test_a_port_that_is_taken_is_told_and_stops_no_daemon(make_house: MakeHouse) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        house, _ = make_house(team(), api={"enabled": True, "port": port})
        assert "no daemon runs" in house.cli("open").stderr
        with house.daemon() as daemon:
            log = house.folder / "logs" / "agents.log"
            eventually(lambda: log.is_file() and '"ready"' in house.log(), "the daemon is ready, and has told")
            assert f"127.0.0.1:{port} cannot be used" in house.log() and "config set api.port" in house.log()
            told = house.cli("open")
            assert told.returncode == 1 and "without a control room" in told.stderr
            daemon.send_signal(signal.SIGKILL)
            daemon.wait(60)
        assert "no daemon runs" in house.cli("open").stderr
