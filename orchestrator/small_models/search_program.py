"""Starts what `search` does with several solutions in the sandbox: the search itself, and the comparison."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from monitoring import get_logger
from orchestrator.small_models import search
from testing import MOST_RESULT_BYTES, Place, mutation, run_program

_log = get_logger(__name__)

_COMPARING_SECONDS = 10.0
_LONGEST_DIFFERENCE = 2000


class RecombinationTask(BaseModel):
    """What is searched: a `function` (or `Class.method`) of `module`, from `samples` (source), that passes `tests`.

    A test is the lines of its body. `seconds` bound the search. With `present` the last sample is the function as it is
    before the work.
    """

    module: str
    function: str
    samples: list[str]
    tests: list[list[str]]
    seconds: float
    present: bool = False


class Recombination(BaseModel):
    """What came of it: `code` (empty when nothing passes all), candidates tried, tests passed by the best, and all."""

    code: str = Field("", max_length=MOST_RESULT_BYTES)
    tried: int = Field(0, ge=0)
    best: int = Field(0, ge=0)
    of: int = Field(0, ge=0)
    found: int = Field(0, ge=0)
    """Solutions that pass all tests; `code` is one of them."""
    agreeing: int = Field(0, ge=0)
    """Of these, how many answer further calls as `code` does, itself included."""
    proven: bool = False
    """Whether the tests run every line of `code`, but for those of the function as it is."""
    seconds: float = 0.0

    def certain(self) -> bool:
        """Whether `code` is the only way found to pass these tests, and all of it is needed for that: what no test
        runs, nobody asked for. A sample that passes as it is was found by no search (`found` is 0)."""
        return self.agreeing == self.found and (self.proven or not self.found)


def recombine(place: Place, task: RecombinationTask) -> Recombination:
    """Search among changes of solutions that nearly work for one that passes all tests, on the files of `place`.

    What it finds is only a candidate: it was judged by code that ran beside the candidates. Raises SandboxUnavailable
    when nothing may be run.
    """
    found = run_program(place, [search, mutation], "search", task, Recombination, task.seconds)
    _log.info(
        "solutions recombined", function=task.function, samples=len(task.samples), found=bool(found.code),
        tried=found.tried, best=found.best, of=found.of, all=found.found, agreeing=found.agreeing,
        proven=found.proven, seconds=round(found.seconds, 2),
    )  # fmt: skip
    return found


class ComparisonTask(BaseModel):
    """What is compared: `samples` (source code) of a `function` of `module`, by `tests` and by calls like theirs."""

    module: str
    function: str
    samples: list[str]
    tests: list[list[str]]


class Comparison(BaseModel):
    """Which samples pass all tests, and how they differ from the first one on further calls.

    Empty when nothing could be compared.
    """

    holds: list[bool] = []
    """For each sample whether it passes every test."""
    asked: int = Field(0, ge=0)
    """Further calls."""
    values: list[int] = []
    """For each sample the calls for which it and the first one give different values."""
    raising: list[int] = []
    """For each sample the calls for which one of the two raises something that the other does not."""
    differences: list[Annotated[str, Field(max_length=_LONGEST_DIFFERENCE)]] = []
    """For each sample one of these calls, in words; empty when there is none."""
    seconds: float = 0.0


def compare(place: Place, task: ComparisonTask) -> Comparison:
    """Compare on the files of `place`. Raises SandboxUnavailable when nothing may be run."""
    found = run_program(place, [search, mutation], "search.comparing", task, Comparison, _COMPARING_SECONDS)
    lengths = {len(found.holds), len(found.values), len(found.raising), len(found.differences)}
    # What says more about samples than there are was not written by our program.
    return found if lengths == {len(task.samples)} else Comparison()
