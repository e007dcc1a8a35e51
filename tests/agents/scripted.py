"""An `LLMClient` on a scripted model server and a database in memory's own folder, for tests of single agents."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from config import AgentSettings, LLMSettings
from llm import CallContext, LLMClient
from memory import MemoryStore
from tests.support import Answer, ScriptedModelServer


class ScriptedLLM(LLMClient):
    """The real client, with the server it talks to."""

    server: ScriptedModelServer

    def context(self, step: str, agent: str) -> CallContext:
        return CallContext(task_id=None, agent=agent, workflow_id="test", step=step)


@contextmanager
def scripted_llm(answers: Sequence[Answer], *, profile: str = "strong") -> Iterator[ScriptedLLM]:
    """A client whose server gives `answers` in turn."""
    agents: Mapping[str, AgentSettings] = {}
    with tempfile.TemporaryDirectory() as folder, ScriptedModelServer(list(answers) or ["nothing"]) as server:
        store = MemoryStore(f"sqlite:///{Path(folder) / 'agents.db'}")
        store.migrate()
        settings = LLMSettings.model_validate(
            {
                "provider": "openai_compatible",
                "base_url": server.url,
                "model": "scripted",
                "api_key": "k",
                "profile": profile,
            }
        )
        llm = ScriptedLLM(settings, agents, store)
        llm.server = server
        yield llm
        store.close()
