"""What the tests of the model client share: a real ledger, and clients of the scripted server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from config import AgentSettings, LLMSettings
from llm import PROVIDERS, CallContext, LLMClient, key_variables, local_models
from memory import MemoryStore
from tests.support import ScriptedModelServer

MODELS: dict[str, str] = {
    **{name: provider.default_model for name, provider in PROVIDERS.items() if provider.key_variable},
    "openai": "gpt-4o",
    "anthropic": "claude-haiku-4-5",
    "openai_compatible": "qwen2.5-coder:7b",
}
"""A model of each provider that is asked over the network."""
SMALLEST = local_models()[0]
"""The embedded model of every machine, however small; tests name it, for `auto` depends on where they run."""
MakeClient: TypeAlias = Callable[..., LLMClient]


@pytest.fixture(autouse=True)
def _no_real_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a real provider with a developer's own key."""
    for name in (*key_variables(), "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_client(store: MemoryStore) -> Iterator[MakeClient]:
    """Clients of a scripted server; by keyword the settings that matter, `ledger` in place of the database."""
    made: list[LLMClient] = []

    def make(
        server: ScriptedModelServer,
        provider: str = "openai",
        *,
        agents: dict[str, AgentSettings] | None = None,
        ledger: MemoryStore | None = None,
        **settings: object,
    ) -> LLMClient:
        chosen = LLMSettings.model_validate(
            {
                "provider": provider,
                "base_url": server.url,
                "api_key": "test-key",
                "model": MODELS.get(provider),
                "timeout": 10,
                **settings,
            }
        )
        client = LLMClient(chosen, agents or {}, ledger or store)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def context(step: str = "write 1", *, workflow: str = "task.code", agent: str = "developer") -> CallContext:
    """The ledger's name of a call."""
    return CallContext(task_id="task-1", agent=agent, workflow_id=workflow, step=step)
