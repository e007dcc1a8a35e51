from __future__ import annotations

import stat
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import memory
from memory import MemoryStore, ModelCall, SchemaMissing, SchemaTooNew, Task
from memory.database.schema import SCHEMA_REVISION, metadata
from tests.memory.conftest import Python, drop_triggers


def engine_of(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


def test_the_migrations_make_the_schema_that_the_code_uses(url: str) -> None:
    engine = engine_of(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        checks = sa.inspect(connection).get_check_constraints("tasks")
    engine.dispose()
    assert [check["name"] for check in checks] == ["ck_tasks_failed_has_a_reason"]


def test_the_newest_migration_is_the_one_the_code_names() -> None:
    scripts = ScriptDirectory(str(Path(memory.__file__).parent / "database" / "migrations"))
    assert scripts.get_heads() == [SCHEMA_REVISION]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)  # "newer" is decided by this order


SPECIFIED = {
    "agent_memory": ["id", "agent_name", "key", "value", "created_at", "updated_at"],
    "activity_logs": [
        "id",
        "agent_name",
        "activity",
        "task_id",
        "details",
        "timestamp",
        "hash",
    ],  # task_id and hash are ours
    "decision_history": ["id", "agent_name", "decision_type", "decision_data", "timestamp"],
}


def test_the_specified_tables_have_the_specified_columns(url: str) -> None:
    engine = engine_of(url)
    inspector = sa.inspect(engine)
    found = {table: [column["name"] for column in inspector.get_columns(table)] for table in SPECIFIED}
    engine.dispose()
    assert found == SPECIFIED


def test_migrating_again_changes_nothing(store: MemoryStore) -> None:
    store.tasks.add(Task(id="t-1", title="t"))
    store.migrate()
    assert store.tasks.get("t-1").title == "t"


MIGRATE = """
import sys
from memory import MemoryStore
store = MemoryStore(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
store.migrate()
print(store.check())
"""


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    processes = [Python(MIGRATE, empty_url) for _ in range(2)]
    assert [process.line() for process in processes] == ["ready"] * 2
    for process in processes:
        process.go()
    outputs = [process.rest() for process in processes]
    assert [len(lines) for lines in outputs] == [1] * 2, outputs
    assert all(f"schema {SCHEMA_REVISION}" in lines[0] for lines in outputs), outputs


def test_tasks_of_the_first_schema_are_kept(empty_url: str) -> None:
    store = MemoryStore(empty_url)
    store.migrate()
    store.tasks.add(Task(id="t-1", title="From before", description="Kept."))
    for number in range(3):
        store.journal.log("qa", "looked", "t-1", number=number)
    store.ledger.record_call(
        ModelCall(workflow_id="w", step="s", request_hash="h", task_id="t-1", agent="qa", provider="openai", model="m",
                  prompt_hash="p", prompt="a", response="b", truncated=True)
    )  # fmt: skip
    engine = engine_of(empty_url)
    with engine.begin() as connection:  # back to what the first program made
        drop_triggers(connection)
        connection.exec_driver_sql("ALTER TABLE activity_logs DROP COLUMN hash")
        connection.exec_driver_sql("DROP TABLE audit_chain")
        for column in ("tests", "tests_file", "kind"):
            connection.exec_driver_sql(f"ALTER TABLE tasks DROP COLUMN {column}")
        for table in (
            "conversations",
            "model_probes",
            "budgets",
            "reservations",
            "waiting_calls",
            "access",
            "people",
            "deployments",
            "forge_threads",
            "deployment_locks",
            "measurements",
            "comparisons",
        ):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        for table in ("model_calls", "model_cache"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN truncated")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    engine.dispose()
    store.migrate()
    kept = store.tasks.get("t-1")
    assert (kept.description, kept.tests, kept.tests_file) == ("Kept.", "", "")
    answer = store.ledger.find_call("w", "s", "h")
    assert answer is not None
    assert (answer.response, answer.truncated) == ("b", None)
    assert SCHEMA_REVISION in store.check()
    store.journal.log("qa", "looked again", "t-1")
    report = store.audit.verify()
    assert (report.lines, report.broken) == (4, "")
    store.close()


def test_a_database_of_a_newer_program_is_refused(empty_url: str) -> None:
    store = MemoryStore(empty_url)
    store.migrate()
    engine = engine_of(empty_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(
        SchemaTooNew, match=rf"revision 9999, this program supports up to {SCHEMA_REVISION}.*newer program"
    ):
        store.migrate()


def test_a_database_without_tables_says_what_to_run(empty_url: str) -> None:
    store = MemoryStore(empty_url)
    with pytest.raises(SchemaMissing, match=r"main\.py .*migrate"):
        store.tasks.select()
    with pytest.raises(SchemaMissing, match=r"main\.py .*migrate"):
        store.check()
    store.close()


def test_a_failed_migration_leaves_nothing_behind(empty_url: str) -> None:
    engine = engine_of(empty_url)
    blocker = sa.Table("control", sa.MetaData(), sa.Column("in_the_way", sa.Integer))
    if engine.dialect.name == "sqlite":
        Path(engine.url.database or "").parent.mkdir()
    blocker.create(engine)  # the first migration makes this table last
    store = MemoryStore(empty_url)
    with pytest.raises(sa.exc.DBAPIError, match="already exists"):
        store.migrate()
    assert sa.inspect(engine).get_table_names() == ["control"]
    blocker.drop(engine)
    store.migrate()
    assert SCHEMA_REVISION in store.check()
    store.close()
    engine.dispose()


def test_a_current_database_is_opened_while_another_process_writes(sqlite_store: MemoryStore, sqlite_url: str) -> None:
    engine = engine_of(sqlite_url)
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        sqlite_store.migrate()  # waits for no lock
    engine.dispose()


def test_a_restored_file_is_switched_back_to_wal(sqlite_store: MemoryStore, sqlite_url: str) -> None:
    sqlite_store.close()
    engine = engine_of(sqlite_url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode=DELETE").scalar() == "delete"
    engine.dispose()
    sqlite_store.migrate()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    engine.dispose()


def test_the_file_is_for_its_owner_only(sqlite_store: MemoryStore, tmp_path: Path) -> None:
    sqlite_store.tasks.add(Task(id="t-1", title="t"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert {name: modes[name] for name in ("agents.db", "agents.db-wal", "agents.db-shm")} == dict.fromkeys(
        ("agents.db", "agents.db-wal", "agents.db-shm"), 0o600
    )
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    store = MemoryStore(f"sqlite:///{tmp_path / '100% sure' / 'agents #1.db'}")
    store.migrate()
    assert "100% sure" in store.check()
    store.close()
