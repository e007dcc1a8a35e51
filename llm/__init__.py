"""One client over all model providers: replay, cache, budget, outages, ledger, and an embedded model."""

from llm.calls.prices import unbounded, unlimited
from llm.client import LLMClient
from llm.embedded.local_models import (
    AUTO,
    LocalModel,
    Machine,
    find_local_model,
    largest_for,
    local_model,
    local_model_problems,
    local_models,
    this_machine,
)
from llm.embedded.model_file import ModelStatus, fetch_model, model_status
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
from llm.profiles import ModelProfile, abilities
from llm.providers.provider import Provider
from llm.providers.registry import PROVIDERS, key_variables, provider_names, resolve_provider
from llm.request import CallContext, Reply, Thought, Tool, ToolCall, ToolResult, Turn, Window, estimate_tokens

__all__ = [
    "AUTO",
    "PROVIDERS",
    "BudgetExhausted",
    "CallContext",
    "Interrupted",
    "InvalidOutput",
    "LLMClient",
    "LLMError",
    "Lineup",
    "LocalModel",
    "LocalModelServer",
    "LocalServerFailed",
    "Machine",
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
    "Window",
    "abilities",
    "estimate_tokens",
    "fetch_model",
    "find_local_model",
    "key_variables",
    "largest_for",
    "local_model",
    "local_model_problems",
    "local_models",
    "model_name_problems",
    "model_status",
    "provider_names",
    "resolve_provider",
    "this_machine",
    "unbounded",
    "unlimited",
    "uses_embedded_model",
]
