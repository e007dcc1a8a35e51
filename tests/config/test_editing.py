"""`config set` and what changes config.yaml by program: comments stay, and what is wrong changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import ConfigError, load_settings
from config.editing import find_key, set_values

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


def test_comments_and_order_stay(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(WRITTEN)
    set_values(file, {"budget.day_usd": 5, "agents.developer.max_tokens": 8000, "llm.model": "gpt-5"})
    assert file.read_text() == (
        WRITTEN.replace('"gpt-5-mini"', "gpt-5").replace("gpt-5}", "gpt-5, max_tokens: 8000}")
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


WITH_COMMENTS = """\
llm:
    model: x
# about the budget
budget:
    day_usd: 5  # five
    # the month
    month_usd: 9
testing: {framework: pytest}   # braces
git:
    # branch: main
# the end
"""


@pytest.mark.parametrize(
    ("changes", "gone", "new"),
    [
        ({"llm.model": None}, ["    model: x"], []),
        ({"budget.day_usd": None}, ["    day_usd: 5  # five"], []),
        ({"budget.month_usd": None}, ["    month_usd: 9"], []),
        ({"budget.day_usd": 7}, ["    day_usd: 5  # five"], ["    day_usd: 7  # five"]),
        ({"git.branch": "007"}, [], ["  branch: '007'"]),
        ({"project.goal": "Fix issue #12: now"}, [], ["project:", "  goal: 'Fix issue #12: now'"]),
        ({"budget.day_tokens": 5000}, [], ["    day_tokens: 5000"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_only_the_lines_of_the_key_change(
    tmp_path: Path, changes: dict[str, object], gone: list[str], new: list[str], ends: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(("\ufeff" + WITH_COMMENTS).replace("\n", ends).encode())
    set_values(file, changes)
    text = file.read_bytes().decode()
    assert text.startswith("\ufeff") and text.count(ends) == text.count("\n")
    left = text.removeprefix("\ufeff").replace("\r\n", "\n").splitlines()
    assert [line for line in left if line not in new] == [
        line for line in WITH_COMMENTS.splitlines() if line not in gone
    ]
    assert [line for line in left if line in new] == new
    values = load_settings(file)
    for key, value in changes.items():
        section, name = key.split(".")
        default = getattr(type(getattr(values, section))(), name)
        assert getattr(getattr(values, section), name) == (default if value is None else value)


@pytest.mark.parametrize(
    "text", ["no", "007", "1.10", "a # b", "two\nlines", 'Ünï 🎉 "q" # x: y', " ends ", "- x", "{a", "'", "~"]
)
def test_a_text_stays_the_text_that_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.yaml"
    for before in ("", WITH_COMMENTS, "project: {goal: old}\n", "project:\n  goal: |\n    long\n    text\n# c\n"):
        file.write_text(before)
        set_values(file, {"project.goal": text})
        assert load_settings(file).project.goal == text


@pytest.mark.parametrize(
    ("key", "text", "meant"),
    [
        ("orchestrator.autonomy", "{default: full, code: suggest}", {"default": "full", "code": "suggest"}),
        ("orchestrator.autonomy", "suggest", "suggest"),
        ("orchestrator.v_team", "[cfo, legal]", ["cfo", "legal"]),
        ("orchestrator.v_team", "auto", "auto"),
        ("agents.developer", "{model: gpt-5}", {"model": "gpt-5"}),
        ("git.author_name", "[bot]", "[bot]"),
        ("git.author_name", "{bot}", "{bot}"),
        ("git.author_name", "007", "007"),
        ("budget.day_usd", "5", 5),
        ("budget.day_usd", "", None),
        ("budget.day_usd", "{", "{"),
    ],
)
def test_what_somebody_types_is_read_as_the_setting_holds_it(key: str, text: str, meant: object) -> None:
    assert find_key(key).typed(text) == meant


def test_names_with_dots(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    set_values(file, {"llm.prices.gpt-4.1": {"input": 1, "output": 2}})
    set_values(file, {"llm.prices.gpt-4.1.input": 3, "agents.developer.model": "gpt-4.1"})
    assert load_settings(file).llm.prices["gpt-4.1"].input == 3
    assert find_key("llm.prices.gpt-4.1.input").path == ["llm", "prices", "gpt-4.1", "input"]
