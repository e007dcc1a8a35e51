"""An agent that the owner pauses: the others go on, a restart changes nothing, and it goes on where it was."""

from __future__ import annotations

from memory import TaskStatus
from tests.cli.commands import entries, entry, error_of, look
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import asked, team


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
