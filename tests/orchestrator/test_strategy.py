"""The CEO's strategy is looked at again when something has changed, and ideas are decided on where the owner wants it;
whatever comes, the number of calls is bounded, and an idle team makes none."""

from __future__ import annotations

import itertools
import time

import pytest
from pydantic import JsonValue

from memory import MemoryStore, Priority, Strategy, Task, TaskStatus, TaskType
from orchestrator.idle.strategy import StrategyReviews
from tests.cli.commands import entry, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House
from tests.orchestrator.in_process import services_of
from tests.orchestrator.scripts import Rule, asked, team
from tests.orchestrator.test_ceo import idle_state
from tests.orchestrator.test_decisions import IDEA, board, calls, decision, opinion
from tests.support import Answer, Request

__all__ = ["make_house"]

SOON = 3e-5
"""Days: some seconds."""
OWN, OWNERS = "t-own", "t-owners"
REVIEW: dict[str, JsonValue] = {
    "goals": ["Add and take away"], "bets": ["People want sums: they will ask for more"], "learnt": ["Tests help"],
    "priorities": [
        {"task": OWN, "priority": "high", "reason": "It is what people wait for."},
        {"task": OWNERS, "priority": "low", "reason": "It can wait for ever."},
        {"task": "t-none", "priority": "low", "reason": "It is not there."},
    ],
}  # fmt: skip


def strategist(others: Rule) -> Rule:
    def rule(request: Request) -> Answer:
        return REVIEW if asked(request) == "strategy" else others(request)

    return rule


def put_off(house: House, times: int) -> None:
    """Wait until a review was due so often and was not made, since nothing had changed."""
    seen: set[float] = set()

    def holds(store: MemoryStore) -> bool:
        seen.add(store.strategy.read().next_at)
        return len(seen) > times

    house.wait(holds)


def test_it_is_looked_at_when_something_changed_judges_priorities_and_is_shown(make_house: MakeHouse) -> None:
    house, server = make_house(
        strategist(team()), project={"goal": "Make calc a full calculator", "tasks_from": [], "strategy_days": SOON}
    )
    with house.store() as store:
        store.tasks.add(Task(id=OWN, title="Take away", description="Take away.", source="ceo"))
        store.tasks.add(Task(id=OWNERS, title="Add up", description="Add up."))
        store.strategy.keep(Strategy(next_at=1.0, situation="another"))
        store.paused.set("product", paused=True)
    with house.daemon():
        house.wait(lambda store: store.strategy.read().reviewed_at)
        put_off(house, 2)
    (request,) = [request for request in server.requests if asked(request) == "strategy"]
    assert OWN in request.prompt and "Add up (priority 5)" in request.prompt
    assert (house.task(OWN).priority, house.task(OWNERS).priority) == (Priority.HIGH, Priority.MEDIUM)
    with house.store() as store:
        (made,) = store.journal.decisions(decision_type="priority")
    assert (made.decision_data["before"], made.decision_data["after"]) == (5, 1)
    assert entry(house, "strategy")["goals"] == ["Add and take away"]
    assert "bet: People want sums" in look(house, "strategy").stdout
    report = look(house, "report").stdout
    assert "What the CEO goes by" in report and "learnt: Tests help" in report


@pytest.mark.long
@pytest.mark.parametrize(
    ("since", "setbacks", "tasks", "due"),
    [
        (0.5, "others", 2, True),
        (0.5, "", 2, False),  # nothing went wrong since
        (0.01, "others", 2, False),  # it was looked at just now
        (0.5, "others", 1, False),  # there is no order to judge
        (-50.0, "", 0, True),  # noted by a clock that was years ahead
        (1.5, "", 0, True),
    ],
)
def test_setbacks_bring_it_forward_while_the_teams_own_tasks_wait(
    make_house: MakeHouse, since: float, setbacks: str, tasks: int, due: bool
) -> None:
    house, _ = make_house(team(), project={"strategy_days": 1})
    house.submit()
    with services_of(house) as services:
        for number in range(tasks):
            services.store.tasks.add(Task(id=f"t-{number}", title="Do it", source="facts"))
        reviews = StrategyReviews(services)
        known = reviews._put_off(Strategy())
        moment = time.time() + (1 - since) * 86_400
        changes = {"next_at": moment, "situation": "another", "setbacks": setbacks or known.setbacks}
        services.store.strategy.keep(known.model_copy(update=changes))
        assert (reviews.due() is not None) is due


@pytest.mark.long
def test_the_ceo_is_shown_its_strategy_when_it_decides(make_house: MakeHouse) -> None:
    house, server = make_house(board(), orchestrator={"v_team": ["cfo"]})
    with house.store() as store:
        store.strategy.keep(Strategy(goals=["Only whole numbers"]))
    house.submit(IDEA, "Sums?", type=TaskType.DECISION)
    house.run_until_idle()
    (request,) = [request for request in server.requests if asked(request) == "decision"]
    assert "goal: Only whole numbers" in request.prompt


def more_rounds(house: House, number: int) -> None:
    """Wait until the idle CEO has looked for work so often again."""
    with house.store() as store:
        before = idle_state(store).rounds
    house.wait(lambda store: idle_state(store).rounds >= before + number)


WORDS = (
    ("sum", "mean", "median", "range", "product", "quotient", "power", "root"),
    ("tangent", "factorial", "inverse", "modulo", "gcd", "lcm", "floor", "logarithm"),
    ("matrix", "vector", "norm", "trace", "kernel", "rank", "basis", "span"),
)


def offering() -> Rule:
    """Eight ideas at a time, none of them like another."""
    numbers = itertools.count()

    def rule(_: Request) -> Answer:
        tasks: list[JsonValue] = [
            {
                "title": f"Have {word}",
                "description": f"Write `{word}(a)`. {f'{word} ' * 8}",
                "reason": f"{word} is missed",
            }
            for word in WORDS[next(numbers)]
        ]
        return {"tasks": tasks}

    return rule


@pytest.mark.long
def test_ideas_of_the_ceo_and_of_product_are_decided_on_first_and_bounded(make_house: MakeHouse) -> None:
    others, offers = board(decisions=[decision("reject")]), offering()
    house, server = make_house(
        lambda request: offers(request) if asked(request) == "ideas" else others(request),
        orchestrator={"v_team": ["cfo"], "idle_backoff_max": 1},
        project={"goal": "Make calc a full calculator", "tasks_from": [], "ideas_need_decision": True,
                 "tasks_per_round": 2, "tasks_per_day": 4},
    )  # fmt: skip
    with house.daemon():
        house.wait(lambda store: len(store.tasks.select([TaskStatus.COMPLETED], type=TaskType.DECISION)) == 4)
        more_rounds(house, 3)
    with house.store() as store:
        found = store.tasks.select()
    ideas = [task for task in found if task.type == TaskType.DECISION]
    assert [task for task in found if task.type == TaskType.CODE] == []
    assert len(ideas) == 4 and all(task.result["outcome"] == "rejected" for task in ideas)
    who = ["product" if "product" in request.system[:60].lower() else "ceo"
           for request in server.requests if asked(request) == "ideas"]  # fmt: skip
    assert set(who) == {"ceo", "product"}
    assert len(server.requests) == 4 * 3 + len(who)
    assert len(who) == 2


@pytest.mark.long
def test_two_hundred_times_the_same_idea_costs_three_calls(make_house: MakeHouse) -> None:
    house, server = make_house(
        board({"cfo": [opinion("reject", "It costs too much.")]}, [decision("reject", "cfo-1")]),
        orchestrator={"v_team": ["cfo"]},
    )
    with house.store() as store:
        for number in range(200):
            words = IDEA.upper() if number % 2 else f"{IDEA}{' ' * number}"
            store.tasks.add(Task(id=f"t-{number:03}", title="Sums?", description=words, type=TaskType.DECISION))
    assert house.run_until_idle().returncode == 0
    with house.store() as store:
        outcomes = [task.result["outcome"] for task in store.tasks.select(type=TaskType.DECISION, limit=300)]
    assert outcomes.count("rejected") == 1 and len(outcomes) == 200
    assert set(outcomes) <= {"rejected", "rejected before", "asked already"}
    assert (len(server.requests), calls(server, "decision")) == (3, ["ceo"])


def test_an_idle_company_of_fifteen_roles_makes_no_call(make_house: MakeHouse) -> None:
    house, server = make_house(team(), project={"strategy_days": SOON})
    house.run_until_idle()
    with house.daemon():
        more_rounds(house, 2)
        put_off(house, 3)
    assert len([line for line in look(house, "agents", "list").stdout.splitlines() if line.strip()]) > 15
    assert server.requests == ()
