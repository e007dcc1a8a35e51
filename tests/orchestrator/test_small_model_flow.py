"""Tasks of a small model through a real daemon: near misses recombined, and what must agree before it lands."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import cast

from memory import FailureReason, TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import CALC, SHARES_TASK, SMALL, asked, git, team
from tests.support import Request

SHARES_TESTS = """import pytest

from calc import shares


def test_shares() -> None:
    assert shares(7, 2) == [4, 3]


def test_equal_shares() -> None:
    assert shares(9, 3) == [3, 3, 3]


def test_one() -> None:
    assert shares(5, 1) == [5]


def test_nobody() -> None:
    with pytest.raises(ValueError):
        shares(1, 0)


def test_fewer() -> None:
    with pytest.raises(ValueError):
        shares(3, -1)
"""
GUARDED_SHARES = """```python
def shares(total: int, parts: int) -> list[int]:
    if parts < 1:
        raise ValueError("parts must be at least 1")
    return [total // parts for _ in range(parts)]
```"""
EXACT_SHARES = """```python
def shares(total: int, parts: int) -> list[int]:
    share, rest = divmod(total, parts)
    return [share + 1] * rest + [share] * (parts - rest)
```"""


def test_near_misses_of_a_small_model_are_recombined_without_asking_again(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=[GUARDED_SHARES, EXACT_SHARES, GUARDED_SHARES.replace("< 1", "< 2")]), **SMALL)
    given = house.folder / "test_shares.py"
    given.write_text(SHARES_TESTS, encoding="utf-8")
    task_id = json.loads(house.cli("task", "add", "Shares", "--tests", str(given), "--json").stdout)["id"]
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    with house.store() as store:
        attempts = [(item.strategy, item.outcome) for item in store.attempts(task_id)]
    assert attempts[-1] == ("recombined", "passed")
    assert {strategy for strategy, _ in attempts[:-1]} <= {"draft", "sample"}
    assert house.task(task_id).result["strategy"] == "recombined"
    landed = git(house.repository, "show", "agents/integration:calc.py")
    assert "divmod" in landed
    assert "raise ValueError" in landed
    assert len([request for request in server.requests if asked(request) == "code"]) == 3
    assert len(house.landed()) == 2


def test_without_tests_of_the_owner_a_change_of_one_answer_alone_does_not_land(make_house: MakeHouse) -> None:
    near = [GUARDED_SHARES, EXACT_SHARES, GUARDED_SHARES.replace("< 1", "< 2")]
    house, _ = make_house(team(code=near), orchestrator={"max_approaches": 1}, **SMALL)
    task_id = house.submit(SHARES_TASK, "Shares")
    house.run_until_idle()

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.REVIEW_REJECTED)
    assert "nothing confirms one of these" in task.reason_detail


ROUND_TASK = "Add `tens(x: int) -> int` to calc.py. `tens(20)` returns `20` and `tens(40)` returns `40`."
DOWN = "```python\ndef tens(x: int) -> int:\n    return x // 10 * 10\n```"
AS_IT_IS = "```python\ndef tens(x: int) -> int:\n    return x\n```"
DOWN_TOO = "```python\ndef tens(x: int) -> int:\n    rest = x % 10\n    return x - rest\n```"


def in_turn(*answers: str) -> Callable[[Request], str]:
    """The answers in turn, none of them twice in the same words."""
    asked_for = itertools.count()
    return lambda request: answers[(number := next(asked_for)) % len(answers)].replace(":\n", f":  # {number}\n")


def test_answers_that_pass_and_differ_elsewhere_do_not_land(make_house: MakeHouse) -> None:
    house, _ = make_house(team(code=in_turn(DOWN, AS_IT_IS)), **SMALL)
    task_id = house.submit(ROUND_TASK, "Tens")
    house.run_until_idle()

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.REVIEW_REJECTED)
    assert "pass every test and do not mean the same: tens(" in task.reason_detail
    assert house.landed() == []


def test_an_answer_that_another_one_confirms_lands(make_house: MakeHouse) -> None:
    house, server = make_house(team(code=[DOWN, DOWN_TOO]), **SMALL)
    task_id = house.submit(ROUND_TASK, "Tens")
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert len(server.requests) == 3  # two answers, and what QA would test besides


def test_where_errors_are_stated_answers_must_agree_on_them_too(make_house: MakeHouse) -> None:
    careful = (
        "```python\ndef shares(n: int) -> int:\n    if n < 1:\n        raise ValueError('n')\n    return 12 // n\n```"
    )
    less = careful.replace("n < 1", "n == 0")
    house, _ = make_house(team(code=in_turn(careful, less)), **SMALL)
    text = "Add `shares(n: int) -> int` to calc.py. `shares(3)` returns `4` and `shares(0)` raises `ValueError`."
    task_id = house.submit(text, "Shares")
    house.run_until_idle()

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.REVIEW_REJECTED)
    assert "raises ValueError" in task.reason_detail


def test_answers_that_forgot_an_import_are_compared_with_it(make_house: MakeHouse) -> None:
    long = '```python\ndef slug(text: str) -> str:\n    return re.sub(r" {2,}", "-", text)\n```'
    branched = (
        "```python\ndef slug(text: str) -> str:\n    if '  ' not in text:\n        return text\n"
        '    return re.sub(r" {2,}", "-", text)\n```'
    )
    house, _ = make_house(team(code=[long, branched]), **SMALL)
    task_id = house.submit('Add `slug(text: str) -> str` to calc.py. `slug("a")` returns `"a"`.', "Slug")
    house.run_until_idle()

    assert house.task(task_id).status is TaskStatus.COMPLETED


def test_an_answer_that_nobody_confirms_does_not_land(make_house: MakeHouse) -> None:
    wrong = "```python\ndef tens(x: int) -> int:\n    return x - 10\n```"
    house, _ = make_house(team(code=[AS_IT_IS, *(wrong.replace("10", str(10 + n)) for n in range(30))]), **SMALL)
    task_id = house.submit(ROUND_TASK, "Tens")
    house.run_until_idle()

    task = house.task(task_id)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.REVIEW_REJECTED)
    assert "no second one confirms it" in task.reason_detail


BELOW = """def below(x: int, limit: int) -> bool:
    \"\"\"Whether `x` is below the limit.\"\"\"
    return x <= limit
"""
BELOW_TASK = """A bug in calc.py: `below(3, 3)` returns `True`. The limit itself is not below.
`below(3, 3)` returns `False`, `below(2, 3)` returns `True` and `below(4, 3)` returns `False`."""


def test_a_bug_is_mended_by_a_small_change_of_the_present_code(make_house: MakeHouse) -> None:
    """The model copies the code as it is; the example that tells the bug is no test."""
    copied = f"```python\n{BELOW}```"
    house, server = make_house(team(code=[copied]), {"calc.py": f"{CALC}\n\n{BELOW}"}, **SMALL)
    task_id = house.submit(BELOW_TASK, "The limit is not below")
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    result = house.task(task_id).result
    assert result["strategy"] == "recombined"
    assert len(cast(list[str], result["tests_ids"])) == 3
    assert result["present"] is None
    landed = git(house.repository, "show", "agents/integration:calc.py")
    assert "return x < limit" in landed
    assert "Whether `x` is below the limit." in landed
    assert len([request for request in server.requests if asked(request) == "code"]) <= 5
