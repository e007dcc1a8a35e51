"""One database, SQLite or PostgreSQL: how it is opened, what a transaction is, and what its errors mean.

SQLite runs in WAL with `synchronous=NORMAL`: after kill -9 every committed transaction is there; after a power loss the
last ones may be missing, and the file is sound. Writers take the write lock at once (BEGIN IMMEDIATE), because a
reader that becomes a writer half-way is refused without waiting.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from memory.errors import (
    DatabaseLocked,
    DatabaseReadOnly,
    DatabaseUnreachable,
    UnsupportedDatabase,
    diagnosed,
    raise_diagnosed,
)
from monitoring import AlertKind, alert

BUSY_SECONDS = 30.0
"""How long a statement waits for a lock that another process holds."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_STATEMENT_SECONDS = 60
_CONNECT_SECONDS = 10
_POOL = 32
_IDLE_POOL = 5

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

    Insert = sqlite.Insert | postgresql.Insert
Query = sa.Select[*tuple[Any, ...]]
"""A query over whole rows; SQLAlchemy does not know their types, the models check them."""


class Database:
    """Short transactions on one database, from any thread."""

    def __init__(self, url: str, *, busy_seconds: float = BUSY_SECONDS) -> None:
        parsed = _supported(url)
        self.place = parsed.render_as_string(hide_password=True)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.busy_seconds = busy_seconds
        self.path = Path(parsed.database or "") if self.is_sqlite else None
        if self.is_sqlite:
            self.engine = sa.create_engine(
                parsed,
                connect_args={"timeout": busy_seconds},
                max_overflow=_POOL - _IDLE_POOL,
                pool_size=_IDLE_POOL,
                pool_timeout=busy_seconds,
            )
            sa.event.listen(self.engine, "do_connect", self._create_file)
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = sa.create_engine(
                parsed,
                connect_args={"connect_timeout": _CONNECT_SECONDS, "application_name": "ai-agents"},
                max_overflow=_POOL - _IDLE_POOL,
                pool_size=_IDLE_POOL,
                pool_timeout=busy_seconds,
                pool_pre_ping=True,
            )
            sa.event.listen(self.engine, "connect", self._prepare_postgresql)
        self._writer = self.engine.execution_options(writes=True)
        self._watching: sqlite3.Connection | None = None
        self._watched, self._watchers = threading.Lock(), 0

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection whose statements all see the same state (on SQLite)."""
        with self._diagnosed(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, patient: bool = False) -> Iterator[sa.Connection]:
        """A transaction: committed at the end, rolled back on any error.

        `patient` is for results that were paid for: it waits as long as the database is locked or read-only.
        """
        with self._diagnosed(), ExitStack() as stack:
            pause = _FIRST_PAUSE
            while True:
                try:
                    connection = stack.enter_context(self._writer.begin())
                    break
                except StatementError as error:
                    problem = diagnosed(error, self.place, self.busy_seconds)
                    if not patient or not isinstance(problem, DatabaseLocked | DatabaseReadOnly):
                        raise
                    alert(AlertKind.DATABASE, type(problem).__name__, f"work waits: {problem}")
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            yield connection

    def state(self) -> str:
        """Something that is different once anybody has committed a change, and costs next to nothing to ask for."""
        if self.path is None:
            with self.read() as connection:
                return str(connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one())
        with self._diagnosed(), self._watched:
            try:
                if self._watching is None:  # SQLite tells a connection what others have committed
                    self._watching = sqlite3.connect(self.path, self.busy_seconds, check_same_thread=False)
                    self._watchers += 1
                return f"{self._watchers}.{self._watching.execute('PRAGMA data_version').fetchone()[0]}"
            except sqlite3.Error:
                self._watching = None
                raise

    def insert(self, table: sa.Table) -> Insert:
        """An INSERT that supports ON CONFLICT, in this database's dialect."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # a tenth of the start of a command, for those who use it

        return postgresql.insert(table)

    def close(self) -> None:
        """Close the idle connections; those in use close when they are returned."""
        with self._watched:
            if self._watching is not None:
                self._watching.close()
                self._watching = None
        self.engine.dispose()

    @contextmanager
    def _diagnosed(self) -> Iterator[None]:
        try:
            yield
        except (StatementError, sqlite3.Error) as error:
            raise_diagnosed(error, self.place, self.busy_seconds)
        except PoolTimeout as error:
            raise DatabaseLocked(
                self.place,
                f"all {_POOL} connections were in use for {self.busy_seconds:g} s",
                "Something holds transactions open; see `doctor` and the log",
            ) from error

    def _create_file(self, *_: object) -> None:
        """Create folder and file for the owner only; SQLite gives its -wal and -shm files the same mode."""
        assert self.path is not None
        if self.path.exists():
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise DatabaseUnreachable(
                self.place,
                f"the file cannot be created ({error.strerror})",
                "Make its folder writable for this user, or set database.url",
            ) from error

    def _prepare_postgresql(self, connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"SET lock_timeout = {int(self.busy_seconds * 1000)}")
        cursor.execute(f"SET statement_timeout = {_STATEMENT_SECONDS * 1000}")
        cursor.close()
        connection.commit()


def _supported(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except ArgumentError:
        parsed = None
    match parsed and parsed.get_backend_name():
        case "sqlite" if parsed and parsed.database and not parsed.database.startswith((":memory:", "file:")):
            return parsed
        case "postgresql" | "postgres" if parsed:
            return parsed.set(drivername="postgresql+psycopg")
    shown = parsed.render_as_string(hide_password=True) if parsed else repr(url)
    raise UnsupportedDatabase(
        shown,
        "this is no address of SQLite (a file) or PostgreSQL",
        "Set database.url to sqlite:////path/agents.db or postgresql://user:password@host/name, or leave it empty",
    )


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # BEGIN is ours, see below
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
