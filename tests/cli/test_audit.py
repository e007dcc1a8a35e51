"""`doctor --audit`, and what a start and the work write into the trail."""

from __future__ import annotations

import json
import sqlite3

from memory import TaskStatus
from orchestrator.housekeeping import note_start
from tests.cli.commands import look
from tests.memory.conftest import drop_triggers
from tests.memory.test_migrations import engine_of
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House
from tests.orchestrator.scripts import team

__all__ = ["make_house"]

KEY = "hush-77ac01f2e9d3b546"


def test_privileged_acts_are_lines_and_the_doctor_follows_them(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), llm={"api_key": KEY})
    task = house.submit()
    assert house.run_until_idle().returncode == 0
    with house.store() as store:
        lines = {line.activity: line for line in store.journal.activity()}
        assert store.tasks.get(task).status is TaskStatus.COMPLETED
    assert {"started", "tests committed", "code committed", "landed", "sandbox tier changed"} <= set(lines)
    assert lines["code committed"].details["files"] == ["calc.py"]
    assert lines["landed"].details["pushed"] is True
    done = look(house, "doctor", "--audit")
    assert done.exit_code == 0, done.stdout
    assert "lines form an unbroken chain" in done.stdout
    report = json.loads(look(house, "doctor", "--audit", "--json").stdout)
    assert report["head"] in done.stdout
    assert "audit trail" in house.log()

    engine = engine_of(f"sqlite:///{house.paths.state / 'agents.db'}")
    with engine.begin() as connection:
        drop_triggers(connection)
        connection.exec_driver_sql("UPDATE activity_logs SET activity = 'slept' WHERE activity = 'landed'")
    engine.dispose()
    broken = look(house, "doctor", "--audit")
    assert broken.exit_code == 1
    assert f"line {lines['landed'].id} does not follow" in broken.stdout
    assert json.loads(look(house, "doctor", "--audit", "--json").stdout)["broken"]


def test_a_database_that_cannot_be_read_is_said_so(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    with house.store():
        pass
    with sqlite3.connect(house.paths.state / "agents.db") as other:
        other.execute("UPDATE alembic_version SET version_num = '0001'")
    done = look(house, "doctor", "--audit")
    assert done.exit_code == 1
    assert f"main.py --config {house.config} migrate" in " ".join(done.stderr.split())


def test_a_start_says_what_has_changed_since_the_last(make_house: MakeHouse) -> None:
    house, _ = make_house(team(), llm={"api_key": KEY})
    (started,) = _acts(house).values()
    assert started == {"weakened": []}, "a model server of this machine is nothing given up"
    assert set(_acts(house)) == {"started"}
    house.write_config(budget={"day_usd": 5}, llm={"timeout": 21})
    acts = _acts(house)
    assert acts["settings changed"]["sections"] == ["llm", "budget"]
    before, after = (acts["budget limits changed"][name] for name in ("before", "after"))
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert (before["day_usd"], after["day_usd"]) == (None, 5.0)
    house.write_config(sandbox={"mode": "best_effort"})
    acts = _acts(house)
    assert acts["sandbox mode changed"] == {"before": "required", "after": "best_effort"}
    assert "sandbox.mode: best_effort" in str(acts["started"]["weakened"])
    doctor = json.loads(look(house, "doctor", "--json").stdout)
    (safety,) = [check for check in doctor if check["name"] == "safety"]
    assert safety["state"] == "warning" and "may run unconfined" in safety["detail"]
    house.write_config(llm={"api_key": "another-key-of-the-owner"})
    assert set(_acts(house)) == {"started", "sandbox mode changed", "settings changed"}
    with house.store() as store:
        assert "another-key" not in json.dumps([line.model_dump(mode="json") for line in store.journal.activity()])


def _acts(house: House) -> dict[str, dict[str, object]]:
    """What a start with the present settings writes, without the digests."""
    from config import load_settings

    with house.store() as store:
        last = max((line.id for line in store.journal.latest(1)), default=0)
        note_start(store, load_settings(house.config))
        return {
            line.activity: {name: value for name, value in line.details.items() if name not in ("settings", "schema")}
            for line in store.journal.activity(last)
        }
