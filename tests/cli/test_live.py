"""What a person sees while the daemon works: on a terminal, in a pipe, where it is narrow, and when it stands still."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

import cli.activity
import cli.live
from cli.doctor_model import _limits
from cli.live import Follower, LogFollower, Scene, Step, Watch, block, what_is_done
from cli.options import _Terminal
from cli.tables import Column, FittedTable
from config import BudgetSettings
from memory import Claim, FailureReason, MemoryStore, Task, TaskStatus, WaitingCall, utc_now
from memory.database.schema import tasks
from tests.cli.commands import json_of, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House
from tests.orchestrator.scripts import team

__all__ = ["make_house"]

ROOT = Path(__file__).parents[2]
LONG = "A title that is \x1b[31mlonger\x1b[0m than\nany terminal is wide, [b]and then some[/b]"
SCENE = Scene(
    steps=[
        Step(
            'The developer writes the code for "A long title that must be cut somewhere"', 83, True, (("m" * 60, 41),)
        ),
        Step('QA writes tests for "Another one"', 5, in_turn=False),
    ],
    following=["Third", "Fourth"],
    pending=12,
    stopped=2,
    spent=["spent today: 1,234,567 of 5,000,000 tokens", "$0.12 of $5.00", "this month $3.10 of $50.00"],
)


def screen(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> io.StringIO:
    """What is printed, on a terminal of 40 characters or into a pipe."""
    written = io.StringIO()
    console = _Terminal(
        file=written, force_terminal=terminal, width=40 if terminal else 120, height=24, highlight=False, emoji=False,
        _environ={"TERM": "xterm-256color"},
    )  # fmt: skip
    for module in (cli.activity, cli.live, cli.options):
        monkeypatch.setattr(module, "out", console)
    return written


def begin(store: MemoryStore, title: str = LONG) -> str:
    task = Task(id="t-1", title=title)
    store.tasks.add(task)
    store.tasks.transition(task.id, TaskStatus.IN_PROGRESS, stage="code")
    return task.id


def await_words(written: io.StringIO, condition: Callable[[str], object]) -> str:
    deadline = time.monotonic() + 20
    while not condition(written.getvalue()):
        assert time.monotonic() < deadline, written.getvalue()
        time.sleep(0.02)
    return written.getvalue()


@pytest.mark.parametrize("width", [30, 39, 79, 119])
def test_the_block_fits_and_cuts_no_figure(width: int) -> None:
    lines = [line.plain for line in block(SCENE, width, 30, "nightcrew")]
    assert [line for line in lines if cell_len(line) > width and "tokens" not in line] == []
    whole = "\n".join(lines)
    figures = (
        "1 min 23 s",
        " 41 s",
        "waits its turn",
        "and 10 more",
        "1,234,567 of 5,000,000 tokens",
        "$3.10 of $50.00",
    )
    assert [figure for figure in figures if figure not in whole] == []
    assert what_is_done(SCENE).endswith(f"(1 min 23 s, and has waited 41 s for {'m' * 60})")


@pytest.mark.parametrize(
    ("width", "shown"), [(20, {"tokens", "took"}), (30, set()), (40, {"tokens"}), (60, {"tokens", "took"})]
)
def test_a_narrow_table_drops_columns_and_never_digits(width: int, shown: set[str]) -> None:
    columns = [Column("task"), Column("title", least=8), Column("tokens", rank=1, right=True),
               Column("took", rank=2, right=True)]  # fmt: skip
    rows = [["t-1r68rnjs4jzj", "One with many words in it", "12,345,678", "3 min 21 s"], ["t-2", "", "9", ""]]
    written = io.StringIO()
    Console(file=written, width=width, force_terminal=False).print(FittedTable(columns, rows))
    told = written.getvalue()
    assert max(map(cell_len, told.splitlines())) <= width
    assert "t-1r68rnjs4jzj" in told, "at 20 characters each row has lines of its own"
    for heading, value in (("tokens", "12,345,678"), ("took", "3 min 21 s")):
        assert (heading in told) == (value in told) == (heading in shown)


def test_on_a_terminal_sentences_scroll_and_a_block_tells_what_runs(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = screen(monkeypatch, terminal=True)
    task = begin(store)
    follower = Follower()
    await_words(written, lambda told: "The daemon starts" in told)
    follower.follow(store, Watch(store, BudgetSettings(day_usd=5, day_tokens=1000), lambda: {task}))
    follower.begin()
    store.journal.log("qa", "tests are red", task, red=3, already_green=0, unfit=0)
    claim = Claim(agent="developer", task_id=task, model="openai:gpt", tokens=10, nano_usd=0, at=utc_now())
    assert store.budgets.reserve(claim, BudgetSettings()).id is not None
    await_words(written, lambda told: "waits for gpt" in told and "saw" in told)
    follower.end("The daemon stops")
    await_words(written, lambda told: "The daemon stops" in told)
    follower.stop()
    told = written.getvalue()
    assert "> The developer writes the code" in told
    assert "0 of 1,000 tokens" in told and "$0.00 of $5.00" in told
    assert told.rindex("\x1b[?25h") > told.rindex("\x1b[?25l"), "the cursor is back"
    assert "\x1b[31mlonger" not in told, "a title does not steer the terminal"


def test_in_a_pipe_it_says_what_it_does_without_control_codes(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.live, "_FIRST_SIGN", 0.1)
    monkeypatch.setattr(cli.live, "_LOOK", 0.0)
    written = screen(monkeypatch, terminal=False)
    task = begin(store)
    follower = Follower()
    follower.follow(store, Watch(store, BudgetSettings(), lambda: {task}))
    follower.begin()
    told = await_words(written, lambda told: told.count("The developer writes the code for") > 1)
    store.tasks.transition(task, TaskStatus.BLOCKED, reason=FailureReason.TESTS_FAILED, detail="no")
    store.journal.log("orchestrator", "task blocked", task, title=LONG, reason="tests_failed", detail="no")
    told = await_words(written, lambda told: "is blocked" in told)
    time.sleep(1.2)  # two rounds with nothing to do: an idle daemon is silent
    follower.stop()
    assert "\x1b" not in told
    assert re.search(r"^\d\d:\d\d:\d\d  .+ is blocked .*: no; next: python main.py .*approvals list$", told, re.M)
    assert len(written.getvalue().splitlines()) <= len(told.splitlines()) + 1


def test_the_log_of_a_service_hears_of_work_and_of_a_pause_once(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(cli.live, "_LOGGED", 0.05)
    monkeypatch.setattr(cli.live.log, "info", heard.append)
    begin(store, "Clamp")
    store.budgets.begin_waiting(
        WaitingCall(agent="developer", task_id="t-1", kind="budget", reason="the day's budget is used up", until=None)
    )
    looked = threading.Semaphore(0)
    watch = Watch(store, BudgetSettings())

    def look() -> Scene:
        looked.release()
        return Watch.look(watch)

    monkeypatch.setattr(watch, "look", look)
    follower = LogFollower(watch)
    for _ in range(4):
        assert looked.acquire(timeout=20)
    follower.stop()
    assert heard == ["at work: Paused: the day's budget is used up (developer)"]


def test_a_step_is_timed_from_the_start_of_the_process_that_works_on_it(store: MemoryStore) -> None:
    task_id = begin(store, "Clamp")
    with store._database.write() as connection:
        connection.execute(tasks.update().values(updated_at=utc_now() - timedelta(hours=3)))
    [step] = Watch(store, BudgetSettings(), lambda: {task_id}).look().steps
    assert step.seconds < 60


def aged(house: House, monkeypatch: pytest.MonkeyPatch, hours: float) -> str:
    """A task that a daemon, which then ended, began so long ago and worked on for ten minutes."""
    task_id = house.submit(title="Left alone")
    begun = utc_now() - timedelta(hours=hours)
    with house.store() as store:
        store.tasks.transition(task_id, TaskStatus.IN_PROGRESS, stage="code")
        with store._database.write() as connection:
            connection.execute(tasks.update().values(started_at=begun))
        with monkeypatch.context() as earlier:
            earlier.setattr("memory.tables.journal.utc_now", lambda: begun + timedelta(minutes=10))
            store.journal.log("qa", "tests are red", task_id, red=1)
    return task_id


def test_without_a_daemon_tasks_are_paused_and_clocks_stand_still(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = make_house(team())
    task_id = aged(house, monkeypatch, hours=30)
    with house.store() as store:
        store.journal.log("owner", "task added", task_id)  # the owner's own command is no sign of a daemon
    for command in (("status",), ("task", "list"), ("task", "show", task_id)):
        told = " ".join(look(house, *command).stdout.split())
        assert "paused, the daemon is" in told and "stopped: code" in told, command
        assert "10 min 0 s" in told, command
    assert f"not running; start it with: {house.typed} run" in look(house, "status").stdout
    with house.store() as store:  # the daemon is back for a while, and the day between does not count
        store.journal.log("orchestrator", "settings changed", sections=["llm"])
        store.journal.log("orchestrator", "started")
    assert "10 min 0 s" in " ".join(look(house, "task", "list").stdout.split())
    json_of(house, "status")


def test_a_blocked_task_shows_the_commands_between_which_to_choose(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit()
    with house.store() as store:
        store.tasks.transition(task_id, TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which one?")
    shown = look(house, "task", "show", task_id).stdout
    for command in (f'inbox answer {task_id} "…"', f"approvals reject {task_id}"):
        assert f"\n    {house.typed} {command}\n" in shown


def test_limits_are_told_in_plain_figures() -> None:
    assert list(_limits(BudgetSettings(day_usd=12.5, agent_day_tokens=1_000_000))) == [
        "$12.50 a day", "5,000,000 tokens a task", "1,000,000 tokens an agent and day",
    ]  # fmt: skip


def test_the_help_of_every_command_is_whole_on_a_narrow_terminal() -> None:
    script = """
import typer.testing
from cli.app import app, command_of
runner = typer.testing.CliRunner()
for name in ("task", "approvals", "model", "logs", "costs"):
    print(runner.invoke(app, [name, "--help"]).output)
    for below in getattr(command_of(name), "commands", {}):
        print(runner.invoke(app, [name, below, "--help"]).output)
"""
    environment = os.environ | {"COLUMNS": "40", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert all(
        f"{option} " in done.stdout for option in ("--depends-on, --after", "--description", "--quiet", "--lines")
    )
    assert [line for line in done.stdout.splitlines() if "--" in line and "…" in line] == []
    assert "<bool>" not in done.stdout
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "cli").glob("*.py"))
    assert re.findall(r'help=f?"[^"]*\[[a-z.]+\]', source) == [], "Rich takes [words] in a help text for markup"


@pytest.mark.long
def test_a_daemon_in_a_terminal_gives_it_back_as_it_was(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    here, there = pty.openpty()
    process = subprocess.Popen(
        house.command("run", "--until-idle"), stdin=there, stdout=there, stderr=there,
        env=os.environ | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(there)
    written = b""
    try:
        while data := os.read(here, 65536):
            written += data
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(here)
        process.kill()
    assert process.wait(120) == 0, written
    assert b"The daemon started" in written and b"The daemon stopped" in written
    assert b"There was nothing to do" in written
    assert written.rindex(b"\x1b[?25h") > written.rindex(b"\x1b[?25l")
