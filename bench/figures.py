"""Summarises a run of `bench.coding`, and compares two runs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from bench.flow_runs import TaskResult
from bench.statistics_of_runs import mcnemar, paired_difference, wilson


class RunInfo(BaseModel):
    """The first line of a results file: what was run, and how."""

    set: str
    label: str
    commit: str
    changed: bool
    """Whether files differed from that commit."""
    prompts: dict[str, str]
    """Name of a prompt file -> digest of its text."""
    config: dict[str, dict[str, object]]
    without: list[str] = []
    """Parts of the method for small models that were switched off."""
    seed: int = 0
    """The number added to the seed of every sample."""
    provider: str
    cores: int
    parallel: int
    begun: str
    """When the run started, as in the name of the file."""


def read_results(file: Path) -> tuple[RunInfo, list[TaskResult]]:
    """Read a results file: the description of the run, and one result per task."""
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    return RunInfo.model_validate_json(first), [TaskResult.model_validate_json(line) for line in rest]


def summary(results: Sequence[TaskResult]) -> dict[str, object]:
    """The figures of one run."""
    landed = [result for result in results if result.landed]
    judged = [result for result in landed if result.wrong is not None]
    low, high = wilson(len(landed), len(results))
    tokens = sum(result.tokens for result in results)
    attempts: Counter[str] = sum((Counter(result.attempts) for result in results), Counter())
    return {
        "tasks": len(results),
        "landed": len(landed),
        "landed_share_95": [round(low, 3), round(high, 3)],
        "judged": len(judged),
        "wrong_landings": sum(bool(result.wrong) for result in judged),
        "mutants": (mutants := sum(result.mutants for result in results)),
        "mutants_killed": round(sum(result.killed for result in results) / mutants, 3) if mutants else None,
        "generations": sum(result.generations for result in results),
        "input_tokens": sum(result.input_tokens for result in results),
        "output_tokens": sum(result.output_tokens for result in results),
        "cached_tokens": sum(result.cached_tokens for result in results),
        "tokens_per_landed": round(tokens / len(landed)) if landed else None,
        "median_tokens_of_landed": _median([result.tokens for result in landed], digits=None),
        "median_seconds": _median([result.seconds for result in results]),
        "median_seconds_of_landed": _median([result.seconds for result in landed]),
        "landed_by": dict(Counter(result.strategy for result in landed).most_common()),
        "attempts_by": dict(attempts.most_common()),
        "not_landed_for": dict(Counter(result.reason for result in results if not result.landed)),
    }


def table(results: Sequence[TaskResult]) -> str:
    """The summary as lines for a person."""
    return "\n".join(f"{name.replace('_', ' '):26} {_shown(value)}" for name, value in summary(results).items())


def compare(before: Path, after: Path) -> str:
    """Two runs of one set, task by task."""
    (old_info, old), (new_info, new) = read_results(before), read_results(after)
    old_by, new_by = ({result.task: result for result in results} for results in (old, new))
    both = [task for task in old_by if task in new_by]
    had, has = [old_by[task].landed for task in both], [new_by[task].landed for task in both]
    share, low, high = paired_difference(had, has)
    pairs = list(zip(both, had, has, strict=True))
    tokens = [sum(by[task].tokens for task in both) for by in (old_by, new_by)]
    seconds = [sum(by[task].seconds for task in both) for by in (old_by, new_by)]
    return "\n".join(
        [
            f"A: {old_info.label} ({old_info.commit}), B: {new_info.label} ({new_info.commit}), {len(both)} tasks",
            f"landed: A {sum(had)}, B {sum(has)}; difference {share:+.1%} (95 %: {low:+.1%} to {high:+.1%}), "
            f"p = {mcnemar(had, has):.2f} (McNemar, exact)",
            f"wrong landings: A {_wrong(old_by, both)}, B {_wrong(new_by, both)}",
            f"tokens: A {tokens[0]:,}, B {tokens[1]:,}; seconds: A {seconds[0]:,.0f}, B {seconds[1]:,.0f}",
            f"only A landed: {', '.join(task for task, a, b in pairs if a and not b) or '-'}",
            f"only B landed: {', '.join(task for task, a, b in pairs if b and not a) or '-'}",
        ]
    )


def _wrong(by: Mapping[str, TaskResult], tasks: Sequence[str]) -> int:
    return sum(bool(by[task].wrong) for task in tasks)


def _median(values: Sequence[float], digits: int | None = 1) -> float | None:
    return round(statistics.median(values), digits) if values else None


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "-"
    if isinstance(value, list):
        return " to ".join(f"{part:.0%}" for part in value)
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
