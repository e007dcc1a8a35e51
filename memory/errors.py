"""What can go wrong with memory, and how the error codes of SQLite and PostgreSQL are translated into it.

Every message says what was tried, on what, and what to do next.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

from sqlalchemy.exc import StatementError

from config import caller
from monitoring.alerting import AlertKind
from monitoring.errors import KnownError


class MemoryStoreError(KnownError):
    """Root of all errors of this folder."""


# --- the request was wrong -------------------------------------------------------------------------------------


class UnknownTask(MemoryStoreError):
    """No task has this id (or begins with it)."""

    def __init__(self, *task_ids: str) -> None:
        self.task_ids = task_ids
        super().__init__(f"no task {', '.join(task_ids)} in the database; `task list` shows the ids")


class AmbiguousTask(MemoryStoreError):
    """Several task ids begin with the prefix."""

    def __init__(self, prefix: str, candidates: Iterable[str]) -> None:
        self.candidates = list(candidates)
        super().__init__(f"{prefix!r} matches several tasks ({', '.join(self.candidates)} …); give more of the id")


class UnknownPerson(MemoryStoreError):
    """Nobody of this name may sign in."""

    def __init__(self, name: str) -> None:
        super().__init__(f"nobody is called {name!r}; the page People of the control room lists everybody")


class UnknownDeployment(MemoryStoreError):
    """No deployment has this number."""

    def __init__(self, number: int) -> None:
        super().__init__(f"there is no deployment {number}; `deployments list` shows the numbers")


class NameTaken(MemoryStoreError):
    """Somebody has this name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"somebody is called {name!r} already; choose another name, or change that person")


class IllegalTransition(MemoryStoreError):
    """The caller asked for a change of status that is not allowed, or gave no reason for a failure."""


class ValueTooLarge(MemoryStoreError):
    """A value that must be kept whole is larger than its column's limit."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        self.size, self.limit = size, limit
        super().__init__(
            f"{what} has {size} characters of JSON, the limit is {limit}; "
            "keep large outputs in files and store their path"
        )


class ContextTooLarge(MemoryStoreError):
    """The sections that may not be cut are larger than the token budget."""

    def __init__(self, needed: int, budget: int, titles: Iterable[str]) -> None:
        self.needed, self.budget = needed, budget
        super().__init__(
            f"a context of at least {needed} tokens does not fit the budget of {budget}; "
            f"shorten what is always kept ({', '.join(titles)}) or use a model with a larger context"
        )


# --- the database cannot be used -------------------------------------------------------------------------------


class DatabaseUnusable(MemoryStoreError):
    """Root of the problems of the database itself rather than of a request."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        self.place = place
        super().__init__(f"database {place}: {problem}. {remedy}")


class UnsupportedDatabase(DatabaseUnusable):
    """The address is not one of SQLite or PostgreSQL."""

    exits_with = 2


class DatabaseUnavailable(DatabaseUnusable):
    """Root of the problems that pass by themselves."""

    passes = True
    alert = AlertKind.DATABASE


class DatabaseLocked(DatabaseUnavailable):
    """Another process held the database for longer than we wait."""


class DatabaseReadOnly(DatabaseUnavailable):
    """The database can be read but not written."""


class DatabaseFull(DatabaseUnavailable):
    """The disk of the database is full."""


class DatabaseCorrupt(DatabaseUnusable):
    """The file is damaged, or is no database."""

    exits_with = 2


class DatabaseUnreachable(DatabaseUnavailable):
    """The file cannot be opened, or the server does not answer or denies access."""


class SchemaMissing(DatabaseUnusable):
    """The tables are missing or older than this program."""


class SchemaTooNew(DatabaseUnusable):
    """The database was made by a newer version of this program."""

    exits_with = 2


# --- what the drivers raise ------------------------------------------------------------------------------------

_ALMOST_FULL = 128 * 1024
"""Bytes: SQLite's shared memory and journal need as much to be opened at all."""
_RESTORE = "Stop the daemon, keep a copy of the file, and restore the last backup (`restore`)"


def raise_diagnosed(error: StatementError | sqlite3.Error, place: str, busy_seconds: float) -> NoReturn:
    """Raise the typed error for what a driver raised; `error` itself when it is about the statement, not the database.

    SQLAlchemy's error is caused by the one it wraps, so that one must not be caused by it: who follows the causes of
    an error would never come to an end.
    """
    typed = diagnosed(error, place, busy_seconds)
    if typed is None:
        raise error
    if isinstance(error, StatementError) and typed is error.orig:
        raise typed from None
    raise typed from error


def diagnosed(error: StatementError | sqlite3.Error, place: str, busy_seconds: float) -> MemoryStoreError | None:
    """The typed error for what a driver raised; None when it is about the statement, not the database."""
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(cause, MemoryStoreError):
        return cause
    if isinstance(cause, sqlite3.Error):
        return _sqlite(cause, place, busy_seconds)
    return _postgresql(cause, place, busy_seconds)


def _disk_at_fault(place: str) -> MemoryStoreError | None:
    """What is wrong with the disk of a SQLite file, of which SQLite only says that it cannot read or open it."""
    folder = Path(place.partition(":///")[2]).parent
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        return DatabaseReadOnly(place, "its file system is read-only", "Remount the disk so that it can be written")
    return _full(place) if disk.f_bavail * disk.f_frsize < _ALMOST_FULL else None


def _sqlite(cause: sqlite3.Error, place: str, busy_seconds: float) -> MemoryStoreError | None:
    code = getattr(cause, "sqlite_errorcode", None)  # errors of the driver itself have none
    match None if code is None else code & 0xFF:  # the low byte is the primary code
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return _locked(place, busy_seconds)
        case sqlite3.SQLITE_READONLY:
            return DatabaseReadOnly(
                place,
                "it cannot be written",
                "Make the file and its folder writable for this user, or remount the disk",
            )
        case sqlite3.SQLITE_FULL:
            return _full(place)
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return DatabaseCorrupt(place, f"the file is damaged ({cause})", _RESTORE)
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM | sqlite3.SQLITE_AUTH:
            return _disk_at_fault(place) or DatabaseUnreachable(
                place, f"the file cannot be opened ({cause})", "Check the permissions of the file and of its folder"
            )
        case sqlite3.SQLITE_IOERR:
            return _disk_at_fault(place) or DatabaseUnreachable(
                place, f"reading or writing the disk failed ({cause})", "Check the disk and the system log"
            )
        case sqlite3.SQLITE_ERROR if "no such table" in str(cause) or "no such column" in str(cause):
            return _schema_missing(place, cause)
        case sqlite3.SQLITE_ERROR if "no column named" in str(cause):
            return _schema_missing(place, cause)
    return None


def _postgresql(cause: BaseException | None, place: str, busy_seconds: float) -> MemoryStoreError | None:
    import psycopg  # 60 ms that only users of PostgreSQL have to pay

    if not isinstance(cause, psycopg.Error):
        return None
    match cause.sqlstate:
        case "55P03" | "40P01" | "57014":  # lock not available, deadlock, statement timeout
            return _locked(place, busy_seconds)
        case "25006":
            return DatabaseReadOnly(place, "the server takes no writes", "Point database.url at the primary server")
        case "53100":
            return _full(place)
        case "XX001" | "XX002":
            return DatabaseCorrupt(place, f"the server reports damage ({cause})", _RESTORE)
        case "42P01" | "42703":  # no such table, no such column
            return _schema_missing(place, cause)
    # Without a state the connection itself broke; 08 is connection, 28 login, 3D no such database, 53 resources,
    # 57P shutdown.
    unreachable = isinstance(cause, psycopg.OperationalError) and (
        cause.sqlstate is None or cause.sqlstate.startswith(("08", "28", "3D", "53", "57P"))
    )
    if unreachable:
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        return DatabaseUnreachable(
            place, f"the server cannot be used ({reason})", "Check that it runs and that database.url is right"
        )
    return None


def _locked(place: str, busy_seconds: float) -> DatabaseLocked:
    return DatabaseLocked(
        place,
        f"another process held it for {busy_seconds:g} s",
        "Try again; if that does not help, find the process that has it open (a backup, a shell, a second daemon)",
    )


def _full(place: str) -> DatabaseFull:
    return DatabaseFull(place, "its disk is full", "Free some space; nothing that was stored is lost")


def _schema_missing(place: str, cause: Exception) -> SchemaMissing:
    return SchemaMissing(place, f"its tables are missing or old ({cause})", f"Run `{caller()} migrate`")
