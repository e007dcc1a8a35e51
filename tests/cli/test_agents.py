"""`agents list`: what each agent's model is taken to be able to do, without asking it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from agents import agent_names
from cli import app
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House
from tests.orchestrator.scripts import team

__all__ = ["make_house"]


def listed(house: House, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["--config", str(house.config), "agents", "list", *arguments])
    assert done.exit_code == 0, done.stderr
    return done.stdout


def test_each_agents_model_is_listed_with_what_it_can_do_and_no_model_is_asked(make_house: MakeHouse) -> None:
    house, server = make_house(
        team(),
        llm={"profile": "auto", "capabilities": {"tools": True}, "local_model": "qwen2.5-coder-1.5b"},
        agents={"developer": {"model": "qwen2.5-coder:7b", "escalate_to": ["deepseek-chat", "local"]}},
    )
    rows = json.loads(listed(house, "--json"))
    of_developer = [
        ("developer", "openai_compatible", "known", False, True),
        ("developer", "openai_compatible", "known", True, True),
        ("developer", "local", "known", True, False),
    ]
    expected = [
        row
        for role in agent_names()
        for row in (of_developer if role == "developer" else [(role, "openai_compatible", "guessed", False, True)])
    ]
    assert [
        (row["agent"], row["model"].split(":")[0], row["source"], row["escalation"], row["abilities"]["tools"])
        for row in rows
    ] == expected
    assert [row["by_owner"] for row in rows if row["escalation"]] == [[], []]
    text = " ".join(listed(house).split())
    assert "a guess; set" in text
    assert "tested with four small calls when the model is first needed" in text
    assert server.requests == ()


def test_it_is_listed_how_much_each_model_reasons(make_house: MakeHouse) -> None:
    agents = {
        "developer": {"model": "qwen3:32b", "escalate_to": ["gpt-oss:120b", "local"], "reasoning": "high"},
        "qa": {"model": "qwen3:32b"},
        "tech_lead": {"model": "qwen3:32b"},
    }
    house, _ = make_house(team(), agents=agents)
    rows = json.loads(listed(house, "--json"))
    told = [(row["agent"], row["reasoning"]) for row in rows if row["agent"] in agents]
    assert sorted(told, key=str) == [
        ("developer", "high"), ("developer", "high"), ("developer", None), ("qa", "medium"), ("tech_lead", "low"),
    ]  # fmt: skip
    assert "medium" in listed(house)


def test_a_missing_key_is_told(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    house, _ = make_house(team(), agents={"developer": {"escalate_to": ["anthropic:claude-sonnet-5-5"]}})
    done = CliRunner().invoke(app, ["--config", str(house.config), "agents", "list"])
    assert done.exit_code == 2
    said = " ".join(done.stderr.split())
    assert "agents.developer.escalate_to" in said
    assert "set ANTHROPIC_API_KEY" in said
