"""Tasks from facts, end to end: failing tests, comments, what a model makes of them, and what is never asked twice."""

from __future__ import annotations

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import CALC, asked, git, team
from tests.support import Request

SMALL: dict[str, dict[str, object]] = {"llm": {"profile": "small"}}
BROKEN = (
    CALC
    + '''

def half(x: int) -> int:
    """Half of `x`, rounded down."""
    return x * 2


def sub(a: int, b: int) -> int:
    """`a` without `b`."""
    return a + b
'''
)
BROKEN_TESTS = """from calc import double, half, sub


def test_double() -> None:
    assert double(4) == 8


def test_half() -> None:
    assert half(4) == 2


def test_half_of_odd() -> None:
    assert half(5) == 2


def test_sub() -> None:
    assert sub(3, 1) == 2
"""
GOOD_HALF = "```python\ndef half(x: int) -> int:\n    return x // 2\n```"
GOOD_SUB = "```python\ndef sub(a: int, b: int) -> int:\n    return a - b\n```"


def by_function(request: Request) -> str:
    return GOOD_SUB if "sub" in request.prompt.partition("What they say")[0] else GOOD_HALF


def test_failing_tests_become_a_task_for_each_function_and_land_without_a_test_commit(make_house: MakeHouse) -> None:
    files = {"calc.py": BROKEN, "tests/test_calc.py": BROKEN_TESTS}
    house, server = make_house(team(code=by_function), files=files, **SMALL)
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr

    with house.store() as store:
        tasks = {task.title: task for task in store.list_tasks()}
    assert {title: (task.source, task.status) for title, task in tasks.items()} == {
        "Make test_half pass and 1 more": ("facts", TaskStatus.COMPLETED),
        "Make test_sub pass": ("facts", TaskStatus.COMPLETED),
    }
    # Each landed as one commit: its tests were there, and nobody touched them.
    assert sorted(house.landed()) == sorted(tasks)
    assert git(house.repository, "diff", "--name-only", "main", "agents/integration").split() == ["calc.py"]
    assert not any(asked(request) == "ideas" for request in server.requests)
