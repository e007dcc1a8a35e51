"""pytest in the real sandbox: ids, kinds of failure, and results that must not count."""

from __future__ import annotations

import os

import pytest

from testing import (
    Environment,
    EnvironmentManager,
    InvalidSelection,
    Sandbox,
    SandboxLimits,
    TestResult,
    TestRunner,
    declared_tests,
    detect_framework,
)
from tests.testing.conftest import Tree

PACKAGE = {"pkg/__init__.py": "class Thing: pass\ndef f(a): return a\ndef todo(): raise NotImplementedError\n"}


def run_one(runner: TestRunner, environment: Environment, tree: Tree, body: str) -> TestResult:
    return runner.run_tests(tree(PACKAGE | {"tests/test_it.py": body}), environment)


def test_every_kind_of_id_comes_back_and_can_be_selected(
    runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    files = {
        "tests/__init__.py": "",
        "tests/base.py": "class Base:\n    def test_inherited(self): pass\n",
        "tests/test_a.py": """
import pytest, unittest
from tests.base import Base
@pytest.mark.parametrize("x", ["a::b", "a/b.c", "q]", "\\x1b", "two words (x)", "ä"])
def test_p(x): pass
class TestOuter:
    class TestInner:
        def test_in(self): pass
    @pytest.mark.skip
    def test_skipped(self): pass
    @pytest.mark.xfail
    def test_expected(self): assert 0
class TestInheriting(Base): pass
class OldStyle(unittest.TestCase):
    def test_old(self): pass
""",
        "other/test_a.py": "def test_same_name(): pass\n",
        "pkg/mod.py": '"""\n>>> 1 + 1\n2\n"""\n',
        "pytest.ini": "[pytest]\naddopts = --doctest-modules --import-mode=importlib -x\n",
    }
    result = runner.run_tests(tree(files), base_environment)
    assert result.passed, result
    assert set(result.test_ids) == {
        *(f"tests/test_a.py::test_p[{x}]" for x in ("a::b", "a/b.c", "q]", "\\x1b", "two words (x)", "\\xe4")),
        "tests/test_a.py::TestOuter::TestInner::test_in",
        "tests/test_a.py::TestOuter::test_skipped",
        "tests/test_a.py::TestOuter::test_expected",
        "tests/test_a.py::TestInheriting::test_inherited",
        "tests/test_a.py::OldStyle::test_old",
        "other/test_a.py::test_same_name",
        "pkg/mod.py::pkg.mod",
    }
    assert set(result.skipped_ids) == {
        f"tests/test_a.py::TestOuter::{name}" for name in ("test_skipped", "test_expected")
    }
    again = runner.run_specific_test(tree(files), base_environment, *result.test_ids)
    assert set(again.test_ids) == set(result.test_ids)
    assert set(again.passed_ids) == set(result.passed_ids)


FAILING = [  # body of a test file, kind, what is missing, line of the innermost frame
    ("from pkg import f\ndef test_x(): assert f(1) == 2", "assertion", None, 2),
    ("import pytest\ndef test_x():\n    with pytest.raises(ValueError): pass", "assertion", None, 3),
    ("def test_x():\n    raise AssertionError('no')", "assertion", None, 2),
    ("import pkg\ndef test_x(): pkg.new(1)", "missing", "pkg.new", 2),
    ("import pkg\ndef test_x(): pkg.Thing().go()", "missing", "Thing.go", 2),
    ("import pkg\ndef test_x(): pkg.f(1, sep=2)", "missing", "f(sep)", 2),
    ("import pkg\ndef test_x(): pkg.f(1, 2)", "missing", "f()", 2),
    ("def test_x():\n    from pkg.new import y", "missing", "pkg.new", 2),
    ("import os\ndef test_x(): os.nothing()", "error", None, 2),
    ("def test_x(): ''.nothing()", "error", None, 1),
    ("def test_x(): undefined()", "error", None, 1),
    ("def test_x(no_fixture): pass", "error", None, None),
    ("import pkg\ndef test_x(): {}['x']", "error", None, 2),
]
NOT_COLLECTED = [
    ("from pkg import new", "missing", "pkg.new"),
    ("import pkg.new", "missing", "pkg.new"),
    ("from brand_new_module import x", "missing", "brand_new_module"),
    ("import os.nothing", "collection", None),
    ("from pytest import nothing", "collection", None),
    ("def test_x(: pass", "syntax", None),
    ("raise RuntimeError('boo')", "collection", None),
    ("1/0", "collection", None),
]


def test_why_a_test_failed(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    files = {f"tests/test_{number:02}.py": case[0] for number, case in enumerate(FAILING)}
    result = runner.run_tests(tree(PACKAGE | files), base_environment)
    assert result.failed and result.problem is None
    assert result.test_ids == [f"{file}::test_x" for file in files]
    told = [(f.test_id, f.kind, f.missing, f.location) for f in result.failures]
    assert told == [
        (f"{file}::test_x", kind, missing, f"{file}:{line}" if line else None)
        for file, (_, kind, missing, line) in zip(files, FAILING, strict=True)
    ]


def test_what_is_not_implemented_is_missing(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    [failure] = run_one(runner, base_environment, tree, "import pkg\ndef test_x(): pkg.todo()").failures
    assert (failure.kind, failure.location) == ("missing", "pkg/__init__.py:3")


@pytest.mark.parametrize("runs_it", ["pytest", "unittest"])
def test_where_the_exceptions_behind_an_error_were_raised(
    runner: TestRunner, base_environment: Environment, unittest_environment: Environment, tree: Tree, runs_it: str
) -> None:
    code = "def first(items):\n    return next(iter(items))\n"
    test = (
        "import unittest\nfrom queue_of import first\n\n\nclass A(unittest.TestCase):\n    def test_x(self):\n"
        "        def firsts():\n            yield first([])\n        assert list(firsts()) == []\n"
    )
    environment = base_environment if runs_it == "pytest" else unittest_environment
    [failure] = runner.run_tests(tree({"queue_of.py": code, "tests/test_a.py": test}), environment).failures
    assert failure.message == "RuntimeError: generator raised StopIteration"
    assert failure.location == "tests/test_a.py:9"
    assert failure.causes == ("queue_of.py:2",)


def test_why_a_file_was_not_collected(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    files = {
        f"tests/test_{number:02}.py": f"{case[0]}\ndef test_y(): pass" for number, case in enumerate(NOT_COLLECTED)
    }
    result = runner.run_tests(tree(PACKAGE | files), base_environment)
    assert result.failed
    assert (result.test_count, result.test_ids) == (0, [])
    told = [(f.test_id, f.kind, f.missing, f.location) for f in result.failures]
    assert told == [
        (file, kind, missing, f"{file}:1") for file, (_, kind, missing) in zip(files, NOT_COLLECTED, strict=True)
    ]
    assert all("importlib" not in f.traceback and "_pytest" not in f.traceback for f in result.failures)


def test_counts_and_tracebacks(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    body = """
import pkg, pytest
@pytest.fixture
def falls():
    yield
    raise RuntimeError("after")
def test_passes(): pass
def test_fails(): assert pkg.f(1) == 2
def test_errs(falls): pass
@pytest.mark.skip
def test_skips(): pass
"""
    result = run_one(runner, base_environment, tree, body)
    assert result.counts.model_dump() == {"passed": 1, "failed": 1, "errors": 1, "skipped": 1}
    assert result.test_count == 4
    failed, erred = result.failures
    assert (
        failed.message == "AssertionError: assert 1 == 2\n +  where 1 = <function f at 0x"
        or "where 1 = " in failed.message
    )
    assert failed.traceback.startswith("tests/test_it.py:8: in test_fails\n")
    assert erred.message == "RuntimeError: after"
    assert result.tier == 1 and result.exit_code == 1 and 0 < result.duration < 20
    assert "2 failed" not in result.output_tail and "1 failed" in result.output_tail


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"conftest.py": "import os; os._exit(0)", "test_a.py": "def test_x(): assert 0"}, "No report was written"),
        ({"test_a.py": "import os\ndef test_x(): os._exit(0)"}, "No report was written"),
        (
            {"test_a.py": "def test_x(): open('/out/report.xml', 'w').write('x'); import os; os._exit(0)"},
            "No report was written",
        ),
        ({"test_a.py": "x = 1"}, "No test was found: no test was collected."),
        ({"test_a.py": "import pytest\n@pytest.mark.skip\ndef test_x(): pass"}, "Every test was skipped"),
        (
            {
                "test_a.py": "def test_x(): pass",
                "conftest.py": "def pytest_sessionfinish(session): session.exitstatus = 1",
            },
            "Every reported test passed, but the exit code is 1",
        ),
        (
            {"test_a.py": "def test_x(): pass", "pytest.ini": "[pytest]\naddopts = --no-such-option"},
            "could not use its opt",
        ),
    ],
)
def test_an_exit_code_proves_nothing(
    runner: TestRunner, base_environment: Environment, tree: Tree, files: dict[str, str], problem: str
) -> None:
    result = runner.run_tests(tree(files), base_environment)
    assert not result.passed
    assert problem in (result.problem or "")


def test_tests_that_do_not_end_are_killed(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    result = runner.run_tests(tree({"test_a.py": "def test_x():\n    while True: pass"}), base_environment, timeout=1.5)
    assert not result.passed
    assert result.killed_reason == "timeout"
    assert result.problem == "The tests did not end within 2 s and were killed."


def test_two_runs_are_the_same(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    files = {
        "test_a.py": """
import locale, os, sys, time
def test_x(): assert 0, (hash("a"), list({"a", "b", "c"}), sorted(os.environ), os.getcwd(), time.tzname)
def test_cache(cache): cache.set("a/b", 1)
def test_no_bytecode(): assert sys.dont_write_bytecode
""",
    }
    source = tree(files)
    first, second = (runner.run_tests(folder, base_environment) for folder in (source, tree(files)))
    assert first.failures == second.failures and len(first.failures) == 1
    assert sorted(path.name for path in source.iterdir()) == ["test_a.py"], "neither caches nor bytecode are left"


def test_what_tests_write_stays_in_the_run_folder_and_belongs_to_the_sandbox(
    runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    source = tree({"test_a.py": "def test_x(): open('made', 'w').write('x')"})
    assert runner.run_tests(source, base_environment).passed
    assert (source / "made").stat().st_uid == (65534 if os.geteuid() == 0 else os.geteuid())


def test_a_single_test_is_run(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    source = tree({"a/test_a.py": "def test_x(): pass\ndef test_y(): pass\n"})
    result = runner.run_specific_test(source, base_environment, "a/test_a.py::test_y")
    assert result.passed and result.test_ids == ["a/test_a.py::test_y"]
    gone = runner.run_specific_test(source, base_environment, "a/test_a.py::test_gone")
    assert not gone.passed and "could not use" in (gone.problem or "")
    assert "test_gone" in gone.output_tail


@pytest.mark.parametrize("test_id", ["--collect-only", "/etc/test_x.py", "../test_x.py::a", ""])
def test_a_selection_is_never_an_option_or_a_path_outside(
    runner: TestRunner, base_environment: Environment, tree: Tree, test_id: str
) -> None:
    with pytest.raises(InvalidSelection):
        runner.run_specific_test(tree({}), base_environment, test_id)


def test_plugins_of_the_project_do_not_change_the_verdict(
    runner: TestRunner, manager: EnvironmentManager, tree: Tree
) -> None:
    files = PACKAGE | {
        "requirements-test.txt": "pytest-cov\npytest-randomly\n",
        "pytest.ini": "[pytest]\naddopts = --cov=pkg --cov-fail-under=100 --randomly-seed=7\n",
        "test_a.py": "".join(f"def test_{name}(): pass\n" for name in "qwertyuiop"),
    }
    environment = manager.ensure(tree(files))
    result = runner.run_tests(tree(files), environment)
    assert result.passed, result
    assert [test_id[-1] for test_id in result.test_ids] == list("qwertyuiop")

    compiled = """
import pytest_randomly
from pathlib import Path
from _pytest.assertion.rewrite import PYC_TAIL, get_cache_dir

def test_plugins_are_not_compiled_in_each_run():
    plugin = Path(pytest_randomly.__file__)
    assert (get_cache_dir(plugin) / f"{plugin.stem}{PYC_TAIL}").is_file()
    assert not get_cache_dir(Path(__file__)).exists()
"""
    taken = runner.run_tests(tree(files | {"test_a.py": compiled}), environment)
    assert taken.passed, taken


def test_memory_and_output_of_tests_are_bounded(base_environment: Environment, tree: Tree) -> None:
    runner = TestRunner(Sandbox(limits=SandboxLimits(memory_bytes=128 << 20, output_bytes=1 << 20)))
    greedy = tree({"test_a.py": "def test_x():\n    a = []\n    while True: a.append(bytearray(1 << 20))"})
    assert runner.run_tests(greedy, base_environment).problem == "The tests were killed: memory."
    chatty = tree(
        {"test_a.py": "import os\ndef test_x(capfd):\n    with capfd.disabled():\n        while True: print('x' * 999)"}
    )
    assert runner.run_tests(chatty, base_environment).problem == "The tests were killed: output."


@pytest.mark.parametrize("framework", ["pytest", "unittest"])
def test_without_a_sandbox_the_same_tests_give_the_same_answer(
    tree: Tree, tmp_path_factory: pytest.TempPathFactory, framework: str
) -> None:
    sandbox = Sandbox("off")
    files = PACKAGE | {
        "tests/__init__.py": "",
        "tests/test_a.py": """
import pkg, unittest
class TestA(unittest.TestCase):
    def test_ok(self): pass
    def test_no(self): self.assertEqual(pkg.f(1), 2)
    def test_missing(self): pkg.new()
""",
    }
    environment = EnvironmentManager(tmp_path_factory.mktemp("data"), sandbox).ensure(
        tree(files), framework="unittest" if framework == "unittest" else "pytest"
    )
    result = TestRunner(sandbox).run_tests(tree(files), environment)
    assert result.tier == 0
    assert result.passed_ids == ["tests/test_a.py::TestA::test_ok"]
    assert {(f.test_id[-7:], f.kind, f.missing, f.location) for f in result.failures} == {
        ("test_no", "assertion", None, "tests/test_a.py:5"),
        ("missing", "missing", "pkg.new", "tests/test_a.py:6"),
    }


def test_the_framework_is_recognised(tree: Tree) -> None:
    case = "import unittest\nclass A(unittest.TestCase):\n    def test_x(self): pass\n"
    assert detect_framework(tree({"tests/test_a.py": case})) == "unittest"
    assert detect_framework(tree({"tests/test_a.py": case, "tests/test_b.py": "def test_x(): pass\n"})) == "pytest"
    assert (
        detect_framework(tree({"tests/test_a.py": case, "pyproject.toml": "[tool.pytest.ini_options]\n"})) == "pytest"
    )
    assert detect_framework(tree({"a.py": ""})) == "pytest"


def test_declared_tests_are_read_without_running() -> None:
    text = """
from nowhere import x
def test_a(): pass
async def test_b(): pass
def helper(): pass
class TestC:
    def test_d(self): pass
    def other(self): pass
class E(unittest.TestCase):
    def test_f(self): pass
"""
    names = ["test_a", "test_b", "TestC::test_d", "E::test_f"]
    assert declared_tests(text, "tests/test_x.py") == [f"tests/test_x.py::{name}" for name in names]
    assert declared_tests("def (", "tests/test_bad.py") == declared_tests("", "tests/test_x.py") == []


def test_links_that_lead_back_are_not_followed(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    source = tree({"tests/test_a.py": "def test_a(): pass\n", "real/test_b.py": "def test_b(): pass\n"})
    (source / "loop").symlink_to(".")
    (source / "tests" / "up").symlink_to("..")
    found = runner.run_tests(source, base_environment)
    assert found.passed and sorted(found.test_ids) == ["real/test_b.py::test_b", "tests/test_a.py::test_a"]
