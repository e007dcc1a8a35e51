"""Which provider answers, what its model can do, and what a call costs."""

from __future__ import annotations

import re
import sys
from subprocess import run
from typing import Any

import pytest
from genai_prices.data import providers
from pydantic import SecretStr, create_model

from config import AgentSettings, LLMSettings
from llm import LLMClient, PromptTooLong, estimate_tokens, resolve_provider
from llm.calls.prices import Prices
from llm.embedded.server import LocalModelServer
from llm.lineup import ServedModel
from llm.profiles import known
from llm.request import Answer, Request
from memory import MemoryStore
from orchestrator.small_models.method import SmallModels
from tests.llm.conftest import SMALLEST, context

DEFAULTS: list[tuple[str, str]] = [("openai", "gpt-6.1-terra"), ("anthropic", "claude-sonnet-5-5")]


@pytest.mark.parametrize(
    ("environment", "settings", "expected"),
    [
        ({}, {}, "local"),
        ({"OPENAI_API_KEY": "k"}, {}, "openai"),
        ({"ANTHROPIC_API_KEY": "k"}, {}, "anthropic"),
        ({"OPENAI_API_KEY": "k", "ANTHROPIC_API_KEY": "k"}, {}, "openai"),
        ({"OPENAI_API_KEY": "k"}, {"provider": "local"}, "local"),
        ({"OPENAI_API_KEY": "k"}, {"api_key": SecretStr("sk-ant-1")}, "anthropic"),
        ({}, {"api_key": SecretStr("sk-1")}, "openai"),
        ({}, {"base_url": "http://127.0.0.1:11434/v1"}, "openai_compatible"),
    ],
)
def test_auto_takes_the_key_that_is_there(
    environment: dict[str, str], settings: dict[str, object], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert resolve_provider(LLMSettings.model_validate(settings)) == expected


@pytest.mark.parametrize(
    ("provider", "model", "setting", "small"),
    [
        ("local", "qwen2.5-coder-1.5b-instruct-q4_k_m", "auto", True),
        ("local", "qwen2.5-coder-1.5b-instruct-q4_k_m", "strong", False),
        ("openai", "gpt-4o", "auto", False),
        ("openai", "gpt-4o", "small", True),
        ("openai_compatible", "qwen2.5-coder:7b", "auto", True),
        ("openai_compatible", "Qwen/Qwen3-Coder-30B-A3B-Instruct", "auto", False),
        ("openai_compatible", "llama-3.2-1b-instruct", "auto", True),
        ("openai_compatible", "deepseek-chat", "auto", False),
    ],
)
def test_small_models_are_known_by_their_size(
    provider: str, model: str, setting: str, small: bool, store: MemoryStore
) -> None:
    settings = {
        "provider": provider,
        "model": model,
        "profile": setting,
        "api_key": "k",
        "base_url": "http://127.0.0.1:1",
        "local_model": SMALLEST.name,
    }
    client = LLMClient(LLMSettings.model_validate(settings), {}, store, LocalModelServer(SMALLEST))
    profile = client.profile("developer")
    assert SmallModels().suits(profile) is small
    assert profile.context_tokens >= SMALLEST.context_tokens


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-5-mini", {"tools": True, "judges": True, "context_tokens": 400_000}),
        ("gpt-4o-2024-08-06", {"tools": True, "judges": True, "context_tokens": 128_000}),
        ("ft:gpt-4o-mini:acme::x1", {"tools": True, "judges": True}),
        ("gpt-3.5-turbo", {"tools": False, "repairs": False}),
        ("o4-mini", {"tools": True, "judges": True}),
        ("claude-sonnet-5-5", {"tools": True, "edit_blocks": True, "context_tokens": 1_000_000}),
        ("claude-3-5-sonnet-latest", {"tools": True, "judges": True, "context_tokens": 200_000}),
        ("hf.co/someone/Qwen2.5-Coder-7B-Instruct-GGUF:Q4_K_M", {"repairs": False, "edit_blocks": False}),
        ("qwen2.5-coder:14b", {"repairs": True, "judges": False, "tools": False}),
        ("meta-llama/Llama-3.3-70B-Instruct", {"tools": True, "judges": False}),
        ("mistral:7b", {"tools": False, "repairs": False}),
        ("devstral-2512", {"tools": True, "judges": False}),
        ("deepseek-r1:7b", {"repairs": False}),
        ("gemma3:27b", {"repairs": True, "tools": False}),
        ("openai/gpt-oss-20b", {"tools": True, "judges": False}),
    ],
)
def test_families_of_models_are_known_by_their_names(model: str, expected: dict[str, object]) -> None:
    found = known(ServedModel("openai", model))
    assert found is not None
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("model", ["scripted", "qwen2.5-coder", "my-gpt-5", "llama", "gpt-2"])
def test_a_name_that_says_nothing_is_not_taken_for_a_known_one(model: str) -> None:
    assert known(ServedModel("openai_compatible", model)) is None


def test_no_context_is_longer_than_the_published_one() -> None:
    other_uses = re.compile("realtime|audio|transcribe|tts|image|live|safeguard|embed|ocr|voxtral")
    checked, too_long = 0, []
    for provider in (each for each in providers if each.id in ("openai", "anthropic", "deepseek", "mistral", "google")):
        for model in provider.models:
            found = known(ServedModel("openai", model.id))
            if found and found.context_tokens and model.context_window and not other_uses.search(model.id):
                checked += 1
                if found.context_tokens > model.context_window:
                    too_long.append((model.id, model.context_window))
    assert too_long == []
    assert checked > 80


def test_of_a_server_of_ones_own_no_long_context_is_counted_on(store: MemoryStore) -> None:
    settings = {"provider": "openai_compatible", "model": "qwen3-coder:30b", "base_url": "http://127.0.0.1:1/v1"}
    for told, expected in (({}, 32_768), ({"context_tokens": 200_000}, 200_000)):
        client = LLMClient(LLMSettings.model_validate(settings | {"capabilities": told}), {}, store)
        assert client.profile("developer").context_tokens == expected


def test_all_agents_share_the_embedded_model(store: MemoryStore) -> None:
    client = LLMClient(
        LLMSettings(provider="local", local_model=SMALLEST.name),
        {"qa": AgentSettings(model="gpt-4o")},
        store,
        LocalModelServer(SMALLEST),
    )
    assert client.profile("qa") == client.profile("developer")
    assert SmallModels().suits(client.profile("qa"))


def test_a_prompt_that_leaves_no_room_is_refused_before_it_is_sent(store: MemoryStore) -> None:
    client = LLMClient(LLMSettings(provider="local", local_model=SMALLEST.name), {}, store, LocalModelServer(SMALLEST))
    with pytest.raises(PromptTooLong, match=r"takes 8192"):
        client.generate("word " * 8000, context=context())


def test_a_schema_counts_as_part_of_the_prompt(store: MemoryStore) -> None:
    client = LLMClient(LLMSettings(provider="local", local_model=SMALLEST.name), {}, store, LocalModelServer(SMALLEST))
    fields: dict[str, Any] = {f"a_field_with_number_{number}": (int, 0) for number in range(2000)}
    long = create_model("Long", **fields)
    with pytest.raises(PromptTooLong, match=r"takes 8192"):
        client.generate_structured("word", long, context=context())


def price(provider: str, model: str, *, cached: int = 0, written: int = 0) -> float | None:
    request = Request(provider, model, system="", turns=(), temperature=0, max_tokens=1000)
    return Prices({}).usd(request, Answer("", False, 1000, 1000, cached_tokens=cached, written_tokens=written))


def test_prices_are_known_for_the_providers_default_models() -> None:
    for provider, model in DEFAULTS:
        plain, cached = price(provider, model), price(provider, model, cached=900)
        assert plain is not None
        assert cached is not None
        assert 0 < cached < plain
    assert price("local", "anything") == 0


def test_filling_anthropics_cache_costs_extra() -> None:
    plain, written = price("anthropic", "claude-sonnet-5-5"), price("anthropic", "claude-sonnet-5-5", written=900)
    assert plain is not None
    assert written is not None
    assert written > plain


def test_an_unknown_model_has_no_price_and_that_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert price("openai", "gpt-no-such-thing") is None
    assert price("openai", "gpt-no-such-thing") is None
    assert capsys.readouterr().out.count("no price is known") == 1


def test_tokens_are_not_underestimated_for_other_scripts() -> None:
    assert estimate_tokens("") == 1
    assert 250 <= estimate_tokens("word " * 250) <= 500
    assert estimate_tokens("Привет, мир") >= 9


def test_importing_the_package_loads_no_sdk() -> None:
    code = "import llm, sys; print({'pydantic_ai', 'openai', 'anthropic', 'xllamacpp', 'tenacity'} & set(sys.modules))"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
