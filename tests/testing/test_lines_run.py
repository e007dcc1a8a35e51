"""Which lines of a project its tests execute, noted in the sandbox without anything in the project's environment."""

from __future__ import annotations

from pathlib import Path

from testing import Environment, EnvironmentManager, Sandbox, TestRunner
from tests.testing.conftest import Tree

SIGN = """import threading


def sign(x: int) -> str:
    if x < 0:
        return "-"
    return "+"


def later(x: int) -> list[str]:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(
        sign(x)))
    thread.start()
    thread.join()
    return found


def unused() -> None:
    print()
"""
TESTS = (
    "from sign import later, sign\n\ndef test_it():\n    assert sign(1) == '+'\n\ndef test_later():\n    later(-1)\n"
)


def test_lines_and_ways_through_the_code(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    runner = TestRunner(sandbox)
    files = {"sign.py": SIGN, "tests/test_sign.py": TESTS}
    whole = runner.lines_run(tree(files), base_environment)
    assert not whole.problem
    assert {5, 6, 7, 13} <= whole.lines("sign.py")  # 6 in a thread only
    assert 20 not in whole.lines("sign.py")
    one = runner.lines_run(tree(files), base_environment, ["tests/test_sign.py::test_it"])
    assert (5, 7) in one.arcs["sign.py"]
    assert (5, 6) in whole.arcs["sign.py"] - one.arcs["sign.py"]


def test_unittest_is_measured_and_other_frameworks_say_that_they_are_not(
    sandbox: Sandbox, unittest_environment: Environment, tree: Tree
) -> None:
    body = "class T(unittest.TestCase):\n    def test_it(self):\n        sign(-1)\n"
    case = f"import unittest\nfrom sign import sign\n\n{body}"
    files = {"sign.py": SIGN, "tests/test_sign.py": case}
    found = TestRunner(sandbox).lines_run(tree(files), unittest_environment, ["tests/test_sign.py"])
    assert (5, 6) in found.arcs["sign.py"] and 7 not in found.lines("sign.py")
    other = unittest_environment.model_copy(update={"framework": "node"})
    assert "pytest, unittest only" in TestRunner(sandbox).lines_run(tree(files), other).problem


def test_workers_of_xdist_are_left_out_so_that_their_lines_are_seen(tmp_path: Path, tree: Tree) -> None:
    sandbox = Sandbox("required")
    files = {"sign.py": SIGN, "tests/test_sign.py": TESTS, "pytest.ini": "[pytest]\naddopts = -n 2\n"}
    source = tree(files | {"requirements-test.txt": "pytest\npytest-xdist\n"})
    environment = EnvironmentManager(tmp_path / "data", sandbox).ensure(source)
    assert {5, 6, 7} <= TestRunner(sandbox).lines_run(source, environment).lines("sign.py")


def test_a_run_that_hangs_measures_nothing(sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    source = tree({"tests/test_x.py": "import time\n\ndef test_x():\n    time.sleep(600)\n"})
    assert "killed" in TestRunner(sandbox).lines_run(source, base_environment, timeout=3).problem
