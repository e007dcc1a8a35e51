"""Does a plain program ever disagree with honest tests? Those of the libraries of `bench/real/`, which pass, are made
outside of a test framework, as a verdict does it, and their claims decided over the values that are told.

    python -m bench.outside_claims                 a minute and a half, once the libraries are fetched
    python -m bench.outside_claims boltons toolz

Nothing is confined here: the libraries run as they are, in their own environments.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench.real.real_tasks import read_libraries
from bench.real.sources import Workplace
from testing import Claim, Opaque, Replay, Unknown, has_setup, replays_of, value_of
from testing.controls.python import functions, id_of
from testing.measuring import calls

_MOST_FILES, _MOST_TESTS = 25, 40
_SECONDS = 20


def claims(workplace: Workplace) -> Iterator[tuple[Replay, Claim, bool | None]]:
    """Each claim of a library's tests, and whether it holds; None if an object has the say."""
    tree = workplace.tree
    if any(has_setup(file.read_text(errors="replace")) for file in tree.rglob("conftest.py")):
        return
    for file in sorted({*tree.rglob("test*.py"), *tree.rglob("*_test.py")})[:_MOST_FILES]:
        text, path = file.read_text(errors="replace"), file.relative_to(tree).as_posix()
        try:
            found = functions(ast.parse(text))
            tests = [id_of(path, owner, node.name) for owner, node in found if node.name.startswith("test")]
        except SyntaxError:
            continue
        replays = [] if has_setup(text) else replays_of(path, text, tests)[:_MOST_TESTS]
        for replay, told in zip(replays, _told(workplace, replays), strict=True):
            if any("No module named" in str(one.get("error")) for one in told):
                continue  # a verdict makes no test whose modules a plain program does not find
            left = iter(told)
            for claim in replay.claims:
                yield replay, claim, _holds(claim, [next(left, {"error": "nothing"}) for _ in claim.told])


def _told(workplace: Workplace, replays: list[Replay]) -> list[list[dict[str, object]]]:
    if not replays:
        return []
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder, "task.json"), Path(folder, "result.json")
        programs = [{"setup": replay.setup, "steps": replay.steps} for replay in replays]
        task.write_text(json.dumps({"programs": programs, "seconds": _SECONDS}), encoding="utf-8")
        path = f"{workplace.tree / 'src'}{os.pathsep}{workplace.tree}"
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONHASHSEED": "0", "TZ": "UTC"}
        command = [str(workplace.python), "-W", "ignore", str(calls.__file__), str(task), str(result)]
        subprocess.run(command, cwd=workplace.tree, env=variables, capture_output=True, timeout=2 * _SECONDS)
        given: list[list[dict[str, object]]] = json.loads(result.read_text(encoding="utf-8"))["given"]
        return given


def _holds(claim: Claim, told: list[dict[str, object]]) -> bool | None:
    values: list[object] = []
    for one in told:
        if "error" in one:
            return False
        try:
            values.append(value_of(one["value"]))
        except Unknown:
            values.append(Opaque())
    return claim.holds(values)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="*", help="names in bench/real/libraries.yaml; all without any")
    chosen = parser.parse_args().libraries
    known = read_libraries()
    if unknown := set(chosen) - known.keys():
        parser.error(f"no such libraries: {', '.join(sorted(unknown))}")
    counts: Counter[bool | None] = Counter()
    for name in chosen or known:
        for replay, claim, holds in claims(Workplace(known[name])):
            counts[holds] += 1
            if holds is False:
                print(f"{name}: {replay.test_id}: {claim.text}")
    print(
        f"{counts.total()} claims: {counts[True]} hold, {counts[None]} are up to objects, {counts[False]} do not hold"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
