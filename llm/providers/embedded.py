"""The embedded model, which the daemon serves itself (`llm/embedded/`) in OpenAI's protocol."""

from __future__ import annotations

from llm.providers.openai_compatible import connect
from llm.providers.provider import Provider

EMBEDDED = Provider(name="local", connect=connect, explain_schema=True)
