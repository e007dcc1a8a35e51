"""How often the circle cries wolf, and how soon it finds what is worse: simulated versions of a service.

    python -m bench.circle                     1,000 versions of each kind
    python -m bench.circle --versions 200 --json

Each version is watched for a day (2,880 samples, one in 30 seconds) after one that was watched the day before, and
compared at every look as the daemon does it. Nothing is asked of a network; numbers come from a seed.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from orchestrator.circle.comparing import (
    Compared,
    Least,
    compare_rates,
    compare_shares,
    compare_values,
    look_of,
    spent,
)

_SAMPLES = 2880
_SECONDS = 30
_HOUR = 120
"""Samples of an hour: values are compared with the same hours of the day before, and an hour around them."""
_LEAST_MS = Least(by=20.0)

Series = Callable[[random.Random, float, bool], Sequence[float]]
"""Makes the samples of a day, which begins at an hour (0 to 1)."""


@dataclass(frozen=True)
class Row:
    """What came of one kind."""

    kind: str
    versions: int
    worse: int
    """Versions of which a look said that they are worse."""
    better: int
    minutes: float | None
    """Median time until it was found, of those that were."""


def _latencies(
    sigma: float = 0.35, correlation: float = 0.0, day: float = 0.0, tail: float = 0.0, times: float = 1.0,
    slow: float = 0.0,
) -> Series:  # fmt: skip
    """Milliseconds: lognormal around 50, with neighbours alike (an AR(1) process), a swing over the day, a heavy tail
    (Pareto) in a share of all, and, in the new version, all `times` as slow or a share `slow` ten times."""

    def made(rng: random.Random, hour: float, new: bool) -> list[float]:
        values, state = [], rng.gauss(0, 1)
        for number in range(_SAMPLES):
            state = correlation * state + math.sqrt(1 - correlation**2) * rng.gauss(0, 1)
            value = 50 * math.exp(sigma * state + day * math.sin(2 * math.pi * (hour + number / _SAMPLES)))
            if rng.random() < tail:
                value *= rng.paretovariate(1.2)
            if new:
                value *= times * (10 if rng.random() < slow else 1)
            values.append(value)
        return values

    return made


def _errors(share: float, burst: float = 0.0, new_share: float | None = None) -> Series:
    """Errors: a share of all, in bursts whose mean length is 1/(1 - burst) samples (a two-state Markov chain)."""

    def made(rng: random.Random, hour: float, new: bool) -> list[float]:
        wanted = new_share if new and new_share is not None else share
        begins = wanted * (1 - burst) / (1 - wanted) if wanted < 1 else 1.0
        values, bad = [], rng.random() < wanted
        for _ in range(_SAMPLES):
            bad = rng.random() < (burst if bad else begins) if wanted < 1 else True
            values.append(float(bad))
        return values

    return made


def _restarts(an_hour: float, new: float | None = None) -> Series:
    def made(rng: random.Random, _: float, is_new: bool) -> list[float]:
        rate = new if is_new and new is not None else an_hour
        return [float(rng.random() < rate * _SECONDS / 3600) for _ in range(_SAMPLES)]

    return made


def _shares(before: Sequence[float], now: Sequence[float], alpha: float) -> Compared:
    return compare_shares([bool(each) for each in before], [bool(each) for each in now], alpha, Least())


def _values(before: Sequence[float], now: Sequence[float], alpha: float) -> Compared:
    return compare_values(before, now, alpha, _LEAST_MS)


def _rates(before: Sequence[float], now: Sequence[float], alpha: float) -> Compared:
    hour = _SECONDS / 3600
    return compare_rates(
        (int(sum(before)), len(before) * hour), (int(sum(now)), len(now) * hour), alpha, Least(times=2)
    )


Compare = Callable[[Sequence[float], Sequence[float], float], Compared]
_SAME: dict[str, tuple[Series, Compare]] = {
    "latency, independent": (_latencies(), _values),
    "latency, neighbours alike (0.8)": (_latencies(correlation=0.8), _values),
    "latency, neighbours very much alike (0.98)": (_latencies(correlation=0.98), _values),
    "latency, heavy tail (1 of 10)": (_latencies(tail=0.1), _values),
    "latency, twice as slow by day as by night": (_latencies(day=0.35), _values),
    "errors, 1 of 1,000": (_errors(0.001), _shares),
    "errors, 1 of 100, in bursts of ten": (_errors(0.01, 0.9), _shares),
    "errors, 1 of 10": (_errors(0.1), _shares),
    "errors, 1 of 10, in bursts of ten": (_errors(0.1, 0.9), _shares),
    "restarts, one in two hours": (_restarts(0.5), _rates),
}
_WORSE: dict[str, tuple[Series, Compare]] = {
    "latency 1.6 times": (_latencies(times=1.6), _values),
    "latency twice": (_latencies(times=2), _values),
    "latency twice, neighbours alike (0.8)": (_latencies(correlation=0.8, times=2), _values),
    "latency three times": (_latencies(times=3), _values),
    "1 of 5 requests ten times as slow": (_latencies(slow=0.2), _values),
    "errors: none before, 1 of 10 now": (_errors(0.0, new_share=0.1), _shares),
    "errors: none before, 1 of 3 now": (_errors(0.0, new_share=0.33), _shares),
    "errors: none before, all now": (_errors(0.0, new_share=1.0), _shares),
    "errors: 1 of 100 before, 1 of 5 now, in bursts": (_errors(0.01, 0.7, 0.2), _shares),
    "restarts: one in two hours before, four an hour now": (_restarts(0.5, 4), _rates),
}


def watch(series: Series, compare: Compare, seed: str) -> tuple[str, int]:
    """Watch one version for a day: the first word that is not "same", and after how many samples."""
    rng = random.Random(seed)
    hour = rng.random()
    before, now = series(rng, hour, False), series(rng, hour, True)
    looked, samples = 0, 0
    while samples < len(now):
        samples += 1
        found = look_of(samples)
        if found is None or found[0] == looked:
            continue
        looked, begin, end = found
        old = before[max(0, begin - _HOUR) : end + _HOUR] if compare is _values else before
        if (word := compare(old, now[begin:end], spent(looked)).word) != "same":
            return word, end
    return "same", samples


def measure(kind: str, series: Series, compare: Compare, versions: int) -> Row:
    """Watch many versions of one kind."""
    ends = [watch(series, compare, f"{kind} {number}") for number in range(versions)]
    found = [samples * _SECONDS / 60 for word, samples in ends if word == "worse"]
    words = [word for word, _ in ends]
    median = round(statistics.median(found), 1) if found else None
    return Row(kind, versions, words.count("worse"), words.count("better"), median)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--versions", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    for title, kinds in (("No change: each of these is a false alarm", _SAME), ("Worse", _WORSE)):
        if not given.json:
            print(f"\n{title}\n{'':52}{'versions':>9}{'worse':>7}{'better':>8}{'after':>11}")
        for kind, (series, compare) in kinds.items():
            row = measure(kind, series, compare, given.versions)
            rows.append(row)
            if not given.json:
                after = f"{row.minutes:g} min" if row.minutes is not None else "-"
                print(f"{kind:52}{row.versions:9}{row.worse:7}{row.better:8}{after:>11}", flush=True)
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
