"""What tasks teach, in a line each, written by code: what did not work, and what then did.

A line holds words of tasks and of failing tests, so it is data wherever it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from memory import Attempt, FailureReason, Task

_LONGEST = 400
_EVIDENCE = 200


def of_blocked(task: Task, reason: FailureReason, detail: str, attempts: Sequence[Attempt]) -> str:
    """The lesson of a task that nobody could do."""
    return _line(f"Not done ({reason}): {task.title} — {first_failure(attempts) or _line(detail, _EVIDENCE)}")


def of_landed(name: str, path: str, strategy: str, approach: int, attempts: Sequence[Attempt]) -> str:
    """The lesson of a task that landed, though not in its first approach; empty when nothing is known of the first."""
    failed = first_failure(attempts)
    about = f"`{name}` in {path}" if name else path
    return _line(f"{about}: at first {failed}; landed by {strategy} in approach {approach}") if failed else ""


def first_failure(attempts: Sequence[Attempt]) -> str:
    """The first failing test of the first attempt that was tested, and what it said."""
    evidence = next((tried.evidence for tried in attempts if tried.outcome in ("failed", "overfitted")), "")
    lines = [line for line in evidence.splitlines() if line.strip()]
    return _line(": ".join(lines[:2]), _EVIDENCE)


def _line(text: str, most: int = _LONGEST) -> str:
    told = " ".join(text.split())
    return told if len(told) <= most else told[: most - 1] + "…"
