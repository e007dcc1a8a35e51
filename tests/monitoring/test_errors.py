"""The one table of errors: every class of ours has its row."""

from __future__ import annotations

import importlib

import pytest

from monitoring.errors import FailureReason, KnownError

FOLDERS = ("memory", "git_ops", "file_system", "testing", "llm", "agents", "orchestrator")


def all_errors() -> list[type[KnownError]]:
    for folder in FOLDERS:
        importlib.import_module(f"{folder}.errors")
    found, waiting = [], [KnownError]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            if kind.__module__.partition(".")[0] in FOLDERS and kind not in found:
                found.append(kind)
                waiting.append(kind)
    return found


@pytest.mark.parametrize("error", all_errors(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_a_row_is_whole(error: type[KnownError]) -> None:
    assert error.__doc__ and error.__doc__.strip()
    assert error.exits_with in (1, 2)
    assert not error.blocks or error.reason, "a task that is blocked has a reason"
    assert not error.passes or error.alert, "what work waits for is told to the owner"
    assert not (error.passes and error.exits_with == 2), "what passes by itself is no reason to stay down"


def test_the_table() -> None:
    rows = {kind.__name__: kind for kind in all_errors()}
    assert {name for name, kind in rows.items() if kind.passes} == {
        "DatabaseFull", "DatabaseLocked", "DatabaseReadOnly", "DatabaseUnavailable", "DatabaseUnreachable",
        "DiskFull", "LockBusy", "RemoteUnreachable", "WorkspaceFull",
    }  # fmt: skip
    assert {name for name, kind in rows.items() if kind.exits_with == 2} == {
        "UnsupportedDatabase", "UnsupportedRepository", "BranchTaken", "DatabaseCorrupt", "SchemaTooNew",
        "NotConfigured", "UnknownFlow",
        "BranchMissing", "CloneTaken", "EmptyRepository", "GitUnusable", "NotARepository", "UnsafeUrl",
    }  # fmt: skip
    assert rows["BudgetExhausted"].reason is FailureReason.BUDGET_EXHAUSTED
    assert rows["ProviderTimeout"].reason is FailureReason.PROVIDER_ERROR
    assert rows["UnusableAnswer"].blocks
    assert rows["LandingConflict"].reason is rows["AuthenticationFailed"].reason is FailureReason.CONFLICT
    assert (rows["LandingConflict"].alert, rows["LandingConflict"].blocks) == (None, False)
    assert rows["DatabaseCorrupt"].reason is None, "a corrupt database is reported with its traceback"
