"""Which model `llm.local_model` means, on which machine, and what is known of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config import LLMSettings
from llm import (
    LLMClient,
    LocalModelServer,
    Machine,
    NotConfigured,
    PromptTooLong,
    Tool,
    Turn,
    find_local_model,
    largest_for,
    local_model,
    local_model_problems,
    local_models,
)
from llm.calls.responder import candidates
from llm.calls.sending import Sender
from llm.embedded.local_models import limited
from llm.lineup import ServedModel
from llm.providers.openai_compatible import EMBEDDED
from llm.providers.provider import Endpoint
from llm.request import Request
from memory import MemoryStore
from tests.llm.conftest import SMALLEST, context


@pytest.mark.parametrize(
    ("memory_gb", "cores", "expected"),
    [
        (2, 1, "qwen2.5-coder-1.5b"),
        (4, 2, "qwen2.5-coder-1.5b"),
        (256, 2, "qwen2.5-coder-1.5b"),  # two cores stay with it, whatever their memory
        (7.9, 4, "qwen2.5-coder-1.5b"),
        (8.2, 4, "qwen3.5-4b"),
        (64, 4, "qwen3.5-4b"),
        (16.6, 8, "qwen3.5-9b"),
        (33, 8, "qwen3.6-35b-a3b"),
        (33, 64, "qwen3.6-35b-a3b"),
        (67, 8, "qwen3.6-35b-a3b"),
        (67, 16, "qwen3-coder-next"),
    ],
)
def test_auto_takes_the_largest_that_memory_and_cores_allow(memory_gb: float, cores: int, expected: str) -> None:
    machine = Machine(memory_gb, cores)
    assert local_model(LLMSettings(), machine).name == expected
    assert largest_for(machine).name == expected


def test_the_table_is_in_order_and_each_model_fits_into_its_memory() -> None:
    table = local_models()
    assert [model.gigabytes for model in table] == sorted(model.gigabytes for model in table)
    assert len({model.name for model in table}) == len({model.served_name for model in table}) == len(table)
    for model in table:
        assert model.gigabytes + 2 < model.memory_gb
        assert model.lacks(Machine(model.memory_gb, model.cores)) == ""
    assert table[-1].lacks(Machine(8, 2)) == "needs 64 GB of memory and 12 cores"


def test_a_file_of_the_hub_is_served_as_a_small_model_until_the_owner_says_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path))
    settings = LLMSettings.model_validate(
        {
            "provider": "local",
            "local_model": "hf:acme/Big-GGUF/sub/Big-27B-Q4_K_M.gguf",
            "profile": "strong",
            "capabilities": {"context_tokens": 20_000, "tools": True},
        }
    )
    model = local_model(settings)
    assert (model.repository, model.file) == ("acme/Big-GGUF", "sub/Big-27B-Q4_K_M.gguf")
    assert model.path == tmp_path / "models/acme/Big-GGUF/sub/Big-27B-Q4_K_M.gguf"
    assert (model.served_name, model.context_tokens, model.profile) == ("Big-27B-Q4_K_M", 20_000, "small")
    profile = LLMClient(settings, {}, store, LocalModelServer(model)).profile("developer")
    assert (profile.tools, profile.repairs, profile.context_tokens) == (True, True, 20_000)

    cautious = settings.model_copy(update={"profile": "auto", "capabilities": LLMSettings().capabilities})
    profile = LLMClient(cautious, {}, store, LocalModelServer(local_model(cautious))).profile("developer")
    assert (profile.tools, profile.repairs, profile.context_tokens) == (False, False, 8192)


def test_context_for_a_paid_model_is_not_given_to_the_embedded_one_beside_it() -> None:
    settings = {"provider": "openai", "api_key": "k", "capabilities": {"context_tokens": 400_000}}
    assert local_model(LLMSettings.model_validate(settings | {"local_model": "qwen3.5-9b"})).context_tokens == 32_768


def test_a_file_of_the_table_keeps_what_the_table_says_wherever_it_is(tmp_path: Path) -> None:
    in_table = find_local_model("qwen3.5-9b")
    assert find_local_model(f"hf:{in_table.repository}/{in_table.file}") == in_table
    own = find_local_model(str(tmp_path / in_table.file))
    assert (own.path, own.context_tokens, own.profile) == (tmp_path / in_table.file, 32_768, "middle")
    other = find_local_model(f"hf:acme/Other-GGUF/{in_table.file}")
    assert (other.profile, other.repository, other.sha256) == ("middle", "acme/Other-GGUF", None)
    assert other.path != in_table.path

    same = find_local_model(str(tmp_path / SMALLEST.file))  # somebody else's file of this name may be another one
    assert (same.sha256, same.wheels, same.thinks) == (None, None, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("qwen3.5-9", "did you mean qwen3.5-9b?"),
        ("Qwen3.5-4B", "did you mean qwen3.5-4b?"),
        ("gpt-5", "hf:owner/repository/file.gguf or the path of a GGUF file"),
        ("hf:unsloth/Qwen3.5-9B-GGUF", "names no file of the model hub; write hf:owner/repository/file.gguf, as in"),
        ("hf:a/b/../../../etc/passwd.gguf", "names no file of the model hub"),
        ("hf:a/b/model.safetensors", "names no file of the model hub"),
        ("hf:a/b/big-00001-of-00003.gguf", "llama-gguf-split --merge"),
    ],
)
def test_what_is_no_model_is_told_with_what_is(text: str, said: str) -> None:
    [problem] = local_model_problems(LLMSettings(local_model=text))
    assert problem.path == "llm.local_model"
    assert said in problem.allowed
    with pytest.raises(NotConfigured):
        find_local_model(text)


def test_a_larger_model_has_its_own_context_profile_and_patience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: MemoryStore
) -> None:
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path))
    settings = LLMSettings(provider="local", local_model="qwen3.6-35b-a3b")
    model = local_model(settings)
    server = LocalModelServer(model)
    client = LLMClient(settings, {}, store, server)
    profile = client.profile("developer")
    assert (profile.model, profile.source) == ("Qwen3.6-35B-A3B-UD-Q4_K_M", "known")
    assert (profile.tools, profile.repairs, profile.judges, profile.context_tokens) == (True, True, False, 65_536)
    with pytest.raises(PromptTooLong, match="takes 65536"):
        client.generate("word " * 64_000, context=context())

    request = Request("local", model.served_name, "", (Turn("user", "a" * 3000),), 0.0, 1000)
    endpoints = {"local": Endpoint(EMBEDDED, None, None)}
    small = Sender(settings, endpoints, LocalModelServer(SMALLEST)).timeout(request)
    assert Sender(settings, endpoints, server).timeout(request) == pytest.approx(5 * small)


def test_only_a_middle_embedded_model_stands_in_for_one_that_calls_tools() -> None:
    asked = Request("openai", "m", "", (Turn("user", "a"),), 0.0, 10, tools=(Tool("read", "Reads.", {}),))
    for name, stands_in in (("qwen3.5-4b", False), ("qwen3.5-9b", True)):
        model = find_local_model(name)
        fallbacks = [ServedModel("local", model.served_name)]
        assert (len(candidates(asked, fallbacks, lambda each: each, model)) == 2) is stands_in


def test_the_limits_of_a_container_or_a_service_count(tmp_path: Path) -> None:
    whole = Machine(64.0, 16)
    groups, membership = tmp_path / "cgroup", tmp_path / "membership"
    service = groups / "system.slice" / "ai-agents.service"
    service.mkdir(parents=True)
    membership.write_text("0::/system.slice/ai-agents.service\n")

    def found() -> Machine:
        return limited(whole, groups=groups, membership=membership)

    assert found() == whole
    (service / "memory.max").write_text("max\n")
    (service / "cpu.max").write_text("max 100000\n")
    assert found() == whole
    (service / "memory.max").write_text("8000000000\n")
    (service.parent / "cpu.max").write_text("250000 100000\n")
    assert found() == Machine(8.0, 2)
    (service / "cpu.max").write_text("50000 100000\n")
    assert found() == Machine(8.0, 1)
    membership.unlink()
    assert found() == whole
