"""One client over all model providers: replay, cache, budget, outages, ledger, and an embedded model."""

from llm.client import LLMClient
from llm.embedded.model_file import ModelStatus, fetch_model, model_path, model_status
from llm.embedded.server import LocalModelServer
from llm.errors import (
    BudgetExhausted,
    Interrupted,
    InvalidOutput,
    LLMError,
    LocalServerFailed,
    ModelFetchFailed,
    ModelMissing,
    NotConfigured,
    PromptTooLong,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
    TruncatedOutput,
)
from llm.lineup import Lineup, model_name_problems, uses_embedded_model
from llm.profiles.profiles import ModelProfile, abilities
from llm.providers.provider import Provider
from llm.providers.registry import PROVIDERS, key_variables, provider_names, resolve_provider
from llm.request import CallContext, Reply, Thought, Tool, ToolCall, ToolResult, Turn, estimate_tokens

__all__ = [
    "PROVIDERS",
    "BudgetExhausted",
    "CallContext",
    "Interrupted",
    "InvalidOutput",
    "LLMClient",
    "LLMError",
    "Lineup",
    "LocalModelServer",
    "LocalServerFailed",
    "ModelFetchFailed",
    "ModelMissing",
    "ModelProfile",
    "ModelStatus",
    "NotConfigured",
    "PromptTooLong",
    "Provider",
    "ProviderError",
    "ProviderRefused",
    "ProviderTimeout",
    "ProviderUnavailable",
    "Reply",
    "Thought",
    "Tool",
    "ToolCall",
    "ToolResult",
    "TruncatedOutput",
    "Turn",
    "abilities",
    "estimate_tokens",
    "fetch_model",
    "key_variables",
    "model_name_problems",
    "model_path",
    "model_status",
    "provider_names",
    "resolve_provider",
    "uses_embedded_model",
]
