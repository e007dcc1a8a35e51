"""Real tasks from real libraries (bench/real/README.md).

python -m bench.real check [ID…]                are the tasks right? without the product
python -m bench.real beside [ID…] --mini PYTHON what do they cost in mini-swe-agent?
python -m bench.real run [ID…] [--fallible]     does the product land them, with a model that knows the answers?
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from bench.flow_runs import ROOT
from bench.real.beside import run_beside
from bench.real.check import check
from bench.real.real_tasks import UnknownTask, read_libraries, read_tasks
from bench.real.run import run_tasks
from bench.real.sources import SourceError


def main() -> int:
    """0 if every task was right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "run", "beside"])
    parser.add_argument("ids", nargs="*", metavar="ID", help="only these tasks")
    parser.add_argument("--fallible", action="store_true", help="the model makes mistakes that strong models make")
    parser.add_argument(
        "--set-up", action="store_true", help="give testing.setup_command, which the team finds otherwise"
    )
    parser.add_argument("--json", action="store_true", help="print results as JSON lines")
    parser.add_argument("--home", type=Path, help="leave repositories, databases and logs in this folder")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="the product to run (default: this one)")
    parser.add_argument("--mini", type=Path, metavar="PYTHON", help="a Python that has mini-swe-agent")
    chosen = parser.parse_args()
    try:
        tasks = read_tasks(chosen.ids)
    except (UnknownTask, ValueError) as problem:
        parser.error(str(problem))
    libraries = read_libraries()
    if chosen.what == "beside":
        if chosen.mini is None:
            parser.error("--mini: a Python in whose environment mini-swe-agent is installed")
        return run_beside(tasks, libraries, chosen.mini)
    if chosen.what == "run":
        return run_tasks(
            tasks, libraries,
            checkout=chosen.checkout.resolve(), fallible=chosen.fallible, set_up=chosen.set_up,
            as_json=chosen.json, home=chosen.home,
        )  # fmt: skip
    wrong = 0
    for task in tasks:
        started = time.monotonic()
        try:
            problems = check(task, libraries[task.library])
        except SourceError as failed:
            problems = [str(failed)]
        wrong += bool(problems)
        print(f"{task.id:44} {'WRONG' if problems else 'right'}  {time.monotonic() - started:5.1f} s", flush=True)
        print(*(f"  {problem}" for problem in problems), sep="\n", end="\n" if problems else "")
    print(f"{len(tasks) - wrong} of {len(tasks)} tasks are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
