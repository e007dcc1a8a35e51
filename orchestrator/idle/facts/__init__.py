"""What code finds in a repository that may call for work, before any model is asked."""

from orchestrator.idle.facts.finder import RUNNING, FactFinder, Found
from orchestrator.idle.facts.known import KnownFacts

__all__ = ["RUNNING", "FactFinder", "Found", "KnownFacts"]
