"""Starts the search of `testing.recombination` in the sandbox and reads what it found, which is not to be trusted."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from testing.mounts import Mount
from testing.ownership import discard
from testing.sandbox import Sandbox

_PACKAGE = "ai_agents_recombination"
_SOURCE = Path(__file__).parent / "recombination"
_GRACE = 10.0
"""Seconds beyond the search's own time, for the project's imports and the last candidate."""
_MOST_RESULT_BYTES = 200_000


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

    code: str = Field("", max_length=_MOST_RESULT_BYTES)
    tried: int = Field(0, ge=0)
    best: int = Field(0, ge=0)
    of: int = Field(0, ge=0)
    seconds: float = 0.0


def recombine(
    sandbox: Sandbox,
    source: Path,
    environment: Mount,
    python: str,
    variables: Mapping[str, str],
    task: RecombinationTask,
    label: str,
) -> Recombination:
    """Search on the files of the run folder `source`, which was prepared and handed over.

    Raises SandboxUnavailable when nothing may be run.
    """
    out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=source.parent))
    try:
        (out / "task.json").write_text(task.model_dump_json(), encoding="utf-8")
        shutil.copytree(_SOURCE, out / _PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
        sandbox.hand_over(out)
        paths = [path for path in (variables.get("PYTHONPATH", ""), "/out") if path]
        ended = sandbox.run(
            [python, "-W", "ignore", "-m", _PACKAGE, "/out/task.json", "/out/result.json"],
            mounts=[Mount(source, "/work", writable=True), Mount(out, "/out", writable=True), environment],
            cwd="/work",
            env={**variables, "PYTHONPATH": ":".join(paths)},
            timeout=task.seconds + _GRACE,
            label=label,
        )
        return _read(out / "result.json").model_copy(update={"seconds": ended.seconds})
    finally:
        discard(out)


def _read(result: Path) -> Recombination:
    """What the search wrote; nothing when that cannot be read, as a killed search leaves it."""
    try:
        if result.is_symlink() or result.stat().st_size > _MOST_RESULT_BYTES:
            return Recombination()
        return Recombination.model_validate(json.loads(result.read_bytes()))
    except (OSError, ValueError, ValidationError):
        return Recombination()
