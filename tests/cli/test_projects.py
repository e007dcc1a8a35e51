"""Every command knows its repository, wherever --repo stands, and says which one it took when nobody named one."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner, Result

from cli import app
from cli.options import Choice
from cli.project import DEMO_HOME, demo_settings, load, remember_repository
from cli.running import prepare_demo
from tests.cli.commands import entry, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import ROOT, House, eventually, make_repository
from tests.orchestrator.scripts import team

__all__ = ["make_house"]

WITHOUT = {"config schema", "model fetch", "model list", "model status", "service status", "service uninstall"}
"""Commands that are about no repository."""


def unnamed(house: House, tmp_path: Path) -> None:
    """Let the configuration name no repository, and let the house's be the one that ran last."""
    house.write_config(git={"repository_url": ""}, file_system={"data_path": str(tmp_path / "data")})
    remember_repository(load(Choice(house.config, str(house.repository))))


def leaves(group: TyperGroup, words: str = "") -> Iterator[tuple[str, set[str]]]:
    """All commands, with the names of their parameters."""
    context = group.make_context("main.py", [], resilient_parsing=True)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, TyperGroup):
            yield from leaves(command, f"{words}{name} ")
        else:
            yield f"{words}{name}", {str(parameter.name) for parameter in command.params}


def test_every_command_about_a_repository_takes_the_option() -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    found = dict(leaves(group))
    assert {name for name, parameters in found.items() if "repo" not in parameters} == WITHOUT
    assert "task add" in found


def test_the_option_means_the_same_before_and_after_the_command(make_house: MakeHouse, tmp_path: Path) -> None:
    house, _ = make_house(team())
    other = str(make_repository(tmp_path / "other"))
    after = entry(house, "task", "add", "One", "--repo", other)
    before = entry(house, "--repo", other, "task", "add", "Two")
    both = entry(house, "--repo", other, "task", "add", "Three", "-r", f"{other}/../other")
    assert [task["repository"] for task in (after, before, both)] == [other] * 3
    listed = json.loads(look(house, "task", "list", "--repo", other, "--json").stdout)
    assert [task["id"] for task in listed] == [both["id"], before["id"], after["id"]]
    assert json.loads(look(house, "task", "list", "--json").stdout) == []  # the configured one
    assert look(house, "task", "list", "--repo", other).stderr == ""  # it was named


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--repo", "a", "status", "--repo", "b"), "--repo is given twice, as a and as b; give it once"),
        (("status", "--repo", ""), "--repo is empty; give the path or URL"),
        (("--repo", " ", "status"), "--repo is empty; give the path or URL"),
        (("demo", "--repo", "a"), "the demo has a repository of its own; for yours: python main.py run --repo a"),
        (("agents", "list", "--repo", "{folder}/gone"), "/gone does not exist; is it misspelt?"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    make_house: MakeHouse, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    house, _ = make_house(team())
    done = look(house, *(word.format(folder=tmp_path) for word in arguments))
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert done.stdout == ""


@pytest.mark.parametrize(
    "command", [("task", "list"), ("logs",), ("costs",), ("approvals", "list"), ("migrate",), ("doctor", "--audit")]
)
def test_a_repository_that_nobody_named_is_said_to_people_only(
    make_house: MakeHouse, tmp_path: Path, command: tuple[str, ...]
) -> None:
    house, _ = make_house(team())
    unnamed(house, tmp_path)
    assert look(house, "migrate").exit_code == 0  # the audit wants a database
    done = look(house, *command)
    assert done.exit_code == 0, done.stderr
    assert done.stderr == f"project: {house.repository} (the last one that ran)\n"
    assert "the last one" not in done.stdout
    if command != ("migrate",):
        assert look(house, *command, "--json").stderr == ""
    assert look(house, *command, "--repo", str(house.repository)).stderr == ""
    house.write_config(file_system={"data_path": str(tmp_path / "data")})
    assert look(house, *command).stderr == ""  # configured


def test_status_and_doctor_name_it_in_their_own_lines(make_house: MakeHouse, tmp_path: Path) -> None:
    house, _ = make_house(team())
    unnamed(house, tmp_path)
    status, doctor = look(house, "status"), look(house, "doctor")
    assert f"repository  {house.repository} (the last one that ran)\n" in status.stdout
    assert f"{house.repository} (the last one that ran), work starts from main" in doctor.stdout
    assert (status.stderr, doctor.stderr) == ("", "")


def test_a_daemon_names_the_repository_that_it_takes_up_again(make_house: MakeHouse, tmp_path: Path) -> None:
    house, _ = make_house(team())
    unnamed(house, tmp_path)
    house.repository.rename(tmp_path / "moved")
    first, second = house.run_until_idle().stderr.splitlines()[:2]
    assert first == f"project: {house.repository} (the last one that ran)"
    assert second.startswith("error: ")


def added(done: Result, house: House) -> str:
    """What `task add` says besides the new task."""
    assert done.exit_code == 0, done.stderr
    assert done.stdout.split()[1:] == ["One"]
    start, _, told = done.stderr.partition(f"added to {house.repository}")
    assert start == ""
    return told.rstrip("\n")


def test_an_added_task_says_where_it_went_and_what_starts_the_daemon_there(
    make_house: MakeHouse, tmp_path: Path
) -> None:
    house, _ = make_house(team())
    start = f": no daemon runs there; start it with: python main.py --config {house.config} run"
    assert added(look(house, "task", "add", "One"), house) == start
    named = ("--repo", str(house.repository))
    assert added(look(house, "task", "add", "One", *named), house) == f"{start} --repo {house.repository}"
    unnamed(house, tmp_path)
    implied = added(look(house, "task", "add", "One"), house)
    assert implied == f" (the last one that ran){start} --repo {house.repository}"
    task = entry(house, "task", "add", "Two")
    assert (task["repository"], task["running"], task["pid"]) == (str(house.repository), False, None)
    with typed(str(task["start"])) as daemon:
        eventually(lambda: entry(house, "status")["pid"] == daemon.pid, "what it says to type starts that daemon")
        told = f" (the last one that ran): the daemon there (pid {daemon.pid}) takes it up"
        assert added(look(house, "task", "add", "One"), house) == told
        task = entry(house, "task", "add", "Two")
        assert (task["running"], task["pid"], "start" in task) == (True, daemon.pid, False)


@contextmanager
def typed(command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that is started by what a command said to type."""
    python, main, *words = shlex.split(command)
    assert (python, main) == ("python", "main.py")
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, str(ROOT / "main.py"), *words], stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.kill()
        process.wait(120)


def test_the_demo_is_named_and_started_as_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare_demo(DEMO_HOME, fresh=False, items=1)
    remember_repository(load(Choice(), demo_settings(DEMO_HOME)))
    listed = CliRunner().invoke(app, ["task", "list"])
    sample = tmp_path / ".demo" / "sample_project"
    assert listed.stderr == f"project: {sample} (the demo, which ran last)\n"
    done = CliRunner().invoke(app, ["task", "add", "One"])
    told = f"added to {sample} (the demo, which ran last): no daemon runs there; start it with: python main.py demo\n"
    assert done.stderr == told
