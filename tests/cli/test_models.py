"""`model …`: which embedded models there are, which one is chosen, and fetching one from a stand-in hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner, Result

from cli import app
from cli.options import out
from llm import Machine
from tests.llm.stand_in_hub import FILE, REPOSITORY, StandInHub

Call: TypeAlias = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`call(settings of llm, command …)` on a machine of 16 GB and 8 cores."""
    monkeypatch.setattr(out, "_width", 160)  # whatever the terminal of the tests is like
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path / "cache"))
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for module in ("cli.models", "cli.doctor_model", "llm.embedded.local_models"):
        monkeypatch.setattr(f"{module}.this_machine", lambda: Machine(16.6, 8))

    def run(llm: dict[str, object], *arguments: str) -> Result:
        config = tmp_path / "config.yaml"
        config.write_text(json.dumps({"llm": llm}))
        return CliRunner().invoke(app, ["--config", str(config), *arguments])

    return run


def said(done: Result) -> str:
    return " ".join(done.stderr.split())


def test_the_list_shows_what_fits_what_is_there_and_what_is_chosen(call: Call, tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    found = json.loads(call({"local_model": str(own)}, "model", "list", "--json").stdout)
    assert (found["memory_gb"], found["cores"]) == (16.6, 8)
    rows = {row["name"]: row for row in found["models"]}
    assert list(rows) == [
        "qwen2.5-coder-1.5b",
        "qwen3.5-4b",
        "qwen3.5-9b",
        "qwen3.6-35b-a3b",
        "qwen3-coder-next",
        str(own),
    ]
    assert [row["fits"] for row in rows.values()] == [True, True, True, False, False, True]
    assert rows["qwen3-coder-next"]["lacks"] == "needs 64 GB of memory and 12 cores"
    assert [name for name, row in rows.items() if row["is_auto"]] == ["qwen3.5-9b"]
    assert [name for name, row in rows.items() if row["is_chosen"]] == [str(own)]
    assert [name for name, row in rows.items() if row["downloaded"]] == [str(own)]

    text = call({}, "model", "list").stdout
    [line] = [line for line in text.splitlines() if line.startswith("qwen3.5-9b")]
    assert " ".join(line.split()) == "qwen3.5-9b 5.7 GB 16 GB, 8 cores 32,768 middle yes no auto, chosen"
    assert "This machine: 17 GB of memory, 8 cores." in text


def test_the_status_says_which_model_auto_is(call: Call, tmp_path: Path) -> None:
    assert "model   qwen3.5-9b (llm.local_model: auto)" in call({}, "model", "status").stdout
    status = json.loads(call({}, "model", "status", "--json").stdout)
    assert (status["name"], status["local_model"], status["ready"]) == ("qwen3.5-9b", "auto", False)
    chosen = call({"local_model": "qwen3.5-4b"}, "model", "status").stdout
    assert chosen.startswith("model   qwen3.5-4b\n")
    assert "not there; fetch it with: python main.py --config" in chosen


def test_fetch_downloads_the_chosen_model_or_the_named_one(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"hf:{REPOSITORY}/{FILE}"
    with StandInHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        done = call({"local_model": name}, "model", "fetch")
        assert done.exit_code == 0, done.stderr
        assert f"{name} is ready: {tmp_path}" in done.stdout
        assert "To use it" not in done.stdout
        status = call({"local_model": name}, "model", "status").stdout
        assert "  ready\n" in status
        assert "digest  b1eadfdf" in status
        assert (
            f"To use it, set in config.yaml: llm.local_model: {name}" in call({}, "model", "fetch", name, "-q").stdout
        )

        missing = call({}, "model", "fetch", f"hf:{REPOSITORY}/no.gguf")
        assert missing.exit_code == 1
        assert "error: " in said(missing)
        assert "has no file no.gguf; its GGUF files there: tiny-q4.gguf" in said(missing)


def test_a_model_that_does_not_exist_is_refused_by_every_command(call: Call) -> None:
    for command in (["model", "list"], ["model", "status"], ["config", "check"], ["doctor"]):
        done = call({"local_model": "qwen3.5-9"}, *command)
        assert done.exit_code == 2, command
        assert "llm.local_model" in said(done)
        assert "did you mean qwen3.5-9b?" in said(done)
    done = call({}, "model", "fetch", "qwen4")
    assert done.exit_code == 2
    assert "'qwen4' is no embedded model" in said(done)


def test_an_own_file_that_is_not_there_is_told_as_such(call: Call, tmp_path: Path) -> None:
    done = call({"local_model": str(tmp_path / "gone.gguf")}, "model", "fetch")
    assert done.exit_code == 1
    assert "gone.gguf, which is not there; put it there, or set llm.local_model to auto or" in said(done)


def test_the_demo_stays_with_the_smallest_unless_the_owner_chose_one(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cli.running.work", lambda project, **_: chosen.append(project.settings.llm.local_model))
    assert call({}, "demo").exit_code == 0
    assert call({"local_model": "qwen3.5-4b"}, "demo").exit_code == 0
    assert chosen == ["qwen2.5-coder-1.5b", "qwen3.5-4b"]


def checked(done: Result) -> dict[str, str]:
    return next(check for check in json.loads(done.stdout) if check["name"] == "model")


def test_the_doctor_says_what_to_fetch_and_what_does_not_fit(call: Call, tmp_path: Path) -> None:
    check = checked(call({"local_model": "qwen3.5-4b"}, "doctor", "--json"))
    assert check["state"] == "missing"
    assert re.match(r"fetch it \(2.7 GB\) with `python main.py --config \S+ model fetch`", check["remedy"])
    check = checked(call({"local_model": "/nowhere/my.gguf"}, "doctor", "--json"))
    assert check["remedy"].startswith("correct llm.local_model")

    large = tmp_path / "cache" / "models" / "Qwen3-Coder-Next-Q4_K_M.gguf"
    large.parent.mkdir(parents=True)
    large.write_bytes(b"GGUF")
    check = checked(call({"local_model": "qwen3-coder-next"}, "doctor", "--json"))
    assert check["state"] == "warning"
    assert "it needs 64 GB of memory and 12 cores, this machine has 17 GB and 8 cores" in check["detail"]
    assert "a smaller one of `python main.py --config" in check["remedy"]
