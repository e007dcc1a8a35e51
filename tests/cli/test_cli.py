"""The command line as a person uses it: beside a working daemon, and when something is wrong."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import pytest
from typer.testing import CliRunner

from cli import app
from cli.doctor_model import _server
from cli.options import Choice
from cli.project import DEMO_HOME, demo_settings, load, remember_repository
from cli.running import prepare_demo
from memory import Task, TaskStatus
from tests.cli.commands import entries, entry, error_of, following, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import git, make_repository
from tests.orchestrator.scripts import ADD_TASK, QUESTIONS, Held, team
from tests.support.loopback import LoopbackServer

__all__ = ["make_house"]

KEY = "hush-4c1f9a7be2d05863"
"""An api key of no known shape, so that only its being registered keeps it out of sight."""


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
        assert "+def add" in str(entry(house, "task", "diff", task_id)["diff"])
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


def test_doctor_tells_what_is_missing_and_how_to_mend_it(make_house: MakeHouse) -> None:
    house, server = make_house(team())
    well = entries(house, "doctor")
    assert {check["name"] for check in well if check["state"] != "ok"} == set()
    assert len(well) == 13
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
    assert (checks["budget"]["state"], checks["model"]["state"]) == ("missing", "ok")
    assert "config set budget.day_usd 5" in checks["budget"]["remedy"]


def test_a_test_framework_that_nobody_registered_is_told_with_those_there_are(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    house.write_config(testing={"framework": "nose"})
    wanted = "testing.framework = 'nose': unknown name; allowed: 'auto', 'unittest', 'pytest'"
    for command in (("doctor", "--json"), ("run", "--until-idle"), ("config", "check")):
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
    config.write_text("llm: {provider: openai, api_key: k}\nbudget: {day_usd: 5}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["--config", str(config), *command.split()])
    assert done.exit_code == code, done.output
    told = "no repository is set; give --repo PATH_OR_URL, or set git.repository_url"
    assert (told in " ".join(done.stderr.split())) == (code == 2)


@pytest.mark.parametrize(("answer", "word"), [(401, "does not accept the key (401)"), (404, "answers (404)")])
def test_doctor_asks_a_server_whether_it_takes_the_key(answer: int, word: str) -> None:
    class Models(BaseHTTPRequestHandler):
        keys: ClassVar[list[str]] = []

        def do_GET(self) -> None:
            self.keys.append(self.headers.get("Authorization", ""))
            self.send_error(answer)

        def log_message(self, *_: object) -> None: ...

    with LoopbackServer(Models) as server:
        check = _server(f"{server.url}/v1", "secret-key")
    assert check.detail.endswith(word) and (check.state == "missing") is (answer == 401)
    assert Models.keys == ["Bearer secret-key"]


def test_doctor_without_a_repository_warns_and_says_how_to_give_one(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("llm: {provider: openai, api_key: k}\nbudget: {day_usd: 5}\n", encoding="utf-8")
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
    prepare_demo(DEMO_HOME, fresh=False, items=1)
    remember_repository(load(Choice(None, ""), demo_settings(DEMO_HOME)))
    found = load(Choice(None, ""), {"project": {"goal": "Another one."}}).settings
    assert found.git.repository_url == str(tmp_path / ".demo" / "sample_project")
    assert found.file_system.data_path == tmp_path / ".demo" / "data"
    assert found.project.goal == "Another one."


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
    assert "The CEO decided: new task. Sums must be right." in shown
    assert "The tech lead decided: rewrite. It was vague." in shown
    decisions = entry(house, "task", "show", task_id)["decisions"]
    assert isinstance(decisions, list)
    assert [decision["agent_name"] for decision in decisions] == ["tech_lead", "ceo"]
