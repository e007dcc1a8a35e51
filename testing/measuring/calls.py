"""Makes calls of a project's code as a plain program would: without a test framework, a test file or an expected value.

    python -m ai_agents_sandboxed.measuring.calls TASK.json RESULT.json

The task: `programs`, each with its `setup` (statements) and `steps` (statements and expressions, and whether it is told
what they give; or names of whole tests, where `told` is the name by which these tell values, see `plainly.py`), and the
`seconds` for all of them. The result: for each what was told, up to an `error` that ended it.

The project's code runs in a child process that knows nothing but the programs; what it gives is written down by its
plain parts, so that no object has a say in what it equals. Each program has a process of its own. There it is run many
times in a row: what another time gives that the first did not is told, too, and so is what the first gave if it has
changed since.
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
def _main(json, os, sys, time):
    task = json.loads(sys.stdin.read())
    plainly = {"__name__": "given", "run": None, "Unable": NameError, "given": dict}
    if any(name for *_, name in task["programs"]):
        exec(task["plainly"], plainly)
    import builtins

    looking = {"__name__": "looking", "__builtins__": dict(vars(builtins))}  # what is changed later is not changed here
    work = os.getcwd() + "/"
    searched, loaded = sys.path[:], {*sys.modules}
    own = [part for part in searched if not part or (part + "/").startswith(work)]
    sys.path[:] = [part for part in searched if part not in own]
    exec(task["interface"], looking)
    exec(task["values"], looking)
    sys.path[:] = searched
    for name in {*sys.modules} - loaded:  # but not those that the project has, too
        if any(os.path.exists(os.path.join(part, name.partition(".")[0] + end)) for part in own for end in ("", ".py")):
            del sys.modules[name]
    told = looking["teller"](looking["PLAIN"], looking["unlike"], time)
    type_ = type
    dump, write = json.dumps, os.write
    exec_, eval_, len_, longest = exec, eval, len, task["longest"]
    clock, sleep, listdir, range_, next_, sum_ = time.monotonic, time.sleep, os.listdir, range, next, sum
    run, foreign, isinstance_ = plainly["run"], (NameError, ImportError, plainly["Unable"]), isinstance

    def is_of_project(error):
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename.startswith(work):
                return True
            trace = trace.tb_next
        return False

    def written(value):
        found = told(value)
        return found if len_(dump(found)) <= longest else ["large", ""]

    fork, wait, leave, out = os.fork, os.waitpid, os._exit, task["out"]
    pipe, read, close = os.pipe, os.read, os.close
    share = 1 / max(len_(task["programs"]), 1)
    groups = {}
    for number, (setup, steps, name) in enumerate(task["programs"]):
        groups.setdefault((setup, name), []).append((number, steps))

    def put(number, **found):
        write(out, dump({"number": number, **found}).encode() + b"\n")

    class Pass:
        # One time that a program is run; the first is told at once.
        def __init__(self, number, again):
            self.number, self.again, self.found, self.values = number, again, [], []

        def tell(self, values, **found):
            if not self.again:
                put(self.number, **found)
            self.found.append(found)
            self.values.append(values)

        def state(self):
            return [[written(each) for each in values] for values in self.values]

        def run(self, steps, names, name):
            try:
                for line, is_told in steps:
                    if name and is_told is not None:
                        run(names, line)
                    elif is_told:
                        value = eval_(line, names)
                        self.tell([value], value=written(value))
                    else:
                        exec_(line, names)
            except BaseException as error:
                if name and isinstance_(error, foreign) and not is_of_project(error):
                    self.tell([], unable=True)
                else:
                    self.tell([], error=("%s: %s" % (type_(error).__name__, error))[:500])
            else:
                return True

    def repeat(first, steps, names, name, ready):
        # What is right at first may not be so for long, and what was given may be changed later.
        state, odd, until = first.state(), 0, clock() + min(0.2, share)
        if tasks() == 1:
            for again in range_(1, 600):
                if clock() > until or odd > 20 or (not again % 20 and (tasks() > 1 or handles() > 200)):
                    break
                latest[0] = each = Pass(first.number, again)
                each.run(steps, names, name)
                if each.found != first.found:
                    odd += 1
                    for found in each.found:
                        put(first.number, again=again, **found)
        elif not odd:
            until = clock() + 1.5
            write(ready, b"1")  # others go on meanwhile
            while clock() < until and tasks() > 1:
                sleep(0.02)
        now = first.state() if not odd else state
        for found, before, after in zip(first.found, state, now):
            if before != after:
                put(first.number, again=-1, claim=found.get("claim", -1), value=after[0])

    def tasks():
        return len_(listdir("/proc/self/task"))

    def handles():
        return len_(listdir("/proc/self/fd"))

    latest = [None]
    for (setup, name), programs in groups.items():
        if pid := fork():
            wait(pid, 0)
            continue
        names = {"__name__": "program"}
        if name:
            names[name] = lambda claim, *values: latest[0].tell(
                values, claim=claim, value=[written(value) for value in values]
            )
            names.update({"%s_%s" % (name, key): value for key, value in plainly["given"]()})
        latest[0] = first = Pass(-1, 1)
        if not first.run([(setup, None)], names, name):
            for number, _ in programs:
                put(number, **first.found[-1])
            leave(0)
        late = []
        for number, steps in programs:
            ready_out, ready = pipe()
            if pid := fork():  # each begins anew: what one leaves in modules says nothing to the next
                close(ready)
                read(ready_out, 1)  # its end, if it says nothing
                close(ready_out)
                late.append(pid)
                continue
            latest[0] = first = Pass(number, 0)
            if first.run(steps, names, name):
                put(number, ended=True)
                repeat(first, steps, names, name, ready)
            leave(0)
        for pid in late:
            wait(pid, 0)
        leave(0)


import json, os, sys, time
_main(json, os, sys, time)
"""


def main(task_file: str, result_file: str) -> None:
    """Run the programs in a child process."""
    task: dict[str, Any] = json.loads(Path(task_file).read_text("utf-8"))
    programs = [(each["setup"], each["steps"], each.get("told", "")) for each in task["programs"]]
    path = os.environ.get("PYTHONPATH", "").split(":")
    environment = {**os.environ, "PYTHONPATH": ":".join(part for part in path if part != "/out")}
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CHILD],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
            pass_fds=[told.fileno()],
        )  # fmt: skip
        try:
            texts = {
                name: Path(__file__).with_name(f"{name}.py").read_text("utf-8")
                for name in ("plainly", "interface", "values")
            }
            asked = {"programs": programs, "out": told.fileno(), "longest": _LONGEST, **texts}
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
