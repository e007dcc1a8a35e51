"""`inbox` and `status --watch`: what waits for the owner is seen and answered at a terminal, in a pipe and as JSON."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from typing import Any

from config import load_settings
from memory import Attempt, Claim, FailureReason, TaskStatus, WaitingCall, utc_now
from orchestrator.services import make_git
from owner.inbox import inbox_of
from tests.cli.commands import entry, look
from tests.git_ops.conftest import passes, work
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, git
from tests.orchestrator.scripts import team

__all__ = ["make_house"]


def waiting_house(make_house: MakeHouse) -> tuple[House, str, str, str]:
    """A house in which everything waits that can: a question, a gate, a failure, a limit, an outage."""
    house, _ = make_house(team(), budget={"day_tokens": 1000})
    asked, gate, failed = (house.submit(title=title) for title in ("Paint it", "At the gate", "Hard [one]"))
    with house.store() as store:
        store.tasks.transition(
            asked, TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which colour, \x1b[31mred?"
        )
        store.tasks.transition(gate, TaskStatus.WAITING_APPROVAL, stage="land", result={"waiting_for": "land"})
        store.evidence.record_attempt(
            Attempt(task_id=failed, run=0, stage="code", approach=1, number=1, outcome="failed", evidence="1 != 2")
        )
        store.tasks.transition(failed, TaskStatus.FAILED, reason=FailureReason.TESTS_FAILED, detail="no answer passed")
        claim = Claim(agent="qa", task_id=failed, model="openai:m", tokens=900, nano_usd=0, at=utc_now())
        assert store.budgets.reserve(claim, load_settings(house.config).budget).id is not None
        store.budgets.begin_waiting(
            WaitingCall(agent="developer", task_id=failed, kind="provider", reason="openai is down", until=None)
        )
    return house, asked, gate, failed


def test_all_that_waits_is_numbered_with_why_the_evidence_and_what_to_type(make_house: MakeHouse) -> None:
    house, asked, gate, failed = waiting_house(make_house)
    shown = look(house, "inbox").stdout
    heads = [line for line in shown.splitlines() if line[:2] in ("1.", "2.", "3.", "4.", "5.")]
    assert heads[0] == "1. 90% of budget.day_tokens is used" and heads[1] == "2. The developer cannot ask its model"
    assert {line.split()[1] for line in heads[2:]} == {asked, gate, failed}
    for part in ("900 of 1,000 tokens", "openai is down (developer)", "Which colour, ", "| 1 != 2", "Hard [one]"):
        assert part in shown
    assert "\x1b" not in shown
    for command in (
        f'inbox answer {asked} "…"', f"approvals approve {gate}", f"task retry {failed}",
        "config set budget.day_tokens …",
    ):  # fmt: skip
        assert f"\n    {house.typed} {command}\n" in shown
    with house.store() as store:
        settings = load_settings(house.config)
        page = inbox_of(store, settings.budget, make_git(settings, house.paths))
    assert entry(house, "inbox") == page.model_dump(mode="json"), "the same as the page and the API"
    assert look(house, "inbox", "--limit", "1").stdout.count("so that it") < shown.count("so that it")


def test_the_inbox_is_answered(make_house: MakeHouse) -> None:
    house, asked, gate, failed = waiting_house(make_house)

    def fails(*arguments: str) -> str:
        done = look(house, "inbox", *arguments)
        assert done.exit_code != 0
        return " ".join(done.stderr.split())

    assert "the answer is empty" in fails("answer", asked, " ")
    assert "no task 1 " in fails("answer", "1", "Blue."), "a place in the list is no id: it moves"
    assert "waits at a gate" in fails("answer", gate, "Blue.")
    assert look(house, "inbox", "answer", asked, "Blue.").exit_code == 0
    assert look(house, "inbox", "approve", gate).exit_code == 0
    assert look(house, "inbox", "reject", failed, "--note", "Not needed.").exit_code == 0
    with house.store() as store:
        sent = [(control.command, control.argument.split()[0]) for control in store.commands.pending()]
        said = [line.details for line in store.journal.activity() if line.activity == "told the daemon"]
        assert "> Which colour" in store.tasks.get(asked).description
        assert store.tasks.get(asked).description.endswith("Blue.")
    assert sent == [("retry", asked), ("approve", gate), ("cancel", failed)]
    assert [(line["by"], line["note"]) for line in said] == [("owner", "Not needed.")]
    shown = look(house, "inbox").stdout
    assert shown.count("You said: ") == 3 and "task retry" not in shown, "what was answered asks for nothing more"
    told = entry(house, "inbox")["items"]
    assert isinstance(told, list) and {item["told"] for item in told} == {"try again", "go on", "stop"}


def test_landed_work_waits_until_it_is_merged(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    settings = load_settings(house.config)
    manager = make_git(settings, house.paths)
    with house.store():
        manager.clone()
    assert look(house, "inbox").stdout == "Nothing waits for you.\n"
    work(manager, "t-1", {"add.py": "x = 1\n"})
    manager.landing.land("t-1", verify=passes)
    shown = look(house, "inbox").stdout
    assert "1. 1 landed task waits to be merged into main" in shown and "2 files, +3 −0" in shown
    assert f"to merge it: git -C {house.repository} switch main && git -C {house.repository} merge agents/int" in shown
    told = entry(house, "inbox")["unmerged"]
    assert isinstance(told, dict) and told["tasks"] == 1 and str(told["command"]) in shown
    git(house.repository, "merge", "-q", "agents/integration")
    assert look(house, "inbox").stdout == "Nothing waits for you.\n" and entry(house, "inbox")["unmerged"] is None


def test_a_task_tells_its_life_in_order(make_house: MakeHouse) -> None:
    house, _, _, failed = waiting_house(make_house)
    with house.store() as store:
        store.journal.log("orchestrator", "task failed", failed, reason="tests_failed", detail="no answer passed")
    shown = look(house, "task", "show", failed).stdout
    life = shown.partition("What happened")[2]
    places = [life.index(part) for part in ("Attempt 1 of approach 1: failed", "| 1 != 2", "has failed")]
    assert places == sorted(places)
    thread = entry(house, "task", "show", failed)["thread"]
    assert isinstance(thread, list) and [each["kind"] for each in thread][-2:] == ["attempt", "activity"]


def watching(house: House, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        house.command("status", "--watch"), env=os.environ | {"TERM": "xterm-256color"}, text=True, **options
    )


def test_in_a_pipe_the_state_is_told_line_by_line_until_it_is_ended(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit(title="Paint it")
    with watching(house, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        before = [process.stdout.readline() for _ in range(4)]
        assert [line.split()[1] for line in before] == ["daemon", "repository", "tasks", "next"]
        with house.store() as store:
            store.tasks.transition(task_id, TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which one?")
        after = [process.stdout.readline() for _ in range(2)]
        assert "1 blocked" in after[0] and after[1].rstrip().endswith(f"stopped     {task_id}  Paint it: Which one?")
        process.send_signal(signal.SIGINT)
        assert (process.wait(20), process.stdout.read(), process.stderr.read()) == (0, "", "")
    assert look(house, "status", "--watch", "--json").exit_code == 2


def test_on_a_terminal_the_state_is_drawn_anew_and_the_terminal_given_back(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit(title="Paint it")
    here, there = pty.openpty()
    process = watching(house, stdin=there, stdout=there, stderr=there)
    os.close(there)
    written = b""
    try:
        while b"1 pending" not in written:
            written += os.read(here, 65536)
        with house.store() as store:
            store.tasks.transition(task_id, TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which one?")
        while b"Which one?" not in written:
            written += os.read(here, 65536)
        process.send_signal(signal.SIGINT)
        while data := os.read(here, 65536):
            written += data
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(here)
        code = process.wait(20)
    assert code == 0
    assert written.rindex(b"\x1b[?25h") > written.rindex(b"\x1b[?25l"), "the cursor is back"
