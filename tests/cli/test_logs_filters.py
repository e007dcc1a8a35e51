"""`logs`: which lines are shown, while they come, too, and their colours on a terminal."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess

import pytest
from rich.console import Console

from cli.activity import activity_line
from memory import Activity, utc_now
from owner.sentences import KINDS
from owner.stream import NOTICES, PROBLEMS
from tests.cli.commands import look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House
from tests.orchestrator.scripts import team

__all__ = ["make_house"]


def told(house: House, *arguments: str) -> list[str]:
    done = look(house, "logs", "--json", *arguments)
    assert done.exit_code == 0, done.stderr
    return [json.loads(line)["activity"] for line in done.stdout.splitlines()]


def a_day(house: House) -> tuple[str, str]:
    first, second = house.submit(title="Add add"), house.submit(title="Add sub")
    with house.store() as store:
        store.journal.log("owner", "task added", first)
        store.journal.log("qa", "tests committed", first, files=["test_add.py"])
        store.journal.log("developer", "attempt", first, outcome="failed")
        store.journal.log("orchestrator", "task failed", first, reason="tests_failed")
        store.journal.log("qa", "tests committed", second, files=["test_sub.py"])
        store.journal.log("orchestrator", "task completed", second)
    return first, second


def test_lines_are_shown_of_a_task_an_agent_and_a_level(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    first, second = a_day(house)
    assert told(house, "--task", second) == ["tests committed", "task completed"]
    assert told(house, "--agent", "qa") == ["tests committed", "tests committed"]
    assert told(house, "--agent", "qa", "--task", first) == ["tests committed"]
    assert told(house, "--level", "problem") == ["task failed"]
    assert told(house, "--level", "notice") == ["task added", "task failed", "task completed"]
    assert told(house, "--level", "notice", "-n", "1") == ["task completed"], "the latest of those that fit"
    assert len(told(house)) == 6 and told(house, "-a", "ceo") == []
    for wrong, words in ((("--agent", "nobody"), "give one of"), (("--task", "t-none"), "t-none")):
        done = look(house, "logs", *wrong)
        assert done.exit_code != 0 and words in done.stderr
    assert look(house, "logs", "--level", "loud").exit_code == 2


@pytest.mark.parametrize("terminal", [False, True])
def test_lines_that_fit_are_followed_as_they_come(make_house: MakeHouse, terminal: bool) -> None:
    house, _ = make_house(team())
    first, second = a_day(house)
    ours, theirs = pty.openpty() if terminal else os.pipe()
    follower = subprocess.Popen(
        house.command("logs", "-f", "--task", first, "--level", "notice", "-n", "1"),
        stdout=theirs, env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while b"failed" not in seen and (read := os.read(ours, 4096)):
            seen += read
        with house.store() as store:
            store.journal.log("qa", "tests committed", first, files=["again.py"])
            store.journal.log("orchestrator", "task completed", second)
            store.journal.log("orchestrator", "task retried", first, title="Add add")
        while b"tried again" not in seen and (read := os.read(ours, 4096)):
            seen += read
    finally:
        follower.send_signal(signal.SIGINT)
        assert follower.wait(60) == 0
        os.close(ours)
    assert b"failed" in seen and b"tried again" in seen and b"again.py" not in seen and b"Add sub" not in seen
    assert (b"\x1b[1;31m" in seen) is terminal, "what went wrong is red, on a terminal only"


def test_who_did_it_has_a_colour_unless_the_line_has_one() -> None:
    def drawn(agent: str, activity: str, **details: str) -> str:
        written = io.StringIO()
        line = Activity(
            id=1, agent_name=agent, activity=activity, task_id="t-1", details=dict(details), timestamp=utc_now()
        )
        Console(file=written, force_terminal=True, color_system="standard", width=200).print(activity_line(line))
        return written.getvalue()

    assert "\x1b[36mQA\x1b[0m committed" in drawn("qa", "tests committed")
    assert "\x1b[94mThe developer\x1b[0m committed" in drawn("developer", "code committed")
    assert "\x1b[33m" in drawn("qa", "flaky tests")
    assert "\x1b[1;32m" in drawn("orchestrator", "task completed")


def test_levels_name_kinds_that_there_are() -> None:
    assert PROBLEMS | NOTICES <= KINDS and not PROBLEMS & NOTICES
