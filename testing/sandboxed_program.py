"""Runs our own programs in the sandbox, beside the project's code, and reads their answers, which cannot be trusted.

They are copied in as plain files, since the project's environment has none of our packages. There they lie below one
package name that no project has, and the imports between them are changed to it.

One of them is `mutation`: which small faults in accepted code do its tests notice?
"""

from __future__ import annotations

import ast
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Self, TypeVar

from pydantic import BaseModel, Field, model_validator

from monitoring import get_logger
from testing import mutation
from testing.errors import InvalidReport
from testing.frameworks.junit import report_text
from testing.sandbox.confinement import Mount
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.user import discard

_log = get_logger(__name__)

Answer = TypeVar("Answer", bound=BaseModel)

_PACKAGE = "ai_agents_sandboxed"
_GRACE = 10.0
"""Seconds beyond the program's own time, for the project's imports and the last candidate."""
MOST_RESULT_BYTES = 200_000
_LINE = 200
_WORDS = 600
MOST_MUTANTS = 40


@dataclass(frozen=True)
class Place:
    """Where a program runs: the run folder `source`, prepared and handed over, in the project's environment."""

    sandbox: Sandbox
    source: Path
    environment: Mount
    python: str
    variables: Mapping[str, str]
    label: str
    further: tuple[Mount, ...] = ()
    """What else it sees."""


def run_program(
    place: Place,
    packages: Sequence[ModuleType],
    program: str,
    task: BaseModel,
    answer: type[Answer],
    seconds: float,
) -> Answer:
    """What `program` answers to `task` within `seconds`; an empty answer when it was killed or wrote nonsense.

    `packages` are what it consists of: plain modules that import nothing but one another (by relative names within a
    package, by absolute ones across packages) and the standard library. `program` is the last part of the name of one
    of them, or of a module in it (`search.comparing`).

    Raises SandboxUnavailable when nothing may be run.
    """
    out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=place.source.parent))
    try:
        (out / "task.json").write_text(task.model_dump_json(), encoding="utf-8")
        (out / _PACKAGE).mkdir()
        (out / _PACKAGE / "__init__.py").touch()
        _lay(packages, out / _PACKAGE)
        place.sandbox.hand_over(out)
        paths = [path for path in (place.variables.get("PYTHONPATH", ""), "/out") if path]
        ended = place.sandbox.run(
            [place.python, "-W", "ignore", "-m", f"{_PACKAGE}.{program}", "/out/task.json", "/out/result.json"],
            mounts=[
                Mount(place.source, "/work", writable=True),
                Mount(out, "/out", writable=True),
                place.environment,
                *place.further,
            ],
            cwd="/work",
            env={**place.variables, "PYTHONPATH": ":".join(paths)},
            timeout=seconds + _GRACE,
            label=place.label,
        )
        return _read(out / "result.json", answer).model_copy(update={"seconds": ended.seconds})
    finally:
        discard(out)


def _lay(packages: Sequence[ModuleType], destination: Path) -> None:
    places = {package.__name__: f"{_PACKAGE}.{package.__name__.rpartition('.')[2]}" for package in packages}
    names = re.compile(rf"^from ({'|'.join(map(re.escape, places))})(?=[. ])", re.MULTILINE)
    for package in packages:
        folder = destination / package.__name__.rpartition(".")[2]
        folder.mkdir()
        for file in Path(str(package.__file__)).parent.glob("*.py"):
            text = names.sub(lambda found: f"from {places[found[1]]}", file.read_text(encoding="utf-8"))
            (folder / file.name).write_text(text, encoding="utf-8")


def _read(result: Path, answer: type[Answer]) -> Answer:
    try:
        return answer.model_validate(json.loads(report_text(result, MOST_RESULT_BYTES)))
    except (InvalidReport, ValueError, RecursionError, OverflowError):
        return answer()


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
