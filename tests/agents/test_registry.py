"""The registry of roles: what is registered is on the team and may be configured, and nothing else."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name

import pytest
from typer.testing import CliRunner

from agents import PLACES, ROLES, BaseAgent
from agents.registry import check_names
from agents.rows import ROWS
from cli import app
from config import ConfigError, Settings
from orchestrator.services import Team
from tests.agents.scripted import scripted_llm


class Scribe(BaseAgent):
    name = "scribe"
    role = "technical writer"
    duty = "You write what users read."

    def headline(self) -> str:
        """A method of its own, as a stage would call it."""
        return f"{self.role}: {self.duty}"


SCRIBE = Settings.model_validate({"agents": {"scribe": {"temperature": 0.2}}})


def test_a_role_is_one_class_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"agents\.scribe: unknown name; allowed: 'ceo', 'product', 'qa'"):
        check_names(SCRIBE, "config.yaml")

    others = list(ROLES)
    monkeypatch.setitem(PLACES, Scribe.name, f"{__name__}:Scribe")
    monkeypatch.setitem(ROLES, Scribe.name, resolve_name(PLACES[Scribe.name]))  # as its import does

    check_names(SCRIBE, "config.yaml")
    with scripted_llm([]) as llm:
        team = Team(llm)
        assert [member.name for member in team] == [*others, "scribe", *ROWS]
        assert team.of(Scribe).headline() == "technical writer: You write what users read."
        assert team.by_name("scribe") is team.of(Scribe)
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
