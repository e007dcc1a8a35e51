"""The embedded model, which the daemon serves itself (`llm/embedded/`) in OpenAI's protocol."""

from __future__ import annotations

from llm.providers.openai_compatible import connect
from llm.providers.provider import Provider

EMBEDDED_MODEL = "qwen2.5-coder-1.5b-instruct-q4_k_m"
EMBEDDED_CONTEXT = 8192
"""Tokens a request to the embedded model may hold, prompt and answer together."""

EMBEDDED = Provider(name="local", connect=connect, default_model=EMBEDDED_MODEL, explain_schema=True)
