"""Arguments that a shell or a hurried owner gives by mistake."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
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
