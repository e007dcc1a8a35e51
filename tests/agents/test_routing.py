"""Whose a task is that names nobody: code reads its words, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import ROLES, agent_names, routed
from agents.rows import ROWS, rows_of
from config import AgentSettings, ConfigError

TAX = AgentSettings(duty="You judge what an idea means for taxes.", field=["tax", "customs"], reviews=["cfo"])


@pytest.mark.parametrize(
    ("text", "agent", "why"),
    [
        ("Why is the start so slow? Where does the memory go?", "performance", "slow, memory"),
        ("What did the models cost last week, and is the budget right?", "cfo", "cost, budget"),
        ("Is the licence of tree-sitter fine for us?", "legal", "licence"),
        ("Which permissions does a login give?", "security", "permission, login"),
        ("How is the code laid out?", "tech_lead", "no one's field"),
        ("Is the login slow?", "tech_lead", "security and performance alike"),
    ],
)
def test_words_decide(text: str, agent: str, why: str) -> None:
    found = routed("analysis", text, {})
    assert found.agent == agent
    assert why in found.reason


def test_a_role_of_the_owner_is_found_and_reviews() -> None:
    assert routed("analysis", "What customs are due?", {"tax": TAX}).agent == "tax"
    assert routed("analysis", "What does it cost?", {"tax": TAX}).reviewer == "tax"
    assert routed("analysis", "What does it cost?", {}).reviewer == ""
    only = TAX.model_copy(update={"handles": ["opinion"]})
    assert routed("analysis", "What customs are due?", {"tax": only}).agent == "tech_lead"
    assert agent_names({"tax": TAX}) == [*ROLES, *ROWS, "tax"]


def test_a_row_is_worded_anew_and_a_prompt_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "legal.md"
    file.write_text("Ask for the licence of each dependency.\n", encoding="utf-8")
    legal = rows_of({"legal": AgentSettings(prompt=file, duty="You judge licences.")})["legal"]
    assert legal.prompt == "Ask for the licence of each dependency."
    assert (legal.duty, legal.title) == ("You judge licences.", "legal counsel")
    assert legal.vetoes == ROWS["legal"].vetoes


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * 9000])
def test_a_prompt_file_that_is_of_no_use_is_named(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "own.md"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"agents\.tax\.prompt"):
        rows_of({"tax": TAX.model_copy(update={"prompt": file})})
