"""What the sandbox costs: the time of a launch, and of a pytest run with one test compared to the same run outside.

    python -m bench.sandbox_speed               medians of 20; goals: a launch under 25 ms, inside under 1.6 × outside
    python -m bench.sandbox_speed --times 40 --json

Runs inside and outside alternate, so that other work on the machine affects both. The same Python and pytest run the
same file with the same options. The exit code is 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from testing import EnvironmentManager, Sandbox, TestRunner, discard_folder

LAUNCH_GOAL_MS = 25.0
RATIO_GOAL = 1.6
_TEST = "def test_sum() -> None:\n    assert 1 + 1 == 2\n"
_OPTIONS = ["-o", "junit_family=xunit1", "-o", "cache_dir=/tmp/pytest_cache", "--tb=short", "--color=no"]


@dataclass(frozen=True)
class Figures:
    """Medians in milliseconds; `load` is the machine's load average of the last minute, before and after."""

    tier: int
    times: int
    plain_ms: float
    launch_ms: float
    outside_ms: float
    inside_ms: float
    load: tuple[float, float]

    @property
    def overhead_ms(self) -> float:
        """The time of a launch without that of the command itself."""
        return self.launch_ms - self.plain_ms

    @property
    def ratio(self) -> float:
        return self.inside_ms / self.outside_ms


def measure(times: int, folder: Path) -> Figures:
    """Measure each kind `times` times, alternating, with files below `folder`."""
    sandbox = Sandbox()
    tier = sandbox.probe().tier
    if tier is None:
        raise SystemExit(
            f"the sandbox does not work on this machine: {sandbox.probe().detail} {sandbox.probe().remedy}"
        )
    source = folder / "source"
    source.mkdir()
    (source / "test_one.py").write_text(_TEST, encoding="utf-8")
    environment = EnvironmentManager(folder / "data", sandbox).ensure(source)
    python = environment.path / "venv/bin/python"
    runner = TestRunner(sandbox)
    before = os.getloadavg()[0]

    def launch() -> None:
        sandbox.run(["true"], cwd="/", timeout=20)

    def plain() -> None:
        subprocess.run(["true"], check=True)

    def outside() -> None:
        report = folder / "report.xml"
        command = [str(python), "-m", "pytest", "-q", *_OPTIONS, f"--junitxml={report}", "--rootdir", str(source)]
        variables = {"PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(command, cwd=source, env=variables, check=True, stdout=subprocess.DEVNULL)

    def inside() -> None:
        result = runner.run_tests(source, environment)
        assert result.passed, result.problem

    plain_ms, launch_ms, outside_ms, inside_ms = _alternating([plain, launch, outside, inside], times)
    load = (round(before, 2), round(os.getloadavg()[0], 2))
    return Figures(tier, times, plain_ms, launch_ms, outside_ms, inside_ms, load)


def _alternating(works: list[Callable[[], None]], times: int) -> list[float]:
    """Medians in milliseconds; the first round is a warm-up and does not count."""
    seconds: list[list[float]] = [[] for _ in works]
    for number in range(times + 1):
        for work, taken in zip(works, seconds, strict=True):
            started = time.perf_counter()
            work()
            if number:
                taken.append(time.perf_counter() - started)
    return [statistics.median(taken) * 1000 for taken in seconds]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ai-agents-bench-"))
    folder.chmod(0o755)
    try:
        figures = measure(chosen.times, folder)
    finally:
        discard_folder(folder)
    if chosen.json:
        print(json.dumps(asdict(figures) | {"overhead_ms": figures.overhead_ms, "ratio": figures.ratio}, indent=2))
    else:
        print(f"tier {figures.tier}, medians of {figures.times}, load {figures.load[0]} to {figures.load[1]}")
        print(f"launch    {figures.launch_ms:6.1f} ms, {figures.overhead_ms:.1f} ms more than without a sandbox")
        print(
            f"one test  {figures.inside_ms:6.1f} ms inside, {figures.outside_ms:.1f} ms outside: {figures.ratio:.2f} x"
        )
    return 0 if figures.overhead_ms < LAUNCH_GOAL_MS and figures.ratio < RATIO_GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
