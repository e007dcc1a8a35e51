"""The real embedded model in the real server. Run with `pytest -m model`; needs `python main.py model fetch` before."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
import pytest
from pydantic import BaseModel, Field

from config import BudgetSettings, LLMSettings
from llm import LLMClient, LocalModelServer, TruncatedOutput, estimate_tokens, model_status
from memory import LimitState, MemoryStore, ModelCall
from tests.llm.conftest import SMALLEST, context

pytestmark = [pytest.mark.model, pytest.mark.timeout(900)]

SYSTEM = "You are a Python developer. You answer with code in one fence."


class Idea(BaseModel):
    title: str = Field(max_length=80)
    priority: Literal["high", "medium", "low"]
    files: list[str] = Field(max_length=3)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalModelServer]:
    assert model_status(SMALLEST).ready, "the embedded model is not there: python main.py model fetch"
    server = LocalModelServer(SMALLEST)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server: LocalModelServer, store: MemoryStore) -> Iterator[LLMClient]:
    client = LLMClient(LLMSettings(provider="local", local_model=SMALLEST.name), {}, store, server)
    yield client
    client.close()


def test_it_writes_code(client: LLMClient, store: MemoryStore) -> None:
    prompt = "Write the function `add(a, b)` that gives the sum of two numbers."
    answer = client.generate(prompt, system=SYSTEM, temperature=0, max_tokens=300, context=context())
    assert "def add(" in answer
    [row] = store.ledger.usage("model")
    assert row.input_tokens > 20
    assert row.output_tokens > 5
    assert row.cost_usd == 0


def test_it_answers_by_a_schema(client: LLMClient) -> None:
    idea = client.generate_structured(
        "Suggest one task for a library that formats dates.", Idea, temperature=0, max_tokens=300, context=context()
    )
    assert len(idea.title) <= 80


def test_samples_of_different_seeds_differ(client: LLMClient) -> None:
    def ask(seed: int) -> str:
        try:
            return client.generate("Invent a name for a cat and say why.", temperature=0.9, seed=seed,
                                   max_tokens=40, context=context(f"sample {seed}"))  # fmt: skip
        except TruncatedOutput as cut:
            return cut.partial

    assert ask(1) != ask(2)


def test_a_prefix_that_was_seen_is_not_read_again(
    server: LocalModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore(f"sqlite:///{tmp_path / 'watched.db'}")
    store.migrate()
    seen: list[ModelCall] = []
    record = store.ledger.record_call

    def watched(
        call: ModelCall, reservation: int | None = None, budget: BudgetSettings | None = None
    ) -> list[LimitState]:
        seen.append(call)
        return record(call, reservation, budget)

    monkeypatch.setattr(store.ledger, "record_call", watched)
    client = LLMClient(LLMSettings(provider="local", local_model=SMALLEST.name), {}, store, server)
    source = "\n".join(f"def function_{number}(value):\n    return value * {number}\n" for number in range(30))
    for step, question in (("1", "How many functions are there?"), ("2", "What does function_7 do?")):
        with suppress(TruncatedOutput):
            client.generate(f"{source}\n{question}", system=SYSTEM, max_tokens=16, context=context(step))
    first, second = seen
    assert 300 < first.input_tokens <= estimate_tokens(first.prompt)  # the estimate guards the context
    assert second.cached_tokens > 0.8 * second.input_tokens
    client.close()
    store.close()


def test_it_is_restarted_after_a_kill_and_its_memory_is_bounded(server: LocalModelServer, client: LLMClient) -> None:
    client.generate("Say yes.", max_tokens=64, context=context("1"))
    first = server.pid
    assert first is not None
    assert psutil.Process(first).memory_info().rss < 4e9
    os.kill(first, signal.SIGKILL)
    assert client.generate("Say yes.", max_tokens=64, context=context("2"))
    assert server.pid != first
