"""Tests before code: what QA makes of examples and of a model's assertions."""

from __future__ import annotations

import ast

import pytest

from agents import QAAgent, Requirements, TestCase, contradicting, render_test_file
from agents.qa import assertion_lines
from memory import Task
from testing import Survivor
from tests.agents.scripted import scripted_llm
from tests.support import Reply

REQUIREMENTS = Requirements(target_file="kit/text.py", module="kit.text", symbols=["cut"])
MODULES = {"kit": "import kit", "text": "from kit import text", "join": "from kit.text import join"}


def cases_of(description: str) -> list[TestCase]:
    with scripted_llm([]) as llm:
        task = Task(id="t-1", title="Cut", description=description)
        return QAAgent(llm).tests_from_examples(task, REQUIREMENTS, MODULES)


def body_of(description: str) -> list[str]:
    (case,) = cases_of(description)
    return case.lines


@pytest.mark.parametrize(
    ("description", "lines"),
    [
        ('`cut("ab", 1)` returns `"a"`', ["from kit.text import cut", 'assert cut("ab", 1) == "a"']),
        ("`cut('', 1)` is `None`", ["from kit.text import cut", "assert cut('', 1) is None"]),
        (
            "`cut('a', -1)` raises `ValueError`",
            ["from kit.text import cut", "with pytest.raises(ValueError):\n    cut('a', -1)"],
        ),
        ("`join(cut('a', 1))` returns `'a'`", [
            "from kit.text import cut", "from kit.text import join", "assert join(cut('a', 1)) == 'a'",
        ]),
        ("`cut(Decimal('1.5'), 1)` returns `1`", [
            "from decimal import Decimal", "from kit.text import cut", "assert cut(Decimal('1.5'), 1) == 1",
        ]),
        (">>> kit.cut('a', 1)\n'a'\n", ["import kit", "assert kit.cut('a', 1) == 'a'"]),
        (">>> from kit import cut\n>>> cut('a', 1)\n'a'\n", ["from kit import cut", "assert cut('a', 1) == 'a'"]),
        (">>> print(cut('a', 1))\na\n", ["from kit.text import cut", "assert str(cut('a', 1)) == 'a'"]),
        (">>> cut('a', 1)\n<Cut a>\n", ["from kit.text import cut", "assert repr(cut('a', 1)) == '<Cut a>'"]),
    ],
)  # fmt: skip
def test_an_example_becomes_one_test(description: str, lines: list[str]) -> None:
    assert body_of(description) == lines


@pytest.mark.parametrize("description", ["`join('a')` returns `'a'`", "`cut(unknown, 1)` returns `2`", "Cut it."])
def test_what_is_not_about_the_task_or_cannot_be_imported_is_no_test(description: str) -> None:
    assert cases_of(description) == []


def test_the_file_parses_and_imports_inside_each_test() -> None:
    cases = cases_of(
        '`cut("ab", 1)` returns `"a"` and `cut("a", -1)` raises `ValueError`. `cut("""x\ny""", 1)` is `"x"`'
    )
    text = render_test_file(Task(id="t-1", title='A "title"\\ with\nlines'), REQUIREMENTS, cases)
    tree = ast.parse(text)

    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert [function.name for function in functions] == [case.name for case in cases]
    assert all(isinstance(function.body[0], ast.ImportFrom) for function in functions)
    assert "import pytest" in text
    assert not any(isinstance(node, ast.ImportFrom) for node in tree.body)


def test_assertions_of_a_model_are_split_and_only_usable_ones_kept() -> None:
    known = [TestCase(name="test_cut_1", lines=["from kit.text import cut", "assert cut('ab', 1) == 'a'"])]
    proposed = [
        "assert cut('abc', 2) == 'ab'",
        "assert cut( 'ab',1 )=='a'",  # known already
        "assert cut('ab', 1) == 'b'",  # contradicts what the owner stated
        "assert join('x') == 'x'",  # about something else
        "assert cut(undefined, 1) == 1",
        "__import__('os').system('x')",
        "assert cut('abc', 2) == 'abc'",  # contradicts the first
        "assert True; import os",
    ]
    with scripted_llm([]) as llm:
        cases = QAAgent(llm).cases_from_assertions(proposed, REQUIREMENTS, MODULES, known, 5)
    assert [case.lines[-1] for case in cases] == ["assert cut('abc', 2) == 'ab'"]
    assert cases[0].origin == "qa"


def test_a_small_model_answers_in_lines_and_a_strong_one_in_a_schema() -> None:
    task = Task(id="t-1", title="Cut", description="Cut it.")
    answer = "Sure:\n```python\nassert cut('a', 1) == 'a'  # one\nprint(1)\n- assert cut('', 1) == ''\n```"
    with scripted_llm([answer], profile="small") as llm:
        found = QAAgent(llm).write_assertions(task, REQUIREMENTS, [], 3, llm.context("a", "qa"))
    assert found == ["assert cut('a', 1) == 'a'", "assert cut('', 1) == ''"]
    with scripted_llm([{"assertions": ["assert cut('a', 1) == 'a'"]}]) as llm:
        found = QAAgent(llm).write_assertions(task, REQUIREMENTS, [], 3, llm.context("a", "qa"))
    assert found == ["assert cut('a', 1) == 'a'"]


def test_what_is_missing_is_asked_with_the_faults_that_go_unnoticed() -> None:
    task = Task(id="t-1", title="Cut", description="Cut at `to`.")
    known = [TestCase(name="test_cut_1", lines=["from kit.text import cut", "assert cut('ab', 1) == 'a'"])]
    faults = [Survivor(line=3, before="if to < 0:", after="if to <= 0:", operator="comparison")]
    proposed = ["assert cut('ab', 0) == ''", "assert cut('abc', 0) == ''"]
    with scripted_llm([{"assertions": [*proposed]}]) as llm:
        qa = QAAgent(llm)
        found = qa.write_missing_assertions(task, REQUIREMENTS, known, faults, llm.context("a", "qa"))
        prompt = llm.server.requests[0].prompt
        [case] = qa.missing_cases(found, REQUIREMENTS, MODULES, known)
    assert "line 3:\n- if to < 0:\n+ if to <= 0:" in prompt
    assert "- assert cut('ab', 1) == 'a'" in prompt
    assert (case.name, case.origin) == ("test_cut_missing_1", "mutant")
    assert case.lines == ["from kit.text import cut", proposed[0]]  # one for each fault at most


def test_of_an_answer_that_goes_on_for_ever_the_complete_lines_count() -> None:
    task = Task(id="t-1", title="Cut", description="Cut it.")
    endless = Reply.text(
        "```python\nassert cut('a', 1) == 'a'\nassert cut('b', 1) == 'b'\nassert cut('c', ", truncated=True
    )
    with scripted_llm([endless], profile="small") as llm:
        found = QAAgent(llm).write_assertions(task, REQUIREMENTS, [], 3, llm.context("a", "qa"))
        cases = QAAgent(llm).cases_from_assertions(found, REQUIREMENTS, MODULES, [], 3)
    complete = ["assert cut('a', 1) == 'a'", "assert cut('b', 1) == 'b'"]
    assert found == [*complete, "assert cut('c',"]
    assert [case.lines[-1] for case in cases] == complete


def test_a_hash_inside_a_string_is_no_comment() -> None:
    assert assertion_lines("assert cut('#a', 1) == '#'") == ["assert cut('#a', 1) == '#'"]


def test_cases_that_say_different_things_of_one_call_contradict_each_other() -> None:
    cases = cases_of(
        "`cut('a', 1)` returns `'a'`, `cut( 'a',1)` is `'b'`, `cut('', 1)` returns `''`, `cut('', 1)` raises"
        " `ValueError` and `cut('b', 1)` returns `'b'`. Again: `cut('b', 1)` gives `'b'`."
    )
    said = [[case.lines[-1] for case in group] for group in contradicting(cases)]
    assert said == [
        ["assert cut('a', 1) == 'a'", "assert cut( 'a',1) == 'b'"],
        ["assert cut('', 1) == ''", "with pytest.raises(ValueError):\n    cut('', 1)"],
    ]
    another = [
        TestCase(name="a", lines=["x = 1", "assert cut(x, 1) == 1"]),
        TestCase(name="b", lines=["assert cut(x, 1) == 2"]),
    ]
    assert contradicting(another) == []


METHOD = Requirements(target_file="kit/table.py", module="kit.table", symbols=["Table.to_text"])


@pytest.mark.parametrize(
    ("description", "lines"),
    [
        (
            "`Table([[1]]).to_text()` returns `'1'`",
            ["from kit.table import Table", "assert Table([[1]]).to_text() == '1'"],
        ),
        (
            ">>> table = Table([[1]])\n>>> table.to_text()\n'1'\n",
            ["from kit.table import Table", "table = Table([[1]])", "assert table.to_text() == '1'"],
        ),
        (
            "`Table([1]).to_text()` raises `ValueError`",
            ["from kit.table import Table", "with pytest.raises(ValueError):\n    Table([1]).to_text()"],
        ),
        (
            "`Table.of([1]).sorted().to_text(end='')` returns `'1'`",
            ["from kit.table import Table", "assert Table.of([1]).sorted().to_text(end='') == '1'"],
        ),
    ],
)
def test_an_example_of_a_method_becomes_a_test(description: str, lines: list[str]) -> None:
    with scripted_llm([]) as llm:
        task = Task(id="t-1", title="Text", description=description)
        (case,) = QAAgent(llm).tests_from_examples(task, METHOD, MODULES)
    assert case.lines == lines


def test_an_example_that_cannot_be_a_test_is_named_with_its_reason() -> None:
    said = "`cut('a', 1)` returns `'a'`. `join('a')` returns `'a'`. `cut(unknown, other)` returns `2`."
    with scripted_llm([]) as llm:
        found = QAAgent(llm).unusable_examples(Task(id="t-1", title="Cut", description=said), REQUIREMENTS, MODULES)
    assert found == {
        "join('a')": "it does not call cut",
        "cut(unknown, other)": "nothing in the project is called other, unknown",
    }
