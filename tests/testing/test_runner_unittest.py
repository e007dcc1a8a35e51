"""unittest in the real sandbox."""

from __future__ import annotations

from testing import Environment, TestRunner
from tests.testing.conftest import Tree

FILES = {
    "pkg.py": "def f(a): return a\n",
    "tests/sibling.py": "class Base:\n    def test_inherited(self): pass\n",
    "tests/test_a.py": """
import unittest
import pkg
from sibling import Base
class TestA(unittest.TestCase):
    def test_ok(self): print("<!DOCTYPE html>")
    def test_no(self): self.assertEqual(pkg.f(1), 2)
    def test_missing(self): pkg.new()
    def test_err(self): {}["x"]
    @unittest.skip("why")
    def test_skipped(self): pass
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    def test_sub(self):
        for i in range(4):
            with self.subTest("of them", i=i): self.assertNotEqual(i % 2, 1)
class TestInheriting(Base, unittest.TestCase): pass
class TestSetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise RuntimeError("x")
    def test_never(self): pass
""",
    "tests/test_b.py": "from pkg import new\n",
    "tests/test_c.py": "def f(: pass\n",
    "pack/__init__.py": "",
    "pack/tests/__init__.py": "",
    "pack/tests/test_d.py": "import unittest\nclass D(unittest.TestCase):\n    def test_d(self): pass\n",
}


def test_ids_kinds_and_counts(runner: TestRunner, unittest_environment: Environment, tree: Tree) -> None:
    result = runner.run_tests(tree(FILES), unittest_environment)
    a = "tests/test_a.py::TestA"
    assert set(result.passed_ids) == {
        f"{a}::test_ok",
        "tests/test_a.py::TestInheriting::test_inherited",
        "pack/tests/test_d.py::D::test_d",
    }
    assert set(result.skipped_ids) == {f"{a}::test_skipped", f"{a}::test_expected"}
    assert {(failure.test_id, failure.kind, failure.missing, failure.location) for failure in result.failures} == {
        (f"{a}::test_no", "assertion", None, "tests/test_a.py:7"),
        (f"{a}::test_missing", "missing", "pkg.new", "tests/test_a.py:8"),
        (f"{a}::test_err", "error", None, "tests/test_a.py:9"),
        (f"{a}::test_sub", "assertion", None, "tests/test_a.py:16"),
        ("tests/test_a.py::TestSetUp", "error", None, "tests/test_a.py:20"),
        ("tests/test_b.py", "missing", "pkg.new", "tests/test_b.py:1"),
        ("tests/test_c.py", "syntax", None, "tests/test_c.py:1"),
    }
    assert result.counts.model_dump() == {"passed": 3, "failed": 2, "errors": 2, "skipped": 2}
    assert result.failed and result.exit_code == 1 and result.tier == 1
    assert all("unittest/" not in failure.traceback for failure in result.failures)


def test_a_selection_is_run_alone(runner: TestRunner, unittest_environment: Environment, tree: Tree) -> None:
    selection = ["tests/test_a.py::TestA::test_ok", "pack/tests/test_d.py", "tests/test_a.py::TestInheriting"]
    result = runner.run_specific_test(tree(FILES), unittest_environment, *selection)
    assert result.passed, result
    assert set(result.test_ids) == {
        "tests/test_a.py::TestA::test_ok",
        "pack/tests/test_d.py::D::test_d",
        "tests/test_a.py::TestInheriting::test_inherited",
    }
    gone = runner.run_specific_test(tree(FILES), unittest_environment, "tests/test_a.py::TestA::test_gone")
    assert not gone.passed
    assert [failure.test_id for failure in gone.failures] == ["tests/test_a.py::TestA::test_gone"]


def test_no_tests_is_no_success(runner: TestRunner, unittest_environment: Environment, tree: Tree) -> None:
    result = runner.run_tests(tree({"a.py": ""}), unittest_environment)
    assert not result.passed
    assert result.problem == "No test was found."
