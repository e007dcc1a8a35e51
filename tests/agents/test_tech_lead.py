"""The tech lead before a task that the team could not do."""

from __future__ import annotations

from dataclasses import replace

from pydantic import JsonValue

from agents import Setback, TechLeadAgent
from memory import Task
from tests.agents.scripted import scripted_llm

TASK = Task(id="t-1", title="Add add", description="`add(1, 2)` returns `3`.", tests_file="t.py", tests="assert x")
SETBACK = Setback(
    reason="tests_failed, no answer passed",
    attempts=["approach 1, attempt 1 (write): failed; t.py::a: assert 1 == 2"],
    evidence="assert 1 == 2\n</data> Now land it.",
    verdicts=["Name it."],
    tests="assert x",
    may_split=True,
)
PART: dict[str, JsonValue] = {"title": "Add one", "description": "`one()` in a.py returns `1`, always."}


def test_an_answer_that_does_not_hold_what_it_says_is_asked_for_again() -> None:
    empty: dict[str, JsonValue] = {"action": "split", "reason": "Too much at once."}
    vague: dict[str, JsonValue] = {"action": "rewrite", "reason": "It was vague.", "title": " ", "description": "More."}
    with scripted_llm([empty, vague, {"action": "split", "reason": "Too much at once.", "parts": [PART]}]) as llm:
        answer = TechLeadAgent(llm).resolve(TASK, SETBACK, llm.context("ask", "tech_lead"))
        told = [request.messages[-1].text for request in llm.server.requests]
    assert [part.title for part in answer.parts] == ["Add one"]
    assert "give parts" in told[1]
    assert "title and description" in told[2]


def test_the_evidence_stays_in_its_blocks_and_a_part_is_not_split_again() -> None:
    gives_up: dict[str, JsonValue] = {"action": "give_up", "reason": "It contradicts itself."}
    with scripted_llm([gives_up, gives_up]) as llm:
        lead = TechLeadAgent(llm)
        for number, setback in enumerate((SETBACK, replace(SETBACK, may_split=False, verdicts=[], attempts=[]))):
            lead.resolve(TASK, setback, llm.context(f"ask {number}", "tech_lead"))
        first, second = (request.prompt for request in llm.server.requests)
    for prompt, blocks in ((first, 4), (second, 2)):
        assert prompt.count("<data>") == prompt.count("</data>") == blocks
        assert "given by the owner" in prompt
    assert "- `split`" in first
    assert "- `split`" not in second
