"""Times a benchmark on two versions of a project's code, in turns, each time in a process of its own.

    python -m ai_agents_sandboxed.measuring.timing TASK.json RESULT.json

The task: `benchmark` (a program that defines `benchmark()`), `rounds` and `seconds` for all of them. The folders of the
two versions are in variables of the environment. The result: for `before` and `after` the `processor` and `clock`
seconds of a call in each round (without those in which other programs had the processor), and the `steps` of one call
(lines of Python that it runs) and what it `gave`, if that is plain; `problem` says why there is none.

Processor time is counted, since other work on the machine adds nothing to it; in turns, so that a machine that slows
down slows both; and steps, which do not depend on the machine at all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Any

BEFORE, AFTER = "AI_AGENTS_BEFORE", "AI_AGENTS_AFTER"
"""Variables with the folders of the two versions."""
_LEAST_SECONDS = 0.05
"""Of processor time, so long that its clock is fine enough; the function is called until it is over."""
_MOST_CALLS = 10_000
_LONGEST_VALUE = 2000
_COUNTED_SECONDS = 5.0
"""Time for counting steps."""


def main(task_file: str, result_file: str) -> None:
    """Time both versions until the rounds or the time are over."""
    task: dict[str, Any] = json.loads(Path(task_file).read_text("utf-8"))
    end = time.monotonic() + float(task["seconds"])
    folders = {"before": os.environ.pop(BEFORE), "after": os.environ.pop(AFTER)}
    found: dict[str, Any] = {name: {"processor": [], "clock": [], "steps": 0, "gave": []} for name in folders}
    for number in range(int(task["rounds"])):
        names = ("before", "after") if number % 2 == 0 else ("after", "before")
        if number and time.monotonic() > end:
            break
        for name in names:
            measured = _in_process(
                folders[name], task["benchmark"], max(end - time.monotonic(), 1.0), count=number == 0
            )
            if "problem" in measured:
                found["problem"] = f"{name} the change: {measured['problem']}"
                Path(result_file).write_text(json.dumps(found), "utf-8")
                return
            found[name]["processor"].append(measured["processor"])
            found[name]["clock"].append(measured["clock"])
            found[name]["steps"] = max(found[name]["steps"], measured["steps"])
            found[name]["gave"].append(measured["gave"])
    Path(result_file).write_text(json.dumps(found), "utf-8")


def _in_process(folder: str, benchmark: str, seconds: float, *, count: bool) -> dict[str, Any]:
    """One measurement in a new process that imports the project from `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        program, written = Path(scratch, "benchmark.py"), Path(scratch, "measured.json")
        program.write_text(benchmark, "utf-8")
        environment = {**os.environ, "PYTHONPATH": f"{folder}/src:{folder}"}
        command = [sys.executable, "-W", "ignore", __file__, "measure", str(program), str(written), str(int(count))]
        try:
            ended = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return {"problem": f"the benchmark did not end within {seconds:.0f} s"}
        if not written.is_file():
            told = ended.stderr.strip().splitlines()[-8:]
            return {"problem": f"the benchmark failed (exit code {ended.returncode}): " + "\n".join(told)}
        measured: dict[str, Any] = json.loads(written.read_text("utf-8"))
        return measured


def measure(program: str, written: str, count: bool) -> None:
    """Run the program, then time its function, in this process."""
    text = Path(program).read_text("utf-8")
    names: dict[str, Any] = {"__name__": "benchmark", "__file__": program}
    exec(compile(text, program, "exec"), names)  # noqa: S102  it is what is to be timed
    function = names.get("benchmark")
    if not callable(function):
        raise SystemExit("the program defines no function benchmark()")
    gave = _plain(function())  # called before, so that caches and late imports do not count
    calls, processor, clock, queued = 0, time.process_time(), time.perf_counter(), _queued()
    while calls < _MOST_CALLS:
        function()
        calls += 1
        if time.process_time() - processor >= _LEAST_SECONDS or time.perf_counter() - clock >= _LEAST_SECONDS * 4:
            break
    spent, passed = time.process_time() - processor, time.perf_counter() - clock - (_queued() - queued)
    steps = _steps(function) if count else 0
    found = {"processor": spent / calls, "clock": passed / calls, "steps": steps, "gave": gave}
    Path(written).write_text(json.dumps(found), "utf-8")


def _plain(value: object, depth: int = 5) -> str:
    """A value of plain types in words; empty if it holds any other. Types are compared by `is`: what the project's code
    returns could say anything of itself."""
    kind = type(value)
    if kind in (int, float, complex, str, bytes, bool, type(None)):
        return repr(value)[:_LONGEST_VALUE]
    if kind is dict:
        parts = [_plain(part, depth - 1) for pair in value.items() for part in pair] if depth else [""]  # type: ignore[attr-defined]
    elif kind in (list, tuple, set, frozenset):
        parts = [_plain(part, depth - 1) for part in value] if depth else [""]  # type: ignore[attr-defined]
        parts = sorted(parts) if kind in (set, frozenset) else parts
    else:
        return ""
    return f"{kind.__name__}({', '.join(parts)})"[:_LONGEST_VALUE] if all(parts) else ""


def _queued() -> float:
    """Seconds that this process was ready to run and others were run in its place."""
    try:
        return int(Path("/proc/self/schedstat").read_text("ascii").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


class _Enough(BaseException):
    """Counting takes too long."""


def _steps(function: Any) -> int:
    """How many lines of Python one call runs; 0 if they are too many to be counted."""
    steps, end = 0, time.monotonic() + _COUNTED_SECONDS

    def counted(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps
        if event == "line":
            steps += 1
            if steps % 10_000 == 0 and time.monotonic() > end:
                raise _Enough
        return counted

    sys.settrace(counted)
    try:
        function()
    except _Enough:
        return 0
    finally:
        sys.settrace(None)
    return steps


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        sys.path.pop(0)  # the folder of this file
        measure(sys.argv[2], sys.argv[3], sys.argv[4] == "1")
    else:
        main(sys.argv[1], sys.argv[2])
