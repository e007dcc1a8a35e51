"""Examples stated in a task are found by code, and only what is certain is taken."""

from __future__ import annotations

import ast

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
