"""Lessons are single lines of limited length, made from known facts."""

from __future__ import annotations

from memory import Attempt, FailureReason, Task
from orchestrator.flows.escalation import first_failure, lesson_of_blocked, lesson_of_landed


def attempt(number: int, outcome: str, evidence: str) -> Attempt:
    return Attempt(task_id="t-1", run=0, stage="code", approach=1, number=number, outcome=outcome, evidence=evidence)


FAILED = attempt(2, "failed", "tests/test_a.py::a\n\nassert 1 == 2\nmore")
TRIED = [attempt(1, "invalid", "no code"), FAILED, attempt(3, "failed", "another")]


def test_what_failed_first_is_told_with_what_then_worked() -> None:
    told = "`add` in calc.py: at first tests/test_a.py::a: assert 1 == 2; landed by repair in approach 2"
    assert lesson_of_landed("add", "calc.py", "repair", 2, TRIED) == told
    assert lesson_of_landed("", "calc.py", "repair", 2, TRIED).startswith("calc.py: at first")
    assert lesson_of_landed("add", "calc.py", "repair", 2, TRIED[:1]) == "", "nothing was tested"


def test_a_lesson_is_one_bounded_line() -> None:
    task = Task(id="t-1", title="A title\nof two lines " + "x" * 400)
    lesson = lesson_of_blocked(task, FailureReason.CONFLICT, "It does not fit.\nAt all.", [])
    assert lesson.startswith("Not done (conflict): A title of two lines x")
    assert "\n" not in lesson
    assert len(lesson) == 400
    assert first_failure([attempt(1, "failed", "y" * 999)]) == "y" * 199 + "…"
    assert first_failure([attempt(1, "failed", "y" * 999 + ":\nit gives 0")]) == "y" * 99 + "…: it gives 0"
    assert lesson_of_blocked(task.model_copy(update={"title": "T"}), FailureReason.CONFLICT, "No\nfit.", []).endswith(
        "No fit."
    )
