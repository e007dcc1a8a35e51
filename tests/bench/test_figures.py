"""Figures of runs: shares with their intervals, and the comparison of two runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.figures import RunInfo, compare, summary
from bench.flow_runs import TaskResult
from bench.statistics_of_runs import mcnemar, paired_difference, wilson
from memory import TaskStatus


def result(task: str, *, landed: bool, wrong: bool | None = None, tokens: int = 100) -> TaskResult:
    status = TaskStatus.COMPLETED if landed else TaskStatus.BLOCKED
    return TaskResult(
        task=task, repository="r", status=status, reason="" if landed else "tests_failed", landed=landed, wrong=wrong,
        strategy="sample" if landed else "", attempts={"sample": 2}, generations=2, input_tokens=tokens, seconds=4.0,
    )  # fmt: skip


def test_the_interval_of_a_share() -> None:
    assert wilson(31, 41) == pytest.approx((0.6066, 0.8617), abs=0.0002)  # calculated by hand
    assert wilson(0, 5)[0] == 0
    assert wilson(0, 0) == (0, 1)


def test_paired_runs_are_compared_by_the_tasks_that_changed() -> None:
    before = [True] * 10 + [False] * 10
    assert paired_difference(before, before) == (0, 0, 0)
    share, low, high = paired_difference(before, [True] * 20)
    assert share == 0.5
    assert 0.2 < low < 0.5 < high < 0.8
    assert mcnemar(before, [True] * 20) == pytest.approx(2 / 2**10)
    assert mcnemar(before, before) == 1
    with pytest.raises(ValueError, match="shorter"):
        paired_difference(before, [True])


def test_the_summary_counts_wrong_landings_only_where_they_were_judged() -> None:
    told = summary([result("a", landed=True, wrong=True), result("b", landed=True), result("c", landed=False)])
    assert (told["landed"], told["judged"], told["wrong_landings"]) == (2, 1, 1)
    assert told["tokens_per_landed"] == 150
    assert told["attempts_by"] == {"sample": 6}
    assert told["not_landed_for"] == {"tests_failed": 1}
    assert summary([])["landed"] == 0


def test_the_summary_tells_the_share_of_mutants_that_the_tests_killed() -> None:
    results = [result("a", landed=True).model_copy(update={"mutants": 8, "killed": 6}), result("b", landed=True)]
    assert (summary(results)["mutants"], summary(results)["mutants_killed"]) == (8, 0.75)
    assert summary(results[1:])["mutants_killed"] is None


def test_two_result_files_are_compared_by_their_common_tasks(tmp_path: Path) -> None:
    info = RunInfo(
        set="s", label="one", commit="abc", changed=False, prompts={}, config={}, provider="local", cores=2, parallel=1,
        begun="now",
    )  # fmt: skip
    files = []
    for name, landed in (("a", [True, False, False]), ("b", [False, True])):
        lines = [result(f"t{number}", landed=value) for number, value in enumerate(landed)]
        files.append(tmp_path / f"{name}.jsonl")
        files[-1].write_text("\n".join(line.model_dump_json() for line in [info, *lines]), encoding="utf-8")
    text = compare(*files)
    assert "2 tasks" in text
    assert "landed: A 1, B 1; difference +0.0%" in text
    assert "only A landed: t0" in text
    assert "only B landed: t1" in text
