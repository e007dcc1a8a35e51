"""The command line as a person uses it: beside a working daemon, and when something is wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from typer.testing import CliRunner, Result

from cli import app
from cli.owner import stopped_tasks
from cli.project import DEMO_HOME, Choice, load, remember_repository
from cli.running import prepare_demo
from memory import Attempt, FailureReason, Task, TaskStatus, TaskType, utc_now
from memory.database.schema import attempts, reservations, tasks
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import ADD_TASK, QUESTIONS, Held, House, git, make_repository, team

__all__ = ["make_house"]

KEY = "hush-4c1f9a7be2d05863"
"""An api key of no known shape, so that only its being registered keeps it out of sight."""


def look(house: House, *arguments: str, stdin: str | None = None) -> Result:
    """One command in this process: the same code on the same database, half a second faster."""
    return CliRunner().invoke(app, ["--config", str(house.config), *arguments], input=stdin)


def json_of(house: House, *arguments: str, stdin: str | None = None) -> object:
    done = look(house, *arguments, "--json", stdin=stdin)
    assert done.exit_code == 0, done.stderr
    value: object = json.loads(done.stdout)
    return value


def entry(house: House, *arguments: str, stdin: str | None = None) -> dict[str, object]:
    value = json_of(house, *arguments, stdin=stdin)
    assert isinstance(value, dict)
    return value


def entries(house: House, *arguments: str) -> list[dict[str, object]]:
    value = json_of(house, *arguments)
    assert isinstance(value, list)
    return value


def error_of(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one error a command ended with."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith("error:")
    return " ".join(done.stderr.split())


def test_every_command_works_beside_a_running_daemon_and_no_secret_gets_out(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script, llm={"api_key": KEY, "timeout": 100})
    task_file = house.folder / "task.md"
    task_file.write_text("Say `hi`.\n", encoding="utf-8")
    script.hold("code")
    with ExitStack() as daemons:
        daemon = daemons.enter_context(house.daemon())
        task_id = str(entry(house, "task", "add", "Add add", "-d", ADD_TASK, "--priority", "high")["id"])
        server.wait_for(2)  # the daemon took it up, and now waits for the developer's answer
        follower = daemons.enter_context(following(house))

        status = entry(house, "status")
        assert (status["running"], status["pid"]) == (True, daemon.pid)
        (listed,) = entries(house, "task", "list")
        assert (listed["id"], listed["stage"], listed["priority"]) == (task_id, "code", 1)
        assert "def test_add" in look(house, "task", "diff", task_id).stdout  # QA's commit
        assert "does not wait" in error_of(house.cli("task", "approve", task_id), 1)
        assert "only failed" in error_of(house.cli("task", "retry", task_id), 1)

        # Work that waits for another task is not begun, so it stays as it is while it is looked at.
        later = ("--depends-on", task_id, "--priority", "low")
        from_stdin = entry(house, "task", "add", "By stdin", "-d", "-", *later, stdin="typed\n")
        from_file = entry(house, "task", "add", "By file", "--file", str(task_file), *later)
        assert (from_stdin["description"], from_file["description"]) == ("typed\n", "Say `hi`.\n")
        assert from_file["depends_on"] == [task_id]
        for waiting in (from_stdin, from_file):
            assert house.cli("task", "cancel", str(waiting["id"])).returncode == 0
            house.wait_for(str(waiting["id"]), TaskStatus.CANCELLED)

        script.release()
        assert follower.stdout is not None
        for line in follower.stdout:
            if json.loads(line)["activity"] == "task completed":
                break
        follower.send_signal(signal.SIGINT)
        assert follower.wait(120) == 0

        shown = entry(house, "task", "show", task_id[:-2])
        assert shown["status"] == "completed"
        assert len(shown["attempts"]) == 1  # type: ignore[arg-type]  # JSON
        assert "+def add" in look(house, "task", "diff", task_id).stdout
        assert "completed already" in error_of(house.cli("task", "cancel", task_id), 1)
        told = [line["activity"] for line in entries(house, "task", "logs", task_id)]
        assert told[0] == "task added"
        assert told[-1] == "task completed"
        assert sum(int(str(row["calls"])) for row in entries(house, "costs", "--by", "agent")) == len(QUESTIONS)
        for command in (
            ("status",),
            ("task", "list"),
            ("task", "show", task_id),
            ("task", "logs", task_id),
            ("costs",),
        ):
            done = look(house, *command)
            assert done.exit_code == 0
            assert done.stdout.strip()

    checked = house.cli("config", "check", "--json")
    assert json.loads(checked.stdout)["llm"]["model"] == "scripted"
    assert KEY not in checked.stdout
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"  # the key was in use
    written = [path for path in house.folder.rglob("*") if path.is_file() and path != house.config]
    written += [path for path in house.paths.state.rglob("*") if path.is_file()]
    assert {"agents.log", "agents.db", "engine.db", "daemon.log"} <= {path.name for path in written}
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []


@contextmanager
def following(house: House) -> Iterator[subprocess.Popen[str]]:
    """`logs -f` in a process of its own."""
    process = subprocess.Popen(
        house.command("logs", "-f", "--json", "-n", "1"), stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it is there
        yield process
    finally:
        process.kill()
        process.communicate(timeout=120)


def test_doctor_tells_what_is_missing_and_how_to_mend_it(make_house: MakeHouse) -> None:
    house, server = make_house(team())
    well = entries(house, "doctor")
    assert [check["state"] for check in well] == ["ok"] * 11
    assert re.search(r"tier 1.*a launch takes \d+ ms", str(next(c["detail"] for c in well if c["name"] == "sandbox")))

    house.write_config(sandbox={"mode": "off"})
    server.stop()
    done = house.cli("doctor")
    assert done.returncode == 1
    lines = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert lines["sandbox"].startswith("FAIL")
    assert "set sandbox.mode to required" in lines["sandbox"]
    assert lines["model"].startswith("FAIL")
    assert "start the server" in lines["model"]
    assert lines["git"].startswith("ok")

    house.write_config(sandbox={"user": "no-such-user"}, llm={"provider": "openai", "api_key": None})
    checks = {check["name"]: check for check in json.loads(house.cli("doctor", "--json").stdout)}
    assert checks["model"]["state"] == "missing"
    if os.geteuid() == 0:
        assert checks["sandbox"]["state"] == "missing"
        assert "no-such-user" in checks["sandbox"]["detail"]
        assert "set sandbox.user to" in checks["sandbox"]["remedy"]

    house.write_config(llm={"provider": "openai", "api_key": "k-test"})
    checks = {check["name"]: check for check in json.loads(house.cli("doctor", "--json").stdout)}
    assert (checks["budget"]["state"], checks["model"]["state"]) == ("warning", "ok")
    assert "set budget.day_usd and budget.month_usd" in checks["budget"]["remedy"]


def test_a_test_framework_that_nobody_registered_is_told_with_those_there_are(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    house.write_config(testing={"framework": "nose"})
    wanted = "testing.framework = 'nose': unknown name; allowed: 'auto', 'unittest', 'pytest'"
    for command in (("doctor", "--json"), ("run", "--until-idle"), ("status",)):
        refused = house.cli(*command)
        assert refused.returncode == 2
        assert wanted in " ".join(refused.stderr.split())


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("config check", 0),
        ("agents list", 0),
        ("model status", 0),
        ("status", 2),
        ("facts", 2),
        ("costs", 2),
        ("logs", 2),
        ("task list", 2),
        ("task show t-1", 2),
        ("approvals list", 2),
        ("doctor --audit", 2),
        ("backup --to there", 2),
        ("migrate", 2),
    ],
)
def test_a_command_without_a_repository_works_or_says_how_to_give_one(tmp_path: Path, command: str, code: int) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("llm: {provider: openai, api_key: k}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["--config", str(config), *command.split()])
    assert done.exit_code == code, done.output
    told = "no repository is set; give --repo PATH_OR_URL, or set git.repository_url"
    assert (told in " ".join(done.stderr.split())) == (code == 2)


def test_doctor_without_a_repository_warns_and_says_how_to_give_one(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("llm: {provider: openai, api_key: k}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["--config", str(config), "doctor", "--json"])
    assert done.exit_code == 0, done.output
    [repository] = [check for check in json.loads(done.stdout) if check["name"] == "repository"]
    assert (repository["state"], repository["detail"]) == ("warning", "none is set")
    assert "give --repo PATH_OR_URL" in repository["remedy"]


def test_what_needs_no_daemon(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    schema = json.loads(look(house, "config", "schema").stdout)
    assert "llm" in schema["properties"]
    assert look(house, "config", "check").stdout == "The configuration is valid.\n"
    assert set(entry(house, "model", "status")) >= {"path", "ready", "server"}
    assert entry(house, "status")["running"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("show", "t-unknown"), 1, "no task t-unknown"),
        (("show", "[/x]"), 1, "no task [/x]"),
        (("add", "Title", "--depends-on", "t-unknown"), 1, "no task t-unknown"),
        (("add", "Title", "--file", "not-there.md"), 2, "not-there.md: no such file"),
        (("add", "Title", "--file", "{binary}"), 2, "is not text"),
        (("add", "Title", "--file", "{config}", "-d", "both"), 2, "not both"),
        (("add", "  "), 2, "title"),
    ],
)
def test_a_wrong_task_command_says_so_in_one_line(
    make_house: MakeHouse, arguments: tuple[str, ...], code: int, words: str
) -> None:
    house, _ = make_house(team())
    binary = house.folder / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    given = [argument.format(binary=binary, config=house.config) for argument in arguments]
    assert words in error_of(house.cli("task", *given), code)
    with house.store() as store:
        assert store.tasks.select() == []


def test_a_call_that_makes_no_sense_is_a_usage_error(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    assert house.cli("task", "add", "Title", "--priority", "urgent").returncode == 2
    assert house.cli("task", "sing").returncode == 2


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("test_a.py", "def (", "cannot be read, line 1"),
        ("test_a.py", "", "0 characters"),
        ("test_a.py", "#" * 64_001, "64,001 characters"),
        ("a.py", "assert 1", "named test_"),
        ("test_b.py", None, "no such file"),
    ],
)
def test_a_test_file_that_cannot_be_used_is_refused(
    make_house: MakeHouse, tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    house, _ = make_house(team())
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert words in error_of(house.cli("task", "add", "Title", "--tests", str(tmp_path / name)), 2)


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"git": {"repository_url": ""}}, 2, "no repository is set; give --repo"),
        ({"orchestrator": {"check_interval": 0}}, 2, "orchestrator.check_interval"),
        ({"orchestrator": {"check_intervall": 5}}, 2, "did you mean `check_interval`?"),
        ({"llm": {"provider": "openai", "api_key": None}}, 2, "set OPENAI_API_KEY"),
        ({"git": {"repository_url": "{folder}/gone"}}, 2, "there is no such folder"),
        ({"git": {"repository_url": "{folder}/plain"}}, 2, "it is no git repository"),
        ({"git": {"repository_url": "{folder}/empty"}}, 2, "the repository is empty"),
        ({"git": {"repository_url": "http://127.0.0.1:9/x.git"}}, 1, "cannot be reached"),
        ({"file_system": {"workspace_path": "{folder}/file/in"}}, 1, "{folder}/file"),
        ({"file_system": {"data_path": "{folder}/file/in"}}, 1, "{folder}/file"),
        ({"monitoring": {"logs_path": "{folder}/file/in"}}, 1, "{folder}/file"),
    ],
)
def test_a_daemon_that_cannot_start_says_why_in_one_line(
    make_house: MakeHouse, tmp_path: Path, settings: dict[str, dict[str, object]], code: int, words: str
) -> None:
    house, _ = make_house(team())
    (tmp_path / "plain").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    filled = {
        section: {
            key: value.format(folder=tmp_path) if isinstance(value, str) else value for key, value in values.items()
        }
        for section, values in settings.items()
    }
    # A data folder of its own: the shared one remembers the repository of the last run.
    filled["file_system"] = {"data_path": str(tmp_path / "data")} | filled.get("file_system", {})
    house.write_config(**filled)
    error = error_of(house.run_until_idle(), code)
    assert words.format(folder=tmp_path) in error
    assert error.count("error:") == 1
    assert not (tmp_path / "data" / "last-repository").exists()


def test_a_start_that_fails_stands_in_the_log_even_if_nobody_is_alerted(make_house: MakeHouse, tmp_path: Path) -> None:
    house, _ = make_house(team())
    house.write_config(git={"repository_url": str(tmp_path / "gone")})
    assert house.run_until_idle().returncode == 2
    assert "the daemon could not start: " in house.log()


def test_a_full_disk_is_one_clear_error_and_loses_nothing(make_house: MakeHouse, tmp_path: Path) -> None:
    house, _ = make_house(team())
    large = make_repository(tmp_path / "large")
    (large / "large.bin").write_bytes(os.urandom(6 << 20))
    git(large, "add", "-A")
    git(large, "commit", "-q", "-m", "large")
    workspace = tmp_path / "small-disk"
    house.write_config(git={"repository_url": str(large)}, file_system={"workspace_path": str(workspace)})
    task_id = house.submit()
    with small_disk(workspace):
        error = error_of(house.run_until_idle(), 1)
        assert "no space left" in error
        assert "free some" in error
    assert house.task(task_id).status is TaskStatus.PENDING
    assert house.run_until_idle().returncode == 0  # there is space now: it goes on by itself


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 4 MB at `folder`. Only root may mount one; others leave this test out."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_an_address_with_a_password_is_shown_without_it(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    house.write_config(git={"repository_url": f"https://owner:{KEY}@127.0.0.1:9/x.git"})
    for command in (("status",), ("status", "--json"), ("config", "check", "--json"), ("run", "--until-idle")):
        done = house.cli(*command)
        assert KEY not in done.stdout + done.stderr


def test_after_the_demo_its_tasks_are_found_without_naming_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    demo = prepare_demo(DEMO_HOME, fresh=False, items=1)
    remember_repository(load(Choice(None, ""), demo))
    found = load(Choice(None, ""), {"project": {"goal": "Another one."}}).settings
    assert found.git.repository_url == str(tmp_path / ".demo" / "sample_project")
    assert found.file_system.data_path == tmp_path / ".demo" / "data"
    assert found.project.goal == "Another one."


def test_what_waits_for_the_owner_is_listed_and_answered(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    assert "Nothing waits" in look(house, "approvals", "list").stdout
    assert "Stopped" not in look(house, "status").stdout
    gate, blocked, other = (house.submit(title=title) for title in ("At the gate", "Hard [one]", "Open"))
    with house.store() as store:
        store.tasks.transition(gate, TaskStatus.WAITING_APPROVAL, stage="land", result={"waiting_for": "land"})
        store.tasks.transition(blocked, TaskStatus.IN_PROGRESS)
        store.evidence.record_attempt(
            Attempt(
                task_id=blocked, run=0, stage="code", approach=1, number=1, outcome="failed", tests_failed=1,
                evidence="test_add\nassert 1 == 2\n\nline three\nline four",
            )
        )  # fmt: skip
        told = "no answer of 3 passed\nlong\n\nThe tech lead gives it up: say what it is"
        store.tasks.transition(blocked, TaskStatus.BLOCKED, reason=FailureReason.TESTS_FAILED, detail=told)

    rows = {row["id"]: row for row in entries(house, "approvals", "list")}
    assert set(rows) == {gate, blocked}
    assert (rows[gate]["kind"], rows[gate]["reason"]) == ("gate", "land")
    assert (rows[blocked]["kind"], rows[blocked]["reason"]) == ("blocked", "tests_failed")
    assert rows[blocked]["evidence"] == ["test_add", "assert 1 == 2", "line three", "line four"]
    shown = look(house, "approvals", "list").stdout
    assert "| line three" in shown
    assert "line four" not in shown
    assert "1 more lines: approvals list --json" in shown
    assert all(part in shown for part in ("Hard [one]", "The tech lead gives it up: say what it is", "--note"))
    status = look(house, "status").stdout.partition("Stopped until you decide:")[2]
    assert all(part in status for part in ("Hard [one]", "The tech lead gives it up: say what it is", "--note", gate))
    assert "line three" not in status
    assert entry(house, "status")["stopped"] == entries(house, "approvals", "list")

    def fails(*arguments: str) -> str:
        done = look(house, "approvals", *arguments)
        assert done.exit_code != 0
        return " ".join(done.stderr.split())

    assert "does not wait for you" in fails("approve", other)
    assert "a note is for tasks that begin anew" in fails("approve", gate, "--note", "so")
    assert look(house, "approvals", "approve", gate).exit_code == 0
    assert look(house, "approvals", "approve", blocked, "--note", " It is the sum. ").exit_code == 0
    assert look(house, "approvals", "reject", blocked).exit_code == 0
    with house.store() as store:
        sent = [(control.command, control.argument) for control in store.commands.pending()]
        assert store.tasks.get(blocked).description.endswith("The owner adds:\n\nIt is the sum.")
    assert sent == [("approve", f"{gate} 0.0"), ("retry", blocked), ("cancel", blocked)]


STOPPED = {
    FailureReason.TESTS_FAILED: [
        ('approvals approve {id} --note "…"', "is tried again, with your words"),
        ("task retry {id}", "is tried again"),
        ("approvals reject {id}", "is cancelled"),
    ],
    FailureReason.NEEDS_OWNER: [
        ('approvals approve {id} --note "…"', "is tried again, with your answer"),
        ("approvals reject {id}", "is cancelled"),
    ],
    FailureReason.BUDGET_EXHAUSTED: [
        ("task retry {id}", "is tried again, when the cause is gone"),
        ("approvals reject {id}", "is cancelled"),
    ],
    FailureReason.INTERNAL_ERROR: [
        ("task retry {id}", "is tried again, when the cause is gone"),
        ("approvals reject {id}", "is put aside"),
    ],
}


@pytest.mark.parametrize(("reason", "actions"), STOPPED.items())
def test_each_stopped_task_comes_with_what_can_be_done_about_it(
    make_house: MakeHouse, reason: FailureReason, actions: list[tuple[str, str]]
) -> None:
    house, _ = make_house(team())
    failed = reason is FailureReason.INTERNAL_ERROR
    task_id = house.submit()
    with house.store() as store:
        store.tasks.transition(task_id, TaskStatus.FAILED if failed else TaskStatus.BLOCKED, reason=reason, detail="so")
    (row,) = entries(house, "approvals", "list")
    assert (row["id"], row["kind"], row["reason"]) == (task_id, "failed" if failed else "blocked", reason.value)
    expected = [{"command": command.format(id=task_id), "effect": effect} for command, effect in actions]
    assert row["actions"] == expected
    for shown in (look(house, "status").stdout, look(house, "approvals", "list").stdout):
        assert all(f"  {action['command']}: {action['effect']}" in shown for action in expected)
    for action in expected:  # what it says to type is right
        assert look(house, *shlex.split(action["command"])).exit_code == 0
    with house.store() as store:
        sent = {control.command for control in store.commands.pending()}
    assert sent == {"retry", "cancel"}


def test_a_failed_task_is_put_aside_by_the_daemon(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit()
    with house.store() as store:
        store.tasks.transition(task_id, TaskStatus.FAILED, reason=FailureReason.TIMEOUT)
    assert look(house, "approvals", "reject", task_id).exit_code == 0
    with house.daemon():
        house.wait_for(task_id, TaskStatus.CANCELLED)
    assert "Nothing waits for you" in look(house, "approvals", "list").stdout


def test_status_names_a_few_stopped_tasks_and_says_how_many_more_there_are(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    for number in range(5):
        task_id = house.submit(title=f"Number {number}")
        with house.store() as store:
            store.tasks.transition(task_id, TaskStatus.BLOCKED, reason=FailureReason.TESTS_FAILED)
    shown = look(house, "status").stdout
    assert [f"Number {number}" in shown for number in range(5)] == [False, False, True, True, True]
    assert "… and 2 more: approvals list" in shown


def test_status_costs_the_same_with_thousands_of_stopped_tasks(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    now = utc_now()
    stopped = [
        Task(id=f"t-{number:012}", title=f"Number {number}", type=TaskType.CODE, status=TaskStatus.FAILED,
             run=1, reason=FailureReason.TIMEOUT, created_at=now + timedelta(seconds=number))
        for number in range(3000)
    ]  # fmt: skip
    tried = [
        {"task_id": task.id, "run": run, "stage": "code", "approach": 1, "number": number, "strategy": "",
         "outcome": "failed", "answer_hash": "", "tree": "", "tests_passed": 0, "tests_failed": 1, "seconds": 0.1,
         "evidence": f"run {run}, {number}" if number < 3 else "", "created_at": now}
        for task in stopped
        for run in (1, 0)
        for number in range(1, 4)
    ]  # fmt: skip
    statements: list[str] = []
    with house.store() as store:
        with store._database.write() as connection:
            connection.execute(tasks.insert(), [task.model_dump(exclude={"depends_on"}) for task in stopped])
            connection.execute(attempts.insert(), tried)
        event.listen(Engine, "before_cursor_execute", lambda *given: statements.append(str(given[2])))
        rows = stopped_tasks(store, 20)
    reading = [statement for statement in statements if "attempts" in statement]
    assert len(reading) == 1
    assert [row.title for row in rows] == [f"Number {number}" for number in range(2999, 2979, -1)]
    assert rows[0].evidence == ["run 1, 2"], "the last attempt with words, of the latest run"
    status = entry(house, "status")
    assert isinstance(status["stopped"], list)
    assert (len(status["stopped"]), status["stopped_count"]) == (20, 3000)
    assert "… and 2997 more: approvals list" in look(house, "status").stdout
    shown = look(house, "approvals", "list", "--limit", "2").stdout
    assert "Number 2998" in shown
    assert "Number 2997" not in shown
    assert "… and 2998 more (--limit)" in shown


def test_a_model_that_is_awaited_is_shown_with_its_waiting_time(make_house: MakeHouse) -> None:
    script = Held(team())
    house, server = make_house(script, llm={"timeout": 200})
    script.hold("code")
    task_id = house.submit()
    with house.daemon() as daemon, ExitStack() as followers:
        server.wait_for(2)  # it waits for the developer's answer
        follower = followers.enter_context(following(house))
        with house.store() as store, store._database.write() as connection:  # no test can wait that long
            connection.execute(reservations.update().values(created_at=utc_now() - timedelta(minutes=2)))
        assert follower.stdout is not None
        line = next(line for line in map(json.loads, follower.stdout) if line["activity"] == "awaits its model")
        assert (line["id"], line["agent_name"], line["task_id"]) == (0, "developer", task_id)
        assert line["details"]["model"] == "openai_compatible:scripted"
        assert line["details"]["seconds"] >= 120
        status = entry(house, "status")
        assert isinstance(status["awaited"], list)
        (awaited,) = status["awaited"]
        assert (awaited["agent"], awaited["task_id"], awaited["model"]) == (
            "developer", task_id, "openai_compatible:scripted"
        )  # fmt: skip
        assert awaited["seconds"] >= 120
        shown = look(house, "status").stdout
        pattern = rf"model +developer has waited 2 min \d+ s for openai_compatible:scripted \({task_id}\)\n"
        assert re.search(pattern, shown)
        daemon.kill()
        daemon.wait(120)
        assert entry(house, "status")["awaited"] == []  # nobody awaits what a killed daemon asked for
        assert "has waited" not in look(house, "status").stdout
        script.release()


def test_what_waits_for_a_task_that_stands_still_says_so_and_how_it_goes_on(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    needed, gone = house.submit(title="First of all"), house.submit(title="Given up")
    with house.store() as store:
        store.tasks.transition(needed, TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which one?")
        store.tasks.transition(gone, TaskStatus.CANCELLED)
    added = entry(house, "task", "add", "Then this", "--after", needed)
    assert added["depends_on"] == [needed]
    waiting = str(added["id"])
    told = " ".join(look(house, "status").stdout.split())
    assert f"after {waiting} Then this: waits for {needed} (blocked); it goes on when you decide about {needed}" in told
    assert f"waits for {needed} (blocked)" in " ".join(look(house, "task", "show", waiting).stdout.split())
    listed = "".join(look(house, "task", "list").stdout.split())
    assert "waitsfor" in listed
    rest = {"id": needed, "title": "First of all", "status": "blocked"}
    assert entry(house, "status")["dependent"] == {waiting: [rest]}
    assert entry(house, "task", "show", waiting)["waits_for"] == [rest]
    refused = look(house, "task", "add", "Never", "--after", gone)
    assert refused.exit_code == 2
    assert f"{gone} is cancelled" in " ".join(refused.stderr.split())


def test_a_task_tells_its_parts_and_they_tell_the_task(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    whole = house.submit(title="Whole")
    with house.store() as store:
        store.tasks.transition(whole, TaskStatus.IN_PROGRESS)
        store.tasks.split(whole, 0, [Task(id="t-part", title="Part", parent_id=whole)])
    assert "split into t-part (pending)" in look(house, "task", "show", whole).stdout
    assert f"part of {whole}" in " ".join(look(house, "task", "show", "t-part").stdout.split())
    assert entry(house, "task", "show", whole)["parts"] == ["t-part"]


def test_a_task_shows_who_decided_on_it_and_why(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    task_id = house.submit(title="Whole")
    with house.store() as store:
        store.journal.record_decision("ceo", "task", {"task": task_id, "reason": "Sums must be right."})
        data = {"task": task_id, "action": "rewrite", "reason": "It was vague."}
        store.journal.record_decision("tech_lead", "escalation", {**data, "parts": []})
    shown = look(house, "task", "show", task_id).stdout
    assert "ceo decided: new task. Sums must be right." in shown
    assert "tech_lead decided: rewrite. It was vague." in shown
    decisions = entry(house, "task", "show", task_id)["decisions"]
    assert isinstance(decisions, list)
    assert [decision["agent_name"] for decision in decisions] == ["tech_lead", "ceo"]
