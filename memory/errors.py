"""What can go wrong with memory. Every message says what was tried, on what, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable

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
