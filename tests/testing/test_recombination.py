"""Near misses of a model are recombined in the real sandbox; candidates may loop, crash and lie."""

from __future__ import annotations

import ast
import random
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.small_models.recombining import Recombination, RecombinationTask, recombine
from orchestrator.small_models.search.edits import STAGES, changes
from orchestrator.small_models.search.solutions import best, computes_unused, read_solution, written
from orchestrator.small_models.search.templates import Hints, empty_cases, usual_mends
from testing import Environment, TestRunner
from testing.mutation.probes import MOST_PROBES, RESULT, probes
from tests.support.rounds import one_in
from tests.testing.conftest import Tree

# The first refuses what is wrong but adds up badly; the second adds up well but refuses nothing.
GUARDED = """
def shares(total: int, parts: int) -> list[int]:
    if parts < 1:
        raise ValueError("parts must be at least 1")
    return [total // parts for _ in range(parts)]
"""
EXACT = """
import math

def shares(total: int, parts: int) -> list[int]:
    share, rest = divmod(total, parts)
    result = [share + 1] * rest + [share] * (parts - rest)
    return result
"""
TESTS = [
    ["from money import shares", "assert shares(7, 2) == [4, 3]"],
    ["from money import shares", "assert shares(9, 3) == [3, 3, 3]"],
    ["from money import shares", "with pytest.raises(ValueError):\n    shares(1, 0)"],
]
Search = Callable[..., Recombination]


@pytest.fixture
def search(runner: TestRunner, base_environment: Environment, tree: Tree) -> Search:
    def run(
        *samples: str,
        tests: list[list[str]] = TESTS,
        seconds: float = 2.5,
        module: str = "money",
        function: str = "shares",
    ) -> Recombination:
        source = tree({"money.py": "def doubled(number: int) -> int:\n    return sum([number] * 2)\n"})
        task = RecombinationTask(module=module, function=function, samples=list(samples), tests=tests, seconds=seconds)
        return recombine(runner.place(source, base_environment), task)

    return run


def defined(code: str, name: str) -> Callable[..., Any]:
    """The function `name` of code that was found in the sandbox."""
    names: dict[str, Any] = {}
    exec(code, names)
    function: Callable[..., Any] = names[name]
    return function


def test_two_answers_that_fail_in_different_places_make_one_that_does_not(search: Search) -> None:
    found = search(GUARDED, EXACT, seconds=7.0)
    assert (found.best, found.of) == (3, 3)
    shares = defined(found.code, "shares")
    assert shares(10, 4) == [3, 3, 2, 2]
    with pytest.raises(ValueError, match="parts"):
        shares(1, 0)


def test_a_slip_is_mended(search: Search) -> None:
    slip = GUARDED.replace("parts < 1", "parts <= 1")
    tests = [["from money import shares", "assert shares(4, 1) == [4]"], *TESTS[1:]]
    shares = defined(search(slip, tests=tests).code, "shares")
    assert shares(6, 1) == [6]
    with pytest.raises(ValueError, match="parts"):
        shares(1, 0)


def test_a_module_that_is_not_there_yet_can_be_searched_for(search: Search) -> None:
    tests = [[line.replace("money", "purse") for line in lines] for lines in TESTS]
    assert search(GUARDED, EXACT, tests=tests, module="purse").code


def test_nothing_is_found_where_the_parts_are_missing(search: Search) -> None:
    found = search(GUARDED, "def shares(total, parts):\n    return []\n", seconds=1.0)
    assert found.code == ""
    assert found.best == 2
    assert found.tried > 10


@pytest.mark.parametrize(
    "hostile",
    one_in(
        2,
        [
            "def shares(total, parts):\n    while True:\n        pass\n",
            "import os\ndef shares(total, parts):\n    os._exit(0)\n",
            "def shares(total, parts):\n    return [0] * 10**12\n",
            "def shares(total, parts):\n    return shares(total, parts)\n",
            "import sys\ndef shares(total, parts):\n    sys.exit(0)\n",
            "import os, signal\ndef shares(total, parts):\n    os.kill(os.getppid(), signal.SIGSTOP)\n",
            "def shares(total, parts:\n",
            "",
        ],
    ),
)
def test_an_answer_that_does_harm_does_not_end_the_search(search: Search, hostile: str) -> None:
    found = search(hostile, GUARDED, EXACT)
    # What stops the whole search is ended by the sandbox's clock; nothing is found then, and nothing breaks.
    assert found.code or "SIGSTOP" in hostile


def test_a_forged_result_is_only_a_candidate(search: Search) -> None:
    forged = (
        "def shares(total, parts):\n"
        "    open('/out/result.json', 'w').write('{\"code\": 7, \"best\": -1}')\n"
        "    import os, signal\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
    )
    found = search(forged)
    assert (found.code, found.best) == ("", 0)


PARTS = [
    "if x < 1:\n        raise ValueError",
    "y = x + 1",
    "for i in range(x):\n        y = i and x",
    "x = [i for i in y]",
    "while x > 2 and y:\n        x -= 1",
    "return y",
    "try:\n        y = f(x, 3)\n    except OSError:\n        y = 0",
]


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4), st.lists(st.sampled_from(PARTS), min_size=1, max_size=3)
)
def test_every_change_can_be_undone(own: list[str], other: list[str]) -> None:
    function, donor = _function(own), _function(other)
    before, donor_before = ast.dump(function), ast.dump(donor)
    made = 0
    hints = Hints([ast.Constant("")], ["f"])
    for stage in range(STAGES):
        for change in changes(stage, function, [donor], {"range", "f", "OSError"}, hints):
            old = change.make()
            made += ast.dump(function) != before
            change.undo(old)
            assert ast.dump(function) == before
    assert ast.dump(donor) == donor_before
    assert made


UNSORTED = """
def pages(text: str) -> list[int]:
    if len(text) > 100:
        raise ValueError("too long")
    found = [int(page) for page in text.split(",")]
    return found
"""
PAGES = [
    ["from money import pages", "assert pages('3,1') == [1, 3]"],
    ["from money import pages", "assert pages('2,1,2') == [1, 2]"],
    ["from money import pages", "assert pages('') == []"],
]


def test_usual_slips_are_mended_without_another_answer_to_take_parts_from(search: Search) -> None:
    """Sorted, each once, nothing for nothing: two changes of the one answer there is."""
    found = search(UNSORTED, tests=PAGES, function="pages", seconds=7.0)
    pages = defined(found.code, "pages")
    assert pages("9,8,9,1") == [1, 8, 9]
    assert pages("") == []


def test_the_modules_own_functions_are_tried(search: Search) -> None:
    """The tree's `money.py` has `doubled`, which the answer might have called."""
    code = "def pay(hours: int) -> int:\n    return hours + 1\n"
    tests = [["from money import pay", f"assert pay({hours}) == {hours * 2 + 1}"] for hours in (2, 3, 8)]
    assert "doubled(" in search(code, tests=tests, function="pay").code


def test_a_wrong_name_or_constant_is_exchanged(search: Search) -> None:
    code = "def path(parts: list[str], mark: str) -> str:\n    return mark.join(part + '/' for part in parts)\n"
    tests = [
        ["from money import path", "assert path(['a', 'b'], '-') == 'a-/b-'"],
        ["from money import path", "assert path(['c'], '+') == 'c+'"],
    ]
    path = defined(search(code, tests=tests, function="path").code, "path")
    assert path(["x", "y", "z"], "!") == "x!/y!/z!"


def test_only_for_nothing_a_case_of_its_own_is_made() -> None:
    bodies = [*PAGES, ["assert pages(0, 1) == 'x'"], ["assert other('') == 1"], ["assert pages(f()) == 1"]]
    results = empty_cases("pages", [*bodies, ["assert not"], []])
    assert [ast.unparse(result) for result in results] == ["[]", "'x'"]


def test_the_empty_case_comes_before_anything_is_done_with_the_argument() -> None:
    function = ast.parse(UNSORTED).body[0]
    assert isinstance(function, ast.FunctionDef)
    places = [
        change.key
        for change in usual_mends(function, Hints(empty_cases("pages", PAGES)))
        if change.insert and isinstance(change.new, ast.If) and isinstance(change.new.body[0], ast.Return)
    ]
    assert places == [0, 1]


def test_of_several_solutions_the_one_is_taken_that_goes_on_doing_what_the_answers_do(search: Search) -> None:
    """`not rest` in many places passes the tests, too, and is wrong for every multiple of ten."""
    code = """
def spoken(number: int) -> str:
    if number < 0:
        raise ValueError
    tens = number // 10
    rest = number % 10
    parts = []
    if tens > 0:
        parts.append(f"{tens} ten")
    if rest > 0:
        parts.append(f"{rest} one")
    return " ".join(parts)
"""
    tests = [
        ["from money import spoken", "assert spoken(31) == '3 ten 1 one'"],
        ["from money import spoken", "assert spoken(2) == '2 one'"],
        ["from money import spoken", "assert spoken(0) == 'none'"],
    ]
    spoken = defined(search(code, tests=tests, function="spoken", seconds=7.0).code, "spoken")
    assert [spoken(number) for number in (0, 10, 40, 15)] == ["none", "1 ten", "4 ten", "1 ten 5 one"]


def test_the_choice_is_by_agreement_with_the_samples_then_among_each_other() -> None:
    sample = (1, 2, 3, 4)
    assert best([(1, 2, 9, 9), (1, 2, 3, 9), (8, 2, 3, 9)], [(1.0, sample)]) == 1
    assert best([(1, 2, 7, 7), (1, 2, 8, 8), (1, 2, 8, 8)], [(0.5, sample)]) == 1
    assert best([(1,), (2,)], []) == 0


def test_probes_are_the_calls_of_the_tests_with_other_arguments() -> None:
    tests = [
        [
            "from datetime import date",
            "from money import later",
            "assert later(date(2024, 1, 31), 1) == date(2024, 2, 29)",
        ],
        ["from money import later", "with pytest.raises(ValueError):\n    later('a b', [1, 2], gap=3)"],
    ]
    made = probes("later", tests, [ast.parse("x = 86400")], random.Random(0))
    assert 20 < len(made) <= MOST_PROBES
    assert any(86400 in probe.code.co_consts for probe in made)
    assert probes("later", [["assert True"], ["assert ("]], [], random.Random(0)) == []


def test_what_is_found_is_written_with_the_imports_and_helpers_it_needs() -> None:
    helper = "import re\nimport os\n\ndef half(x):\n    return x / 2\n\n"
    solution = read_solution(helper + 'def f(x):\n    """Doc."""\n    return re.escape(half(x))\n', "f")
    assert solution is not None
    code = written(solution.function, solution.helpers, solution.imports)
    told = written(solution.function, solution.helpers, solution.imports, solution.docstring)
    assert told == code.replace("def f(x):\n", 'def f(x):\n    """Doc."""\n')
    assert "import re" in code
    assert "import os" not in code
    assert "def half" in code
    assert "Doc" not in code


@pytest.mark.parametrize(
    ("body", "unused"),
    [
        ("days = x // 24\n    return f'{x % 24} h'", True),
        ("days = x // 24\n    return f'{days} d {x % 24} h'", False),
        ("for _ in range(3):\n        x += 1\n    return x", False),
        ("days, hours = divmod(x, 24)\n    return hours", False),
        ("total = 0\n    total += x\n    return x", True),
    ],
)
def test_a_value_that_nothing_uses_is_noticed(body: str, unused: bool) -> None:
    solution = read_solution(f"def hours(x):\n    {body}\n", "hours")
    assert solution
    assert computes_unused(solution.function) is unused


def test_what_does_not_define_the_function_is_no_solution() -> None:
    assert read_solution("def g(): pass", "f") is None
    assert read_solution("def f(:", "f") is None


def _function(parts: list[str]) -> ast.FunctionDef:
    body = "\n    ".join(parts)
    node = ast.parse(f"def f(x, y=0):\n    {body}\n").body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def test_the_search_is_given_away_as_plain_files(tmp_path: Path) -> None:
    """It runs in the project's own environment, which has none of our packages."""
    import orchestrator.small_models.search

    folder = Path(orchestrator.small_models.search.__file__).parent
    for file in folder.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                module, known = str(node.module), {"__future__", "collections.abc", "dataclasses", "pathlib"}
                beside = module.startswith("testing.mutation.")  # given away with it
                assert beside or module in known | {"types", "typing"}


ACCOUNT = """class Account:
    def __init__(self):
        self.entries = []

    def post(self, day, amount):
        self.entries.append((day, amount))

    def balance_at(self, day):
        return sum(amount for posted, amount in self.entries if posted < day)
"""


def test_a_method_is_mended_in_its_class(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    setup = ["from bank import Account", "account = Account()", "account.post(1, 10)", "account.post(2, 5)"]
    task = RecombinationTask(
        module="bank",
        function="Account.balance_at",
        samples=[ACCOUNT, "def balance_at(self, day):\n    return sum(a for p, a in self.entries if p > day)\n"],
        tests=[
            [*setup, f"assert account.balance_at({day}) == {balance}"] for day, balance in ((1, 10), (2, 15), (0, 0))
        ],
        seconds=2.5,
    )
    found = recombine(runner.place(tree({"bank.py": ACCOUNT}), base_environment), task)

    assert found.code.startswith("class Account:\n\n    def balance_at(self, day):")
    assert "<= day" in found.code
    assert "post" not in found.code.replace("posted", "")


def test_a_method_is_asked_after_what_its_test_did_before(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = ModuleType("bank")
    exec(ACCOUNT, vars(bank))
    monkeypatch.setitem(sys.modules, "bank", bank)
    setup = ["from bank import Account", "account = Account()", "account.post(1, 10)", "account.post(2, 5)"]
    results = set()
    for probe in probes("Account.balance_at", [[*setup, "assert account.balance_at(1) == 10"]], [], random.Random(0)):
        names: dict[str, Any] = {}
        exec(probe.code, names)
        results.add(names[RESULT])

    assert len(results) > 1
    assert results <= {0, 10, 15}


@pytest.mark.parametrize(
    ("found", "agreeing", "proven", "certain"),
    [(0, 0, False, True), (1, 1, True, True), (5, 5, True, True), (5, 5, False, False), (16, 2, True, False)],
)
def test_a_find_is_certain_when_what_else_was_found_does_the_same_and_tests_run_all_of_it(
    found: int, agreeing: int, proven: bool, certain: bool
) -> None:
    assert Recombination(code="x", found=found, agreeing=agreeing, proven=proven).certain() is certain


FEE = """def fee(x):
    if x > 100:
        return x // 10
    return x - 1
"""
FEE_TESTS = [["from m import fee", f"assert fee({x}) == {x + 1}"] for x in (3, 4, 9)]


@pytest.mark.parametrize("present", [False, True])
def test_what_no_test_runs_is_not_proven_unless_it_is_there_already(
    present: bool, runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    task = RecombinationTask(module="m", function="fee", samples=[FEE], tests=FEE_TESTS, seconds=4, present=present)
    found = recombine(runner.place(tree({"m.py": ""}), base_environment), task)
    assert found.code
    kept = "// 10" in found.code
    assert found.proven is (present or not kept)
    assert kept, "the search cut the branch off: this test needs another example"
    plain = FEE.replace("    if x > 100:\n        return x // 10\n", "")
    found = recombine(runner.place(tree({"m.py": ""}), base_environment), task.model_copy(update={"samples": [plain]}))
    assert found.code
    assert found.proven
