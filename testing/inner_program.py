"""Starts programs of ours in the sandbox, beside the project's code, and reads what they wrote: not to be trusted.

They are copied in as plain files, since the project's environment has none of our packages.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from testing.errors import InvalidReport
from testing.frameworks.junit import report_text
from testing.sandbox.mounts import Mount
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.user import discard

Answer = TypeVar("Answer", bound=BaseModel)

_PACKAGE = "ai_agents_sandboxed"
_PROGRAMS = ("recombination", "mutation")
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


def run_program(place: Place, program: str, task: BaseModel, answer: type[Answer], seconds: float) -> Answer:
    """What `program` answers to `task` within `seconds`; an empty answer when it was killed or wrote nonsense.

    Raises SandboxUnavailable when nothing may be run.
    """
    out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=place.source.parent))
    try:
        (out / "task.json").write_text(task.model_dump_json(), encoding="utf-8")
        (out / _PACKAGE).mkdir()
        (out / _PACKAGE / "__init__.py").touch()
        for name in _PROGRAMS:
            folder = Path(__file__).parent / "strength" / name
            shutil.copytree(folder, out / _PACKAGE / name, ignore=shutil.ignore_patterns("__pycache__"))
        place.sandbox.hand_over(out)
        paths = [path for path in (place.variables.get("PYTHONPATH", ""), "/out") if path]
        ended = place.sandbox.run(
            [place.python, "-W", "ignore", "-m", f"{_PACKAGE}.{program}", "/out/task.json", "/out/result.json"],
            mounts=[Mount(place.source, "/work", writable=True), Mount(out, "/out", writable=True), place.environment],
            cwd="/work",
            env={**place.variables, "PYTHONPATH": ":".join(paths)},
            timeout=seconds + _GRACE,
            label=place.label,
        )
        return _read(out / "result.json", answer).model_copy(update={"seconds": ended.seconds})
    finally:
        discard(out)


def _read(result: Path, answer: type[Answer]) -> Answer:
    try:
        return answer.model_validate(json.loads(report_text(result, MOST_RESULT_BYTES)))
    except (InvalidReport, ValueError, RecursionError, OverflowError):
        return answer()
