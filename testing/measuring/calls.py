"""Makes calls of a project's code as a plain program would: without a test framework, a test file or an expected value.

    python -m ai_agents_sandboxed.measuring.calls TASK.json RESULT.json

The task: `programs`, each with its `setup` (statements) and `steps` (statements and expressions, and whether it is told
what they give), and the `seconds` for all of them. The result: for each what was told, up to an `error` that ended it.
The project's code runs in a child process that knows nothing but the programs; what it gives is written down by its
plain parts, so that no object has a say in what it equals. Each program has a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_MOST_BYTES = 16 << 20
_LONGEST = 8000
"""Characters of a value, written down; a longer one is only said to be large."""
_CHILD = r"""
def _main(json, os, sys):
    task = json.loads(sys.stdin.read())
    type_, mro = type, type.__dict__["__mro__"].__get__
    plain = {int: int.__int__, float: float.__float__, str: str.__str__, complex: complex.__complex__}
    parts = {list: list.__iter__, tuple: tuple.__iter__, set: set.__iter__, frozenset: frozenset.__iter__}
    dump, write, items, slice_ = json.dumps, os.write, dict.items, bytes.__getitem__
    any_, vars_, known = any, vars, {"builtins", *sys.stdlib_module_names}
    exec_, eval_, str_, repr_, len_, longest = exec, eval, str, repr, len, task["longest"]

    def told(value, depth=0):
        kind = type_(value)
        if value is None or kind is bool:
            return [str_(kind.__name__), repr_(value)]
        if depth > 20:
            return ["deep", ""]
        name = "%s.%s" % (kind.__module__, kind.__qualname__)
        if any_("__eq__" in vars_(each) and str_(each.__module__).partition(".")[0] not in known for each in mro(kind)):
            return ["object", name]
        for base in mro(kind):
            if base in plain:
                exact = plain[base](value)
                return [base.__name__, exact if base is str_ else repr_(exact)]
            if base is bytes:
                return ["bytes", slice_(value, slice(None)).hex()]
            if base in parts:
                return [base.__name__, [told(part, depth + 1) for part in parts[base](value)]]
            if base is dict:
                return ["dict", [[told(key, depth + 1), told(part, depth + 1)] for key, part in items(value)]]
        return ["object", name]

    fork, wait, leave = os.fork, os.waitpid, os._exit
    groups = {}
    for number, (setup, steps) in enumerate(task["programs"]):
        groups.setdefault(setup, []).append((number, steps))

    def done(number, line, names, is_told):
        found = None
        try:
            if is_told:
                found = {"value": told(eval_(line, names))}
                if len_(dump(found)) > longest:
                    found = {"value": ["large", ""]}
            else:
                exec_(line, names)
        except Exception as error:
            found = {"error": ("%s: %s" % (type_(error).__name__, error))[:500]}
        if found:
            write(task["out"], dump({"number": number, **found}).encode() + b"\n")
        return not found or "error" not in found

    for setup, programs in groups.items():
        if pid := fork():
            wait(pid, 0)
            continue
        names = {"__name__": "program"}
        if not done(programs[0][0], setup, names, False):
            leave(0)
        for number, steps in programs:
            if pid := fork():  # each begins anew: what one leaves in modules says nothing to the next
                wait(pid, 0)
                continue
            for line, is_told in steps:
                if not done(number, line, names, is_told):
                    break
            leave(0)
        leave(0)


import json, os, sys
_main(json, os, sys)
"""


def main(task_file: str, result_file: str) -> None:
    """Run the programs in a child process."""
    task: dict[str, Any] = json.loads(Path(task_file).read_text("utf-8"))
    programs = [(each["setup"], each["steps"]) for each in task["programs"]]
    path = os.environ.get("PYTHONPATH", "").split(":")
    environment = {**os.environ, "PYTHONPATH": ":".join(part for part in path if part != "/out")}
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CHILD],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
            pass_fds=[told.fileno()],
        )  # fmt: skip
        try:
            asked = json.dumps({"programs": programs, "out": told.fileno(), "longest": _LONGEST}).encode()
            child.communicate(asked, timeout=float(task["seconds"]))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        told.seek(0)
        written = told.read(_MOST_BYTES)
    given: list[list[dict[str, Any]]] = [[] for _ in programs]
    for line in written.splitlines():
        try:
            found = json.loads(line)
            given[found.pop("number")].append({name: found[name] for name in ("value", "error") if name in found})
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            continue
    Path(result_file).write_text(json.dumps({"given": given}), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
