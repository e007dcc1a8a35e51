"""Makes calls of a project's code as a plain program would: without a test framework, a test file or an expected value.

    python -m ai_agents_sandboxed.measuring.calls TASK.json RESULT.json

The task: `programs`, each with its `setup` (statements) and `steps` (statements and expressions, and whether it is told
what they give; or names of whole tests, where `told` is the name by which these tell values, see `plainly.py`), whether
it is run only `once`, and the `seconds` for all of them. The result: for each what was told, up to an `error` that
ended it.

The project's code runs in a child process that knows nothing but the programs; what it gives is written down by its
plain parts, so that no object has a say in what it equals. Each program has a process of its own. There it is run many
times in a row: what another time gives that the first did not is told, too, and so is what the first gave if it has
changed since.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_MOST_BYTES = 16 << 20
_TEXTS = ("program", "fixtures", "plainly", "interface", "values", "equality")
"""Files beside this one: the program that a child process is, and those whose texts it executes."""
_LONGEST = 8000
"""Characters of a value, written down; a longer one is only said to be large."""
LATER = 1_000_000
"""As which time a run is told that waits before it tells."""


def main(task_file: str, result_file: str) -> None:
    """Run the programs in a child process."""
    task: dict[str, Any] = json.loads(Path(task_file).read_text("utf-8"))
    programs = [
        (each["setup"], each["steps"], each.get("told", ""), each.get("made", ""), each.get("once", False))
        for each in task["programs"]
    ]
    path = os.environ.get("PYTHONPATH", "").split(":")
    environment = {**os.environ, "PYTHONPATH": ":".join(part for part in path if part != "/out")}
    environment["PYTHONHASHSEED"] = "random"  # sets have another order than in the run of the tests
    texts = {name: Path(__file__).with_name(f"{name}.py").read_text("utf-8") for name in _TEXTS}
    texts["plainly"] = re.sub(r"(?m)^from \S+\.fixtures import .*", "", texts["plainly"])  # it has them already
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", texts.pop("program")],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
            pass_fds=[told.fileno()],
        )  # fmt: skip
        try:
            asked = {"programs": programs, "out": told.fileno(), "longest": _LONGEST, "later": LATER, **texts}
            child.communicate(json.dumps(asked).encode(), timeout=float(task["seconds"]))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        told.seek(0)
        written = told.read(_MOST_BYTES)
    given: list[list[dict[str, Any]]] = [[] for _ in programs]
    for line in written.splitlines():
        try:
            found = json.loads(line)
            given[found.pop("number")].append(found)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            continue
    Path(result_file).write_text(json.dumps({"given": given}), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
