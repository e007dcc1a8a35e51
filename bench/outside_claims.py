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
from typing import Any

from bench.real.real_tasks import read_libraries
from bench.real.sources import Workplace
from testing import (
    Apart,
    Claim,
    Opaque,
    Replay,
    Unknown,
    apart_from,
    apart_of,
    calls_of,
    has_lost,
    has_setup,
    replays_of,
    value_of,
    whole_tests,
)
from testing.controls.python import functions, id_of
from testing.measuring import calls

_MOST_FILES, _MOST_TESTS = 25, 40
_SECONDS = 20


def claims(workplace: Workplace) -> Iterator[tuple[Replay, str, bool | None]]:
    """Each claim of a library's tests, and whether it holds; None if an object has the say, or the plain program lacks
    what the test needs."""
    tree = workplace.tree
    hooks = {file.relative_to(tree).as_posix(): file.read_text(errors="replace") for file in tree.rglob("conftest.py")}
    is_prepared = any(map(has_setup, hooks.values()))
    for file in sorted({*tree.rglob("test*.py"), *tree.rglob("*_test.py")})[:_MOST_FILES]:
        text, path = file.read_text(errors="replace"), file.relative_to(tree).as_posix()
        try:
            found = functions(ast.parse(text))
            tests = [id_of(path, owner, node.name) for owner, node in found if _is_collected(owner, node.name)]
        except SyntaxError:
            continue
        replays = [] if is_prepared or has_setup(text) else replays_of(path, text, tests)[:_MOST_TESTS]
        left = [each for each in tests if each not in {replay.test_id for replay in replays if replay.is_whole}]
        replays += whole_tests(path, text, left, hooks)[:_MOST_TESTS]
        aparts = [apart_of(each) for each in replays]
        given = _told(workplace, replays, [each for each in aparts if each])
        alone = iter(given[len(replays) :])
        for replay, told, apart in zip(replays, given, aparts, strict=False):
            by_itself = zip(apart.places, next(alone), strict=False) if apart else ()
            if any("No module named" in str(one.get("error")) for one in told):
                continue  # a verdict makes no test whose modules a plain program does not find
            yield from _decided(replay, told)
            yield from _changed(replay, told, {place[:2]: (one, place[2]) for place, one in by_itself})


def _is_collected(owner: ast.ClassDef | None, name: str) -> bool:
    is_case = owner is None or owner.name.startswith("Test") or "TestCase" in ast.unparse(owner).partition("\n")[0]
    return is_case and name.startswith("test")


def _decided(replay: Replay, told: list[dict[str, Any]]) -> Iterator[tuple[Replay, str, bool | None]]:
    for one in told:
        if "lie" in one:
            yield replay, f"LIE {one['lie']}", None
    told = [one for one in told if "lie" not in one]
    first = [one for one in told if not one.get("again")]
    if any(one.get("unable") for one in first):
        yield replay, "a plain program cannot run it", None
        return
    values = [one for one in first if "value" in one]
    if replay.told:
        for one in values:
            claim = replay.claims[one["claim"]]
            yield replay, claim.text, _holds(claim, [{"value": value} for value in one["value"]])
        if not any("ended" in one for one in first):
            error = next((one["error"] for one in first if "error" in one), "no answer")
            yield replay, f"the program ends with {error}", False
    else:
        left = iter(values)
        for claim in replay.claims:
            yield replay, claim.text, _holds(claim, [next(left, {"error": "nothing"}) for _ in claim.told])
    for again in sorted({one["again"] for one in told if one.get("again")}):
        if again < 0 or again >= (1 if replay.is_plain_calls else 5):
            yield replay, f"LATER {again}: {[one for one in told if one.get('again') == again][:2]}"[:300], None
        if again >= 0:
            break


def _changed(
    replay: Replay, told: list[dict[str, Any]], alone: dict[tuple[int, int], tuple[dict[str, Any], bool]]
) -> Iterator[tuple[Replay, str, bool | None]]:
    """What a test computes without the library and is another value with it, so that a claim would not hold; and a test
    that comes to none of its assertions."""
    first = [one for one in told if not one.get("again") and "lie" not in one]
    if any(one.get("unable") for one in first):
        return
    reached = {one.get("claim") for one in first}
    if replay.own and any("ended" in one for one in first) and not replay.own & reached:
        yield replay, "EMPTY", None
    places = [(number, place) for number, claim in enumerate(replay.claims) for place in range(len(claim.told))]
    values = [one["value"] for one in first if "value" in one]
    if replay.told:
        rows = [(one["claim"], one["value"]) for one in first if "value" in one]
    else:
        flat = dict(zip(places, values, strict=False))
        rows = [(n, [flat[n, m] for m in range(len(c.told)) if (n, m) in flat]) for n, c in enumerate(replay.claims)]
    for number, row in rows:
        claim = replay.claims[number]
        for place in range(len(row)):
            one, was_handed = alone.get((number, place), ({}, False))
            if "value" not in one or one["value"] == row[place] or len(row) != len(claim.told):
                continue
            other = [*row[:place], one["value"], *row[place + 1 :]]
            if _holds(claim, [{"value": each} for each in other]) is False:
                try:
                    is_lost = not was_handed or has_lost(value_of(one["value"]), value_of(row[place]))
                except Unknown:
                    continue
                if is_lost:
                    yield replay, f"CHANGED {claim.text}: {one['value']} {row[place]}"[:300], None


def _told(workplace: Workplace, replays: list[Replay], aparts: list[Apart]) -> list[list[dict[str, Any]]]:
    if not replays:
        return []
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder, "task.json"), Path(folder, "result.json")
        programs = [each.model_dump() for each in [*calls_of(replays), *apart_from(aparts)]]
        task.write_text(json.dumps({"programs": programs, "seconds": _SECONDS}), encoding="utf-8")
        path = f"{workplace.tree / 'src'}{os.pathsep}{workplace.tree}"
        variables = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "PYTHONHASHSEED": "0", "TZ": "UTC"}
        command = [str(workplace.python), "-W", "ignore", str(calls.__file__), str(task), str(result)]
        subprocess.run(command, cwd=workplace.tree, env=variables, capture_output=True, timeout=2 * _SECONDS)
        given: list[list[dict[str, Any]]] = json.loads(result.read_text(encoding="utf-8"))["given"]
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
            if holds is False or claim.startswith(("LATER", "LIE", "EMPTY", "CHANGED")):
                print(f"{name}: {replay.test_id}: {claim}")
    print(
        f"{counts.total()} claims: {counts[True]} hold, {counts[None]} are up to objects, {counts[False]} do not hold"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
