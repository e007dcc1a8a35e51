"""The guard beside the tests: it notices what code under test does to the framework, and lets tests and plugins be."""

from __future__ import annotations

import textwrap

import pytest

from testing import Environment, EnvironmentManager, TestRunner
from tests.support.rounds import one_in
from tests.testing.conftest import Tree

cheat = pytest.mark.probe("cheat")
CASES = "import calc, unittest\nclass A(unittest.TestCase):\n    def test_x(self): self.assert{}\n"


@cheat
@pytest.mark.parametrize("runs_it", ["unittest", "pytest"])
@pytest.mark.parametrize(
    ("change", "assertion"),
    one_in(
        2,
        [
            ("unittest.TestCase.assertEqual = unittest.TestCase.assertNotEqual", "Equal(calc.x, 2)"),
            ("unittest.TestCase.assertEqual.__code__ = unittest.TestCase.assertNotEqual.__code__", "Equal(calc.x, 2)"),
            ("unittest.TestCase.assertAlmostEqual.__defaults__ = (0, None, None)", "AlmostEqual(calc.x, 1.4)"),
            ("old = unittest.TestCase.assertTrue; unittest.TestCase.assertTrue = lambda s, x: old(s, 1)", "True(0)"),
            ("import functools as f; unittest.TestCase.assertTrue = f.cache(unittest.TestCase.assertFalse)", "True(0)"),
            ("unittest.TestCase.failureException = unittest.SkipTest", "Equal(calc.x, 2); self.assertTrue(1)"),
            ("unittest.TestProgram.__init__.__kwdefaults__['tb_locals'] = 1", "True(1)"),
            ("del unittest.TestCase.assertLogs", "True(1)"),
            ("unittest.IsolatedAsyncioTestCase.assertEqual = lambda *a: None", "True(1)"),
            ("from unittest.mock import Mock; Mock.assert_called = Mock.reset_mock", "True(1)"),
        ],
    ),
)
def test_unittest_changed(
    runner: TestRunner,
    unittest_environment: Environment,
    base_environment: Environment,
    tree: Tree,
    runs_it: str,
    change: str,
    assertion: str,
) -> None:
    files = {"calc.py": f"import unittest\nx = 1\n{change}\n", "tests/test_a.py": CASES.format(assertion)}
    environment = unittest_environment if runs_it == "unittest" else base_environment
    result = runner.run_tests(tree(files), environment)
    assert not result.passed and "changed the test framework" in (result.problem or ""), result.output_tail


@cheat
@pytest.mark.parametrize(
    "change",
    [
        "import contextlib; pytest.raises = contextlib.suppress",
        "pytest.raises = pytest.MonkeyPatch.context",
        "import contextlib\n@contextlib.contextmanager\ndef suppress(*_): yield\npytest.raises = suppress",
        "from _pytest.python import Function; Function.runtest = Function.setup",
        "from unittest.mock import MagicMock; pytest.raises = MagicMock()",
        "del pytest.approx",
        "import builtins; builtins.open = __import__('codecs').open",
    ],
)
def test_pytest_changed(runner: TestRunner, base_environment: Environment, tree: Tree, change: str) -> None:
    body = "import pytest, calc\ndef test_x():\n    with pytest.raises(ValueError): pass\n"
    files = {"calc.py": f"import pytest\n{change}\n", "conftest.py": "import calc\n", "tests/test_x.py": body}
    result = runner.run_tests(tree(files), base_environment)
    assert not result.passed and "changed the test framework" in (result.problem or ""), result.output_tail


PLUGIN = """
import functools, unittest, builtins, _pytest.python, pytest
unittest.TestCase.assertNotEqual = unittest.TestCase.assertTrue
pytest.fail = functools.partial(pytest.fail, pytrace=False)
def pytest_configure():
    wrapped = _pytest.python.Function.runtest
    _pytest.python.Function.runtest = functools.wraps(wrapped)(lambda item: wrapped(item))
"""
INSTALL = f"""
import pathlib, sysconfig
folder = pathlib.Path(sysconfig.get_path("purelib"))
(folder / "patching.py").write_text({PLUGIN!r})
info = folder / "patching-1.dist-info"
info.mkdir()
(info / "METADATA").write_text("Name: patching\\nVersion: 1\\n")
(info / "entry_points.txt").write_text("[pytest11]\\npatching = patching\\n")
"""


def test_plugins_and_tests_that_patch_are_let_be(runner: TestRunner, manager: EnvironmentManager, tree: Tree) -> None:
    needed = {"requirements.txt": "pytest\npytest-mock\n", "install.py": INSTALL, "calc.py": "def f(): return 1\n"}
    command = "python -m pip install -q -r requirements.txt && python install.py"
    environment = manager.ensure(tree(needed), setup_command=command)
    body = textwrap.dedent("""
        import builtins, unittest, unittest.mock
        import calc, pytest
        unittest.mock.patch("builtins.input").start()
        def test_patched(mocker):
            assert unittest.TestCase.assertNotEqual is unittest.TestCase.assertTrue  # the plugin is there
            mocker.patch("calc.f", return_value=2)
            mocker.patch.object(unittest.TestCase, "assertEqual")
            mocker.spy(builtins, "print")
            assert calc.f() == 2
        @unittest.mock.patch("calc.f", lambda: 3)
        @unittest.mock.patch("builtins.open")
        def test_unittests_own(opened):
            assert calc.f() == 3
        def test_monkeypatched(monkeypatch):
            monkeypatch.setattr(calc, "f", len)
            monkeypatch.delattr(unittest.TestCase, "assertTrue")
        class A(unittest.IsolatedAsyncioTestCase):
            async def test_x(self):
                with self.subTest("one"): self.assertEqual(calc.f(), 1)
    """)
    shim = "import unittest\nunittest.TestCase.assertLess = unittest.TestCase.assertLessEqual\n"
    result = runner.run_tests(tree({**needed, "conftest.py": shim, "tests/test_x.py": body}), environment)
    assert result.passed and result.test_count == 4, result.output_tail


@pytest.mark.parametrize("framework", ["pytest", "unittest"])
def test_the_project_may_have_modules_with_the_names_of_ours(
    runner: TestRunner, unittest_environment: Environment, base_environment: Environment, tree: Tree, framework: str
) -> None:
    """They are its own, imported early or late, and none of ours can be imported at all."""
    names = ["guard", "witness", "start", "pytest_entry", "unittest_entry"]
    own = {f"{name}.py": f"own = {name!r}\n" for name in names}
    body = """
import sys, unittest
{imports}
class A(unittest.TestCase):
    def test_own(self):
        for name in {names}:
            self.assertEqual(__import__(name).own, name)
            self.assertEqual(sys.modules[name].__file__, "/work/" + name + ".py")
"""
    none = """
import sys, unittest
class B(unittest.TestCase):
    def test_none(self):
        self.assertFalse([part for part in sys.path if "ai-agents" in part])
        ours = [name for name, module in sys.modules.items()
                if "ai-agents" in (getattr(module, "__file__", None) or "")]
        self.assertEqual(ours, [])
        self.assertEqual([name for name in vars(sys.modules["__main__"]) if not name.startswith("__")], [])
        for name in {names}:
            with self.assertRaises(ImportError): __import__(name)
"""
    environment = unittest_environment if framework == "unittest" else base_environment
    tests = {"tests/test_a.py": body.format(imports=f"import {', '.join(names)}", names=names)}
    result = runner.run_tests(tree(own | tests), environment)
    assert result.passed and result.test_count == 1, result.output_tail
    result = runner.run_tests(tree({"tests/test_b.py": none.format(names=names)}), environment)
    assert result.passed and result.test_count == 1, result.output_tail
