"""Deployments of workers with durable objects by a daemon that is killed in each phase: the service stays up without
it, and what was begun is gone on with or taken back."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory import TaskStatus
from tests.deployment.workers import WORKER, WRANGLER_FILE, Machine, a_machine
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, eventually, git, stop
from tests.orchestrator.scripts import team

__all__ = ["make_house"]
pytestmark = pytest.mark.long
SLOW = 'ODD === "slow"'
"""A version whose objects take their time, so that the daemon can be killed meanwhile."""
WORKER_SLOW = WORKER.replace(
    "    const sql = this.ctx.storage.sql;\n    const path",
    f'    if ({SLOW} || ODD === "public") await scheduler.wait(700);\n'
    "    const sql = this.ctx.storage.sql;\n    const path",
)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with a_machine(tmp_path) as made:
        yield made


def a_house(make_house: MakeHouse, machine: Machine, odd: str = "") -> House:
    settings = machine.settings()
    settings["health"] |= {"healthy": 5, "interval": 0.2, "deadline": 4}
    files = {"wrangler.jsonc": WRANGLER_FILE, "src/index.js": WORKER_SLOW % {"odd": odd}, "src/label.js": LABEL}
    house, _ = make_house(team(), files=files, deployment={"environments": {"staging": settings}})
    return house


LABEL = 'export const LABEL = "good";\n'


def asked(house: House, *words: str) -> str:
    done = house.cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["task"])


def status(house: House) -> str:
    with house.store() as store:
        return store.deployments.history()[0].status


@pytest.mark.parametrize("phase", ["preparing", "activating", "verifying", "rolling_back"])
def test_a_daemon_that_is_killed_in_a_phase_goes_on_with_it(
    make_house: MakeHouse, machine: Machine, phase: str
) -> None:
    house = a_house(make_house, machine)
    old = git(house.repository, "rev-parse", "HEAD")
    asked(house, "deploy")
    assert house.run_until_idle().returncode == 0 and status(house) == "live"
    machine.ask("/apples", "POST")
    bad = phase == "rolling_back"
    (house.repository / "src" / "index.js").write_text(WORKER_SLOW % {"odd": "public" if bad else "slow"})
    git(house.repository, "commit", "-q", "-am", "another")
    new = git(house.repository, "rev-parse", "HEAD")
    task = asked(house, "deploy", "staging", "--commit", "main")
    with house.daemon() as daemon:
        eventually(lambda: status(house) == phase, f"the deployment is {phase}", 60)
        stop(daemon, signal.SIGKILL)
    assert machine.ask("/apples")["count"] == 1, "the service is up without the daemon"
    with house.daemon() as daemon:
        ended = house.wait_for(task, TaskStatus.COMPLETED, TaskStatus.FAILED, seconds=90)
        stop(daemon)
    assert (ended.status, status(house)) == (
        (TaskStatus.FAILED, "rolled_back") if bad else (TaskStatus.COMPLETED, "live")
    )
    live = machine.status()["services"][0]
    assert live["live"]["commit"] == (old if bad else new) and live["phase"] == "" and live["runs"]
    assert machine.ask("/apples") == {"count": 1}


def test_two_deployments_at_once_come_one_after_the_other(make_house: MakeHouse, machine: Machine) -> None:
    house = a_house(make_house, machine)
    tasks = [asked(house, "deploy"), asked(house, "deploy", "staging", "--commit", "main")]
    assert house.run_until_idle().returncode == 0
    assert [house.task(each).status for each in tasks] == [TaskStatus.COMPLETED] * 2
    assert machine.ask("/healthz") and machine.status()["services"][0]["phase"] == ""
    assert "counting" not in house.cli("deployments", "logs", "staging").stdout
    shown = json.loads(house.cli("gateway", "status", "--json").stdout)["gateways"][0]
    assert shown["services"][0]["service"] == "shop" and shown["services"][0]["runs"]
