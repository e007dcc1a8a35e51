"""Runs our own programs in the sandbox, beside the project's code, and reads their answers, which cannot be trusted.

They are copied in as plain files, since the project's environment has none of our packages. There they lie below one
package name that no project has, and the imports between them are changed to it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from pydantic import BaseModel

from testing.errors import InvalidReport
from testing.frameworks.junit import report_text
from testing.sandbox.confinement import Mount
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.user import discard

Answer = TypeVar("Answer", bound=BaseModel)

_PACKAGE = "ai_agents_sandboxed"
_GRACE = 10.0
"""Seconds beyond the program's own time, for the project's imports and the last candidate."""
MOST_RESULT_BYTES = 200_000


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
