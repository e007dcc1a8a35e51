"""A daemon is killed ten times at random moments; `make bench-chaos` does it sixty times with forty tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.chaos import chaos


@pytest.mark.long
def test_killed_at_random_the_daemon_loses_nothing_and_does_nothing_twice(tmp_path: Path, shared_data: Path) -> None:
    result = chaos(tmp_path, tasks=4, kills=10, seed=7, data=shared_data)

    assert result.faults == {}, result
    assert result.completed == 4
    assert (result.killed_alone, result.killed_with_all) == (5, 5)
