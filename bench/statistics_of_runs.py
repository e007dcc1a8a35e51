"""Confidence intervals of shares, and tests of whether two runs of one set differ."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

_Z = 1.959964
"""The z-value of a 95 % interval."""
_RESAMPLES = 10_000


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share (Wilson's score interval); (0, 1) if `of` is 0."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, _Z**2 / of
    middle = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_difference(before: Sequence[bool], after: Sequence[bool]) -> tuple[float, float, float]:
    """By how much the share of hits grew, with its 95 % confidence interval (bootstrap over the tasks, seed 0).

    Both sequences are in the order of the same tasks. Raises `ValueError` if their lengths differ.
    """
    differences = [int(new) - int(old) for old, new in zip(before, after, strict=True)]
    if not differences:
        return 0.0, 0.0, 0.0
    chooser = random.Random(0)
    means = sorted(sum(chooser.choices(differences, k=len(differences))) / len(differences) for _ in range(_RESAMPLES))
    low, high = means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES) - 1]
    return sum(differences) / len(differences), low, high


def mcnemar(before: Sequence[bool], after: Sequence[bool]) -> float:
    """The exact two-sided p-value of McNemar's test: how likely at least so uneven changes are by chance."""
    gained = sum(new and not old for old, new in zip(before, after, strict=True))
    lost = sum(old and not new for old, new in zip(before, after, strict=True))
    changed = gained + lost
    tail: float = sum(math.comb(changed, count) for count in range(min(gained, lost) + 1)) / 2.0**changed
    return min(1.0, 2 * tail)
