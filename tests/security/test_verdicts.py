"""Code that runs before its tests do, at the runner itself: what no look at the text has refused."""

from __future__ import annotations

import textwrap

import pytest

from testing import Environment, EnvironmentManager, Sandbox, TestRunner
from tests.testing.conftest import Tree

cheat = pytest.mark.probe("cheat")

FAILING = "def test_x():\n    assert 0\n"
EARLY = "import calc\n"


@cheat
def test_tests_changed_before_they_are_collected(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    change = "open('tests/test_x.py', 'w').write('def test_x(): pass')\n"
    files = {"conftest.py": EARLY, "calc.py": change, "tests/test_x.py": FAILING}
    result = runner.run_tests(tree(files), base_environment)
    assert not result.passed and result.passed_ids == []
    assert result.problem == "The run changed its own tests: tests/test_x.py."


@cheat
def test_compiled_tests_laid_beside_the_tests(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    """pytest would take them for those of the file, whose time and size they name."""
    forge = textwrap.dedent("""
        import importlib.util, marshal, os, struct
        from _pytest.assertion.rewrite import PYC_TAIL
        found = os.stat('tests/test_x.py')
        os.makedirs('tests/__pycache__')
        code = compile('def test_x(): pass', '/work/tests/test_x.py', 'exec')
        head = importlib.util.MAGIC_NUMBER + b'\\0' * 4
        head += struct.pack('<LL', int(found.st_mtime) & 0xFFFFFFFF, found.st_size & 0xFFFFFFFF)
        with open('tests/__pycache__/test_x' + PYC_TAIL, 'wb') as file: file.write(head + marshal.dumps(code))
    """)
    files = {"conftest.py": EARLY, "calc.py": forge, "tests/test_x.py": FAILING}
    source = tree(files)
    result = runner.run_tests(source, base_environment)
    assert list((source / "tests/__pycache__").iterdir()), "the attack did not take place"
    assert [failure.test_id for failure in result.failures] == ["tests/test_x.py::test_x"]


@cheat
def test_unittest_patched(runner: TestRunner, unittest_environment: Environment, tree: Tree) -> None:
    case = "import calc, unittest\nclass A(unittest.TestCase):\n    def test_x(self): self.assertEqual(calc.x, 2)\n"
    patch = "import unittest\nx = 1\nunittest.TestCase.assertEqual = lambda *a: None\n"
    result = runner.run_tests(tree({"calc.py": patch, "tests/test_a.py": case}), unittest_environment)
    assert not result.passed and "changed the test framework" in (result.problem or "")


def test_what_a_plugin_or_a_test_patches_is_none_of_its_business(
    runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    body = "import builtins\ndef test_x(monkeypatch):\n    monkeypatch.setattr(builtins, 'print', lambda *a: None)\n"
    kept = "import unittest\nunittest.TestCase.assertSame = unittest.TestCase.assertEqual = lambda *a: None\n"
    result = runner.run_tests(tree({"conftest.py": kept, "tests/test_x.py": body}), base_environment)
    assert result.passed, result


def test_processes_started_by_spawn_still_work(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    body = """
import multiprocessing, sys
def test_x():
    assert sys.path[0] == "/work" and not any("ai-agents" in part for part in sys.path)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(abs, [-1]) == [1]
"""
    result = runner.run_tests(tree({"test_x.py": body}), base_environment)
    assert result.passed, result.output_tail


@cheat
def test_without_a_sandbox_the_report_is_the_witness_too(
    tree: Tree, manager: EnvironmentManager, base_environment: Environment
) -> None:
    forge = (
        "def test_x():\n    import os\n    open(os.environ['REPORT'], 'w').write('<testsuites/>')\n    os._exit(0)\n"
    )
    result = TestRunner(Sandbox("off")).run_tests(tree({"test_x.py": forge}), base_environment)
    assert not result.passed and "No report was written" in (result.problem or "")
