"""Properties that a task states: read only where there is no doubt, and checked by tests that right code passes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from agents import Requirements, TestCase, property_tests
from agents.product import wanted_symbols
from agents.stated.properties import stated_properties
from agents.stated.property_values import values
from memory import SuiteQuality
from testing import Environment, TestRunner
from tests.testing.conftest import Tree, base_environment, manager, runner, sandbox, tree

__all__ = ["base_environment", "manager", "runner", "sandbox", "tree"]

DECODE = "Add `decode(code: str) -> str` to kit/codec.py. `decode('2a1b')` returns `'aab'`. "
ENCODE = "encode(text: str) -> str"
SPLIT = (
    "Add `split(total: int, parts: int) -> list[int]`. `split(7, 2)` returns `[4, 3]`, `split(0, 3)` is `[0, 0, 0]`. "
)
PLAIN = "Add `plain(text: str) -> str`. "
TOTAL = "Add `total(prices: list[int], rebate: int = 0) -> int`. "
MODULES = {"encode": "from kit.codec import encode"}


def properties(text: str, symbol: str) -> list[str]:
    return [f"{stated.left} == {stated.right}" for stated in stated_properties(text, [symbol], [ENCODE])]


@pytest.mark.parametrize(
    ("text", "symbol", "stated"),
    [
        (DECODE + "`decode(encode(text))` returns `text`.", "decode", "decode(encode(text)) == text"),
        (DECODE + "For every text `decode(encode(text)) == text`.", "decode", "decode(encode(text)) == text"),
        (DECODE + "It is the inverse of `encode`.", "decode", "decode(encode(text)) == text"),
        (DECODE + "It is the inverse\n  of `encode`.", "decode", "decode(encode(text)) == text"),
        (PLAIN + "It is idempotent.", "plain", "plain(plain(text)) == plain(text)"),
        (PLAIN + "Applying it twice is the same as once.", "plain", "plain(plain(text)) == plain(text)"),
        (PLAIN + "`len(plain(text))` equals `len(text)`.", "plain", "len(plain(text)) == len(text)"),
        (SPLIT + "The parts add up to `total`.", "split", "sum(split(total, parts)) == total"),
        (SPLIT + "The shares always sum to the total.", "split", "sum(split(total, parts)) == total"),
        (SPLIT + "`len(split(total, parts))` is `parts`.", "split", "len(split(total, parts)) == parts"),
        (
            TOTAL + "The order of `prices` does not matter.",
            "total",
            "total(prices[::-1], rebate) == total(prices, rebate)",
        ),
        (DECODE + "`decode(encode(text))` returns `text` for all texts.", "decode", "decode(encode(text)) == text"),
        (
            SPLIT + "It cuts `total` in parts. The parts add up to `total`.",
            "split",
            "sum(split(total, parts)) == total",
        ),
        ("Add `gcd(a: int, b: int) -> int`. `gcd(a, b)` equals `gcd(b, a)`.", "gcd", "gcd(a, b) == gcd(b, a)"),
    ],
)
def test_a_property_is_read(text: str, symbol: str, stated: str) -> None:
    assert properties(text, symbol) == [stated]


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        # Conditions and doubts, in the same sentence or the next.
        (DECODE + "`decode(encode(text))` returns `text` if it has no digits.", "decode"),
        (DECODE + "`decode(encode(text))` returns `text`. But not for digits.", "decode"),
        (DECODE + "It is roughly the inverse of `encode`.", "decode"),
        (DECODE + "It is not the inverse of `encode`.", "decode"),
        (PLAIN + "It need not be idempotent.", "plain"),
        (SPLIT + "The parts add up to `total`, rounded to tens.", "split"),
        # What is only the first case of a definition.
        ("Add `clamp(x: int) -> int`. `clamp(x)` returns `x`.", "clamp"),
        ("Add `size(x: int) -> int`. `size(x)` returns `abs(x)`.", "size"),
        # Types that are not known, or whose values are not exact.
        ("Add `decode(code)`. `decode(encode(word))` returns `word`. `encode(word)` is there.", "other"),
        ("Add `half(x: float) -> float`. `half(twice(x))` returns `x`.", "half"),
        ("Add `plain(text)`. It is idempotent.", "plain"),
        ("Add `load(path: Path) -> str`. `load(save(path))` returns `path`.", "load"),
        # About something else, or about the order of what comes back.
        (SPLIT + "`decode(encode(text))` returns `text`.", "split"),
        (SPLIT + "The parts add up to `amount`.", "split"),
        ("Add `words(text: str) -> list[str]`. The order of the words does not matter.", "words"),
        ("Add `unique(items: list[int]) -> list[int]`. The order of `items` does not matter.", "unique"),
        (SPLIT + "It never loses a cent.", "split"),
        ("Add `netto(cents: int, rate: float) -> int`, the inverse of `brutto`, in cents.", "netto"),
        # Bounded, or for some values.
        (DECODE + "`decode(encode(text))` returns `text` for words.", "decode"),
        (DECODE + "`decode(encode(text))` returns `text` up to 10 letters.", "decode"),
        # What is said of another function.
        ("Add `size(text: str) -> int`. `unpack` is the inverse of `pack(text: str) -> str`.", "size"),
        ("Add `shout(text: str) -> str`. `normalize` is idempotent.", "shout"),
        ("Add `shout(text: str) -> str`. `normalize(text)` trims it. It is idempotent.", "shout"),
        ("Add `total(prices: list[int]) -> int`. For `mean` the order of `prices` does not matter.", "total"),
    ],
)
def test_where_there_is_a_doubt_there_is_no_property(text: str, symbol: str) -> None:
    assert properties(text, symbol) == []


def test_no_property_is_read_into_the_own_task_set() -> None:
    """Twenty tasks in the words of owners; none states a property so plainly, one states an inverse that rounds."""
    file = Path(__file__).parents[2] / "bench/tasks/own.yaml"
    texts = [f"{task['title']}\n{task['instruction']}" for task in yaml.safe_load(file.read_text(encoding="utf-8"))]
    signature = "add_tax(cents: int, percent: float) -> int"
    assert any("inverse of `add_tax`" in text for text in texts)
    assert not [one for text in texts for one in stated_properties(text, wanted_symbols(text), [signature])]


def cases_of(text: str, symbol: str, *, hypothesis: bool = False) -> list[TestCase]:
    requirements = Requirements(target_file="kit/codec.py", module="kit.codec", symbols=[symbol])
    return property_tests(text, requirements, MODULES, [ENCODE], hypothesis=hypothesis)


CODEC = """
from itertools import groupby

def encode(text):
    return "".join(f"{len(list(run))}{letter}" for letter, run in groupby(text))

def decode(code):
    if not code:
        raise ValueError("no code")
    return "".join(int(count) * letter for count, letter in zip(code[::2], code[1::2]))
"""


def holds(case: TestCase, code: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    module = ModuleType("kit.codec")
    exec(code, vars(module))
    monkeypatch.setitem(sys.modules, "kit", ModuleType("kit"))
    monkeypatch.setitem(sys.modules, "kit.codec", module)
    try:
        exec("\n".join(case.lines), {})
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("hypothesis", [False, True])
def test_right_code_passes_and_wrong_code_fails(monkeypatch: pytest.MonkeyPatch, hypothesis: bool) -> None:
    # The alphabet is that of `encode`'s examples: digits in a text would break the property.
    [case] = cases_of(
        DECODE + "`encode('aab')` returns `'2a1b'`. It is the inverse of `encode`.", "decode", hypothesis=hypothesis
    )
    assert case.origin == "property"
    assert case.name == "test_decode_property_1"
    assert {"from kit.codec import encode", "from kit.codec import decode"} <= set(case.imports)
    assert ("from hypothesis import given, settings" in case.imports) is hypothesis
    assert holds(case, CODEC, monkeypatch)
    assert not holds(case, CODEC.replace("int(count) * letter", "letter"), monkeypatch)


def test_values_are_those_of_the_examples_and_the_same_every_time() -> None:
    text = SPLIT + "`split(20, 5)` returns `[4, 4, 4, 4, 4]`. The parts add up to `total`."
    [case] = cases_of(text, "split")
    assert cases_of(text, "split") == [case]
    rows = eval(case.lines[-1].partition(" in ")[2].partition(":\n")[0])
    assert len(rows) == 20
    assert all(0 <= total <= 20 and 2 <= parts <= 5 for total, parts in rows)


@pytest.mark.parametrize(
    ("examples", "least", "greatest"),
    [
        ("`turn([1], 4)` returns `[1]`, `turn([1], 0)` returns `[1]`. `back([2, 1], 1)` returns `[1, 2]`.", 0, 4),
        ("`back([2, 1], 1)` returns `[1, 2]`.", 1, 3),
        ("`back([2, 1], 9)` returns `[1, 2]`.", 2, 9),
        ("", 1, 50),
    ],
)
def test_numbers_are_those_of_all_examples_and_more_than_one(examples: str, least: int, greatest: int) -> None:
    text = f"Add `back(items: list[int], by: int) -> list[int]`, the inverse of `turn`. {examples}"
    turn = "turn(items: list[int], by: int) -> list[int]"
    [stated] = stated_properties(text, ["back"], [turn])
    place = [*stated.variables].index("by")
    numbers = {row[place] for row in values(list(stated.variables.values()), 200)}
    assert numbers == {*range(least, greatest + 1)}


def test_what_cannot_be_imported_is_not_tested() -> None:
    requirements = Requirements(target_file="kit/codec.py", module="kit.codec", symbols=["decode"])
    assert property_tests(DECODE + "It is the inverse of `encode`.", requirements, {}, [ENCODE]) == []


def test_a_property_runs_as_a_test_of_a_project_without_hypothesis(
    runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    from agents import render_test_file
    from memory import Task

    requirements = Requirements(target_file="kit/codec.py", module="kit.codec", symbols=["decode"])
    assert not base_environment.has_module("hypothesis")
    text = render_test_file(
        Task(id="t", title="Decode"), requirements, cases_of(DECODE + "It is the inverse of `encode`.", "decode")
    )
    for code, passes in ((CODEC, True), (CODEC.replace("zip(code[::2], ", "zip(code[2::2], "), False)):
        folder = tree({"kit/__init__.py": "", "kit/codec.py": code, "tests/test_property.py": text})
        result = runner.run_tests(folder, base_environment)
        assert (result.passed, result.test_count) == (passes, 1)


def test_what_earlier_versions_stored_is_still_read() -> None:
    assert TestCase.model_validate({"name": "t", "lines": [], "origin": "law"}).origin == "property"
    figures = SuiteQuality.model_validate({"assertions": 2, "laws": 1})
    assert figures.properties == 1
    assert "laws" not in figures.model_dump()
    assert figures == SuiteQuality.model_validate(figures.model_dump())
