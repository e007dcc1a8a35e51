"""Arguments that a shell or a hurried owner gives by mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.scripts import team

__all__ = ["make_house"]


def test_misspelt_commands_negative_values_and_odd_bytes(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    assert "Did you mean 'task'" in house.cli("taks", "list").stderr
    assert "budget.day_usd = -1" in house.cli("config", "set", "budget.day_usd", "-1").stderr
    added = house.cli("task", "add", "Add \udcff", "-d", "y")
    assert added.returncode == 0, added.stderr
    assert "Traceback" not in house.cli("logs").stderr


def test_a_program_that_asks_for_json_gets_json_of_an_error_too(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    house.config.write_text("llm: [")
    for command in (("config", "check"), ("status",), ("task", "list")):
        done = house.cli(*command, "--json")
        assert done.returncode == 2
        assert "line 1: is not readable YAML" in json.loads(done.stdout)["error"]


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
        ("task", "add", "X", "-d", "y", "--deadline", "2020-01-31"),
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


@pytest.mark.parametrize("command", [("task", "add", "X", "-d", "y"), ("task", "list"), ("status",), ("costs",)])
@pytest.mark.parametrize(("folder", "said"), [("gone", "does not exist"), (".", "is no git repository")])
def test_a_misspelt_repository_makes_no_database(
    command: tuple[str, ...], folder: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text("llm: {provider: local}\n")
    common = ["--config", str(tmp_path / "config.yaml"), "--repo", str(tmp_path / folder)]
    done = CliRunner().invoke(app, [*common, *command])
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.yaml"]


@pytest.mark.parametrize(
    ("llm", "said"),
    [
        ("{provider: openai}", "OPENAI_API_KEY"),
        ("{provider: openai_compatible, model: m}", "llm.base_url is not set"),
        ("{provider: openai_compatible, base_url: 'http://127.0.0.1:9/v1'}", "llm.model is not set"),
        ("{provider: local, fallback: ['anthropic:claude']}", "llm.fallback"),
    ],
)
def test_a_configuration_is_checked_for_what_its_models_need(
    llm: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.yaml").write_text(f"llm: {llm}\n")
    done = CliRunner().invoke(app, ["--config", str(tmp_path / "config.yaml"), "config", "check"])
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_commands_that_look_begin_nothing(make_house: MakeHouse) -> None:
    house, _ = make_house(team())
    begun = [house.folder / name for name in ("workspace", "data", "logs")]
    for command in ("doctor", "status", "logs", "costs", "inbox", "doctor --audit"):
        done = house.cli(*command.split())
        assert "Traceback" not in done.stderr, command
        assert not [path for folder in begun for path in folder.rglob("*")], command
    assert "work starts from main" in house.cli("doctor").stdout
    assert "Nothing has happened yet." in house.cli("logs").stdout


def test_without_git_each_command_ends_with_words(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house, _ = make_house(team())
    monkeypatch.setenv("PATH", "/nonexistent")
    for command in ("doctor", "run --until-idle"):
        done = house.cli(*command.split())
        assert done.returncode and "install" in done.stdout + done.stderr, command
        assert "Traceback" not in done.stderr, done.stderr
