"""Runs the programs of `measuring` in the sandbox: how long does a benchmark take before a change and after it, and do
the examples in a project's documentation hold?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat, JsonValue

from monitoring import get_logger
from testing import measuring
from testing.controls.apart import Apart
from testing.controls.computed import can_be_computed, computed
from testing.controls.outside import Replay
from testing.controls.twins import word
from testing.measuring import timing
from testing.sandbox.confinement import Mount
from testing.sandboxed_program import Place, run_program

_log = get_logger(__name__)

_LEAST_GAIN = 0.10
_SHOWN = 200
"""Share of the time that has to be saved."""
_WAITS = 3.0
"""A call that takes so many times longer than the processor works for it waits; then the clock counts."""


_Seconds = Annotated[FiniteFloat, Field(ge=0)]


class TimingTask(BaseModel):
    """What is timed: the function `benchmark` that the program defines, with two versions of the project's code."""

    benchmark: str
    rounds: int = 9
    seconds: float = 120.0


class Times(BaseModel):
    """Seconds of a call, one for each round."""

    processor: list[_Seconds] = Field([], max_length=100)
    clock: list[_Seconds] = Field([], max_length=100)
    steps: int = Field(0, ge=0)
    """Lines of Python that one call runs; 0 when that was not counted."""
    gave: list[str] = Field([], max_length=100)
    """What its first call returned in each round; empty texts for what is not plain."""


class Timing(BaseModel):
    """A benchmark on two versions of the code. It is timed beside the code: good enough for a team's own work."""

    before: Times = Times()
    after: Times = Times()
    problem: str = Field("", max_length=20_000)
    seconds: float = 0.0

    @property
    def waits(self) -> bool:
        """Whether the benchmark spends its time waiting, and not computing."""
        first = self.before
        if not (first.clock and first.processor):
            return False
        return statistics.median(first.clock) > _WAITS * statistics.median(first.processor)

    @property
    def of_both(self) -> tuple[Sequence[float], Sequence[float]]:
        """The seconds that count, before and after."""
        if self.waits:
            return self.before.clock, self.after.clock
        return self.before.processor, self.after.processor

    @property
    def gives_something_else(self) -> str:
        """What the benchmark returned before and after in words, if it always returned the same before, and never that
        after; else empty."""
        before, after = set(self.before.gave), set(self.after.gave)
        if len(before) != 1 or not all(before) or not after or before & after:
            return ""
        return f"{min(before)[:_SHOWN]} before and {min(after)[:_SHOWN] or 'nothing plain'} after"

    @property
    def is_faster(self) -> bool:
        """Whether the median is better by a tenth at least, and three quarters of the runs after the change are faster
        than three quarters of those before it."""
        if min(len(self.before.processor), len(self.after.processor)) < 2:
            return False
        before, after = self.of_both
        slow_after, fast_before = statistics.quantiles(after, n=4)[2], statistics.quantiles(before, n=4)[0]
        return statistics.median(after) <= statistics.median(before) * (1 - _LEAST_GAIN) and slow_after < fast_before

    def __str__(self) -> str:
        """The figures: `12.1 ms before (11.9 to 12.8), 0.9 ms after (0.9 to 1.0), 9 rounds; 40210 and 1200 steps`."""
        if self.problem or not self.before.processor or not self.after.processor:
            return self.problem or "nothing was measured"
        told = [
            f"{statistics.median(times) * 1000:.3g} ms {name} ({min(times) * 1000:.3g} to {max(times) * 1000:.3g})"
            for name, times in zip(("before", "after"), self.of_both, strict=True)
        ]
        steps = f"; {self.before.steps} and {self.after.steps} lines of Python a call" if self.before.steps else ""
        what = "on the clock" if self.waits else "of processor time"
        return f"{', '.join(told)} {what} a call, in {len(self.after.processor)} rounds{steps}"


def time_both(place: Place, before: Path, task: TimingTask) -> Timing:
    """Time a benchmark on the code of `place` and that of the run folder `before`, which was prepared, too.

    Raises SandboxUnavailable when nothing may be run.
    """
    # Names of folders are given as variables, which are those of the host where there is no sandbox.
    variables = {**place.variables, timing.BEFORE: "/before", timing.AFTER: "/work"}
    place = replace(place, variables=variables, further=(Mount(before, "/before", writable=True),))
    found = run_program(place, [measuring], "measuring.timing", task, Timing, task.seconds)
    if not found.problem and not (found.before.processor and found.after.processor):
        found = found.model_copy(update={"problem": "the benchmark gave no answer in its time"})
    _log.info("benchmark timed", figures=str(found), seconds=round(found.seconds, 2))
    return found


class ExamplesTask(BaseModel):
    """Files whose examples (doctests) are run, by their paths in the project."""

    paths: list[str]
    seconds: float = 60.0


class Examples(BaseModel):
    """How the examples in some files end."""

    tried: int = Field(0, ge=0)
    failures: list[str] = Field([], max_length=50)
    """A line each: where the example stands, what it calls, what it gives."""
    unread: list[str] = Field([], max_length=1000)
    """Files that could not be imported or read, with the reason."""
    seconds: float = 0.0


def run_examples(place: Place, task: ExamplesTask) -> Examples:
    """Run the examples in files of `place`. Raises SandboxUnavailable when nothing may be run."""
    return run_program(place, [measuring], "measuring.examples", task, Examples, task.seconds)


class Steps(BaseModel):
    """Statements, and after them statements and expressions, each with whether it is told what it gives."""

    setup: str
    steps: list[tuple[str, bool]]
    told: str = ""
    """The name by which the setup tells values; then each step is the name of a test in it."""
    made: str = ""
    """The name by which it makes the values that stand in it."""
    once: bool = False
    """It is not tried again and again."""


class CallsTask(BaseModel):
    """What a plain program does in a project, one after the other, each with names of its own."""

    programs: list[Steps]
    seconds: float = 30.0


def calls_of(replays: Sequence[Replay]) -> list[Steps]:
    """The programs that do what tests do."""
    made = word()
    found = []
    for each in replays:
        text = "\n".join([each.setup, *(line for line, _ in each.steps)])
        setup, steps = each.setup, each.steps
        if can_be_computed(text):
            setup = computed(setup, made)
            steps = steps if each.told else [(computed(line, made), is_told) for line, is_told in steps]
        found.append(Steps(setup=setup, steps=steps, told=each.told, made=made))
    return found


def apart_from(aparts: Sequence[Apart]) -> list[Steps]:
    """The programs that do, without the project, what tests compute without it."""
    return [Steps(setup=each.setup, steps=each.steps, once=True) for each in aparts]


class Given(BaseModel):
    """What a call gave, by its plain parts (see `testing.controls.value_of`), or the error that it ended with."""

    value: JsonValue = None
    """A list of values where a whole test tells them."""
    error: str = Field("", max_length=2000)
    claim: int = -1
    """The number of the claim that a whole test tells it for."""
    again: int = 0
    """How often the program had been run before; `LATER` for the time that waits before it tells; -1 for what the first
    time had given, looked at once more at last."""
    lie: list[str] = Field([], max_length=2)
    """The class of an object that does not equal what it says, and how that shows."""
    unable: bool = False
    """The test needs what a plain program does not have."""
    ended: bool = False
    """The program came to its end; nothing is told."""


class Calls(BaseModel):
    """What was told of each program; empty when there is no answer."""

    given: list[list[Given]] = Field([], max_length=1000)
    seconds: float = 0.0


def run_calls(place: Place, task: CallsTask) -> Calls:
    """Have a plain program make calls in `place`. Raises SandboxUnavailable when nothing may be run."""
    return run_program(place, [measuring], "measuring.calls", task, Calls, task.seconds)
