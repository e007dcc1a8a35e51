"""When an approach goes round in circles: the same tests fail in the same way again, and the code says the same.

What an attempt after that would be told is what the last one was told already, so the approach ends at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.workbench.trial import Trial
from orchestrator.workbench.workbench import Workbench

_PASSING = (
    (re.compile(r"\b0x[0-9a-fA-F]+"), "0x…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"), "uuid"),
    (re.compile(r"(?:/private)?/(?:tmp|var/tmp|var/folders|dev/shm)/[^\s'\",:;)\]]+"), "/tmp/…"),  # noqa: S108
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?"), "time"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?"), "time"),
    (re.compile(r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|µs|us|ms|s|secs?|seconds?)\b"), "time"),
    (re.compile(r"\bline \d+"), "line …"),
    (re.compile(r"(\.\w{1,4}):\d+(?::\d+)?\b"), r"\1:…"),
)
"""What differs from run to run of the same code: addresses, temporary paths, times, numbers of lines."""


def signature(trial: Trial) -> tuple[str, ...]:
    """What failed and how: ids of the tests with what they said, without what differs from run to run."""
    failures = sorted(f"{failure.test_id} {lasting(failure.message)}" for failure in trial.failures)
    return (*failures, lasting(trial.problem))


def lasting(message: str) -> str:
    """A message's words that the same code says again in its next run."""
    for pattern, instead in _PASSING:
        message = pattern.sub(instead, message)
    return " ".join(message.split())


def goes_round(bench: Workbench, trial: Trial, earlier: Iterable[Trial]) -> bool:
    """Whether `trial` fails as one of the `earlier` ones did, with code that differs in blanks and comments at most."""
    if trial.green or not trial.applied:
        return False
    told = signature(trial)
    return any(told == signature(other) and bench.says_the_same(other.tree, trial.tree) for other in earlier)
