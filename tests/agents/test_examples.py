"""Examples stated in a task are found by code, and only what is certain is taken."""

from __future__ import annotations

import ast
import time

import pytest

from agents import stated_examples
from agents.stated.examples import Example, called_names, free_names


def facts(text: str) -> list[tuple[str, str | None]]:
    return [(example.call, example.expected or example.raises) for example in stated_examples(text)]


@pytest.mark.parametrize(
    ("text", "call", "gives"),
    [
        ('`slug("A b")` returns `"a-b"`', 'slug("A b")', '"a-b"'),
        ("`f(-1)` raises `ValueError`.", "f(-1)", "ValueError"),
        ("`f(-1)` should raise a ValueError.", "f(-1)", "ValueError"),
        ('f(1, [2, 3]) == {"a": 1}', "f(1, [2, 3])", '{"a": 1}'),
        ("`g('x, y')` → `['x', 'y']`.", "g('x, y')", "['x', 'y']"),
        ("f(2) -> 4", "f(2)", "4"),
        ("`h(2)` is 4.", "h(2)", "4"),
        ("`h(2)` gives -1.5, and so on", "h(2)", "-1.5"),
        ('`h("")` must return `None`', 'h("")', "None"),
        ("list(chunks([1, 2, 3], 2)) gives [[1, 2], [3]].", "list(chunks([1, 2, 3], 2))", "[[1, 2], [3]]"),
        (
            "`parse('2024-01-02')` returns `datetime.date(2024, 1, 2)`",
            "parse('2024-01-02')",
            "datetime.date(2024, 1, 2)",
        ),
        ("`Stack().push(1).size()` returns `1`", "Stack().push(1).size()", "1"),
        ("f('it\\'s (') returns ')'", "f('it\\'s (')", "')'"),
        ("f(1)  # => 2", "f(1)", "2"),
        ("assert f(1) == 2", "f(1)", "2"),
    ],
)
def test_sentences_are_read(text: str, call: str, gives: str) -> None:
    assert (call, gives) in facts(text)


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("`f(1)` and `f(2)` raise `ValueError`", ["f(1)", "f(2)"]),
        ("`f(1)`, `f(2)`, and `f(3)` should return `4`", ["f(1)", "f(2)", "f(3)"]),
        ("Both f(1) and f(2) are True.", ["f(1)", "f(2)"]),
        ("`f(1)` and `f(2)` returns `4`", ["f(2)"]),
        ("Add `g(1)`, `f(2)` return `4`", ["f(2)"]),
        ("`f(1)` and then `f(2)` return `4`", ["f(2)"]),
    ],
)
def test_what_is_said_of_several_calls_is_said_of_each(text: str, calls: list[str]) -> None:
    assert [call for call, _ in facts(text)] == calls


@pytest.mark.parametrize(
    "text",
    [
        "`clamp(value, low, high)` returns a number between the two",
        "`f(x: int) -> str` is to be added",
        "Call f(2) and look.",
        "`f(2)` is fast.",
        "f(2 returns 4",
        "`f(2)` returns",
        "",
    ],
)
def test_what_is_not_certain_is_left_out(text: str) -> None:
    assert facts(text) == []


def test_doctests_with_setup_exceptions_and_printed_text() -> None:
    text = """
    ```python
    >>> from kit import x
    >>> x("a")
    'b'
    >>> x(None)
    Traceback (most recent call last):
        ...
    TypeError: no
    >>> print(x("a"))
    b
    ```
    """
    first, second, third = stated_examples(text)
    assert (first.call, first.expected, first.setup) == ('x("a")', "'b'", ("from kit import x",))
    assert second.raises == "TypeError"
    assert (third.call, third.expected, third.as_text) == ('print(x("a"))', "b", True)


def test_an_example_is_taken_once() -> None:
    assert len(stated_examples("`f(2)` returns `4`, as said `f(2)` returns `4`")) == 1


def test_names_of_an_example() -> None:
    example = Example("sorted(kit.split(date(2024, 1, 1)))", "[Decimal('1')]")
    assert called_names(example) == ["kit.split", "date"]
    assert free_names(example) == {"kit", "date", "Decimal"}


@pytest.mark.parametrize("noise", ["(((((", "f(" * 200, "`" * 500, "f('\n') returns 1", ">>> f(\n1", "\x00f(1) == 1"])
def test_noise_breaks_nothing(noise: str) -> None:
    for example in stated_examples(noise):
        ast.parse(example.call, mode="eval")


def test_a_comparison_in_a_session_that_prints_nothing_says_that_it_holds() -> None:
    found = stated_examples(">>> count([]) == 0\n>>> count([1, 11]) == 2\n>>> x = 3\n>>> count(x) < 4\n")
    assert [(each.call, each.expected) for each in found] == [("count([])", "0"), ("count([1, 11])", "2")]


@pytest.mark.parametrize("arrow", ["➞", "→", "=>", "==>", "->", "-->"])
def test_arrows_and_truth_as_other_languages_write_it(arrow: str) -> None:
    [example] = stated_examples(f"fits(3, 2) {arrow} false")
    assert (example.call, example.expected) == ("fits(3, 2)", "False")


def test_inputs_and_outputs_are_calls_of_the_function_that_is_named() -> None:
    text = "Add `top(numbers, k)`.\n\nExample 1:\n    Input: numbers = [-3, 5], k = 1\n    Output: [5]\n\n"
    text += 'Input: "a"\nOutput: what?\n'
    assert [(each.call, each.expected) for each in stated_examples(text)] == [("top(numbers = [-3, 5], k = 1)", "[5]")]
    assert stated_examples(text.replace("`", "")) == []


@pytest.mark.parametrize(
    "text",
    [
        "`f(1)` returns `2` but should return `3`.",
        "`f(1)` returns `2`, but it should be `3`.",
        "f(1) gives 2 instead of 3",
        "f(1) returns 2 rather than 3.",
        "f(1) == 2, wrong: must be 3",
        "f(1) returns 2 when it should be 3",
        "f(1) returns 2 (expected 3)",
        "f(1) -> 2 (should be 3)",
        "f(1) is 2, but 3 is expected.",
        "f(1) returns None whereas 3 is correct",
        "f(1) returns 2, the correct answer is 3.",
        "f(1) wrongly returns 2; it should have been 3.",
        "`f(1)` returns `2`. It should return `3`.",
        "f(1) returns 2.\n\nExpected result: 3",
        "`f(1)` returned `2`, expected `3`.",
        "`f(1)`: expected 3, got 2",
        "Calling `f(1)`\nExpected: 3\nActual: 2",
        "f(1)\nActual: 2\nExpected: 3",
        "## Steps\nCall `f(1)`.\n\n## Expected\n3\n\n## Actual\n2",
        "## Current behaviour\n`f(1)` returns `2`\n\n## Expected behaviour\n`f(1)` returns `3`",
        "Actual: f(1) returns 2\nExpected: f(1) returns 3",
        "Currently `f(1)` returns `2`; it should be `3`.",
        "Instead of `3`, `f(1)` returns `2`.",
        "Expected `3` but `f(1)` returns `2`.",
        "I expected `f(1)` to return `3` but got `2`.",
        "`f(1)` raises `ValueError` but should return `3`.",
        "f(1) fails with TypeError, but should return 3",
        "f(1) gives 2 but I want 3.",
        ">>> f(1)\n2\n(should be 3)",
        ">>> f(1)\n2\n\nshould be 3",
        ">>> f(1)  # should be 3\n2",
        ">>> f(1)\n2  # expected 3",
        "Actual:\n>>> f(1)\n2\nExpected:\n>>> f(1)\n3",
        "Write `f(x)`.\nInput: 1\nOutput: 2\nExpected: 3",
        # What already says what is wanted stays as it is.
        "`f(1)` should return `3`, not `2`.",
        "`f(1)` should return `3` instead of `2`.",
        "`f(1)` must be `3` but is `2`",
        "After the fix `f(1)` returns `3` instead of `2`.",
        "Make f(1) return 3 instead of 2",
        "Fix the bug: make sure `f(1)` returns `3`",
        "`f(1)` returns `3`, as expected.",
        "`f(1)` returns `3`. The result must be an int.",
        "`f(1)` returns `3`\n- The result must be fast",
        "`f(1)` in calc.py returns `3`",
        "`f(1)` in `calc.py` should return `3`.",
    ],
)
def test_of_a_complaint_the_wanted_value_is_read(text: str) -> None:
    assert facts(text) == [("f(1)", "3")]


@pytest.mark.parametrize(
    "text",
    [
        "Currently `f(1)` returns `2`.",
        "Bug: f(1) returns 2",
        "`f(1)` returns `2`, which is wrong.",
        "`f(1)` returns `2`. That is wrong.",
        "f(1) returns 2, and not what I want",
        "Why does f(1) return 2?",
        "`f(1)` returns `2`?",
        "f(1) raises ValueError although 1 is allowed.",
        "`f(1)` returns `2` although the docs say 3",
        "f(1) returns 2 but should return 3 or 4",
        "f(1) returns 2 but should return 3 elements",
        "f(1) returns 2 but should return the next number",
        "`f(1)` returns `2`. It should return `3` for odd numbers.",
        "f(1) raises KeyError instead of returning None",
        "Actual:\n>>> f(1)\n2\n",
        ">>> f(1)  # wrong\n2\n",
        ">>> f(1)\n2\nThat is a bug.",
    ],
)
def test_a_complaint_that_does_not_say_what_is_wanted_is_no_example(text: str) -> None:
    assert facts(text) == []


def test_a_complaint_leaves_the_examples_beside_it_alone() -> None:
    text = "`f(0)` returns `0`, but `f(-1)` raises `ValueError`. `f(2)` gives `5` instead of `4`; `f(3)` returns `9`."
    assert facts(text) == [("f(0)", "0"), ("f(-1)", "ValueError"), ("f(2)", "4"), ("f(3)", "9")]
    assert facts("`f(1)` returns `2` but should raise `ValueError`.") == [("f(1)", "ValueError")]
    assert facts("f('a') returns 'b', expected 'c'.") == [("f('a')", "'c'")]


def test_long_texts_of_calls_are_read_in_time() -> None:
    begun = time.monotonic()
    stated_examples("f(" * 200 + "`g(1)` is wrong, " * 300 + "expected " * 300 + ">>> f(1)\n2\n" * 100)
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    "hostile",
    ["`f(" * 9000, "def f(" * 9000, " " * 50_000, "`" * 50_000, ">>> f(1)\n" * 4000, "f(1) == " * 7000, "(" * 50_000],
    ids=["open calls", "open definitions", "blanks", "ticks", "sessions", "comparisons", "brackets"],
)
def test_text_that_is_slow_to_read_hides_no_example_before_it(hostile: str) -> None:
    """It took minutes, and the daemon stood still meanwhile."""
    assert Example("add(1, 2)", "3") in stated_examples(f"`add(1, 2)` returns `3`.\n\n{hostile}")


def test_what_is_looked_at_is_bounded() -> None:
    said = "`add(1, 2)` returns `3`. "
    assert stated_examples(f"{'x ' * 31_000}{said}") == []
    assert stated_examples(f"{'x ' * 20_000}{said}") == [Example("add(1, 2)", "3")]
    deep = "f(" * 45 + ")" * 45
    assert stated_examples(f"`{deep}` returns `3`.") == []
    many = "".join(f"`add({number}, 2)` returns `3`. " for number in range(1000))
    assert 100 < len(stated_examples(many)) <= 600
