"""`config set` and what changes config.yaml by program: comments stay, and what is wrong changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ConfigError, load_settings
from config.editing import set_values

WRITTEN = """\
# my settings
llm:
  # the cheap one
  model: "gpt-5-mini"   # quoted
agents:
  developer: {model: gpt-5}
monitoring:
  alerts:
    urls: ["${ALERT_URL:-}"]
"""


def test_comments_quotes_and_order_stay(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(WRITTEN)
    set_values(file, {"budget.day_usd": 5, "agents.developer.max_tokens": 8000, "llm.model": "gpt-5"})
    assert file.read_text() == (
        WRITTEN.replace('"gpt-5-mini"   #', '"gpt-5"        #').replace("gpt-5}", "gpt-5, max_tokens: 8000}")
        + "budget:\n  day_usd: 5\n"
    )
    settings = load_settings(file)
    assert (settings.budget.day_usd, settings.agents["developer"].max_tokens) == (5, 8000)


def test_what_is_set_and_taken_out_again_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(WRITTEN)
    set_values(file, {"llm.timeout": 90})
    set_values(file, {"llm.timeout": None, "git.branch": None})
    assert file.read_text() == WRITTEN


@pytest.mark.parametrize("text", ["", "# nothing yet\n\nllm:\n  # model: x\n", "# only words\n"])
def test_a_file_without_values(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    set_values(file, {"llm.model": "m"})
    assert load_settings(file).llm.model == "m"
    assert [line for line in text.splitlines() if line.strip().startswith("#")] == [
        line for line in file.read_text().splitlines() if line.strip().startswith("#") and line in text.splitlines()
    ]


def test_a_missing_file_is_made_with_a_word_about_itself(tmp_path: Path) -> None:
    set_values(tmp_path / "new" / "config.yaml", {"git.branch": "trunk"})
    assert (tmp_path / "new" / "config.yaml").read_text().startswith("# Your settings")
    assert load_settings(tmp_path / "new" / "config.yaml").git.branch == "trunk"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("budget.day_usd", -1, "budget.day_usd = -1"),
        ("budget.day_used", 1, "did you mean `day_usd`"),
        ("llm", "openai", "llm"),
        ("agents.developer.temperature", "hot", "agents.developer.temperature"),
    ],
)
def test_what_is_not_allowed_changes_nothing(tmp_path: Path, key: str, value: object, said: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(WRITTEN)
    with pytest.raises(ConfigError, match="1 problem") as problem:
        set_values(file, {key: value})
    assert said in str(problem.value) and str(file) in str(problem.value)
    assert file.read_text() == WRITTEN and [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_a_file_that_is_no_yaml_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("llm: [")
    with pytest.raises(ConfigError, match="is not readable YAML"):
        set_values(file, {"llm.model": "m"})
    assert file.read_text() == "llm: ["
