"""A benchmark on the code before and after a change, timed in the sandbox."""

from __future__ import annotations

from pathlib import Path

from testing import Environment, Sandbox, TestRunner, Timing, TimingTask, time_both
from tests.testing.conftest import Tree

SLOW = "def distinct(items):\n    found = []\n    for item in items:\n        if item not in found:\n" + (
    "            found.append(item)\n    return found\n"
)
FAST = "def distinct(items):\n    return list(dict.fromkeys(items))\n"
BENCHMARK = "from shop import distinct\n\nITEMS = list(range(1500))\n\n\ndef benchmark():\n    distinct(ITEMS)\n"


def timed(
    sandbox: Sandbox, environment: Environment, before: Path, after: Path, benchmark: str, rounds: int = 5
) -> Timing:
    runner = TestRunner(sandbox)
    place = runner.place(after, environment)
    runner.prepare(before, environment)
    return time_both(place, before, TimingTask(benchmark=benchmark, rounds=rounds))


def test_linear_is_faster_than_quadratic_and_not_the_other_way_round(
    sandbox: Sandbox, base_environment: Environment, tree: Tree
) -> None:
    slow, fast = ({"src/shop/__init__.py": text} for text in (SLOW, FAST))
    better = timed(sandbox, base_environment, tree(slow), tree(fast), BENCHMARK)
    assert better.is_faster, str(better)
    assert better.before.steps > 100 * better.after.steps
    assert "of processor time a call, in 5 rounds" in str(better)
    assert not timed(sandbox, base_environment, tree(fast), tree(slow), BENCHMARK).is_faster
    same = timed(sandbox, base_environment, tree(slow), tree(slow), BENCHMARK, rounds=1)
    assert same.before.steps == same.after.steps > 0
    assert not same.is_faster  # one round proves nothing


def test_waiting_is_timed_by_the_clock(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    before, after = ({"wait.py": f"import time\n\ndef wait():\n    time.sleep({s})\n"} for s in (0.2, 0.001))
    benchmark = "from wait import wait as benchmark\n"
    better = timed(sandbox, base_environment, tree(before), tree(after), benchmark, rounds=3)
    assert better.waits and better.is_faster, str(better)


def test_why_a_benchmark_measures_nothing(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    files = {"shop.py": FAST}
    for benchmark, told in (
        ("from shop import distant\n", "ImportError: cannot import name 'distant'"),
        ("x = 1\n", "the program defines no function benchmark()"),
        ("def benchmark():\n    1 / 0\n", "ZeroDivisionError"),
    ):
        found = timed(sandbox, base_environment, tree(files), tree(files), benchmark, rounds=1)
        assert told in found.problem and found.problem.startswith("before the change: ")
        assert not found.is_faster


def test_a_benchmark_that_computes_something_else_is_told(
    sandbox: Sandbox, base_environment: Environment, tree: Tree
) -> None:
    benchmark = BENCHMARK.replace("    distinct(ITEMS)", "    return distinct(ITEMS[:2])")
    lies = {
        "nothing": "def distinct(items):\n    return []\n",
        "equals all": "def distinct(items):\n    return type('Y', (list,), {'__eq__': lambda s, o: True})()\n",
    }
    for text in (SLOW, FAST):
        same = timed(sandbox, base_environment, tree({"shop.py": SLOW}), tree({"shop.py": text}), benchmark, rounds=1)
        assert same.before.gave == same.after.gave == ["list(0, 1)"]
        assert not same.gives_something_else
    for name, text in lies.items():
        found = timed(sandbox, base_environment, tree({"shop.py": SLOW}), tree({"shop.py": text}), benchmark, rounds=1)
        shown = "list()" if name == "nothing" else "nothing plain"
        assert found.gives_something_else == f"list(0, 1) before and {shown} after"
    by_chance = Timing.model_validate({"before": {"gave": ["1", "2"]}, "after": {"gave": ["3"]}})
    assert not by_chance.gives_something_else


def test_what_counts_as_faster() -> None:
    def of(before: list[float], after: list[float]) -> bool:
        times = [{"processor": seconds, "clock": seconds} for seconds in (before, after)]
        return Timing.model_validate({"before": times[0], "after": times[1]}).is_faster

    assert of([1.0, 1.1, 1.0, 1.2], [0.8, 0.7, 0.8, 0.9])
    assert not of([1.0, 1.1, 1.0, 1.2], [0.95, 0.96, 0.94, 0.95])  # less than a tenth
    assert not of([1.0, 2.0, 0.5, 1.5], [0.4, 1.4, 1.1, 0.9])  # within the noise


def test_a_benchmark_is_timed_without_a_sandbox_too(base_environment: Environment, tree: Tree) -> None:
    slow, fast = ({"shop.py": text} for text in (SLOW, FAST))
    better = timed(Sandbox("off"), base_environment, tree(slow), tree(fast), BENCHMARK, rounds=3)
    assert not better.problem and better.before.steps > better.after.steps
