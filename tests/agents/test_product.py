"""Where a task belongs is read from its words; a model is asked only when they leave it open."""

from __future__ import annotations

import pytest

from agents import ProductAgent, Requirements, module_names
from agents.product import wanted_symbols
from memory import Task
from tests.agents.scripted import scripted_llm

FILES = ["src/kit/__init__.py", "src/kit/text.py", "src/kit/numbers.py", "tools.py"]
SYMBOLS = {"truncate": "src/kit/text.py"}


def task(description: str, title: str = "A task") -> Task:
    return Task(id="t-1", title=title, description=description)


def settle(description: str) -> Requirements | None:
    with scripted_llm([]) as llm:
        return ProductAgent(llm).requirements_from_text(task(description), FILES, SYMBOLS)


@pytest.mark.parametrize(
    ("description", "path", "new"),
    [
        ("Add `f(x)` to `src/kit/text.py`.", "src/kit/text.py", False),
        ("Add `f(x)` to text.py.", "src/kit/text.py", False),
        ("Add a module `src/kit/ranges.py` with `f(x)`.", "src/kit/ranges.py", True),
        ("Add a module kit/ranges.py with `f(x)`.", "src/kit/ranges.py", True),
        ("Add a module ranges.py with `f(x)`.", "src/kit/ranges.py", True),
        ("Add `f(x)` to kit.numbers.", "src/kit/numbers.py", False),
        ("Add `f(x)` to the numbers module.", "src/kit/numbers.py", False),
        ("Fix `truncate(text, width)`: it cuts words.", "src/kit/text.py", False),
    ],
)
def test_the_file_is_found_in_the_words(description: str, path: str, new: bool) -> None:
    found = settle(description)

    assert found is not None
    assert (found.target_file, found.new_file) == (path, new)


def test_a_path_that_leads_out_is_no_path() -> None:
    assert settle("Write to ../../etc/cron.py the function `f(x)`.") is None


def test_what_the_words_leave_open_is_left_open() -> None:
    assert settle("Make it faster.") is None


def test_the_model_chooses_among_the_files_there_are() -> None:
    with scripted_llm([{"file": "./src/kit/numbers.py"}]) as llm:
        context = llm.context("choose file", "product")
        found = ProductAgent(llm).choose_file(task("Round `x` sensibly"), "outline", FILES, context)
    assert (found.target_file, found.module, found.chosen_by) == ("src/kit/numbers.py", "kit.numbers", "model")


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("src/kit/text.py", "kit.text"),
        ("src/kit/__init__.py", "kit"),
        ("tools.py", "tools"),
        ("src/lonely.py", "lonely"),
    ],
)
def test_module_names(path: str, module: str) -> None:
    assert module_names([path], [*FILES, "src/lonely.py"]) == {path: module}


def test_wanted_symbols_leave_out_what_python_brings() -> None:
    text = "Add `add_months(day: date, months: int) -> date`. `add_months(date(2024, 1, 1), len('a'))` returns `None`"
    assert wanted_symbols(text) == ["add_months"]


def test_tests_that_the_owner_gave_tell_the_file_and_the_names() -> None:
    tests = "import os\nfrom kit.numbers import ceiling, half\n\ndef test_it():\n    assert ceiling(1.2) == 2\n"
    given = Task(id="t-1", title="Round up", tests=tests, tests_file="tests/test_ceiling.py")
    with scripted_llm([]) as llm:
        found = ProductAgent(llm).requirements_from_text(given, FILES, SYMBOLS | {"half": "src/kit/numbers.py"})
    assert found is not None
    assert (found.target_file, found.symbols) == ("src/kit/numbers.py", ["ceiling", "half"])


FILES_OF_A_SHOP = ["shop/__init__.py", "shop/store.py", "shop/search.py", "shop/cli.py"]
SYMBOLS_OF_A_SHOP = {"Store": "shop/store.py", "tagged": "shop/search.py", "main": "shop/cli.py", "line": "shop/cli.py"}


def in_the_shop(description: str, tests: str) -> Requirements:
    place = "tests/test_more.py" if tests else ""
    given = Task(id="t-1", title="More", description=description, tests=tests, tests_file=place)
    with scripted_llm([]) as llm:
        found = ProductAgent(llm).requirements_from_text(given, FILES_OF_A_SHOP, SYMBOLS_OF_A_SHOP)
    assert found is not None
    return found


def test_names_that_the_owners_tests_want_of_other_files_belong_there() -> None:
    text = "Add `finish(store: Store)` to `shop/store.py`, and to `shop/search.py` `open_ones(store)`."
    found = in_the_shop(text, "from shop.search import open_ones, tagged\nfrom shop.store import Store, finish\n")
    assert [(piece.target_file, piece.module, piece.symbols) for piece in found.pieces] == [
        ("shop/store.py", "shop.store", ["finish"]),
        ("shop/search.py", "shop.search", ["open_ones"]),
    ]
    alone = in_the_shop(text, tests="")
    assert alone.pieces == [alone]


def test_what_a_package_hands_out_is_no_work_in_another_file() -> None:
    text = "Add `first(x)` and `last(x)` to `shop/store.py`; the package hands out `last`."
    found = in_the_shop(text, "from shop import last\nfrom shop.store import first\n")
    assert (found.target_file, found.symbols, found.further) == ("shop/store.py", ["first", "last"], [])


def test_functions_of_the_file_that_the_task_names_are_to_be_changed_too() -> None:
    text = "`list` in `shop/cli.py` gets `--tag`. `main` must use it, and `line`; `tagged` is to be used."
    found = in_the_shop(text, "from shop.cli import main\n")
    assert (found.target_file, found.symbols, found.further) == ("shop/cli.py", ["main", "line"], [])


def test_a_method_is_wanted_with_its_class_and_a_modules_function_without() -> None:
    text = "`Account.balance_at(day)` is wrong. `text.cut(x)` too. `Account(1).balance_at(2)` returns `3`."
    assert wanted_symbols(text)[:2] == ["Account.balance_at", "cut"]
    assert "balance_at" not in wanted_symbols(text)
