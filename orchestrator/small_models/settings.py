"""Which parts of the method for small models are switched on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parts:
    """In the product all of them are on; `bench/` switches single ones off to measure what each adds."""

    views: bool = True
    """The model sees a task in several ways, not only as its text and the file."""
    resuming: bool = True
    """Once every view was used, every second answer continues the closest one so far."""
    agreement: bool = True
    """A passing answer lands only if others behave like it."""
    recombining: bool = True
    """Code searches among small changes of near misses for a version that passes."""
    confirming: bool = True
    """A match of that search can confirm the only answer that passed."""
    certainty: bool = True
    """A match of the search lands only if all matches behave alike and the tests run every line of it."""
    remembering: bool = True
    """If a search found matches that differ, the match of a later search does not land by itself."""
    assertions: bool = True
    """QA's model proposes assertions if the task states no example."""
    properties: bool = True
    """The properties that a task states become tests."""
    cutting_down: bool = True
    """Definitions that an answer rewrites unasked, and imports that it does not use, are left out."""
    seed: int = 0
    """Added to the seed of every sample; greedy answers do not change with it."""


ALL = Parts()
