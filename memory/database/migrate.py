"""Migrates the database to this program's schema. Several processes may start together; one of them does it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import sqlalchemy as sa

from memory.database.database import Database
from memory.database.schema import SCHEMA_REVISION
from memory.errors import DatabaseLocked, DatabaseReadOnly, DatabaseUnusable, SchemaTooNew

LOCK_SECONDS = 300.0
"""How long to wait for another process that is migrating."""
_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x6167656E7473  # any number, the same in every process: "agents"
_POLL_SECONDS = 0.02


def migrate(database: Database) -> None:
    """Apply the missing migrations, all or none of them.

    Raises `SchemaTooNew` when the database was made by a newer program.
    """
    if _is_current(database):
        return
    with _file_lock(database) if database.is_sqlite else nullcontext(), _transaction(database) as connection:
        revision = current_revision(connection)
        if revision is not None and revision > SCHEMA_REVISION:
            raise _too_new(database, revision)
        if revision != SCHEMA_REVISION:
            _upgrade(connection)


def current_revision(connection: sa.Connection) -> str | None:
    """The database's revision, None for one without our tables."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _is_current(database: Database) -> bool:
    """Checked without a lock, so that commands do not wait for one another."""
    with database.read() as connection:
        revision = current_revision(connection)
        in_wal = not database.is_sqlite or connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    if revision is not None and revision > SCHEMA_REVISION:
        raise _too_new(database, revision)
    return revision == SCHEMA_REVISION and in_wal


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # imported here: 0.1 s that only the first start has to pay
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")


@contextmanager
def _transaction(database: Database) -> Iterator[sa.Connection]:
    """One transaction around all migrations; on PostgreSQL it holds an advisory lock until its end."""
    if database.is_sqlite:
        _prepare_sqlite_file(database)
    with database.write() as connection:
        if not database.is_sqlite:
            milliseconds = int(LOCK_SECONDS * 1000)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        yield connection


def _prepare_sqlite_file(database: Database) -> None:
    """Switch to WAL, which the file then remembers."""
    with database.read() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise DatabaseUnusable(
            database.place,
            f"its disk does not allow write-ahead logging (journal mode {mode!r})",
            "Put it on a local disk, or set database.url to a PostgreSQL server",
        )


@contextmanager
def _file_lock(database: Database) -> Iterator[None]:
    assert database.path is not None
    path = database.path.with_name(database.path.name + ".migrate.lock")
    try:
        lock = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "w")
    except OSError as error:
        raise DatabaseReadOnly(
            database.place, f"its folder cannot be written ({error.strerror})", "Make the folder writable for this user"
        ) from error
    with lock:
        _wait_for(lock.fileno(), database)
        yield  # closing the file gives the lock back


def _wait_for(descriptor: int, database: Database) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise DatabaseLocked(
                    database.place,
                    f"another process has been migrating it for {LOCK_SECONDS:g} s",
                    "Wait until it ends, then start again",
                ) from None
            time.sleep(_POLL_SECONDS)


def _too_new(database: Database, revision: str) -> SchemaTooNew:
    return SchemaTooNew(
        database.place,
        f"its schema is revision {revision}, this program supports up to {SCHEMA_REVISION}",
        "Start the newer program, or restore a backup from before the upgrade",
    )
