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
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_MOST_BYTES = 16 << 20
_TEXTS = ("fixtures", "plainly", "interface", "values", "equality")
"""Files beside this one whose texts are executed in the program."""
_LONGEST = 8000
"""Characters of a value, written down; a longer one is only said to be large."""
LATER = 1_000_000
"""As which time a run is told that waits before it tells."""
_CHILD = r"""
def _main(json, os, sys, time):
    task = json.loads(sys.stdin.read())
    plainly = {"__name__": "given", "run": None, "Unable": (), "given": dict}
    if any(name for _, _, name, _ in task["programs"]):
        exec(task["fixtures"], plainly)
        exec(task["plainly"], plainly)
    import builtins

    def looking(text):
        # What is changed later is not changed here.
        names = {"__name__": "looking", "__builtins__": dict(vars(builtins))}
        exec(text, names)
        return names

    work = os.getcwd() + "/"
    searched, loaded = sys.path[:], {*sys.modules}
    own = [part for part in searched if not part or (part + "/").startswith(work)]
    sys.path[:] = [part for part in searched if part not in own]
    interface, values, equality = (looking(task[each]) for each in ("interface", "values", "equality"))
    sys.path[:] = searched
    for name in {*sys.modules} - loaded:  # but not those that the project has, too
        if any(os.path.exists(os.path.join(part, name.partition(".")[0] + end)) for part in own for end in ("", ".py")):
            del sys.modules[name]
    told = values["teller"](interface["PLAIN"], interface["unlike"], time)
    odd_classes, collector = equality["odd_classes"], equality["Collector"]
    from _signal import getitimer
    from gc import collect

    type_, setprofile, modules = type, sys.setprofile, sys.modules
    dump, write = json.dumps, os.write
    exec_, eval_, len_, any_, longest = exec, eval, len, any, task["longest"]
    clock, sleep, listdir, range_, next_, sum_ = time.monotonic, time.sleep, os.listdir, range, next, sum
    run, unable, foreign, isinstance_ = plainly["run"], plainly["Unable"], (NameError, ImportError), isinstance

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
    for number, (setup, steps, name, made) in enumerate(task["programs"]):
        groups.setdefault((setup, name, made), []).append((number, steps))

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

        def run(self, steps, names, name, pause=None):
            # `pause`: waits between what is made and what is told of it.
            try:
                for line, is_told in steps:
                    if name and is_told is not None:
                        run(names, line, pause)
                    elif is_told:
                        if pause and line is not steps[0][0]:
                            pause()
                            pause = None
                        value = eval_(line, names)
                        self.tell([value], value=written(value))
                    else:
                        exec_(line, names)
            except BaseException as error:
                if name and (isinstance_(error, unable) or (isinstance_(error, foreign) and not is_of_project(error))):
                    self.tell([], unable=True)
                else:
                    self.tell([], error=("%s: %s" % (type_(error).__name__, error))[:500])
            else:
                return True

    def look_for_lies(number, steps, names, name):
        # However the test compares: an object that equals different things says nothing.
        if not (odd := odd_classes(work)):
            return
        latest[0], taken = Pass(number, 1), collector(odd, work, names)
        setprofile(taken)
        latest[0].run(steps, names, name)
        setprofile(None)
        for kind, how in taken.lies[:1]:
            module, kind_name = str(kind.__module__), str(kind.__qualname__)
            is_known = getattr(modules.get(module), kind_name, None) is kind
            put(number, lie=["%s.%s" % (module, kind_name) if is_known else kind_name, how])

    def repeat(first, steps, names, name, ready):
        # What is right at first may not be so for long, and what was given may be changed later.
        state, odd, until, is_late = first.state(), 0, clock() + min(0.2, share), pending()
        if is_late:
            if ready is not None:
                write(ready, b"1")  # others go on meanwhile
            linger()
            latest[0] = each = Pass(first.number, task["later"])
            each.run(steps, names, name, linger)
            if each.found != first.found:
                for found in each.found:
                    put(first.number, again=each.again, **found)
            until = clock() + min(0.2, share)
        collect()
        now = first.state()
        for again in range_(1, 20 if is_late else 600):
            if clock() > until or odd > 20 or (not is_late and not again % 20 and (tasks() > 1 or handles() > 200)):
                break
            latest[0] = each = Pass(first.number, again)
            each.run(steps, names, name)
            if each.found != first.found:
                odd += 1
                for found in each.found:
                    put(first.number, again=again, **found)
        if not odd:
            now = first.state()
        for found, before, after in zip(first.found, state, now):
            if before != after:
                put(first.number, again=-1, claim=found.get("claim", -1), value=after[0])

    def linger():
        until = clock() + 1.5
        while clock() < until and pending():
            sleep(0.02)

    def pending():
        return tasks() > 1 or any_(getitimer(kind)[0] for kind in (0, 1, 2))

    def tasks():
        return len_(listdir("/proc/self/task"))

    def handles():
        return len_(listdir("/proc/self/fd"))

    latest = [None]

    def computed(value):
        # As a program has it: no constant, of no exact size, and others hold it, too.
        kind = type_(value)
        if kind is list:
            value.append(None)
            value.pop()
        elif kind is str or kind is bytes:
            value = value[:1] + value[1:]
        elif kind is int or kind is float:
            value = value + kind()
        held[:] = [value, [value], (value, value)]
        return value

    held = []

    def begun(setup, name, made):
        # The names of a program after its setup, and the error that ended it.
        names = {"__name__": "program", **({made: computed} if made else {})}
        if name:
            names[name] = lambda claim, *values: latest[0].tell(
                values, claim=claim, value=[written(value) for value in values]
            )
            names.update({"%s_%s" % (name, key): value for key, value in plainly["given"]()})
        latest[0] = first = Pass(-1, 1)
        return names, None if first.run([(setup, None)], names, name) else first.found[-1]

    def alone(number, steps, names, name, ready):
        latest[0] = first = Pass(number, 0)
        if first.run(steps, names, name):
            put(number, ended=True)
            look_for_lies(number, steps, names, name)
            repeat(first, steps, names, name, ready)
        leave(0)

    has_threads = 7
    for (setup, name, made), programs in groups.items():
        late = []
        if pid := fork():
            if wait(pid, 0)[1] >> 8 == has_threads:  # or timers, which no fork takes with it
                for number, steps in programs:
                    if pid := fork():
                        late.append(pid)
                    else:
                        alone(number, steps, begun(setup, name, made)[0], name, None)
            for pid in late:
                wait(pid, 0)
            continue
        names, error = begun(setup, name, made)
        if error:
            for number, _ in programs:
                put(number, **error)
            leave(0)
        if pending():
            leave(has_threads)
        for number, steps in programs:
            ready_out, ready = pipe()
            if pid := fork():  # each begins anew: what one leaves in modules says nothing to the next
                close(ready)
                read(ready_out, 1)  # its end, if it says nothing
                close(ready_out)
                late.append(pid)
                continue
            alone(number, steps, names, name, ready)
        for pid in late:
            wait(pid, 0)
        leave(0)


import json, os, sys, time
_main(json, os, sys, time)
"""


def main(task_file: str, result_file: str) -> None:
    """Run the programs in a child process."""
    task: dict[str, Any] = json.loads(Path(task_file).read_text("utf-8"))
    programs = [(each["setup"], each["steps"], each.get("told", ""), each.get("made", "")) for each in task["programs"]]
    path = os.environ.get("PYTHONPATH", "").split(":")
    environment = {**os.environ, "PYTHONPATH": ":".join(part for part in path if part != "/out")}
    with tempfile.TemporaryFile() as told:
        child = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", _CHILD],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
            pass_fds=[told.fileno()],
        )  # fmt: skip
        try:
            texts = {name: Path(__file__).with_name(f"{name}.py").read_text("utf-8") for name in _TEXTS}
            texts["plainly"] = re.sub(r"(?m)^from \S+\.fixtures import .*", "", texts["plainly"])  # it has them already
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
