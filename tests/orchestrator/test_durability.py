"""Daemons are stopped, killed and started again: no work is lost, and nothing is done or paid for twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing

import pytest

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import Daemon, House, all_end, children, eventually, git, in_sandbox, stop
from tests.orchestrator.scripts import QUESTIONS, Held, asked, team
from tests.support import ScriptedModelServer

NEVER_SECONDS = 60
"""A grace period that is longer than any test."""


def finish(house: House, task_id: str) -> None:
    """Start the daemon for the last time and check that the task lands once and leaves nothing behind."""
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED
    stages = git(house.repository, "log", "--format=%(trailers:key=Stage,valueonly)", "main..agents/integration")
    assert stages.split() == ["code", "tests"]
    assert house.litter() == []


def questions(server: ScriptedModelServer) -> Counter[str]:
    return Counter(asked(request) for request in server.requests)


@pytest.mark.long
def test_sigterm_at_any_time_loses_no_answer(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script, orchestrator={"shutdown_grace": NEVER_SECONDS, "task_timeout": 60})
    task_id = house.submit()

    # An answer that arrives while the daemon waits for its steps to end is kept.
    script.hold("assertions")
    with house.daemon() as daemon:
        server.wait_for(1)
        daemon.send_signal(signal.SIGTERM)
        script.release()
        assert daemon.wait(120) == 0

    # If it does not arrive in time, the model is asked again. A closed terminal is such a stop, too.
    house.write_config(orchestrator={"shutdown_grace": 0.2})
    script.hold("code")
    with house.daemon() as daemon:
        server.wait_for(2)
        assert stop(daemon, signal.SIGHUP) == 0
        script.release()

    # Code of the repository that runs in the sandbox ends with the daemon.
    with house.daemon() as daemon:
        server.wait_for(3)
        eventually(lambda: in_sandbox(daemon), "the answer is run in the sandbox")
        started = children(daemon)
        assert stop(daemon) == 0
        assert all_end(started)
    assert house.task(task_id).stage == "code"

    # An hour without a daemon does not make the task count as hung.
    house.shift_start(task_id, hours=-1)
    finish(house, task_id)
    assert questions(server) == Counter([*QUESTIONS, "code"])
    codes = [request.prompt for request in server.requests if asked(request) == "code"]
    assert codes[0] == codes[1]


def test_kill_9_in_each_stage_and_the_task_completes_as_if_nothing_had_happened(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script)
    house.cold = True
    task_id = house.submit()

    def kill(daemon: Daemon, stage: str) -> None:
        started = children(daemon)
        daemon.kill()
        daemon.wait(120)
        task = house.task(task_id)
        assert (task.status, task.stage) == (TaskStatus.IN_PROGRESS, stage)
        assert all_end(started)

    with house.daemon() as daemon:
        house.wait_for(task_id, TaskStatus.IN_PROGRESS)
        eventually(lambda: in_sandbox(daemon), "the suite is run before the work")
        kill(daemon, "requirements")
    script.hold("assertions")
    with house.daemon() as daemon:
        server.wait_for(1)
        kill(daemon, "tests")
        script.release()
    with house.daemon() as daemon:
        server.wait_for(3)  # the assertions a second time, then the code
        eventually(lambda: in_sandbox(daemon), "the answer is run in the sandbox")
        kill(daemon, "code")
    script.hold("review")
    with house.daemon() as daemon:
        server.wait_for(4)
        kill(daemon, "review")
        script.release()
    with house.daemon() as daemon:
        eventually(house.landed, "the work is on the landing branch")
        kill(daemon, "land")

    finish(house, task_id)
    # Only the two requests whose answers a kill prevented are sent again.
    assert questions(server) == Counter([*QUESTIONS, "assertions", "review"])
    assert [path.name for path in house.temporary.iterdir()] == []


def test_a_second_daemon_is_refused_and_a_second_ctrl_c_ends_the_first(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script, orchestrator={"shutdown_grace": NEVER_SECONDS})
    task_id = house.submit()
    script.hold("assertions")
    with house.daemon() as daemon:
        server.wait_for(1)
        in_use = house.paths.clone / "refs-in-use.lock"
        in_use.touch()
        second = house.run_until_idle()
        assert second.returncode == 1
        assert second.stderr.count("error:") == 1
        assert f"a daemon (pid {daemon.pid}) already works on" in second.stderr
        assert "Traceback" not in second.stdout + second.stderr
        assert in_use.exists(), "the second daemon cleared away what the first one is using"

        daemon.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            daemon.wait(0.5)  # it still waits for the answer
        started = children(daemon)
        daemon.send_signal(signal.SIGINT)
        assert daemon.wait(120) == 128 + signal.SIGINT
        assert all_end(started)
        script.release()
    assert house.task(task_id).status is TaskStatus.IN_PROGRESS


@pytest.mark.parametrize("fails", [pytest.param(False, marks=pytest.mark.long), True], ids=["goes on", "would fail"])
def test_a_stage_that_another_version_began_with_other_steps_begins_again(make_house: MakeHouse, fails: bool) -> None:
    script = Held(team())
    house, server = make_house(script)
    task_id = house.submit()
    script.hold("code")
    with house.daemon() as daemon:
        server.wait_for(2)
        daemon.kill()
    script.release()
    with closing(sqlite3.connect(house.paths.state / "engine.db")) as store, store:
        job = f"{task_id}.%.code"
        steps = "UPDATE operation_outputs SET {} WHERE workflow_uuid LIKE ? AND function_name LIKE ?"
        if fails:  # the replay fails at the first step, and the step recorded next is not that of a failure
            failure = json.dumps({"failed": {"reason": "tests_failed", "detail": "as it was", "blocked": True}})
            assert store.execute(steps.format("output = ?"), [failure, job, "begin"]).rowcount == 1
        else:
            renamed = store.execute(steps.format("function_name = ?"), ["as it was", job, "profile of developer%"])
            assert renamed.rowcount == 1
    finish(house, task_id)
    with closing(sqlite3.connect(house.paths.state / "engine.db")) as store:
        [(began,)] = store.execute(
            "SELECT count(*) FROM workflow_status WHERE workflow_uuid LIKE ?", [f"{task_id}.%.code"]
        )
    assert began == 2
