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
        super().__init__(f"no task {', '.join(task_ids)} in the database; `task list` shows the ids there are")


class AmbiguousTask(MemoryStoreError):
    """The beginning of an id fits more than one task."""

    def __init__(self, prefix: str, candidates: Iterable[str]) -> None:
        self.candidates = list(candidates)
        super().__init__(f"{prefix!r} fits several tasks ({', '.join(self.candidates)} …); give more of the id")


class IllegalTransition(MemoryStoreError):
    """The caller asked for a change of status that the life of a task does not have, or left out its reason."""


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
    """Root of what is wrong with the database itself rather than with the request."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        self.place = place
        super().__init__(f"database {place}: {problem}. {remedy}")


class UnsupportedDatabase(DatabaseUnusable):
    """The address names no database this program can use."""

    exits_with = 2


class DatabaseAway(DatabaseUnusable):
    """Root of the states of a database that pass by themselves."""

    passes = True
    alert = AlertKind.DATABASE


class DatabaseLocked(DatabaseAway):
    """Another process held the database longer than we wait."""


class DatabaseReadOnly(DatabaseAway):
    """The database can be read and not written."""


class DatabaseFull(DatabaseAway):
    """There is no room left where the database lies."""


class DatabaseCorrupt(DatabaseUnusable):
    """The file is damaged, or no database at all."""

    exits_with = 2


class DatabaseUnreachable(DatabaseAway):
    """The file cannot be opened, or the server does not answer or refuses us."""


class SchemaMissing(DatabaseUnusable):
    """The tables are missing or older than this program."""


class SchemaTooNew(DatabaseUnusable):
    """The database was made by a newer version of this program."""

    exits_with = 2
