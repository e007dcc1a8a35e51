"""Without the owner: failed pushes are made up for, a backup restores everything, temporary troubles are waited out."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

import memory
from memory import TaskStatus
from memory.database.schema import SCHEMA_REVISION
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House, eventually, git
from tests.orchestrator.scripts import FROM_CODE, GOOD_ADD, QUESTIONS, Held, asked, team

SECOND = "Add `triple(x: int) -> int` to calc.py. `triple(2)` returns `6` and `triple(0)` returns `0`."


def landed_once(house: House, tasks: int) -> None:
    stages = git(house.repository, "log", "--format=%(trailers:key=Stage,valueonly)", "main..agents/integration")
    assert Counter(stages.split()) == {"code": tasks, "tests": tasks}


def test_what_landed_while_the_remote_was_away_is_pushed_later_and_the_task_says_so(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script)
    script.hold("review")
    with house.daemon() as daemon:
        task_id = house.submit()
        server.wait_for(3)
        away = house.repository.rename(house.repository.with_name("away"))
        script.release()
        task = house.wait_for(task_id, TaskStatus.COMPLETED)
        assert (task.result["pushed"], "no such folder" in str(task.result["push_error"])) == (False, True)
        daemon.kill()
        daemon.wait()
    with house.daemon():  # the clone is enough: the daemon starts without the repository
        eventually(lambda: house.log().count('"ready"') == 2, "the daemon starts")
        away.rename(house.repository)
        house.wait(lambda store: store.tasks.get(task_id).result["pushed"])
    assert house.task(task_id).result["push_error"] == ""
    landed_once(house, 1)
    told = house.cli("task", "show", task_id).stdout
    assert "pushed" in told
    assert "no such folder" not in told


@pytest.mark.long
def test_a_backup_of_a_working_daemon_brings_the_work_back(make_house: MakeHouse, tmp_path: Path) -> None:
    both = GOOD_ADD.replace("```\n", "\n\ndef triple(x: int) -> int:\n    return 3 * x\n```\n", 1)
    script = Held(team(code=lambda request: both if "triple" in request.prompt else GOOD_ADD))
    house, server = make_house(script)
    backup = tmp_path / "kept.tar.gz"
    with house.daemon() as daemon:
        first = house.submit()
        house.wait_for(first, TaskStatus.COMPLETED)
        script.hold("code")
        second = house.submit(SECOND, "Add triple")
        server.wait_for(len(QUESTIONS) + 2)
        made = house.cli("backup", "--to", str(backup))
        assert made.returncode == 0, made.stderr
        refused = house.cli("restore", str(backup))
        assert (refused.returncode, "already works on" in refused.stderr) == (1, True)
        daemon.kill()
        daemon.wait()
    script.release()
    assert backup.stat().st_mode & 0o777 == 0o600
    shutil.rmtree(house.paths.state)
    shutil.rmtree(house.paths.workspace)
    house.paths.state.mkdir()
    damaged = tmp_path / "damaged.tar.gz"
    damaged.write_bytes(backup.read_bytes()[:-2000])
    assert "not a complete backup" in house.cli("restore", str(damaged)).stderr

    done = house.cli("restore", str(backup))
    assert done.returncode == 0, done.stderr
    assert f"Start again, with the answers they had:  {second}" in done.stdout
    asked_before = Counter(asked(request) for request in server.requests)
    assert house.run_until_idle().returncode == 0
    assert house.task(second).status is TaskStatus.COMPLETED
    landed_once(house, 2)
    again = Counter(asked(request) for request in server.requests) - asked_before
    assert again == Counter(FROM_CODE)  # the assertions were answered before the backup
    assert house.litter() == []

    # The backup is older than the landing: the landed work is found at the remote and not done again.
    done = house.cli("restore", str(backup))
    assert f"Landed since then, and completed:  {second}" in done.stdout, done.stdout + done.stderr
    assert list(house.paths.state.glob("before-restore-*/agents.db"))
    assert house.run_until_idle().returncode == 0
    landed_once(house, 2)


def test_migrate_lets_a_task_at_work_go_on(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script)
    script.hold("code")
    with house.daemon() as daemon:
        task_id = house.submit()
        server.wait_for(2)
        daemon.kill()
        daemon.wait()
    script.release()
    to_previous_revision(house.paths.state / "agents.db")
    migrated = house.cli("migrate")
    assert f"schema {SCHEMA_REVISION}" in migrated.stdout, migrated.stderr
    assert house.run_until_idle().returncode == 0
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert Counter(asked(request) for request in server.requests) == Counter([*QUESTIONS, "code"])


def to_previous_revision(file: Path) -> None:
    """Bring the database to the schema before the current one."""
    config = Config()
    config.set_main_option("script_location", str(Path(memory.__file__).parent / "database" / "migrations"))
    config.set_main_option("path_separator", "os")
    newest = ScriptDirectory.from_config(config).get_revision("head")
    assert newest is not None
    older = file.with_name("older.db")
    engine = sa.create_engine(f"sqlite:///{older}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, str(newest.down_revision))
    engine.dispose()
    with closing(sqlite3.connect(older, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS newer", [str(file)])
        for (table,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            if table in ("alembic_version", "sqlite_sequence"):
                continue
            columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({table})"))
            if table == "audit_chain":  # the migration made its one row, which may only move forward
                connection.execute(f"UPDATE main.{table} SET ({columns}) = (SELECT {columns} FROM newer.{table})")
            else:
                connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}")
    for part in ("", "-wal", "-shm"):
        file.with_name(file.name + part).unlink(missing_ok=True)
    older.rename(file)


@pytest.mark.long
def test_a_database_that_is_locked_for_long_is_waited_for(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script)
    script.hold("code")
    with house.daemon() as daemon:
        task_id = house.submit()
        server.wait_for(2)
        locks = [sqlite3.connect(house.paths.state / name, isolation_level=None) for name in ("agents.db", "engine.db")]
        for lock in locks:
            lock.execute("BEGIN IMMEDIATE")
        script.release()
        eventually(lambda: '"problem": "work waits' in house.log(), "the owner is told", seconds=60)
        assert daemon.poll() is None
        for lock in locks:
            lock.close()
        house.wait_for(task_id, TaskStatus.COMPLETED, seconds=90)
    assert "internal_error" not in house.log()
    assert Counter(asked(request) for request in server.requests) == Counter(QUESTIONS)
