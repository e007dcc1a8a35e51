"""CEO, developer, tech lead and the loop of self-correction, on a scripted model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
from jinja2 import UndefinedError
from pydantic import JsonValue

from agents import CEOAgent, ChangeFacts, CodeView, FileText, Requirements, Situation, TechLeadAgent
from agents.prompts import render
from agents.registry import ROLES
from agents.rows import ROWS
from agents.sampled_developer import SampledDeveloper
from memory import Priority, Task
from tests.agents.scripted import ScriptedLLM, scripted_llm

T = TypeVar("T")
TASK = Task(id="t-1", title="Look at it", description="What is slow?")
GOOD: dict[str, JsonValue] = {"approved": True, "score": 9, "criteria": [], "issues": [], "reasoning": ""}
BAD: dict[str, JsonValue] = {
    "approved": False,
    "score": 4,
    "criteria": [],
    "issues": ["Name the function."],
    "reasoning": "",
}


def report(text: str) -> dict[str, JsonValue]:
    return {"summary": text, "findings": [], "recommendations": []}


def run_step(name: str, action: Callable[[], T]) -> T:
    return action()


def process(llm: ScriptedLLM, attempts: int = 3, approaches: int = 2) -> tuple[bool, str, int]:
    work = TechLeadAgent(llm).process_task(
        TASK, "def f(): ...", lambda step: llm.context(step, "tech_lead"),
        attempts=attempts, approaches=approaches, step=run_step, judge=run_step,
    )  # fmt: skip
    return work.accepted, work.report.summary, work.calls


def test_a_result_is_checked_and_corrected_with_the_issues() -> None:
    with scripted_llm([report("first"), BAD, report("second"), GOOD]) as llm:
        assert process(llm) == (True, "second", 4)
        assert "Name the function." in llm.server.requests[2].prompt


def test_after_the_attempts_a_new_approach_starts_without_the_old_issues() -> None:
    with scripted_llm([report("a"), BAD, report("b"), BAD, report("c"), GOOD]) as llm:
        assert process(llm, attempts=2) == (True, "c", 6)
        assert "Name the function." not in llm.server.requests[4].prompt
        assert "begin anew" in llm.server.requests[4].prompt


def test_when_nothing_is_good_enough_the_last_result_comes_back_unaccepted() -> None:
    with scripted_llm([report("a"), BAD, report("b"), BAD]) as llm:
        assert process(llm, attempts=1, approaches=2) == (False, "b", 4)


def test_an_approval_with_a_low_score_is_none() -> None:
    low: dict[str, JsonValue] = {"approved": True, "score": 6.5, "criteria": [], "issues": [], "reasoning": ""}
    with scripted_llm([report("a"), low]) as llm:
        assert process(llm, attempts=1, approaches=1)[0] is False


def test_a_small_model_is_not_asked_to_judge_itself() -> None:
    with scripted_llm([report("a")], profile="small") as llm:
        assert process(llm) == (True, "a", 1)


def test_backlog_items_become_tasks_in_order_with_priorities() -> None:
    text = "# B\n\n## First [high]\nDo `f`.\n\n## Old [done]\nx\n\n## Empty\n\n## Last (low)\n### part\nmore\n"
    with scripted_llm([]) as llm:
        tasks = CEOAgent(llm).tasks_from_backlog(text)
        again = CEOAgent(llm).tasks_from_backlog(text)
    assert [(task.title, task.priority) for task in tasks] == [("First", Priority.HIGH), ("Last", Priority.LOW)]
    assert "### part\nmore" in tasks[1].description
    assert [task.id for task in tasks] == [task.id for task in again]


def test_a_goal_with_examples_is_the_task() -> None:
    goal = "Add `f(x)` to a.py. `f(1)` returns `2`."
    with scripted_llm([]) as llm:
        (task,) = CEOAgent(llm).tasks_from_goal(goal)
        (typed,) = CEOAgent(llm).tasks_from_goal("Add `f(x: int) -> int`: it doubles. `f(1)` returns `2`.")
        assert CEOAgent(llm).tasks_from_goal("Make it better.") == []
    assert (task.title, task.description) == ("Add `f(x)` to a.py", goal)
    assert typed.title == "Add `f(x: int) -> int`"


def test_ideas_that_are_known_are_left_out() -> None:
    def idea(title: str) -> JsonValue:
        return {
            "title": title,
            "description": "A description that is long enough.",
            "priority": "low",
            "reason": "It grows.",
        }

    with scripted_llm([{"tasks": [idea("Add  Export"), idea("add import"), idea("Add import!")]}]) as llm:
        situation = Situation("Grow", "outline", ["add export"], [], known=[("add export", "")])
        tasks = CEOAgent(llm).generate_tasks(situation, 3, llm.context("ideas", "ceo"))
    assert [plan.task.title for plan in tasks] == ["add import"]


def test_samples_differ_in_temperature_and_seed() -> None:
    view = CodeView(FileText("a.py", "x = 1\n"))
    requirements = Requirements(target_file="a.py", module="a", symbols=["f"])
    with scripted_llm(["```python\ndef f(): ...\n```"] * 3) as llm:
        for sample in (0, 1, 5):
            context = llm.context(f"s{sample}", "developer")
            SampledDeveloper(llm).write_definitions(TASK, requirements, view, sample, context)
        asked = [(request.temperature, request.seed) for request in llm.server.requests]
    assert asked == [(0.0, 0), (0.7, 1), (0.9, 5)]


@pytest.mark.parametrize(
    ("changes", "issue"),
    [
        ({"changed_files": []}, "empty"),
        ({"test_files": ["a.py"]}, "changes the tests"),
        ({"touched_existing_tests": ["tests/test_a.py"]}, "Existing tests"),
        ({"lost_names": ["a.py:f"]}, "a.py:f"),
        ({"changed_lines": 99_999}, "99999 changed lines"),
    ],
)
def test_facts_that_forbid_a_change(changes: dict[str, object], issue: str) -> None:
    facts = {"changed_files": ["a.py"], "test_files": ["t.py"], "changed_lines": 3, "lost_names": []}
    with scripted_llm([]) as llm:
        lead = TechLeadAgent(llm)
        assert lead.check_facts(ChangeFacts(**facts)).approved  # type: ignore[arg-type]  # a table of cases
        review = lead.check_facts(ChangeFacts(**(facts | changes)))  # type: ignore[arg-type]
    assert not review.approved
    assert issue in review.issues[0]


def test_a_prompt_without_a_value_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("choose_file", title="only this")


def test_a_role_with_a_class_is_no_row() -> None:
    assert not set(ROLES) & set(ROWS)
