"""Deployments over HTTP: what is live, what was asked for, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memory import FailureReason, Role, TaskStatus, TaskType
from tests.api.conftest import Rooms, audited, csrf_of, open_rooms, problem

ENVIRONMENT: dict[str, Any] = {
    "target": "direct", "host": "shop.example", "folder": "/srv/shop", "restart": "true",
    "health": {"url": "http://shop.example/healthz"},
}  # fmt: skip
FIRST, SECOND = "a" * 40, "b" * 40


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    environments = {
        "staging": ENVIRONMENT,
        "production": ENVIRONMENT | {"folder": "/srv/live", "promote_from": "staging", "approval": True},
    }
    with open_rooms(tmp_path, {"deployment": {"on_landing": "staging", "environments": environments}}) as opened:
        yield opened


def make_live(rooms: Rooms, environment: str, commit: str) -> int:
    table = rooms.store.deployments
    number = table.open(environment, "direct", "deploy", commit, f"{environment}-{commit[:4]}")
    table.end(number, "live", "3 healthy answers <in a row>")
    return number


def test_what_is_asked_for_is_a_task_of_the_daemon(rooms: Rooms) -> None:
    rooms.add_person("otto", Role.OPERATOR)
    otto = rooms.program(Role.OPERATOR, person="otto")
    asked = otto.post("/api/v1/deployments", json={"commit": "v1"})
    assert asked.status_code == 202 and asked.json()["environment"] == "staging"
    assert rooms.store.tasks.get(asked.json()["task"]).type == TaskType.DEPLOY
    row = otto.get(f"/api/v1/deployments/{asked.json()['deployment']}").json()
    assert (row["status"], row["commit"], row["by"]) == ("requested", "v1", "otto (key 1)")
    assert audited(rooms) == [("deployment asked for", "otto (key 1)")]
    assert problem(otto.post("/api/v1/deployments", json={"environment": "moon"}), 422) == "not-possible"
    assert problem(otto.post("/api/v1/deployments/promote", json={"environment": "production"}), 409) == "not-now"
    assert problem(otto.post("/api/v1/deployments/rollback", json={}), 409) == "not-now"
    assert problem(otto.get("/api/v1/deployments/99"), 404) == "unknown-deployment"
    make_live(rooms, "staging", FIRST)
    promoted = otto.post("/api/v1/deployments/promote", json={"environment": "production"}).json()
    assert promoted["commit"] == FIRST
    number = make_live(rooms, "staging", SECOND)
    back = otto.post("/api/v1/deployments/rollback", json={"environment": "staging"}).json()
    assert (back["kind"], back["commit"]) == ("rollback", FIRST)
    live = {each["name"]: each["live"] for each in otto.get("/api/v1/deployments/environments").json()}
    assert live["staging"]["id"] == number and live["production"] is None
    pages = otto.get("/api/v1/deployments", params={"limit": 2}).json()
    rest = otto.get("/api/v1/deployments", params={"limit": 50, "before": pages["next"]}).json()["items"]
    assert len(pages["items"]) == 2 and len(pages["items"]) + len(rest) == 5


def test_one_whose_task_stands_still_says_so_and_why(rooms: Rooms) -> None:
    viewer = rooms.program(Role.ADMIN)
    asked = viewer.post("/api/v1/deployments", json={"commit": "v9"}).json()
    rooms.store.tasks.transition(
        asked["task"], TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="there is no v9"
    )
    [row] = viewer.get("/api/v1/deployments").json()["items"]
    one = viewer.get(f"/api/v1/deployments/{asked['deployment']}").json()
    assert (row["status"], row["detail"]) == (one["status"], one["detail"]) == ("stopped", "there is no v9")
    there = viewer.get("/api/v1/deployments/environments").json()[0]
    assert there["deploying"] is None or there["deploying"]["status"] == "stopped"


def test_the_page_shows_it_and_its_buttons_ask_for_it(rooms: Rooms) -> None:
    make_live(rooms, "staging", FIRST)
    make_live(rooms, "staging", SECOND)
    owner = rooms.owner()
    text = owner.get("/deployments").text
    assert SECOND[:12] in text and "3 healthy answers &lt;in a row&gt;" in text and "Promote from staging" in text
    for verb, environment in (("rollback", "staging"), ("promote", "production"), ("deploy", "staging")):
        form = {"csrf": csrf_of(owner, "/deployments"), "environment": environment}
        assert owner.post(f"/deployments/{verb}", data=form).status_code == 303
    asked = [(row.kind, row.environment) for row in rooms.store.deployments.history(limit=3)]
    assert asked == [("deploy", "staging"), ("deploy", "production"), ("rollback", "staging")]


def test_a_viewer_looks_and_deploys_nothing(rooms: Rooms) -> None:
    make_live(rooms, "staging", FIRST)
    rooms.add_person("vera", Role.VIEWER)
    vera = rooms.program(Role.VIEWER, person="vera")
    assert vera.get("/api/v1/deployments").status_code == 200
    for path in ("", "/rollback", "/promote"):
        answer = vera.post(f"/api/v1/deployments{path}", json={"environment": "staging"})
        assert answer.status_code == 403
    assert len(rooms.store.deployments.history()) == 1
