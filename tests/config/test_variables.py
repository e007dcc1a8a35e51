"""Variables, secrets in files and `.env`: what cannot be read is named, and nothing is waited for."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from config import load_settings
from tests.config.test_settings import problems, write


def test_a_wrong_variable_is_named_and_not_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_AGENTS_BUDGET__DAY_USD", "much")
    assert "the environment: 1 problem(s)\n  AI_AGENTS_BUDGET__DAY_USD = 'much'" in problems(tmp_path, "")
    monkeypatch.setenv("AI_AGENTS_LLM", '{"temperature": 9}')
    told = problems(tmp_path, "llm: {max_tokens: 1}")
    assert "AI_AGENTS_LLM.temperature = 9" in told and "  llm.max_tokens = 1" in told and "config.yaml: 3" in told


def test_a_secret_in_a_pipe_is_read_and_nobody_waits_for_one_without_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(pipe))
    assert "is empty" in problems(tmp_path, "")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(pipe, os.O_WRONLY)
    os.write(writer, b"sk-of-a-pipe\n")
    threading.Timer(0.2, os.close, [writer]).start()
    try:
        load_settings(write(tmp_path, ""))
        assert os.environ.pop("OPENAI_API_KEY") == "sk-of-a-pipe"
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("text", "said"), [("A=b\0c\n", "holds a character"), ("\udcff", "is no UTF-8 text")], ids=["NUL", "no text"]
)
def test_a_dotenv_that_cannot_be_read_is_one_clear_problem(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / ".env").write_bytes(text.encode("utf-8", "surrogateescape"))
    told = problems(tmp_path, "")
    assert said in told and ".env: 1 problem(s)" in told


def test_a_line_of_a_dotenv_that_is_left_out_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT", "")
    monkeypatch.delenv("KEPT")
    (tmp_path / ".env").write_text("KEPT=1\nOPENAI_API_KEY: sk-x\n")
    load_settings(write(tmp_path, ""))
    assert os.environ["KEPT"] == "1"
    told = capsys.readouterr().err
    assert ".env, line 2: left out" in told and "sk-x" not in told and "dotenv could not" not in told
