"""Runs one of the programs beside this file with the guard, and sends its report to the witness.

    start.py PROGRAM MODULES ARGUMENT…

PROGRAM is a module beside this file, such as `pytest_entry`; the guard watches MODULES, separated by commas. A program
has two functions: `prepare()` imports the framework before any folder of the project can be searched for it, and
`run(arguments, guard)` gives the exit code and the JUnit report.

The project may have modules of any name, `guard` and `witness` too. So this folder is not searched for modules, and
what is loaded from it is not in `sys.modules`, nor is this: an import in the project never gives a module of ours.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

CHANGED = 97
"""The exit code when the code under test has changed the test framework or Python's builtins."""


def main(name: str, modules: list[str], arguments: list[str]) -> int:
    """The exit code; the report has been sent if there is one that counts."""
    folder = Path(__file__).resolve().parent
    sys.path.remove(str(folder))
    names = ("witness", "guard", "lines", "watch", "replaced", name)
    witness, guards, lines, watch, replaced, program = (_load(folder / f"{file}.py") for file in names)
    sys.argv[:] = [str(program.__file__), *arguments]
    sys.modules["__main__"] = ModuleType("__main__")  # an import of it finds nothing of ours
    for late in ("unittest.mock", "unittest.async_case"):  # parts of unittest that are loaded when they are first used
        importlib.import_module(late)
    _print_stacks_late(os.environ.pop("STACKS_AFTER", ""))
    program.prepare()
    sender, guard, tracer = witness.Sender(), guards.Guard(modules), lines.Tracer()
    is_new = watch.start()  # before anything of the project is imported
    library = replaced.Library() if is_new else None
    guard.watches = is_new is not None
    sender.enter_project()
    tracer.start()
    code, report = program.run(arguments, guard)
    tracer.stop()
    if changes := guard.changes():
        print(f"The code under test changed {', '.join(changes[:5])}.", flush=True)
        return CHANGED
    if library and (what := library.replaced(is_new)):
        print(f"\n{watch.MARK}{what.removeprefix(os.getcwd() + '/')}", flush=True)  # noqa: PTH109
        return int(watch.LOOKED)
    if report:
        sender.send(report)
    return int(code)


def _print_stacks_late(seconds: str) -> None:
    """Print all stacks to the present standard error after this time, so that a run which hangs tells where."""
    if seconds:
        faulthandler.dump_traceback_later(float(seconds), file=os.dup(2))


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"ai_agents_sandboxed.{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    ended = main(sys.argv[1], sys.argv[2].split(","), sys.argv[3:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # handlers that the code has registered would run after the verdict
