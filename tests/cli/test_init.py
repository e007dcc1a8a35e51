"""`init` and the commands that change the configuration, as a new user types them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from config import load_settings
from tests.orchestrator.house import ROOT, make_repository
from tests.support import Reply, ScriptedModelServer


def call(folder: Path, *words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["--config", str(folder / "config.yaml"), *words], input=stdin)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_flags_answer_all_questions_and_the_model_is_asked_once(tmp_path: Path) -> None:
    make_repository(tmp_path / "mine")
    with ScriptedModelServer(lambda _: "ready") as server:
        done = call(tmp_path, "--repo", str(tmp_path / "mine"), "init", "--base-url", server.url, "--model", "scripted",
                    "--autonomy", "suggest", "--yes")  # fmt: skip
        assert len(server.requests) == 1
    assert done.exit_code == 0, done.output
    settings = load_settings(tmp_path / "config.yaml")
    assert (settings.llm.provider, settings.llm.model, settings.orchestrator.autonomy, settings.git.repository_url) == (
        "openai_compatible", "scripted", "suggest", str(tmp_path / "mine"))  # fmt: skip
    for said in ("scripted answers", "Start the team:", "sandbox"):
        assert said in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--repo", "{mine}/tests", "--yes"], "lies in a repository"),
        (["--repo", "{mine}", "--base-url", "nonsense", "--model", "m", "--yes"], "llm.base_url: is no address"),
        (["--yes"], "which repository"),
        (["--repo", "gone", "--yes"], "gone does not exist"),
        (["--repo", "{mine}", "--provider", "openai", "--yes"], "set OPENAI_API_KEY"),
        (["--repo", "{mine}", "--provider", "opnai", "--yes"], "--provider opnai is not known"),
        (["--repo", "{mine}", "--provider", "openai_compatible", "--yes"], "give --base-url"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_written(tmp_path: Path, words: list[str], said: str) -> None:
    make_repository(tmp_path / "mine")
    done = call(tmp_path, "init", *(word.replace("{mine}", str(tmp_path / "mine")) for word in words))
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "config.yaml").exists()


def test_a_model_that_does_not_answer_is_found_before_anything_is_written(tmp_path: Path) -> None:
    make_repository(tmp_path / "mine")
    with ScriptedModelServer(lambda _: Reply.status(401, "no such key")) as server:
        done = call(tmp_path, "--repo", str(tmp_path / "mine"), "init", "--base-url", server.url, "--model", "m", "-y")
    assert done.exit_code == 1
    assert "does not answer" in done.stderr
    assert not (tmp_path / "config.yaml").exists()


def test_a_model_that_costs_money_needs_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_repository(tmp_path / "mine")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "x" * 40)
    paid = ["--repo", str(tmp_path / "mine"), "init", "--provider", "openai", "--no-try", "--yes"]
    done = call(tmp_path, *paid)
    assert (done.exit_code, "--day-usd" in done.stderr) == (2, True)
    assert call(tmp_path, *paid, "--day-usd", "5").exit_code == 0
    assert load_settings(tmp_path / "config.yaml").budget.day_usd == 5
    assert "sk-x" not in (tmp_path / "config.yaml").read_text()

    assert call(tmp_path, "config", "unset", "budget.day_usd").exit_code == 0
    started = call(tmp_path, "run", "--until-idle")
    assert started.exit_code == 2
    assert "costs money" in started.stderr and "config set budget.day_usd 5" in started.stderr


def test_the_conversation_at_a_terminal(tmp_path: Path) -> None:
    """What is asked, a wrong answer, and a key that is typed without being shown and kept for its owner alone."""
    make_repository(tmp_path / "mine")
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "main.py"), "--config", str(tmp_path / "config.yaml"), "init", "--no-try"]
    key = "sk-" + "k" * 40
    answers = [f"{tmp_path}/gone", f"{tmp_path}/mine", "gpt", "openai"]
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, start_new_session=True
    ) as asked:
        os.close(theirs)
        assert asked.stderr is not None
        said = b""
        for words, typed in (
            (b"Repository", [*answers]),
            (b"not shown", [key]),
            (b"Model [", ["", "", "approve_landing"]),
        ):
            while words not in said and (read := os.read(asked.stderr.fileno(), 4096)):
                said += read
            time.sleep(0.5)  # what is typed before a hidden answer is asked for is thrown away
            os.write(ours, "".join(f"{answer}\n" for answer in typed).encode())
        output, errors = asked.communicate(timeout=100)
    os.close(ours)
    assert asked.returncode == 0, errors.decode()
    told = (said + output + errors).decode()
    assert "gone does not exist" in told and "'gpt' is none of" in told and key not in told
    env = tmp_path / ".env"
    assert key in env.read_text() and env.stat().st_mode & 0o777 == 0o600
    settings = load_settings(tmp_path / "config.yaml")
    assert (settings.llm.provider, settings.budget.day_usd, settings.orchestrator.autonomy) == (
        "openai",
        5,
        "approve_landing",
    )
    assert key not in (tmp_path / "config.yaml").read_text()


def test_config_get_set_and_path(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("# mine\nllm: {api_key: k-secret}\n")
    assert call(tmp_path, "config", "set", "agents.developer.model", "gpt-5").exit_code == 0
    assert "# mine" in file.read_text()
    assert call(tmp_path, "config", "get", "agents.developer.model").stdout == "gpt-5\n"
    assert call(tmp_path, "config", "get", "git.auto_push").stdout == "true\n"
    assert "k-secret" not in call(tmp_path, "config", "get").stdout
    assert call(tmp_path, "config", "path").stdout.replace("\n", "") == str(file)
    for words, said in (
        (("get", "git.brunch"), "there is no brunch"),
        (("set", "git.brunch", "x"), "there is no brunch; there are: repository_url, branch"),
        (("set", "git.token", "ghp_x"), ".env"),
        (("set", "git.branch", ""), "config unset git.branch"),
    ):
        done = call(tmp_path, "config", *words)
        assert (done.exit_code, said in " ".join(done.stderr.split())) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("git.branch", "007", "007"),
        ("sandbox.mode", "off", "off"),
        ("project.goal", "Fix #12: now", "Fix #12: now"),
        ("project.backlog_file", "[A.md, B.md]", ["A.md", "B.md"]),
        ("llm.timeout", "90", 90),
    ],
)
def test_config_set_keeps_what_was_typed(tmp_path: Path, key: str, value: str, kept: object) -> None:
    (tmp_path / "config.yaml").touch()
    assert call(tmp_path, "config", "set", key, value).exit_code == 0
    assert json.loads(call(tmp_path, "config", "get", key, "--json").stdout) == kept


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("set", "budget.day_usd", ".inf"), "finite"),
        (("set", "agents.nobody.model", "x"), "agents.nobody: unknown name"),
        (("set", "git.repository_url", "https://u:geheim@example.org/x.git"), "GIT_TOKEN"),
        (("unset", "llm.modle"), "there is no modle"),
        (("get", "llm.prices.gpt-4.1"), "gpt-4.1 is not set"),
    ],
)
def test_what_the_daemon_would_refuse_is_not_written(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "config.yaml").touch()
    done = call(tmp_path, "config", *words)
    assert (done.exit_code, said in " ".join(done.stderr.split())) == (2, True), done.stderr
    assert (tmp_path / "config.yaml").read_text() == ""


def test_a_limit_in_money_for_a_server_without_a_price_is_refused(tmp_path: Path) -> None:
    make_repository(tmp_path / "mine")
    own = ["--base-url", "http://127.0.0.1:9/v1", "--model", "m", "--no-try", "--day-usd", "5", "--yes"]
    done = call(tmp_path, "--repo", str(tmp_path / "mine"), "init", *own)
    assert (done.exit_code, "llm.prices" in done.stderr) == (2, True)


def test_what_was_said_of_another_providers_model_goes_with_it(tmp_path: Path) -> None:
    make_repository(tmp_path / "mine")
    (tmp_path / "config.yaml").write_text(
        "llm: {provider: openai_compatible, base_url: 'http://127.0.0.1:9/v1', model: m, profile: small}\n"
    )
    call(tmp_path, "--repo", str(tmp_path / "mine"), "init", "--provider", "local", "--yes")
    settings = load_settings(tmp_path / "config.yaml").llm
    assert (settings.provider, settings.base_url, settings.model, settings.profile) == ("local", None, None, "auto")


def test_config_edit_keeps_a_wrong_file_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("git: {branch: main}\n")
    monkeypatch.setenv("VISUAL", "sed -i s/main/trunk/")
    assert call(tmp_path, "config", "edit").exit_code == 0
    assert load_settings(file).git.branch == "trunk"
    file.write_bytes("\ufeffgit: {branch: main}\r\n".encode())
    assert call(tmp_path, "config", "edit").exit_code == 0
    assert file.read_bytes() == "\ufeffgit: {branch: trunk}\r\n".encode()
    monkeypatch.setenv("VISUAL", "sed -i s/branch/brunch/")
    done = call(tmp_path, "config", "edit", stdin="n\n")
    assert (done.exit_code, "did you mean `branch`" in " ".join(done.stderr.split())) == (2, True)
    assert load_settings(file).git.branch == "trunk"
    monkeypatch.setenv("VISUAL", "no-such-editor")
    assert "set EDITOR" in call(tmp_path, "config", "edit").stderr


def test_values_that_need_each_other_are_set_together_or_not_at_all(tmp_path: Path) -> None:
    alone = call(tmp_path, "config", "set", "llm.prices.m.input", "1")
    assert alone.exit_code == 2
    assert "llm.prices.m.output: is missing" in alone.stderr and "config set KEY VALUE KEY VALUE" in alone.stderr
    both = ("llm.prices.m.input", "1", "llm.prices.m.output", "2.5")
    assert call(tmp_path, "config", "set", *both).exit_code == 0
    assert call(tmp_path, "config", "get", "llm.prices.m.output").stdout.strip() == "2.5"
    for wrong in (both[:3], ("budget.day_usd", "1", "budget.day_usd", "2"), (*both[:2], "budget.nosuch", "1")):
        assert call(tmp_path, "config", "set", *wrong).exit_code == 2
