"""Whether one version of a service is worse than another, by tests that may look again and again.

Samples of a service are not independent: a slow minute is slow in all its samples, and errors come in bursts. So each
number of samples is first made smaller by their autocorrelation (Bayley & Hammersley 1946, J. R. Stat. Soc. B 8:184),
and then an exact test is made with what is left:

- shares (of errors): Fisher's exact test, one-sided (Fisher 1922, J. R. Stat. Soc. 85:87);
- values (seconds, bytes): how many of the new samples exceed a high one of the old (Gumbel & von Schelling 1950,
  Ann. Math. Stat. 21:247), at the median and at the 95th percentile; it assumes nothing of how values are distributed;
- rates (restarts an hour): the conditional binomial test (Przyborowski & Wilenski 1940, Biometrika 31:313).

A version is looked at after 5, 10, 20, 40, … samples, and each look may spend only its part of the error probability
(`spent`); the parts of all looks together, however many, are no more than `ALPHA` (Bonferroni; the parts after Robbins'
mixture bounds). A difference that is sure but small is none: see `Least`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

ALPHA = 0.01
"""Error probability of all looks at one series of one version together."""
FEWEST_BEFORE = 20
"""Samples of the version before, at least."""
_FIRST_LOOK = 5
_MOST_IN_A_LOOK = 500
_LEAST_CORRELATED = 1 / 3
"""Autocorrelation that few samples are assumed to have, and those that are all the same."""
_MOST_CORRELATED = 0.99
_FEW = 20
_MEDIAN, _HIGH = 0.5, 0.95

Word = Literal["same", "worse", "better"]


@dataclass(frozen=True)
class Least:
    """The smallest differences that matter."""

    share: float = 0.05
    """Of a share, such as that of errors: five of a hundred more."""
    times: float = 1.5
    """Of values: that many times as much, …"""
    by: float = 0.0
    """… and by so much more, in their own unit."""
    number: int = 2
    """Of what happened: so often, in independent samples, in a version that is worse; once is no evidence."""


@dataclass(frozen=True)
class Compared:
    """How a comparison ended."""

    word: Word
    p: float
    """The probability of a difference at least as great if there is none, for the direction that was found; for `same`
    the smaller of both."""
    before: float
    """The share, the deciding percentile, or the rate an hour before, …"""
    now: float
    """… and now."""
    of: str
    """What that is: share, median, p95 or rate."""


def look_of(samples: int) -> tuple[int, int, int] | None:
    """The latest look that so many samples allow: its number from 1, and the samples that it is about, as the first
    and the one past the last. None: too few. Looks are about different samples, and each is about half of all, so that
    what begins late is found, too."""
    look, begin, end = 1, 0, _FIRST_LOOK
    if samples < end:
        return None
    while True:
        following = min(2 * end, end + _MOST_IN_A_LOOK)
        if samples < following:
            return look, begin, end
        look, begin, end = look + 1, end, following


def spent(look: int, alpha: float = ALPHA) -> float:
    """The error probability of one look: 6/(π²·look²) of `alpha`, whose sum over all looks is `alpha`."""
    return alpha * 6 / (math.pi * look) ** 2


def compare_shares(before: Sequence[bool], now: Sequence[bool], alpha: float, least: Least) -> Compared:
    """Compare how often something happened. `alpha`: for both directions together."""
    shares = (sum(before) / len(before), sum(now) / len(now))
    kept = 1 / _inflation([float(each) for each in before], [float(each) for each in now])
    (bad_before, all_before), (bad_now, all_now) = _fewer(before, kept), _fewer(now, kept)
    worse = fisher(bad_before, all_before, bad_now, all_now)
    better = fisher(bad_now, all_now, bad_before, all_before)
    word: Word = "same"
    if worse <= alpha / 2 and shares[1] - shares[0] >= least.share and bad_now >= least.number:
        word = "worse"
    elif better <= alpha / 2 and shares[0] - shares[1] >= least.share:
        word = "better"
    p = {"worse": worse, "better": better, "same": min(worse, better)}[word]
    return Compared(word, p, *shares, of="share")


def compare_values(before: Sequence[float], now: Sequence[float], alpha: float, least: Least) -> Compared:
    """Compare how great something was, at the median and at the 95th percentile. `alpha`: for both directions and both
    percentiles together."""
    kept = 1 / _inflation(before, now)
    found = []
    for of, share in (("median", _MEDIAN), ("p95", _HIGH)):
        was, is_now = percentile(before, share), percentile(now, share)
        worse = _exceedance(before, now, share, kept)
        better = _exceedance(now, before, share, kept)
        word: Word = "same"
        if worse <= alpha / 4 and is_now >= least.times * was and is_now - was >= least.by:
            word = "worse"
        elif better <= alpha / 4 and was >= least.times * is_now and was - is_now >= least.by:
            word = "better"
        found.append(
            Compared(word, {"worse": worse, "better": better, "same": min(worse, better)}[word], was, is_now, of)
        )
    return min(found, key=lambda each: ("worse", "better", "same").index(each.word))


def compare_rates(before: tuple[int, float], now: tuple[int, float], alpha: float, least: Least) -> Compared:
    """Compare how often something happened in so many hours. `alpha`: for both directions together."""
    (was, hours_before), (is_now, hours_now) = before, now
    part = hours_now / (hours_now + hours_before)
    worse = binomial(is_now, was + is_now, part)
    better = binomial(was, was + is_now, 1 - part)
    rates = (was / hours_before, is_now / hours_now)
    word: Word = "same"
    if worse <= alpha / 2 and rates[1] >= least.times * rates[0]:
        word = "worse"
    elif better <= alpha / 2 and rates[0] >= least.times * rates[1]:
        word = "better"
    p = {"worse": worse, "better": better, "same": min(worse, better)}[word]
    return Compared(word, p, *rates, of="rate")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def fisher(bad_before: int, all_before: int, bad_now: int, all_now: int) -> float:
    """The probability of at least `bad_now` of `all_now` if both had the same chance, given how many were bad."""
    bad, whole = bad_before + bad_now, all_before + all_now
    total = _log_choose(whole, all_now)
    return min(
        1.0,
        sum(
            math.exp(_log_choose(bad, count) + _log_choose(whole - bad, all_now - count) - total)
            for count in range(bad_now, min(bad, all_now) + 1)
            if all_now - count <= whole - bad
        ),
    )


def exceedances(number: int, of: int, rank: int, before: int) -> float:
    """The probability that at least `number` `of` new samples exceed the `rank`-th greatest of `before` old ones, if
    all are alike: a negative hypergeometric distribution."""
    total = _log_choose(before + of, of)
    return min(
        1.0,
        sum(
            math.exp(_log_choose(count + rank - 1, count) + _log_choose(before - rank + of - count, of - count) - total)
            for count in range(number, of + 1)
        ),
    )


def binomial(number: int, of: int, chance: float) -> float:
    """The probability of at least `number` of so many, each with the same chance."""
    if number <= 0:
        return 1.0
    if not 0 < chance < 1:
        return float(chance >= 1)
    logs = (math.log(chance), math.log1p(-chance))
    return min(
        1.0,
        sum(
            math.exp(_log_choose(of, count) + count * logs[0] + (of - count) * logs[1])
            for count in range(number, of + 1)
        ),
    )


def correlation(values: Sequence[float]) -> float:
    """How much neighbours are alike (lag-1 autocorrelation of the ranks, between 0 and 0.99)."""
    ranks = _ranks(values)
    mean = sum(ranks) / len(ranks)
    spread = sum((each - mean) ** 2 for each in ranks)
    known = sum((one - mean) * (other - mean) for one, other in pairwise(ranks)) / spread if spread else 0.0
    if not spread or len(values) < _FEW:
        known = max(known, _LEAST_CORRELATED)
    return min(max(known, 0.0), _MOST_CORRELATED)


def _inflation(before: Sequence[float], now: Sequence[float]) -> float:
    """By what factor samples count for less than independent ones, as far as either series shows."""
    alike = [correlation(now)]
    if len(set(before)) > 1:  # what never changed shows nothing
        alike.append(correlation(before))
    most = max(alike)
    return (1 + most) / (1 - most)


def _fewer(samples: Sequence[bool], kept: float) -> tuple[int, int]:
    """How many there were, and of how many, made smaller."""
    number = max(1, math.floor(len(samples) * kept))
    return min(number, math.floor(sum(samples) * kept)), number


def _exceedance(before: Sequence[float], now: Sequence[float], share: float, kept: float) -> float:
    """The probability that so many of `now` lie above a percentile of `before`, if both are alike."""
    limit = percentile(before, share)
    above_before, above_now = sum(each >= limit for each in before), sum(each > limit for each in now)
    fewer, of = max(1, math.floor(len(before) * kept)), max(1, math.floor(len(now) * kept))
    rank = min(fewer, max(1, math.ceil(above_before * kept)))
    return exceedances(min(of, math.floor(above_now * kept)), of, rank, fewer)


def _ranks(values: Sequence[float]) -> list[float]:
    """The place of each in the order of all; the mean place for equal ones."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end + 1 < len(order) and values[order[end + 1]] == values[order[begin]]:
            end += 1
        for place in range(begin, end + 1):
            ranks[order[place]] = (begin + end) / 2
        begin = end + 1
    return ranks


def _log_choose(whole: int, part: int) -> float:
    return math.lgamma(whole + 1) - math.lgamma(part + 1) - math.lgamma(whole - part + 1)
