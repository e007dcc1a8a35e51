"""Hidden tests: which ones are chosen, that the developer never sees them, and what it means to fail only those."""

from __future__ import annotations

import json
import re

import pytest

from agents import TestCase
from memory import TaskStatus
from orchestrator.coding.hidden_tests import hidden_of
from orchestrator.coding.state import CodeState
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import git
from tests.orchestrator.scripts import CALC, team
from tests.support import Request

SQUARES = "\n\n".join(
    [
        "from calc import square",
        *(f"def test_square_{n}() -> None:\n    assert square({n}) == {n * n}" for n in range(2, 8)),
    ]
)
BY_THE_LETTER = "### calc.py\n```python\n" + CALC + "\n\ndef square(x: int) -> int:\n    return {{{pairs}}}[x]\n```\n"
WRONG = "\n\ndef square(x: int) -> int:\n    return x * x if x in {correct} else 0\n"
RIGHT = "### calc.py\n```python\n" + CALC + "\n\ndef square(x: int) -> int:\n    return x * x\n```\n"


@pytest.mark.parametrize(
    ("stated", "others", "hidden"), [(5, 0, 0), (6, 0, 0), (3, 2, 0), (3, 3, 2), (0, 9, 3), (8, 1, 1)]
)
def test_a_third_is_hidden_of_what_the_task_does_not_state(stated: int, others: int, hidden: int) -> None:
    cases = [TestCase(name=f"test_{n}", lines=["assert f()"]) for n in range(stated)]
    cases += [TestCase(name=f"test_more_{n}", lines=["assert f()"], origin="qa") for n in range(others)]
    found = hidden_of(CodeState(cases=cases), [f"tests/test_f.py::{case.name}" for case in cases])

    assert len(found) == len(set(found)) == hidden
    assert all("more" in test_id for test_id in found)


def test_code_that_knows_the_shown_tests_by_heart_begins_anew_and_does_not_land(make_house: MakeHouse) -> None:
    prompts: list[str] = []

    def code(request: Request) -> str:
        prompts.append(request.prompt)
        shown = re.findall(r"assert square\((\d)\) == (\d+)", request.prompt)
        if len(prompts) == 1:
            return BY_THE_LETTER.format(pairs=", ".join(f"{x}: {y}" for x, y in shown))
        return RIGHT

    house, _ = make_house(team(code=code))
    given = house.repository / "tests" / "test_square.py"
    given.write_text(SQUARES, encoding="utf-8")
    added = house.cli("task", "add", "Add square", "--tests", str(given), "--json")
    task_id = json.loads(added.stdout)["id"]
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    with house.store() as store:
        attempts = [(item.approach, item.outcome) for item in store.evidence.attempts(task_id)]
        quality = house.task(task_id).result["quality"]
    assert attempts == [(1, "overfitted"), (2, "passed")]
    assert house.task(task_id).status is TaskStatus.COMPLETED
    hidden = {x for x in range(2, 8) if all(f"square({x})" not in prompt for prompt in prompts)}
    assert len(hidden) == 2
    assert isinstance(quality, dict)
    assert quality["hidden"] == 2
    assert git(house.repository, "show", "agents/integration:tests/test_square.py") == SQUARES.strip()


@pytest.mark.long
@pytest.mark.parametrize(
    ("correct", "files"),
    [
        # Of the six tests the second and the fifth would be hidden, which are the only red ones.
        ((2, 4, 5, 7), {}),
        # The developer knows the tests from the file that is already in the repository.
        ((), {"tests/test_square.py": SQUARES.partition("\n\ndef test_square_7")[0] + "\n"}),
    ],
    ids=["all red ones", "file in the repository"],
)
def test_nothing_is_hidden_where_that_is_pointless(
    make_house: MakeHouse, correct: tuple[int, ...], files: dict[str, str]
) -> None:
    present = CALC + WRONG.format(correct=correct)
    house, _ = make_house(team(code=[RIGHT]), files={"calc.py": present, **files}, project={"tasks_from": []})
    given = house.repository / "tests" / "test_square.py"
    given.write_text(SQUARES, encoding="utf-8")
    added = house.cli("task", "add", "Mend square", "--tests", str(given), "--json")
    task_id = json.loads(added.stdout)["id"]
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    quality = house.task(task_id).result["quality"]
    assert isinstance(quality, dict)
    assert quality["hidden"] == 0
