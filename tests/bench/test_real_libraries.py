"""Eight real tasks of six kinds and eight libraries land through the product, with the oracle as its model.

The libraries are fetched from the package index once and kept in the cache folder. `make bench-real` runs all; those
of libraries with large suites are left to it, and the refactoring to `make test-all`, since it takes as long as three
others.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.flow_runs import ROOT
from bench.real.real_tasks import read_libraries, read_tasks
from bench.real.run import run_task

_MOST_CALLS, _MOST_TOKENS = 12, 60_000


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "task_id",
    [
        "asyncstdlib-batched-strict",  # feature
        "wcwidth-python-313",  # configuration, with the owner's approval
        "toolz-nth-index-error",  # a bug
        "pathspec-normalize-tests",  # tests alone
        "isodate-trailing-garbage",  # another bug; a package that only its suite needs
        "semver-docs-expressions",  # documentation
        "cachetools-expire-returns-items",  # another feature
        "xmltodict-remove-ez-setup",  # chore
        pytest.param("sqlparse-split-main", marks=pytest.mark.long),  # refactoring
    ],
)
def test_a_right_answer_lands(task_id: str, tmp_path: Path) -> None:
    (task,) = read_tasks([task_id])
    tmp_path.chmod(0o755)  # tests run as a user of their own
    result = run_task(task, read_libraries()[task.library], tmp_path, ROOT)
    assert result.right, result.model_dump_json(indent=2)
    assert result.calls <= _MOST_CALLS
    assert result.input_tokens <= _MOST_TOKENS
