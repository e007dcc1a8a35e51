"""SQLite files as a whole: check that one is writable and sound, copy one while others write to it, shrink it.

Used for the engine's file as for ours; PostgreSQL has its own tools for all of this.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from memory.errors import DatabaseCorrupt, raise_diagnosed

_BUSY_SECONDS = 30.0
_PAGES_PER_STEP = 4096
_LEAST_FREED = 16 * 1024 * 1024
"""Bytes that must be free, besides a quarter of the file, before it is rewritten."""


def check_writable(path: Path, busy_seconds: float = _BUSY_SECONDS) -> None:
    """Create the file if it is missing, in WAL mode, and take its write lock briefly. Raises `DatabaseUnusable`."""
    with suppress(OSError):  # for the owner only, whatever the umask; SQLite explains a failure better
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    with _opened(path, busy_seconds) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def check_sound(path: Path) -> None:
    """Raise `DatabaseCorrupt` when `PRAGMA integrity_check` finds anything."""
    with _opened(path) as connection:
        (problem,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if problem != "ok":
        raise DatabaseCorrupt(str(path), f"integrity_check reports {problem!r}", "Take another backup")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that others may be writing to; the copy is a consistent snapshot, for the owner only."""
    os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    with _opened(source) as reading, closing(sqlite3.connect(target)) as writing:
        reading.execute("BEGIN")  # one snapshot for all pages: writers do not restart the copy
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=_PAGES_PER_STEP)
        writing.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it


def revision_of(path: Path) -> str | None:
    """The schema revision of one of our databases, None for any other database."""
    with _opened(path) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def compact(path: Path) -> int:
    """Rewrite a file when much of it is empty; gives the bytes freed. Does not wait: raises `DatabaseLocked`."""
    with _opened(path, busy_seconds=1.0) as connection:
        (pages,), (free,), (size,) = (
            connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")
        )
        if free * size < _LEAST_FREED or free * 4 < pages:
            return 0
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return int(free * size)


@contextmanager
def _opened(path: Path, busy_seconds: float = _BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise_diagnosed(error, str(path), busy_seconds)
