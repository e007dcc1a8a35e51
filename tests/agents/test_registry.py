"""The registry of roles: what is registered is on the team and may be configured, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest
from typer.testing import CliRunner

import agents
from agents import PLACES, ROLES
from agents.registry import check_names
from agents.rows import ROWS
from cli import app
from config import ConfigError, Settings
from memory import Task
from orchestrator.services import Team
from tests.agents.scripted import scripted_llm

PAGE = (Path(__file__).parents[2] / "docs" / "AGENTS.md").read_text(encoding="utf-8")
SCRIBE = Settings.model_validate({"agents": {"scribe": {"temperature": 0.2}}})


def test_a_role_is_one_class_and_one_line_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"agents\.scribe: unknown name; allowed: 'ceo', 'product', 'qa'"):
        check_names(SCRIBE, "config.yaml")

    ((name, place),) = re.findall(r'`"(\w+)": "(agents\.\w+:\w+)"`', PAGE)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "scribe.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(agents, "__path__", [*agents.__path__, str(tmp_path)])
    others = list(ROLES)
    monkeypatch.setitem(PLACES, name, place)
    scribe = resolve_name(place)
    monkeypatch.setitem(ROLES, name, scribe)  # as its import does

    check_names(SCRIBE, "config.yaml")
    with scripted_llm(["News of the day"]) as llm:
        team = Team(llm)
        assert [member.name for member in team] == [*others, "scribe", *ROWS]
        assert team.of(scribe).headline(Task(id="t-1", title="Tell it"), llm.context("tell", name)) == "News of the day"
        (asked,) = llm.server.requests
        assert asked.prompt == "Tell it"
        assert "technical writer" in asked.system and "You write what users read." in asked.system
        assert team.by_name("scribe") is team.of(scribe)
        with pytest.raises(KeyError, match=f"no agent 'nobody'; there are: {', '.join(ROLES)}, cfo"):
            team.by_name("nobody")


def test_names_of_the_decision_flow_may_be_configured_already() -> None:
    check_names(Settings.model_validate({"agents": {"cfo": {"max_tokens": 2500}}}), "config.yaml")


@pytest.mark.parametrize("command", [("config", "check"), ("doctor",), ("run",)])
def test_an_unknown_agent_is_refused(tmp_path: Path, command: tuple[str, ...]) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("agents: {coe: {temperature: 1}}\n", encoding="utf-8")

    done = CliRunner().invoke(app, ["--config", str(config), *command])

    assert done.exit_code == 2
    assert "agents.coe: unknown name; allowed: 'ceo'" in done.output
