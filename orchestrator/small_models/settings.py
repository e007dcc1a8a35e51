"""Which parts of the method of small models are at work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """All of them, for whoever uses the product; the bench switches single ones off to measure what each adds."""

    views: bool = True
    """A task is shown in several ways, not in its own words and with the file alone."""
    resuming: bool = True
    """Every second warm answer begins as the nearest one so far."""
    agreement: bool = True
    """A green answer lands when a second one means the same."""
    recombining: bool = True
    """A search among small changes of near misses."""
    confirming: bool = True
    """One answer that passed is confirmed by what that search finds."""
    certainty: bool = True
    """What the search finds lands when all ways it finds mean the same and the tests run all of it."""
    remembering: bool = True
    """Where a search found several ways, later ones settle nothing by themselves."""
    assertions: bool = True
    """QA's model is asked for assertions where the task states no example."""
    properties: bool = True
    """The properties that a task states become tests."""
    cutting_down: bool = True
    """Neighbours that an answer writes anew, and imports it does not use, are left out."""
    missing_imports: bool = True
    """Imports of the standard library that an answer forgot are added."""
    renaming: bool = True
    """The one new function of an answer gets the wanted name."""
    exporting: bool = True
    """A new name is exported by its package where the tests import it from there."""
    seed: int = 0
    """Added to the seed of every sample; greedy answers stay the same."""


ALL = Parts()
