"""Arguments that a shell or a hurried owner gives by mistake."""

from __future__ import annotations

import pytest

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import team

__all__ = ["make_house"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("task", "add", "X", "-d", "y", "--type", ""),
        ("task", "list", "--limit", "99999999999999999999"),
        ("logs", "-n", "99999999999999999999"),
        ("facts", "-n", "99999999999999999999"),
        ("task", "show", ""),
        ("task", "cancel", ""),
        ("task", "show", "\udcff"),
        ("task", "add", "X", "-d", "y", "--depends-on", ""),
    ],
)
def test_odd_arguments_end_with_a_message_and_no_traceback(make_house: MakeHouse, arguments: tuple[str, ...]) -> None:
    house, _ = make_house(team())
    task_id = house.submit()
    done = house.cli(*arguments)
    assert done.returncode in (1, 2)
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() == ""
    assert house.task(task_id).status is TaskStatus.PENDING


def test_words_between_colons_stay_words(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    house.submit(title="colons :smile: here")
    assert "colons :smile: here" in house.cli("task", "list").stdout
