"""What the team did, in words: every kind of line that the product writes has a sentence, and no words steer."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from pydantic import JsonValue

from agents.rows import ROWS
from memory import Activity, Task, TaskStatus, TaskType, utc_now
from orchestrator.flows import FLOWS
from orchestrator.flows.escalation import ESCALATION
from owner.sentences import KINDS, sentence, what_to_type
from owner.words import agent_name, at_work_on

ROOT = Path(__file__).parents[2]
OF_VALUES = {f"task {status}" for status in (TaskStatus.BLOCKED, TaskStatus.FAILED, TaskStatus.CANCELLED)} | {
    "planned", "goal reached", "migrated", "budget limits changed", "sandbox mode changed",
    "landed before the restore", "begins anew", "awaits its model",
    "deployed", "deployment failed", "deployment rolled back", "deployment rollback failed",
    "request merged", "request closed",
}  # fmt: skip
"""Kinds that are no literal where they are written."""


def line(activity: str, agent: str = "qa", task: str | None = "t-1", **details: JsonValue) -> Activity:
    return Activity(id=1, agent_name=agent, activity=activity, task_id=task, details=details, timestamp=utc_now())


def written() -> set[str]:
    """The kinds that stand as literals in calls of `journal.log`, `note` and the like, in all of the product."""
    found = set()
    for folder in ("cli", "api", "owner", "orchestrator", "agents", "llm"):
        for file in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute | ast.Name)):
                    continue
                name = ast.unparse(call.func)
                place = {"log": 1, "note": 0, "_note": 0, "record": 1}.get(name.rpartition(".")[2])
                is_journal = place != 1 or "journal" in name or folder in ("api", "owner")
                if place is not None and is_journal and len(call.args) > place:
                    kind = call.args[place]
                    if isinstance(kind, ast.Constant) and isinstance(kind.value, str) and kind.value:
                        found.add(kind.value)
    return found


def test_every_kind_of_activity_has_a_sentence() -> None:
    assert written() > {"attempt", "started", "stopped", "landed", "verdict", "proofs", "flaky tests"}, "it finds them"
    assert written() | OF_VALUES == KINDS


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_line_of_an_older_version_reads_without_its_details(kind: str) -> None:
    told = sentence(line(kind), "Clamp")
    assert told[0].isupper() or told.startswith('"')
    assert "{" not in told and "\n" not in told


def test_sentences_say_who_did_what_for_which_task() -> None:
    told = {
        sentence(line("tests are red", red=3, already_green=0, unfit=0), "Clamp"):
            'QA wrote 3 tests for "Clamp" and saw them fail, as new tests must',
        sentence(line("attempt", "developer", approach=2, number=1, strategy="sample", outcome="failed"), "Clamp"):
            'The developer\'s answer for "Clamp" does not pass the tests yet (approach 2, attempt 1)',
        sentence(line("tests measured", assertions=7, stated=7, mutants=40, killed=33)):
            "The tests have 7 checks and notice 33 of 40 small faults put into the code",
        sentence(line("landed", commit="0af13648b06f77", branch="agents/integration", pushed=True), "Clamp"):
            'The change for "Clamp" has landed on agents/integration and is pushed (commit 0af13648b06f)',
        sentence(line("budget limits changed", before={"day_usd": None}, after={"day_usd": 5.0})):
            "The budget limits were changed: day_usd from none to 5.0",
        sentence(line("task blocked", title="Clamp", reason="tests_failed", detail="no\nanswer")):
            '"Clamp" (t-1) is blocked (the tests do not pass): no answer',
        sentence(line("sang", "data_scientist", song="la\nla", verses=0)):
            "The data scientist: sang (t-1): song la la",
    }  # fmt: skip
    assert list(told) == list(told.values())
    assert what_to_type(line("waiting for approval", gate="land")) == "approvals approve t-1"
    assert what_to_type(line("waiting for approval", question="Why?")) == 'inbox answer t-1 "…"'
    assert what_to_type(line("landed")) == ""


def test_every_stage_of_every_flow_is_told_with_its_agent() -> None:
    for flow in FLOWS.values():
        for stage in (*flow.stages, ESCALATION):
            task = Task(id="t", title="Clamp", type=TaskType(flow.type), stage=stage.name)
            told, who = at_work_on(task), agent_name(flow.agent_for(stage, task), first=True)
            assert told.startswith(f"{who} "), (flow.type, told)
            assert "stage" not in told and told.endswith('"Clamp"')


def test_every_role_that_is_data_has_a_name_that_people_use() -> None:
    assert all(agent_name(name) != f"the {name}" for name in ROWS)
