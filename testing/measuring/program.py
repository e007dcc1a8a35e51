"""The program that makes calls of a project's code: `calls.py` starts its text in a process of its own, without a file
that the code could find, and hands it the programs and the texts of the files beside it that it executes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # nothing is imported here that the project may have by the same name
    from collections.abc import Callable
    from typing import Any

    Names = dict[str, Any]


def _main(json: Any, os: Any, sys: Any, time: Any) -> None:
    """Everything it needs is its own: the code may change modules."""
    task = json.loads(sys.stdin.read())
    plainly: Names = {"__name__": "given", "run": None, "Unable": (), "given": dict, "_Approximately": dict.fromkeys}
    if any(name for _, _, name, *_ in task["programs"]):
        exec(task["fixtures"], plainly)  # noqa: S102
        exec(task["plainly"], plainly)  # noqa: S102
    import builtins

    def looking(text: str) -> dict[str, Any]:
        # What is changed later is not changed here.
        names = {"__name__": "looking", "__builtins__": dict(vars(builtins))}
        exec(text, names)  # noqa: S102
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
    told = values["teller"](interface["PLAIN"], interface["unlike"], time, plainly["_Approximately"])
    odd_classes, collector = equality["odd_classes"], equality["Collector"]
    from gc import collect

    getitimer = __import__("_signal").getitimer
    type_, setprofile, modules = type, sys.setprofile, sys.modules
    dump, write = json.dumps, os.write
    exec_, eval_, compile_, len_, any_, longest = exec, eval, compile, len, any, task["longest"]
    clock, sleep, listdir, range_ = time.monotonic, time.sleep, os.listdir, range
    run, unable, foreign, isinstance_ = plainly["run"], plainly["Unable"], (NameError, ImportError), isinstance

    def is_of_project(error: BaseException) -> bool:
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename.startswith(work):
                return True
            trace = trace.tb_next
        return False

    def code(text: str, mode: str) -> Any:
        return compile_(text, "<string>", mode, 0, True)  # the flags of this file are not the program's

    def written(value: Any) -> Any:
        found = told(value)
        return found if len_(dump(found)) <= longest else ["large", ""]

    fork, wait, leave, out = os.fork, os.waitpid, os._exit, task["out"]
    pipe, read, close = os.pipe, os.read, os.close
    share = 1 / max(len_([each for each in task["programs"] if not each[-1]]), 1)
    groups: dict[tuple[str, str, str], list[tuple[int, Any]]] = {}
    only_once = {number for number, (*_, once) in enumerate(task["programs"]) if once}
    for number, (setup, steps, name, made, _) in enumerate(task["programs"]):
        groups.setdefault((setup, name, made), []).append((number, steps))

    def put(number: int, **found: Any) -> None:
        write(out, dump({"number": number, **found}).encode() + b"\n")

    class Pass:
        """One time that a program is run; the first is told at once."""

        def __init__(self, number: int, again: int) -> None:
            self.number, self.again = number, again
            self.found: list[dict[str, Any]] = []
            self.values: list[Any] = []

        def tell(self, values: Any, **found: Any) -> None:
            if not self.again:
                put(self.number, **found)
            self.found.append(found)
            self.values.append(values)

        def state(self) -> list[list[Any]]:
            return [[written(each) for each in values] for values in self.values]

        def run(self, steps: Any, names: Names, name: str, pause: Callable[[], None] | None = None) -> bool:
            """Whether it comes to its end. `pause`: waits between what is made and what is told of it."""
            try:
                for line, is_told in steps:
                    if name and is_told is not None:
                        run(names, line, pause)
                    elif is_told:
                        if pause and line is not steps[0][0]:
                            pause()
                            pause = None
                        value = eval_(code(line, "eval"), names)
                        self.tell([value], value=written(value))
                    else:
                        exec_(code(line, "exec"), names)
            except BaseException as error:  # noqa: BLE001 — it is the code that is looked at
                if name and (isinstance_(error, unable) or (isinstance_(error, foreign) and not is_of_project(error))):
                    self.tell([], unable=True)
                else:
                    self.tell([], error=f"{type_(error).__name__}: {error!s}"[:500])
                return False
            return True

    def look_for_lies(number: int, steps: Any, names: Names, name: str) -> None:
        """However the test compares: an object that equals different things says nothing."""
        if not (odd := odd_classes(work)):
            return
        latest[0], taken = Pass(number, 1), collector(odd, work, names)
        setprofile(taken)
        latest[0].run(steps, names, name)
        setprofile(None)
        for kind, how in taken.lies[:1]:
            module, kind_name = str(kind.__module__), str(kind.__qualname__)
            is_known = getattr(modules.get(module), kind_name, None) is kind
            put(number, lie=[f"{module}.{kind_name}" if is_known else kind_name, how])

    def repeat(first: Pass, steps: Any, names: Names, name: str, ready: int | None) -> None:
        """What is right at first may not be so for long, and what was given may be changed later."""
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
        for found, before, after in zip(first.found, state, now, strict=False):
            if before != after:
                put(first.number, again=-1, claim=found.get("claim", -1), value=after[0])

    def linger() -> None:
        until = clock() + 1.5
        while clock() < until and pending():
            sleep(0.02)

    def pending() -> bool:
        return tasks() > 1 or any_(getitimer(kind)[0] for kind in (0, 1, 2))

    def tasks() -> int:
        return len_(listdir("/proc/self/task"))

    def handles() -> int:
        return len_(listdir("/proc/self/fd"))

    latest: list[Any] = [None]

    def computed(value: Any) -> Any:
        """As a program has it: no constant, of no exact size, and others hold it, too."""
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

    held: list[Any] = []

    def begun(setup: str, name: str, made: str) -> tuple[Names, dict[str, Any] | None]:
        """The names of a program after its setup, and the error that ended it."""
        names: Names = {"__name__": "program", **({made: computed} if made else {})}
        if name:
            names[name] = lambda claim, *values: latest[0].tell(
                values, claim=claim, value=[written(value) for value in values]
            )
            names.update({f"{name}_{key}": value for key, value in plainly["given"]()})
        latest[0] = first = Pass(-1, 1)
        return names, None if first.run([(setup, None)], names, name) else first.found[-1]

    def alone(number: int, steps: Any, names: Names, name: str, ready: int | None) -> None:
        latest[0] = first = Pass(number, 0)
        if first.run(steps, names, name):
            put(number, ended=True)
            if number not in only_once:
                look_for_lies(number, steps, names, name)
                repeat(first, steps, names, name, ready)
        leave(0)

    has_threads = 7
    for (setup, name, made), programs in groups.items():
        late: list[int] = []
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


if __name__ == "__main__":
    import json
    import os
    import sys
    import time

    _main(json, os, sys, time)
