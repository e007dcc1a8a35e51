"""Ideas are decided on by a V-team and the CEO: criteria first, objections answered, vetoes left to the owner."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest
from pydantic import JsonValue

from memory import FailureReason, Task, TaskStatus, TaskType
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House
from tests.orchestrator.scripts import ADD_TASK, Rule, asked, team
from tests.support import Answer, Request, ScriptedModelServer
from tests.support.rounds import one_in

__all__ = ["make_house"]

IDEA = "People want sums. Shall calc.py have an addition of two numbers?"
V_TEAM = ("cfo", "risk", "legal", "security")
TITLES = {
    "chief financial officer": "cfo",
    "risk manager": "risk",
    "legal counsel": "legal",
    "security engineer": "security",
    "tax adviser": "tax",
    "CEO": "ceo",
}
Script = Mapping[str, Sequence[dict[str, JsonValue]]]


def who(request: Request) -> str:
    """The role that asks."""
    found = re.search(r"You are the (.+?) of a small software team", request.system)
    assert found, request.system
    return TITLES[found[1]]


CRITERIA: dict[str, JsonValue] = {
    "criteria": [{"name": "worth it", "threshold": 6, "weight": 5, "reasoning": "worth it matters here."}]
}


def opinion(verdict: str = "approve", *objections: str, score: float = 8, **more: JsonValue) -> dict[str, JsonValue]:
    """`objections`: the text of each, with `veto|` and its ground before it where it is one."""
    said: list[JsonValue] = []
    for objection in objections:
        veto, _, text = objection.rpartition("|")
        said.append({"text": text, "veto": veto})
    measured: list[JsonValue] = [{"name": "worth it", "score": score, "evidence": "calc.py has one function."}]
    return {
        "verdict": verdict, "measured": measured, "objections": said, "calculations": [],
        "reasoning": "Looked at the code.", **more,
    }  # fmt: skip


WORK: list[JsonValue] = [
    {"title": "Add add", "description": ADD_TASK, "after": []},
]


def decision(what: str = "approve", *answered: str, **more: JsonValue) -> dict[str, JsonValue]:
    return {
        "decision": what, "reasons": "It serves the goal at little cost.",
        "answers": [{"objection": label, "answer": "It is met by a test."} for label in answered],
        "tasks": WORK if what == "approve" else [], **more,
    }  # fmt: skip


def board(opinions: Script | None = None, decisions: Sequence[dict[str, JsonValue]] = ()) -> Rule:
    """The V-team approves unless `opinions` say otherwise; the CEO decides as told. The last answer is repeated."""
    given, ceo, counts = opinions or {}, decisions or [decision()], dict[str, int]()
    others = team()

    def turn(key: str, answers: Sequence[dict[str, JsonValue]]) -> Answer:
        number = counts[key] = counts.get(key, 0) + 1
        return answers[min(number, len(answers)) - 1]

    def rule(request: Request) -> Answer:
        match asked(request):
            case "criteria":
                return CRITERIA
            case "opinion":
                return turn(who(request), given.get(who(request), [opinion()]))
            case "decision":
                return turn("ceo", ceo)
            case _:
                return others(request)

    return rule


def calls(server: ScriptedModelServer, kind: str) -> list[str]:
    """Who was asked this kind of question."""
    return [who(request) for request in server.requests if asked(request) == kind]


def decided(house: House, idea: str) -> Task:
    house.run_until_idle()
    return house.task(idea)


def test_an_idea_is_judged_by_own_criteria_and_becomes_work_that_lands(make_house: MakeHouse) -> None:
    house, server = make_house(
        board({"risk": [opinion("object", "Sums may overflow.")]}, [decision("approve", "risk-1")])
    )
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    assert house.run_until_idle().returncode == 0
    kinds = [(asked(request), who(request)) for request in server.requests if asked(request) in ("criteria", "opinion")]
    assert sorted(kinds) == sorted((kind, name) for kind in ("criteria", "opinion") for name in V_TEAM)
    assert all(kinds.index(("criteria", name)) < kinds.index(("opinion", name)) for name in V_TEAM)
    (asked_ceo,) = [request for request in server.requests if asked(request) == "decision"]
    assert "risk-1" in asked_ceo.prompt
    assert "Sums may overflow." in asked_ceo.prompt
    with house.store() as store:
        task, (part,) = store.tasks.get(idea), store.tasks.select(parent_id=idea, type=TaskType.CODE)
        (made,) = store.journal.decisions(decision_type="idea")
        verdicts = [verdict for name in V_TEAM for verdict in store.evidence.verdicts(_of(house, idea, name))]
    assert (task.status, task.result["outcome"], part.status) == (
        TaskStatus.COMPLETED,
        "approved",
        TaskStatus.COMPLETED,
    )
    assert [(verdict.agent, verdict.approved, verdict.score) for verdict in verdicts] == [
        ("cfo", True, 8), ("risk", False, 8), ("legal", True, 8), ("security", True, 8),
    ]  # fmt: skip
    assert made.decision_data["answers"] == [{"objection": "risk-1", "answer": "It is met by a test."}]
    assert house.landed() == ["Add add", "Test: Add add"]
    told = house.cli("task", "report", idea).stdout
    assert "## Decision\n\napproved. It serves the goal at little cost." in told
    assert "- risk-1: It is met by a test." in told
    of_risk = house.cli("task", "report", _of(house, idea, "risk")).stdout
    assert "## Objections\n\n- Sums may overflow." in of_risk
    assert "worth it: 8.0 of 10, wants 6.0. calc.py has one function." in of_risk
    assert "Sums may overflow." in house.cli("task", "show", _of(house, idea, "risk")).stdout
    none = house.cli("task", "report", part.id)
    assert (none.returncode, "task diff" in none.stderr) == (1, True)


def _of(house: House, idea: str, name: str) -> str:
    with house.store() as store:
        (task,) = [task for task in store.tasks.select(parent_id=idea) if task.assigned_agents == [name]]
    return task.id


def test_a_veto_can_be_overruled_by_the_owner_alone(make_house: MakeHouse) -> None:
    veto = opinion("reject", "breaks a licence|The code is copied.", score=2)
    answers = [decision("approve", "legal-1"), decision("ask_owner", "legal-1"), decision("approve")]
    house, server = make_house(board({"legal": [veto]}, answers))
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    task = decided(house, idea)
    assert task.status is TaskStatus.WAITING_APPROVAL
    refused = [request for request in server.requests if asked(request) == "decision"][-1]
    assert "a veto stands, which only the owner can overrule" in refused.prompt
    assert "The code is copied." in house.cli("approvals", "list").stdout
    assert house.cli("approvals", "approve", idea).returncode == 0
    task = decided(house, idea)
    assert (task.status, task.result["outcome"]) == (TaskStatus.COMPLETED, "approved")
    assert house.landed() == ["Add add", "Test: Add add"]
    assert sorted(calls(server, "opinion")) == sorted(V_TEAM), "nobody is asked again"


@pytest.mark.long
def test_a_veto_that_the_owner_lets_stand_is_a_rejection(make_house: MakeHouse) -> None:
    veto = opinion("reject", "breaks a licence|The code is copied.", score=2)
    house, server = make_house(board({"legal": [veto]}, [decision("ask_owner", "legal-1")]))
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    assert decided(house, idea).status is TaskStatus.WAITING_APPROVAL
    assert house.cli("approvals", "reject", idea).returncode == 0
    assert decided(house, idea).status is TaskStatus.CANCELLED
    before = len(server.requests)
    again = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    assert decided(house, again).result["outcome"] == "rejected before"
    assert len(server.requests) == before


@pytest.mark.long
def test_what_is_rejected_does_not_come_back_unchanged(make_house: MakeHouse) -> None:
    house, server = make_house(board(decisions=[decision("reject")]))
    first = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    assert decided(house, first).result["outcome"] == "rejected"
    before = len(server.requests)
    again = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    task = decided(house, again)
    assert task.result["outcome"] == "rejected before"
    assert first in str(task.result["reasons"])
    assert len(server.requests) == before
    other = house.submit(f"{IDEA} Now there are three customers who pay for it, and a test.", "Sums for customers",
                         type=TaskType.DECISION)  # fmt: skip
    assert decided(house, other).result["outcome"] == "rejected"
    assert len(server.requests) == before * 2


@pytest.mark.long
def test_an_idea_that_is_revised_is_judged_anew_and_not_for_ever(make_house: MakeHouse) -> None:
    revisions = [
        decision("revise", revised_title=f"Sums, version {number}", revised_description=f"{IDEA} In version {number}.")
        for number in range(1, 6)
    ]
    house, server = make_house(board(decisions=revisions))
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    task = decided(house, idea)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.INVALID_OUTPUT)
    assert "the idea was revised often enough" in task.reason_detail
    assert task.title == "Sums, version 2"
    assert len(calls(server, "opinion")) == 3 * len(V_TEAM)
    assert len(calls(server, "decision")) == 2 + 3


FAULTS: list[tuple[dict[str, JsonValue], str]] = [
    (opinion("approve", score=2), "is below its threshold"),
    (opinion("object"), "there is no objection"),
    (opinion("reject", "is too expensive|It costs money."), "is no ground on which you may veto"),
    (opinion(measured=[{"name": "beauty", "score": 9, "evidence": "I like it."}]), "is none of your criteria"),
    (opinion(calculations=[{"expression": "(40 - 12) * 3", "result": 94}]), "is 84 and not 94"),
    (opinion(calculations=[{"expression": "__import__('os').getpid()", "result": 1}]), "cannot be calculated"),
]


@pytest.mark.parametrize(("wrong", "told"), one_in(2, FAULTS), ids=[told for _, told in FAULTS])
def test_an_opinion_that_does_not_hold_comes_back_with_what_is_wrong(
    wrong: dict[str, JsonValue], told: str, make_house: MakeHouse
) -> None:
    house, server = make_house(
        board({"cfo": [wrong, opinion()]}, [decision("reject")]), orchestrator={"v_team": ["cfo"]}
    )
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    assert decided(house, idea).result["outcome"] == "rejected"
    first, second = [request for request in server.requests if asked(request) == "opinion"]
    assert told not in first.prompt
    assert told in second.prompt


@pytest.mark.long
def test_an_agent_that_never_gives_a_usable_opinion_is_asked_three_times(make_house: MakeHouse) -> None:
    house, server = make_house(board({"cfo": [opinion("object")]}), orchestrator={"v_team": ["cfo"]})
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    assert decided(house, idea).status is TaskStatus.PENDING
    assert house.task(_of(house, idea, "cfo")).status is TaskStatus.BLOCKED
    assert calls(server, "opinion") == ["cfo"] * 3


@pytest.mark.long
def test_a_role_of_the_owner_takes_part(make_house: MakeHouse) -> None:
    tax: dict[str, object] = {"duty": "You judge what an idea means for taxes.", "title": "tax adviser"}
    house, server = make_house(
        board(decisions=[decision("reject")]), agents={"tax": tax}, orchestrator={"v_team": ["tax"]}
    )
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    assert decided(house, idea).result["outcome"] == "rejected"
    assert calls(server, "criteria") == calls(server, "opinion") == ["tax"]
    assert "tax" in house.cli("agents", "list").stdout


def test_a_kill_in_the_middle_of_the_v_team_asks_nobody_twice(make_house: MakeHouse) -> None:
    house, server = make_house(board(decisions=[decision("reject")]))
    idea = house.submit(IDEA, "Shall we add sums?", type=TaskType.DECISION)
    for wanted in (2, 5):
        with house.daemon("--until-idle") as daemon:
            server.wait_for(wanted)
            daemon.kill()
            daemon.wait(60)
    assert decided(house, idea).result["outcome"] == "rejected"
    answered = [(asked(request), who(request)) for request in server.requests]
    assert len(answered) - len(set(answered)) <= 8, "only calls whose answers had not arrived are made again"
