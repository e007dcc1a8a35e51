"""An agent that the owner pauses: the others go on, a restart changes nothing, and it goes on where it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from memory import TaskStatus
from tests.cli.commands import entries, entry, error_of, look
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House
from tests.orchestrator.scripts import asked, team


def test_a_paused_agent_begins_nothing_until_it_is_resumed_over_a_restart_too(make_house: MakeHouse) -> None:
    house, server = make_house(team())
    assert look(house, "agents", "pause", "developer").exit_code == 0
    error_of(house.cli("agents", "pause", "developer"), 1)
    error_of(house.cli("agents", "pause", "nobody"), 2)
    task_id = house.submit()
    with house.daemon() as daemon:
        house.wait(lambda store: store.tasks.get(task_id).stage == "code")
        daemon.kill()
        daemon.wait(120)
    paused = entry(house, "status")["paused_agents"]
    assert isinstance(paused, dict) and "developer" in paused
    assert {str(row["agent"]) for row in entries(house, "agents", "list") if row["paused"]} == {"developer"}
    with house.daemon():
        other = house.submit(title="Add add again")
        house.wait(lambda store: store.tasks.get(other).stage == "code")
        assert "code" not in {asked(request) for request in server.requests}
        assert house.task(task_id).status is TaskStatus.IN_PROGRESS
        shown = look(house, "status").stdout
        assert "by you" in shown and '"Add add again" goes no further' in shown and "writes the code" not in shown
        house.tell("cancel", other)
        house.wait_for(other, TaskStatus.CANCELLED)
        assert look(house, "agents", "resume", "developer").exit_code == 0
        house.wait_for(task_id, TaskStatus.COMPLETED)
    with house.store() as store:
        told = [line.activity for line in store.journal.activity() if line.activity.startswith("agent ")]
    assert told == ["agent paused", "agent resumed"]


@pytest.mark.long
def test_everything_is_paused_and_goes_on_where_it_was_over_a_restart_too(make_house: MakeHouse) -> None:
    house, server = make_house(team())
    error_of(house.cli("resume"), 1)
    assert look(house, "pause").exit_code == 0
    error_of(house.cli("pause"), 1)
    task_id = house.submit()
    for _ in range(2):
        with house.daemon():
            house.wait(lambda store: store.journal.latest_of("started"))
            look_twice(house)
            assert (house.task(task_id).status, server.requests) == (TaskStatus.PENDING, ())
    assert entry(house, "status")["rest"] is not None
    assert "everything, by you" in look(house, "status").stdout
    with house.daemon():
        assert look(house, "resume").exit_code == 0
        house.wait_for(task_id, TaskStatus.COMPLETED)
    assert entry(house, "status")["rest"] is None


@pytest.mark.long
def test_in_quiet_hours_nothing_begins_unless_the_owner_says_so(make_house: MakeHouse) -> None:
    now = datetime.now(UTC)
    hours = f"{now - timedelta(hours=2):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    house, server = make_house(team(), orchestrator={"quiet_hours": hours, "time_zone": "UTC"})
    task_id = house.submit()
    with house.daemon():
        house.wait(lambda store: store.journal.latest_of("quiet hours begin"))
        look_twice(house)
        assert (house.task(task_id).status, server.requests) == (TaskStatus.PENDING, ())
        assert f"quiet hours until {hours[-5:]}" in look(house, "status").stdout
        done = look(house, "resume")
        assert f"until {hours[-5:]}" in done.stderr
        house.wait_for(task_id, TaskStatus.COMPLETED)
    house.write_config(orchestrator={"quiet_hours": f"{hours[-5:]}-{hours[:5]}"})
    other = house.submit(title="Add add again")
    with house.daemon():  # the other hours are quiet now
        house.wait(lambda store: store.tasks.get(other).status is not TaskStatus.PENDING)


def look_twice(house: House) -> None:
    """Wait until the daemon has come past its tasks: a command is applied before that, and so the second one after."""
    for _ in range(2):
        house.tell("nothing", "")
        house.wait(lambda store: not store.commands.pending())
