"""The registered methods. To add one, write it (see `orchestrator/coding/method.py`) and add it to the list."""

from __future__ import annotations

from llm import ModelProfile
from orchestrator.coding.method import Method
from orchestrator.coding.strong import StrongModels
from orchestrator.coding.with_tools import ToolUsers
from orchestrator.small_models.method import SmallModels

METHODS: list[Method] = [SmallModels(), ToolUsers(), StrongModels()]
"""The first one that suits a model is taken."""


def method_for(profile: ModelProfile) -> Method:
    """The method for a model with these abilities."""
    return next(method for method in METHODS if method.suits(profile))
