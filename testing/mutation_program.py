"""Runs the program `mutation` in the sandbox: which small faults in accepted code do its tests notice?"""

from __future__ import annotations

import ast
from typing import Self

from pydantic import BaseModel, Field, model_validator

from monitoring import get_logger
from testing import mutation
from testing.sandboxed_program import Place, run_program

_log = get_logger(__name__)

_LINE = 200
_WORDS = 600
MOST_MUTANTS = 40


class MutationTask(BaseModel):
    """What is examined: `functions` of `module` (`name` or `Class.method`), whose text is `source`, with `tests`.

    A test is the lines of its body. `samples`: the module's text with other solutions of the task, which are asked for
    their opinion on further calls. `seconds` bound the trying of mutants.
    """

    module: str
    source: str
    functions: list[str]
    tests: list[list[str]]
    samples: list[str] = []
    most: int = MOST_MUTANTS
    seconds: float = 5.0


class Survivor(BaseModel):
    """A fault that no test notices: the statement (its head) in that line of the module, before and after."""

    line: int = Field(ge=0)
    before: str = Field(max_length=_LINE)
    after: str = Field(max_length=_LINE)
    operator: str = Field(max_length=30)


class Distinguishing(BaseModel):
    """A call that distinguishes a survivor from the accepted code, its result, and how many of those asked agree.

    It replaces the call in the test with the number `test`, and needs the statements before it there.
    """

    test: int = Field(ge=0)
    call: str = Field(max_length=_WORDS)
    expected: str = Field(max_length=_WORDS)
    """As `repr` writes it; a literal."""
    agreeing: int = Field(ge=0)
    asked: int = Field(ge=0)

    @model_validator(mode="after")
    def _is_a_call_with_a_value(self) -> Self:
        try:
            ast.literal_eval(self.expected)
            call = ast.parse(self.call, mode="eval").body
        except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise ValueError("the call or its value is not Python") from error
        if not isinstance(call, ast.Call):
            raise ValueError("only a call has a result that can be compared")
        return self

    @property
    def agreed(self) -> bool:
        """Whether independent solutions say the same: one other at least, and most of them."""
        return self.agreeing * 2 > self.asked


class Mutation(BaseModel):
    """How strong the tests are. Without mutants (`total` 0) nothing could be measured."""

    total: int = Field(0, ge=0, le=MOST_MUTANTS)
    killed: int = Field(0, ge=0, le=MOST_MUTANTS)
    survivors: list[Survivor] = Field([], max_length=MOST_MUTANTS)
    holds: list[bool] = []
    """For each test whether the accepted code passes it when it stands alone."""
    kills: list[int] = []
    """For each test the mutants that it is the first to notice."""
    distinguishing: list[Distinguishing] = Field([], max_length=10)
    seconds: float = 0.0

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.killed + len(self.survivors) != self.total or len(self.holds) != len(self.kills):
            raise ValueError("killed mutants and survivors do not add up to all mutants")
        return self

    @property
    def score(self) -> float | None:
        """Share of the mutants that the tests notice; None when there were none."""
        return self.killed / self.total if self.total else None

    def noticed_by(self, test: int) -> int:
        """Mutants that the test in this place is the first to notice; 0 when the accepted code fails it."""
        known = test < len(self.holds) and self.holds[test]
        return self.kills[test] if known else 0


def mutate(place: Place, task: MutationTask) -> Mutation:
    """How many small faults in the accepted code in the files of `place` its tests notice.

    The measurement runs beside the code that it measures: good enough to ask for another test, not to accept one.

    Raises SandboxUnavailable when nothing may be run.
    """
    found = run_program(place, [mutation], "mutation", task, Mutation, task.seconds)
    # Our program does not write about more tests than there are.
    fits = len(found.holds) in (0, len(task.tests)) and all(one.test < len(task.tests) for one in found.distinguishing)
    found = found if fits else Mutation()
    _log.info(
        "tests examined by mutants", functions=len(task.functions), tests=len(task.tests), mutants=found.total,
        killed=found.killed, seconds=round(found.seconds, 2),
    )  # fmt: skip
    return found
