"""What was done about a deployment is marked among its comparisons, so that it is done once over restarts."""

from __future__ import annotations

from collections.abc import Iterable

from memory import Comparison, Deployment, utc_now

ACTED, MEASURED = "acted", "measured"


def mark(live: Deployment, name: str) -> Comparison:
    """The mark; no series and no look is called so."""
    return Comparison(
        environment=live.environment, deployment=live.id, metric=name, look=0, word="same", at=utc_now()
    )  # fmt: skip


def is_marked(made: Iterable[Comparison], name: str) -> bool:
    """Whether the mark is among the comparisons of a deployment."""
    return any(each.metric == name for each in made)
