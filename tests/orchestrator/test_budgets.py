"""A daemon keeps to its budget: a task's own limit blocks the task; at others it waits for time or for the owner."""

from __future__ import annotations

import json

import pytest

from memory import FailureReason, TaskStatus, utc_now
from memory.database.schema import budgets
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House
from tests.orchestrator.scripts import QUESTIONS, asked, team


def test_a_day_that_is_used_up_pauses_work_until_a_restart_with_more(make_house: MakeHouse) -> None:
    house, server = make_house(team(), budget={"day_tokens": 6000, "task_tokens": None})
    spent(house, "day", f"{utc_now():%Y-%m-%d}", 5900)
    task_id = house.submit()
    with house.daemon() as daemon:
        house.wait(lambda store: store.budgets.waiting_calls())
        told = house.cli("status").stdout
        assert "paused      the day's budget of 6,000 tokens is used up; goes on at 20" in told
        assert "00:00 UTC (qa)" in told
        [limit] = json.loads(house.cli("costs", "--by", "limit", "--json").stdout)
        assert (limit["name"], limit["used"], limit["limit"]) == ("day_tokens", 5900, 6000)
        assert "budget.day_tokens" in house.cli("costs", "--by", "limit").stdout
        assert house.task(task_id).status is TaskStatus.IN_PROGRESS
        daemon.kill()
    assert list(server.requests) == []
    house.write_config(budget={"day_tokens": 100_000})
    with house.daemon():
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert [asked(request) for request in server.requests] == [*QUESTIONS]


@pytest.mark.long
def test_a_task_at_its_limit_is_blocked_and_goes_on_with_more(make_house: MakeHouse) -> None:
    house, server = make_house(team(), budget={"task_tokens": 5000})
    task_id = house.submit()
    spent(house, "task", task_id, 4500)
    assert house.run_until_idle().returncode == 1
    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.BUDGET_EXHAUSTED)
    assert "the task's budget of 5,000 tokens is used up" in task.reason_detail
    assert "raise budget.task_tokens, restart the daemon, then `task retry`" in task.reason_detail
    assert list(server.requests) == []
    house.write_config(budget={"task_tokens": 100_000})
    with house.daemon():
        house.tell("retry", task_id)
        house.wait_for(task_id, TaskStatus.COMPLETED)


def spent(house: House, scope: str, subject: str, tokens: int) -> None:
    """Record these tokens as used by earlier calls."""
    zeros = dict.fromkeys(("nano_usd", "reserved_tokens", "reserved_nano_usd", "told_tokens", "told_nano_usd"), 0)
    with house.store() as store, store._database.write() as connection:
        connection.execute(budgets.insert().values(scope=scope, subject=subject, tokens=tokens, **zeros))
