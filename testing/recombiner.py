"""Starts the search of `testing.recombination` in the sandbox."""

from __future__ import annotations

from pydantic import BaseModel, Field

from testing.inner_program import MOST_RESULT_BYTES, Place, run_program


class RecombinationTask(BaseModel):
    """What is searched: a `function` of `module`, from `samples` (source code), that passes `tests`.

    A test is the lines of its body. `seconds` bound the search.
    """

    module: str
    function: str
    samples: list[str]
    tests: list[list[str]]
    seconds: float


class Recombination(BaseModel):
    """What came of it: `code` (empty when nothing passes all), candidates tried, tests passed by the best, and all."""

    code: str = Field("", max_length=MOST_RESULT_BYTES)
    tried: int = Field(0, ge=0)
    best: int = Field(0, ge=0)
    of: int = Field(0, ge=0)
    seconds: float = 0.0


def recombine(place: Place, task: RecombinationTask) -> Recombination:
    """Search on the files of `place`. Raises SandboxUnavailable when nothing may be run."""
    return run_program(place, "recombination", task, Recombination, task.seconds)
