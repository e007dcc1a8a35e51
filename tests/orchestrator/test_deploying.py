"""Deployments by the daemon: asked for by hand or by a landing, killed in each phase, and gone on with."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memory import Deployment, FailureReason, TaskStatus
from tests.deployment.forge import Forge
from tests.deployment.hosts import SERVICE, TestHost, a_host
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, eventually, git, stop
from tests.orchestrator.scripts import team

__all__ = ["make_house"]

HOLD = """#!/bin/sh
# hold NAME: wait, if a file says so, until it is gone.
if [ -e "$HOLDS/$1" ]; then touch "$HOLDS/$1.begun"; while [ -e "$HOLDS/$1" ]; do sleep 0.05; done; fi
"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[TestHost]:
    with a_host(tmp_path / "host") as found:
        (found.folder / "hold").write_text(HOLD)
        (found.folder / "holds").mkdir()
        yield found


def held(host: TestHost, command: str = "true", name: str = "") -> str:
    """A command of the owner that first waits where the test says so."""
    return f"HOLDS={host.folder}/holds sh {host.folder}/hold {name} && {command}"


def a_house(make_house: MakeHouse, host: TestHost, odd: str = "", **deployment: Any) -> House:
    settings = host.settings()
    restart = settings["restart"]
    settings |= {
        "build": held(host, name="build"),
        "restart": held(host, restart, name='restart-"$(basename "$RELEASE" | cut -d- -f2)"'),
        "after_switch": held(host, name="after_switch"),
    }
    files = {"service.py": SERVICE, "ODD": odd}
    environments = {"staging": settings} | deployment.pop("environments", {})
    house, _ = make_house(team(), files=files, deployment={"environments": environments} | deployment)
    return house


def commit(house: House, odd: str) -> str:
    """The owner's next commit, which differs from the one before in any case."""
    (house.repository / "ODD").write_text(odd)
    git(house.repository, "commit", "-q", "--allow-empty", "-am", f"now {odd or 'good'}")
    return git(house.repository, "rev-parse", "HEAD")


def asked(house: House, *words: str) -> str:
    done = house.cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["task"])


def last(house: House) -> Deployment:
    with house.store() as store:
        return store.deployments.history()[0]


def test_a_deployment_goes_through_its_stages_and_back_again(make_house: MakeHouse, host: TestHost) -> None:
    house = a_house(make_house, host)
    first = git(house.repository, "rev-parse", "HEAD")
    task = asked(house, "deploy")
    assert house.run_until_idle().returncode == 0
    done = house.task(task)
    assert (done.status, done.stage, last(house).status, last(house).commit) == (
        TaskStatus.COMPLETED, "verify", "live", first,
    )  # fmt: skip
    bad = commit(house, "sick")
    task = asked(house, "deploy", "staging", "--commit", "main")
    house.run_until_idle()
    failed = house.task(task)
    assert (failed.status, failed.reason, failed.stage) == (
        TaskStatus.FAILED, FailureReason.DEPLOYMENT_FAILED, "roll_back",
    )  # fmt: skip
    assert f"{first[:12]} is live again" in failed.reason_detail
    assert (last(house).status, last(house).commit) == ("rolled_back", bad)
    listed = json.loads(house.cli("deployments", "list", "--json").stdout)
    assert listed["environments"][0]["live"]["commit"] == first
    assert [row["status"] for row in listed["deployments"]] == ["rolled_back", "live"]
    assert "rolled back" in house.cli("deployments", "show", "2").stdout
    assert "serving" in house.cli("deployments", "logs", "staging").stdout
    assert "nothing was live in staging before" in house.cli("deployments", "rollback", "staging").stderr
    told = house.cli("logs").stdout
    assert (
        f"{first[:12]} is live in staging (deployment 1)" in told and f"{bad[:12]} was taken back from staging" in told
    )


PHASES = {
    "preparing": "build",
    "activating": "restart-{new}",
    "verifying": "after_switch",
    "rolling_back": "restart-{old}",
}


@pytest.mark.parametrize(
    "phase", [pytest.param(each, marks=() if each == "rolling_back" else pytest.mark.long) for each in PHASES]
)
def test_a_daemon_that_is_killed_in_a_phase_goes_on_with_it(make_house: MakeHouse, host: TestHost, phase: str) -> None:
    house = a_house(make_house, host)
    old = git(house.repository, "rev-parse", "HEAD")
    asked(house, "deploy")
    house.run_until_idle()
    new = commit(house, "sick" if phase == "rolling_back" else "")
    point = host.folder / "holds" / PHASES[phase].format(new=new[:12], old=old[:12])
    point.touch()
    task = asked(house, "deploy", "staging", "--commit", "main")
    begun = point.with_name(point.name + ".begun")
    with house.daemon() as daemon:
        eventually(begun.exists, f"the deployment is {phase}", 60)
        assert last(house).status == phase
        stop(daemon, signal.SIGKILL)
    with house.daemon() as daemon:
        point.unlink()
        ended = house.wait_for(task, TaskStatus.COMPLETED, TaskStatus.FAILED, seconds=90)
        stop(daemon)
    expected = (
        (TaskStatus.FAILED, "rolled_back", old) if phase == "rolling_back" else (TaskStatus.COMPLETED, "live", new)
    )
    assert (ended.status, last(house).status, host.live().partition("-")[2]) == (*expected[:2], expected[2][:12])
    assert not (host.releases / "deploy.lease").exists()
    with house.store() as store:
        assert store.deployments.holder("staging") == ""


@pytest.mark.long
def test_two_deployments_wait_for_each_other(make_house: MakeHouse, host: TestHost) -> None:
    house = a_house(make_house, host)
    tasks = [asked(house, "deploy"), asked(house, "deploy")]
    assert house.run_until_idle().returncode == 0
    assert [house.task(task).status for task in tasks] == [TaskStatus.COMPLETED] * 2
    with house.store() as store:
        rows = store.deployments.history()
    assert [row.status for row in rows] == ["live", "replaced"]
    ended = sorted((row.finished_at, row.updated_at) for row in rows if row.finished_at)
    assert len(ended) == 2


@pytest.mark.long
def test_production_waits_for_a_word_and_takes_what_staging_has(make_house: MakeHouse, host: TestHost) -> None:
    production = host.settings(folder=str(host.releases.parent / "production"), promote_from="staging", approval=True)
    house = a_house(make_house, host, environments={"production": production})
    first = git(house.repository, "rev-parse", "HEAD")
    refused = house.cli("deployments", "promote", "production")
    assert refused.returncode == 1 and "nothing is live in staging yet" in refused.stderr
    asked(house, "deploy", "staging")
    house.run_until_idle()
    task = asked(house, "deployments", "promote", "production")
    house.run_until_idle()
    assert house.task(task).status is TaskStatus.WAITING_APPROVAL
    inbox = house.cli("inbox").stdout
    assert "before anything is deployed" in inbox and f"approvals approve {task}" in inbox
    commit(house, "")
    asked(house, "deploy", "staging", "--commit", "main")
    house.run_until_idle()  # staging has moved on, and the owner's word is for what they saw
    assert house.cli("approvals", "approve", task).returncode == 0
    house.run_until_idle()
    assert house.task(task).status is TaskStatus.COMPLETED
    with house.store() as store:
        live = store.deployments.live("production")
    assert live and live.commit == first


@pytest.mark.long
def test_what_the_owner_puts_right_is_tried_again_as_it_was(make_house: MakeHouse, host: TestHost) -> None:
    house = a_house(make_house, host)
    first = git(house.repository, "rev-parse", "HEAD")
    known = host.known_hosts.read_text()
    host.known_hosts.write_text("")
    task = asked(house, "deploy")
    house.run_until_idle()
    blocked = house.task(task)
    assert blocked.status is TaskStatus.BLOCKED and "ssh-keyscan" in blocked.reason_detail
    gone = house.cli("deployments", "show", "9" * 30)
    assert gone.returncode == 1 and "Traceback" not in gone.stderr and "there is no deployment" in gone.stderr
    host.known_hosts.write_text(known)
    commit(house, "sick")  # what has landed since is not what was asked for
    assert house.cli("task", "retry", task).returncode == 0
    house.run_until_idle()
    assert (house.task(task).status, last(house).commit, last(house).id) == (TaskStatus.COMPLETED, first, 2)


@pytest.mark.long
def test_landed_work_is_deployed_at_once(make_house: MakeHouse, host: TestHost) -> None:
    house = a_house(make_house, host, on_landing="staging")
    task = house.submit()
    assert house.run_until_idle().returncode == 0
    landed = house.task(task)
    assert landed.status is TaskStatus.COMPLETED
    row = last(house)
    assert (row.status, row.commit, row.by) == (
        "live",
        git(house.repository, "rev-parse", "agents/integration"),
        "landing",
    )
    assert re.fullmatch(rf"deployed to staging by {row.task_id}", str(landed.result["deployment"]))


@pytest.mark.long
@pytest.mark.parametrize("by", ["the daemon", "the next"])
def test_one_that_was_stopped_half_way_is_put_right(make_house: MakeHouse, host: TestHost, by: str) -> None:
    house = a_house(make_house, host)
    first = git(house.repository, "rev-parse", "HEAD")
    asked(house, "deploy")
    house.run_until_idle()
    second = commit(house, "sick")
    point = host.folder / "holds" / f"restart-{second[:12]}"
    point.touch()
    task = asked(house, "deploy", "staging", "--commit", "main")
    with house.daemon() as daemon:
        eventually(point.with_name(point.name + ".begun").exists, "the switch", 60)
        house.tell("cancel", task)
        house.wait_for(task, TaskStatus.CANCELLED)
        assert last(house).status == "activating"
        point.unlink()
        if by == "the daemon":
            eventually(lambda: last(house).status == "rolled_back", "it is put in order by itself", 60)
        stop(daemon)
    with house.store() as store:
        assert bool(store.deployments.holder("staging")) == (by == "the next")
    assert host.live().endswith(first[:12]) or by == "the next"
    again = asked(house, "deploy", "staging", "--commit", first)
    house.run_until_idle()
    assert house.task(again).status is TaskStatus.COMPLETED
    with house.store() as store:
        statuses = [row.status for row in store.deployments.history()]
    assert statuses == ["live", "rolled_back", "replaced"]


def test_what_a_failed_pipeline_printed_becomes_a_task_of_the_developer(make_house: MakeHouse, tmp_path: Path) -> None:
    forge = Forge(tmp_path, tmp_path / "repository")
    try:
        environments = {"staging": forge.settings("github_actions")}
        house, server = make_house(team(), files={"ODD": "sick"}, deployment={"environments": environments})
        task = asked(house, "deploy")
        house.run_until_idle()
    finally:
        forge.close()
    assert (house.task(task).status, last(house).status) == (TaskStatus.FAILED, "failed")
    with house.store() as store:
        (mending,) = store.tasks.select(parent_id=task)
    assert (mending.source, mending.kind) == ("pipeline", "bugfix") and "E   assert 1 == 2" in mending.description
    told = [request.prompt for request in server.requests if "assert 1 == 2" in request.prompt]
    assert told, "the developer was told"
    assert all(re.search(r"<data[^>]*>(?:(?!</data>).)*assert 1 == 2", prompt, re.DOTALL) for prompt in told)
