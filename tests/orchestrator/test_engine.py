"""The engine alone: finished steps are never repeated, each agent has one job at a time, the most urgent first."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from memory import FailureReason
from monitoring import Alert, register_secret
from orchestrator.engine.engine import Engine, Job, Steps, forget_jobs
from orchestrator.engine.project_lock import claim
from orchestrator.errors import DaemonRunning, StageFailed
from tests.orchestrator.house import ROOT, eventually
from tests.orchestrator.in_process import engine


def job(name: str, *, agent: str = "developer", kind: str = "work", priority: int = 1) -> Job:
    return Job(id=name, agent=agent, kind=kind, payload={"name": name}, priority=priority)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'engine.db'}"


def ended(running: Engine, *names: str) -> None:
    for name in names:
        eventually(lambda name=name: running.status(name) not in ("ENQUEUED", "PENDING"), f"{name} ends")  # type: ignore[misc]  # mypy does not see the default of a lambda


class Diary:
    """Records what steps did, in order; tests can wait for a line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def write(self, line: str) -> str:
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()
        return line

    def wait_for(self, line: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: line in self.lines, 120), f"{line!r} is not in {self.lines}"


def test_finished_steps_are_not_run_again_and_failures_are_remembered(url: str) -> None:
    diary = Diary()
    go = threading.Event()

    def fails() -> str:
        diary.write("fails")
        raise StageFailed(FailureReason.CONFLICT, "no room", blocked=True)

    def work(steps: Steps) -> None:
        try:
            steps.step("fails", str, fails)
        except StageFailed as failure:
            told = f"{failure.reason}, {failure.detail}, {failure.blocked}"
        numbers = steps.step("numbers", list[int], lambda: [len(diary.write("numbers"))])
        diary.write(f"replayed {told} {numbers}")
        steps.step("waits", bool, lambda: bool(diary.write("waits")) and go.wait(0 if go.is_set() else 20))
        steps.step("last", str, partial(diary.write, "last"))

    with engine(url, work=work) as running:
        running.enqueue(job("one"))
        diary.wait_for("waits")
        stopped = threading.Timer(0.0, running.stop, [5])
        stopped.start()
        eventually(running._stopping.is_set, "the engine begins to stop")
        go.set()  # the running step may end, the next one must not start
        stopped.join()
        assert "last" not in diary.lines
    with engine(url, work=work) as running:
        ended(running, "one")
        assert running.status("one") == "SUCCESS"
        running.enqueue(job("one"))  # a known id: nothing happens
        running.enqueue(job("two"))
        ended(running, "two")

    first_life = diary.lines[: diary.lines.index("last")]
    assert first_life.count("fails") == first_life.count("numbers") == 1
    assert first_life.count("replayed conflict, no room, True [7]") == 2
    assert diary.lines.count("last") == 2  # once in each of the two jobs


def test_an_agent_that_is_held_back_finishes_its_step_and_goes_on_when_it_is_let(url: str) -> None:
    diary, go = Diary(), threading.Event()

    def work(steps: Steps) -> None:
        name = steps.job.id
        steps.step("first", bool, lambda: bool(diary.write(f"{name} 1")) and go.wait(20))
        steps.step("second", str, lambda: diary.write(f"{name} 2"))

    with engine(url, work=work) as running:
        running.enqueue(job("one"))
        diary.wait_for("one 1")
        running.hold(["developer"])
        go.set()
        running.enqueue(job("other", agent="qa"))
        ended(running, "other")
        assert "one 2" not in diary.lines
    assert diary.lines == ["one 1", "other 1", "other 2"], "and the engine has ended"
    with engine(url, held=["developer"], work=work) as running:
        running.enqueue(job("more", agent="qa"))
        ended(running, "more")
        assert "one 2" not in diary.lines
        running.hold([])
        ended(running, "one")
    assert (diary.lines.count("one 1"), diary.lines[-1]) == (1, "one 2")


def test_a_registered_secret_is_not_stored_with_a_result(url: str, tmp_path: Path) -> None:
    secret = "the-key-of-the-house-42"
    register_secret(secret)
    diary = Diary()

    def work(steps: Steps) -> None:
        told = steps.step("tells", list[str], lambda: [f"it is {secret}", "sk-looks-like-one-but-is-code-12345"])
        diary.write(" ".join(told))

    with engine(url, work=work) as running:
        running.enqueue(job("one"))
        ended(running, "one")
    assert diary.lines == ["it is [redacted] sk-looks-like-one-but-is-code-12345"]
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


def test_one_job_at_a_time_per_agent_the_most_urgent_first(url: str) -> None:
    diary, go = Diary(), threading.Event()
    at_work: set[str] = set()

    def work(steps: Steps) -> None:
        def act() -> bool:
            assert steps.job.agent not in at_work, "two jobs of one agent at once"
            at_work.add(steps.job.agent)
            diary.write(steps.job.id)
            done = go.wait(120) if steps.job.id == "first" else True
            at_work.discard(steps.job.agent)
            return done

        steps.step("act", bool, act)

    with engine(url, work=work) as running:
        running.enqueue(job("first", priority=9))
        diary.wait_for("first")
        for name, priority in (("low", 10), ("high", 1), ("medium", 5)):
            running.enqueue(job(name, priority=priority))
        running.enqueue(job("other", agent="qa", priority=10))
        diary.wait_for("other")  # agents do not wait for each other
        assert diary.lines == ["first", "other"]
        go.set()
        ended(running, "first", "low", "high", "medium", "other")
    assert diary.lines == ["first", "other", "high", "medium", "low"]


def test_a_cancelled_job_begins_no_further_step_and_a_broken_one_is_told(url: str) -> None:
    diary, go = Diary(), threading.Event()

    def work(steps: Steps) -> None:
        steps.step("first", bool, lambda: bool(diary.write(f"{steps.job.id} first")) and go.wait(120))
        steps.step("second", str, partial(diary.write, f"{steps.job.id} second"))

    def broken(_: Steps) -> None:
        raise RuntimeError("a bug")

    with engine(url, work=work, broken=broken) as running:
        running.enqueue(job("running"))
        running.enqueue(job("broken", agent="qa", kind="broken"))
        diary.wait_for("running first")
        running.enqueue(job("queued"))
        running.cancel("running")
        running.cancel("queued")
        running.cancel("never heard of")
        go.set()
        running.enqueue(job("next"))
        ended(running, "running", "queued", "broken", "next")
        states = {name: running.status(name) for name in ("running", "queued", "broken", "next", "unknown")}
    assert states == {
        "running": "CANCELLED", "queued": "CANCELLED", "broken": "ERROR", "next": "SUCCESS", "unknown": None,
    }  # fmt: skip
    assert diary.lines == ["running first", "next first", "next second"]


DAEMON = """
import sys, time
from pathlib import Path
from orchestrator.engine.project_lock import claim
from orchestrator.engine.engine import Engine, Job

url, marks = sys.argv[1], Path(sys.argv[2])
lock = claim(marks, url)

def mark(name, then=0.0):
    with (marks / name).open("a") as file:
        file.write("x")
    time.sleep(then)
    return name

def work(steps):
    steps.step("done", str, lambda: mark("done"))
    steps.step("running", str, lambda: mark("running", 0 if (marks / "go").exists() else 60))
    steps.step("after", str, lambda: mark("after"))

engine = Engine(url, {"work": work})
engine.start()
engine.enqueue(Job("one", "developer", "work", {}, 1))
while engine.status("one") != "SUCCESS":
    time.sleep(0.02)
import os
os._exit(0)
"""


def test_a_killed_process_repeats_the_step_it_was_in_and_no_other(url: str, tmp_path: Path) -> None:
    def daemon() -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", DAEMON, url, str(tmp_path)], cwd=ROOT)

    with daemon() as first:
        eventually(lambda: (tmp_path / "running").exists() and (tmp_path / "running").read_text(), "the step begins")
        with pytest.raises(DaemonRunning, match=f"pid {first.pid}"):
            claim(tmp_path, url)
        first.send_signal(signal.SIGKILL)
    (tmp_path / "go").touch()
    with daemon() as second:
        assert second.wait(120) == 0
    assert {name: len((tmp_path / name).read_text()) for name in ("done", "running", "after")} == {
        "done": 1, "running": 2, "after": 1,
    }  # fmt: skip
    claim(tmp_path, url).close()


def test_a_file_that_two_projects_were_given_has_one_daemon(url: str, tmp_path: Path) -> None:
    with claim(tmp_path / "one", url):
        with pytest.raises(DaemonRunning):
            claim(tmp_path / "other", url)
        with pytest.raises(DaemonRunning):
            claim(tmp_path / "one", "postgresql://host/agents")
        claim(tmp_path / "other", "postgresql://host/agents").close()
    claim(tmp_path / "other", url).close()


def test_jobs_that_ended_are_forgotten_and_spared_ones_are_not(url: str) -> None:
    go = threading.Event()

    def work(steps: Steps) -> None:
        steps.step("wait", bool, lambda: steps.job.id != "t-3.0" or go.wait(120))

    with engine(url, work=work) as running:
        for name in ("t-1.0", "t-2.0", "t-3.0"):
            running.enqueue(job(name, agent=name))
        ended(running, "t-1.0", "t-2.0")
        now = datetime.now(UTC)
        assert running.forget(now - timedelta(hours=1), lambda _: False) == 0
        assert running.forget(now + timedelta(hours=1), lambda name: name.startswith("t-2")) == 1
        assert [running.status(name) is None for name in ("t-1.0", "t-2.0", "t-3.0")] == [True, False, False]
        go.set()
        ended(running, "t-3.0")
    assert forget_jobs(url, ["t-3."]) == 1
    assert forget_jobs(url, []) == 0


def test_a_store_without_room_is_waited_for(url: str, tmp_path: Path, alerts: list[Alert]) -> None:
    full, diary = threading.Event(), Diary()

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        """Set SQLite's limit of pages; reaching it fails like a full disk."""
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages if full.is_set() else 1_000_000}")

    def work(steps: Steps) -> None:
        def fill() -> str:
            full.set()
            return "x" * 200_000

        steps.step("fills", str, fill)
        steps.step("after", str, partial(diary.write, "after"))

    sa.event.listen(sa.pool.Pool, "checkout", limit)
    try:
        with engine(url, work=work) as running:
            running.enqueue(job("one"))
            eventually(lambda: any(alert.key == "engine store" for alert in alerts), "the owner is told")
            assert diary.lines == []
            full.clear()
            ended(running, "one")
            assert running.status("one") == "SUCCESS"
    finally:
        sa.event.remove(sa.pool.Pool, "checkout", limit)
    assert diary.lines == ["after"]


def test_stopping_waits_for_the_running_step_no_longer_than_it_may(url: str) -> None:
    diary, go = Diary(), threading.Event()

    def work(steps: Steps) -> None:
        steps.step("first", bool, lambda: bool(diary.write("first")) and go.wait(120))

    with engine(url, work=work) as running:
        running.enqueue(job("one"))
        diary.wait_for("first")
        assert running.stop(0.05) is False
        go.set()
        assert running.stop(5) is True
