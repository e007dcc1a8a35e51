"""Facts found in a tree of files without running anything; the result of the suite is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents import Fact
from memory import MemoryStore, Task, TaskStatus
from orchestrator.baseline import Baseline, FailedTest, is_outside
from orchestrator.idle.fact_finder import marked, missing_docstrings, todo_comments, untested_functions
from orchestrator.idle.failing_tests import failing_tests
from orchestrator.idle.known_facts import KnownFacts
from testing import Failure, declared_tests

CALC = '''
def half(x):
    """Half."""
    return x * 2


def sub(a, b):
    """Less."""
    return a + b


def helper():
    """Help."""
    return 1


class Basket:
    """Things."""

    def add(self, name):
        """One more."""

    def _hidden(self): ...


def bare(): ...
'''
TESTS = """import calc
from calc import half, helper


def test_half():
    assert half(helper() * 4) == 2


def test_half_again():
    assert half(2) == 1


def test_sub():
    assert calc.sub(helper() + 2, 1) == 2


def test_helper():
    assert helper() == 1


class TestNet:
    def test_net(self):
        assert open("/nowhere")
"""
FILE = "tests/test_calc.py"


def tree(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def ended(*failed: str, outside: str = "") -> Baseline:
    failures = [FailedTest(test_id=name, evidence=f"{name} said", outside=name == outside) for name in failed]
    return Baseline(key="", tree="", passed=[], failed=list(failed), seconds=1.0, failures=failures)


def test_failing_tests_are_told_apart_by_what_they_are_about(tmp_path: Path) -> None:
    root = tree(tmp_path, {"calc.py": CALC, FILE: TESTS})
    names = [f"{FILE}::{name}" for name in ("test_half", "test_half_again", "test_sub", "TestNet::test_net")]
    half, sub, net = failing_tests(root, ended(*names, outside=names[3]))
    assert [(fact.path, fact.symbol) for fact in (half, sub, net)] == [
        ("calc.py", "half"),
        ("calc.py", "sub"),
        (FILE, ""),
    ]
    assert declared_tests(half.tests, FILE) == [
        f"{FILE}::{name}" for name in ("test_half", "test_half_again", "test_helper")
    ]
    assert declared_tests(sub.tests, FILE) == [f"{FILE}::{name}" for name in ("test_sub", "test_helper")]
    assert [bool(fact.beyond) for fact in (half, sub, net)] == [False, False, True]


def test_a_file_that_cannot_be_imported_is_about_what_is_not_there(tmp_path: Path) -> None:
    text = "from calc import half, missing\n\n\ndef test_a():\n    assert half(half(4)) == missing()\n"
    (fact,) = failing_tests(tree(tmp_path, {"calc.py": CALC, FILE: text}), ended(FILE))
    assert (fact.path, fact.symbol, fact.tests) == ("calc.py", "missing", text)


def test_the_fact_changes_with_the_code_it_is_about_and_with_nothing_else(tmp_path: Path) -> None:
    def digest(calc: str, tests: str = TESTS) -> str:
        (fact,) = failing_tests(tree(tmp_path, {"calc.py": calc, FILE: tests}), ended(f"{FILE}::test_sub"))
        return fact.digest

    before = digest(CALC)
    assert digest("# moved\n" + CALC.replace("return 1", "return 2")) == before
    assert digest(CALC.replace("a + b", "a + a")) != before
    assert digest(CALC, TESTS.replace("calc.sub(helper() + 2, 1)", "calc.sub(9, 7)")) != before


def test_untested_functions_by_name_or_as_they_were_run(tmp_path: Path) -> None:
    root = tree(tmp_path, {"calc.py": CALC, FILE: TESTS, "docs/conf.py": "def made(): ...\n"})
    assert [fact.symbol for fact in untested_functions(root)] == ["bare", "Basket.add"]
    executed = {("calc.py", "half"), ("calc.py", "Basket.add"), ("calc.py", "bare")}
    assert [fact.symbol for fact in untested_functions(root, executed)] == ["sub", "helper"]


def test_docstrings_are_missed_where_they_are_the_habit_or_demanded(tmp_path: Path) -> None:
    assert [fact.symbol for fact in missing_docstrings(tree(tmp_path, {"calc.py": CALC}))] == ["bare"]
    few = tree(tmp_path, {"calc.py": "def bare(): ...\n"})
    assert missing_docstrings(few) == []
    demanding = tree(tmp_path, {"pyproject.toml": '[tool.ruff.lint]\nselect = ["E", "D"]\n'})
    assert [fact.symbol for fact in missing_docstrings(demanding)] == ["bare"]


def test_a_concern_is_worked_on_twice_at_most_and_by_one_task_at_a_time(tmp_path: Path) -> None:
    def fact(body: str) -> Fact:
        (found,) = todo_comments(tree(tmp_path, {"calc.py": f"def f():\n    # TODO: this\n    return {body}\n"}))
        return found

    store = MemoryStore(f"sqlite:///{tmp_path / 'agents.db'}")
    store.migrate()
    known = KnownFacts(store)
    assert known.fresh([fact("1")]) == [fact("1")]
    store.tasks.add(Task(id="t1", title="t"))
    known.became(fact("1"), "t1")
    assert known.fresh([fact("1"), fact("2")]) == []  # its task is open
    store.tasks.transition("t1", TaskStatus.CANCELLED)
    assert known.fresh([fact("1"), fact("2")]) == [fact("2")]
    known.left_out([fact("2")])
    assert known.fresh([fact("2"), fact("3")]) == [fact("3")]
    known.became(fact("3"), "t2")
    assert known.fresh([fact("4")]) == []
    assert (known.task_of(fact("4")), known.has_seen(fact("4")), known.has_seen(fact("2"))) == ("t2", False, True)
    store.close()


@pytest.mark.parametrize(("terms", "symbols"), [(400, {"half", "sub"}), (20_000, {"sub"})])
def test_a_file_that_is_hard_to_parse_does_not_end_the_search(tmp_path: Path, terms: int, symbols: set[str]) -> None:
    """400 terms can be parsed, but `ast.unparse` fails on them."""
    test = "\n\ndef test_{name}():\n    assert half(" + "+".join(["1"] * terms) + ") == 200\n"
    odd = "from calc import half\n" + test.format(name="half") + test.format(name="other")
    root = tree(tmp_path, {"calc.py": CALC, "tests/test_odd.py": odd, FILE: TESTS})
    facts = failing_tests(root, ended("tests/test_odd.py::test_half", f"{FILE}::test_sub"))
    assert {fact.symbol for fact in facts} == symbols


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        ("calc.py", "round down", ""),
        ("tests/test_calc.py", "test zero", ""),
        ("src/data/loader.py", "read more", ""),
        ("vendor/six.py", "round down", "code of others"),
        ("src/app/_vendor/tomli/parser.py", "round down", "code of others"),
        ("third_party/zlib/inflate.c", "round down", "code of others"),
        ("copied/lib.py", "round down", "code of others"),
        ("api/calc_pb2.py", "round down", "a program writes it"),
        ("static/app.min.js", "round down", "a program writes it"),
        ("web/client.ts", "round down", "a program writes it"),
        ("made.py", "round down", "a program writes it"),
        ("deploy/secret/keys.py", "round down", "no agent may write"),
        ("tests/fixtures/broken.py", "round down", "data of tests"),
        ("pkg/testdata/input.go", "round down", "data of tests"),
        ("tests/unit/snapshots/page.js", "round down", "data of tests"),
        ("calc.py", "", "does not say what"),
        ("calc.py", "??", "does not say what"),
        ("calc.py", "remove this once the bug in numpy is fixed", "outside of the project"),
        ("calc.py", "drop when we drop Python 3.8", "outside of the project"),
        ("calc.py", "simplify as soon as https://github.com/a/b/issues/1 is closed", "outside of the project"),
        ("calc.py", "waiting for upstream", "outside of the project"),
        ("calc.py", "tell people when their branch is merged", ""),
        ("calc.py", "it fails when the address is https://", ""),
    ],
)
def test_what_nobody_here_can_do_anything_about_says_why(tmp_path: Path, path: str, text: str, why: str) -> None:
    said = f"// TODO: {text}\n" if path.endswith((".js", ".ts", ".c", ".go")) else f"def f():\n    # TODO: {text}\n"
    files = {
        "made.py": f'"""Grammar. Generated by yacc, do not edit."""\n{said}',
        ".gitattributes": "copied/** linguist-vendored\n# none\nweb/*.ts linguist-generated=true\n",
    }
    root = tree(tmp_path, {path: said} | files)
    (fact,) = [fact for fact in marked(root, todo_comments(root), ["**/secret/**"]) if fact.path == path]
    assert why in fact.beyond
    assert bool(why) == bool(fact.beyond)


def test_failing_tests_of_others_are_theirs_and_those_in_a_folder_of_data_are_ours(tmp_path: Path) -> None:
    files = {"tests/data/test_a.py": TESTS, "vendor/tests/test_a.py": TESTS, "calc.py": CALC}
    root = tree(tmp_path, files)
    facts = failing_tests(root, ended("tests/data/test_a.py::test_half", "vendor/tests/test_a.py::test_half"))
    assert [fact.beyond for fact in marked(root, facts)] == ["", "it is code of others, kept here as a copy"]


@pytest.mark.parametrize(
    ("message", "outside"),
    [
        ("ModuleNotFoundError: No module named 'redis'", True),
        ("redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379", True),
        ("docker.errors.DockerException: Error while fetching server API version", True),
        ("botocore.exceptions.NoCredentialsError: Unable to locate credentials", True),
        ("_tkinter.TclError: no display name and no $DISPLAY environment variable", True),
        ("RuntimeError: No CUDA GPUs are available", True),
        ("importlib.metadata.PackageNotFoundError: No package metadata was found for app", True),
        ("locale.Error: unsupported locale setting", True),
        ("selenium.common.exceptions.WebDriverException: 'chromedriver' executable needs to be in PATH", True),
        ("KeyError: 'DATABASE_URL'", True),
        ("ValueError: no such half", False),
        ("NotImplementedError", False),
    ],
)
def test_what_a_test_lacks_is_told_from_what_the_code_does_wrong(message: str, outside: bool) -> None:
    trace = "app.py:3: in url\n    return os.environ['DATABASE_URL']" if "KeyError" in message else ""
    failure = Failure(test_id="tests/test_a.py::test_a", kind="error", message=message, traceback=trace)
    assert is_outside(failure) is outside
