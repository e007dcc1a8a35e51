"""The daily clean-up removes what nothing needs any more, and keeps what the owner reads and costs are counted by."""

from __future__ import annotations

import os
import platform

import psutil
import pytest

from config import load_settings
from memory import TaskStatus
from orchestrator import open_services
from orchestrator.engine.engine import Engine
from orchestrator.housekeeping import Housekeeping, give_back_memory
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import git
from tests.orchestrator.in_process import end_engine
from tests.orchestrator.scripts import BAD_ADD, team

AT_ONCE = 1e-9
"""Days after which everything has had its time."""


def test_what_is_past_its_time_goes(make_house: MakeHouse) -> None:
    once = {"max_task_attempts": 1, "max_approaches": 1}
    days = dict.fromkeys(("engine_days", "answers_days", "activity_days", "evidence_days", "worktree_days"), AT_ONCE)
    house, _ = make_house(team(code=[BAD_ADD]), orchestrator=once, retention=days)
    task_id = house.submit()
    house.run_until_idle()
    ended = house.task(task_id)
    assert ended.status in (TaskStatus.BLOCKED, TaskStatus.FAILED)
    assert [path.name for path in house.paths.workspace.glob("worktrees/*")] == [task_id]
    waiting = house.submit(title="Later")

    services = open_services(load_settings(house.config), house.paths)
    engine = Engine(house.paths.engine_url, {"stage": lambda _: None, "ceo": lambda _: None})
    engine.start()
    try:
        before = services.store.ledger.usage("task")
        first = f"{task_id}.0.0.requirements"
        assert engine.status(first) == "SUCCESS"
        called: list[int] = []
        keeping = Housekeeping(services, engine, lambda: called.append(1))
        for _ in range(2):
            keeping.look(busy=True)  # finds nothing to push, in a thread that must end before the cleaning
            assert keeping._thread is not None
            keeping._thread.join(60)
        assert called == [1], "once a day"
        keeping._busy = False
        keeping.clean()
        keeping.clean()
        assert engine.status(first) is None
        assert services.store.ledger.usage("task") == before
        left = [line for line in services.store.journal.latest() if line.task_id]
        assert left == services.store.journal.latest(task_id=waiting)
        assert services.git.worktrees.tasks() == []
        assert services.store.tasks.get(task_id).reason_detail == ended.reason_detail
    finally:
        engine.stop(5)
        end_engine()
        services.close()
    assert list(house.paths.workspace.glob("worktrees/*")) == []
    assert "agents/task" not in git(house.paths.clone, "branch", "--list")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no malloc_trim")
def test_memory_in_the_gaps_goes_back_to_the_system() -> None:
    def resident() -> int:
        return int(psutil.Process(os.getpid()).memory_info().rss)

    held = [bytes(2000) for _ in range(30_000)]
    pins = held[::100]  # keep the heap from shrinking at its end by itself
    held.clear()
    before = resident()
    give_back_memory()
    assert before - resident() > 40_000_000
    assert len(pins) == 300
