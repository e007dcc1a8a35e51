"""Code that runs before its tests do, at the runner itself: what no look at the text has refused."""

from __future__ import annotations

import textwrap

import pytest

from testing import LOOK, Environment, EnvironmentManager, Sandbox, TestRunner
from tests.support.rounds import one_in
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


LOOKS = {
    "a frame by any words": "import sys\ndef look():\n    return getattr(sys, '_get' + 'frame')(1)",
    "a traceback's frame": "import operator\ndef look():\n    try: raise ValueError\n"
    "    except ValueError as e: return operator.attrgetter('tb' '_frame')(e.__traceback__).f_back",
    "by inspect": "import inspect\ndef look():\n    return vars(inspect)['sta' + 'ck']()",
    "by traceback": "import traceback\ndef look():\n    return traceback.format_stack()",
    "by logging": "import logging\ndef look():\n    return logging.getLogger().findCaller(False, 2)",
    "from executed text": "exec('import sys\\ndef look():\\n    return vars(sys)[\\'_get\\' + \\'frame\\'](1)')",
    "from code of another name": "code = compile('import sys\\ndef look(): return sys._getframe(1)',"
    " __import__('os').__file__, 'exec')\nexec(code)",
    "from code that says it is of a file of old": "code = compile('import sys\\ndef look(): return sys._getframe(1)',"
    " __file__.replace('calc', 'old'), 'exec')\nexec(code)",
    "from a text that importlib is handed": "from importlib.machinery import SourceFileLoader\n"
    "exec(SourceFileLoader('old', 'old.py').source_to_code(b'import sys\\ndef look(): return sys._getframe(1)',"
    " __file__.replace('calc', 'old')))",
    "from bytes": "import marshal\ncode = compile('import sys\\ndef look(): return sys._getframe(1)', 'x.py', 'exec')\n"
    "exec(marshal.loads(marshal.dumps(code)))",
    "objects": "import gc\ndef look():\n    return vars(gc)['get_' 'objects']()",
    "the test's file": "import pathlib\ndef look():\n"
    "    return [f.read_text() for f in pathlib.Path('.').rglob('te*_x.py')]",
    "lines of the test": "import linecache\ndef look():\n    return linecache.getlines('tests/test_x.py')",
    "its command line": "def look():\n    return open('/proc/self/cmdline').read()",
    "the interpreter's own frame": "import ctypes\ndef look():\n    return ctypes.pythonapi.PyEval_GetFrame",
    "a module that tells where it is": "def look():\n    return __import__('fault' 'handler').is_enabled()",
    "a process that looks": "import os, subprocess\ndef look():\n"
    "    return subprocess.run(['cat', f'/proc/{os.getpid()}/cmd' 'line'], capture_output=True).stdout",
    "in a thread": "import gc, threading\ndef look():\n    t = threading.Thread(target=gc.get_objects)\n"
    "    t.run = lambda: gc.get_objects()\n    t.start(); t.join()",
    "in a child": "import gc, os\ndef look():\n    if os.fork() == 0: gc.get_objects(); os._exit(0)\n    os.wait()",
}
LOOKING = "from calc import look\n\ndef test_x():\n    look()\n"


@cheat
@pytest.mark.parametrize("name", one_in(3, LOOKS))
def test_a_change_that_looks_at_who_calls_it_ends_the_run(
    name: str, runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    files = {"calc.py": LOOKS[name], "tests/test_x.py": LOOKING, "old.py": "\n\n"}
    result = runner.run_tests(tree(files), base_environment, watched={"calc.py": []})
    assert not result.passed
    assert any(f"{LOOK}{place}:" in result.output_tail for place in ("calc.py", "old.py", "<string>")), (
        result.output_tail
    )


REPLACED = {
    "json.load": "import json\njson.load = lambda file, **more: {}",
    "subprocess.run": "import subprocess\nsetattr(subprocess, 'r' 'un', lambda *a, **b: None)",
    "pathlib.Path.read_text": "import pathlib\ndef read(self): return ''\npathlib.Path.read_text = read",
    "csv.DictReader": "import csv\nclass Rows(csv.DictReader):\n    def x(self): ...\ncsv.DictReader = Rows",
    "json.JSONDecoder.decode": "import json\njson._default_decoder.decode = lambda text: {}",
    "json._default_decoder": "import json\nclass D:\n    def decode(s, text): return {}\njson._default_decoder = D()",
    "math.isclose": "import functools, math\ndef near(*a): return True\nmath.isclose = functools.partial(near, 1)",
    "asyncio.run": "exec('import asyncio\\nasyncio.run = lambda main: main.close()')",
}


@cheat
@pytest.mark.parametrize("name", one_in(3, REPLACED))
def test_a_change_that_replaces_what_tests_use_ends_the_run(
    name: str, runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    body = "import asyncio, csv, json, math, pathlib, subprocess, calc\n\ndef test_x():\n    pass\n"
    files = {"calc.py": REPLACED[name], "tests/test_x.py": body}
    result = runner.run_tests(tree(files), base_environment, watched={"calc.py": []})
    assert not result.passed
    assert f"{LOOK}" in result.output_tail and f"{name} is replaced" in result.output_tail, result.output_tail
    if "exec" not in REPLACED[name]:
        assert runner.run_tests(tree(files), base_environment, watched={"other.py": []}).passed, "it was there before"


USUAL = """
import abc, asyncio, collections, concurrent.futures, contextlib, copy, ctypes, dataclasses, enum, functools, gc
import inspect, io, json, logging, os, pathlib, pickle, subprocess, sys, tempfile, threading, traceback
import types, typing, warnings
Pair = collections.namedtuple("Pair", "a b")
Row = typing.NamedTuple("Row", [("a", int)])
Kind = enum.Enum("Kind", "A B")

@dataclasses.dataclass
class Point:
    x: int = 0
    ys: list = dataclasses.field(default_factory=list)

class Base(abc.ABC): ...

class Log(logging.Logger):
    def trace(self, text): ...

def told(*given): ...
sys.excepthook = threading.excepthook = warnings.showwarning = told
logging.trace = logging.Logger.trace = told
logging.setLoggerClass(Log); logging.setLogRecordFactory(lambda *a, **b: logging.LogRecord(*a, **b))
logging.getLogger().addFilter(told); copy.copy(json.JSONEncoder); abc.told = told
class Encoder(json.JSONEncoder):
    def default(self, one): return str(one)

def numbers():
    yield from range(3)

async def later():
    asyncio.get_running_loop().set_debug(True)  # as unittest does
    await asyncio.create_task(asyncio.sleep(0))
    async with asyncio.TaskGroup() as group: group.create_task(asyncio.sleep(0))
    return asyncio.current_task().get_name()

def look():
    collections.namedtuple("Other", "c")(1); typing.TypeVar("T"); enum.Enum("More", "C")
    dataclasses.make_dataclass("D", ["x"])
    logging.getLogger("x").warning("hello %s", 1); logging.getLogger("x").exception("no")
    warnings.warn("old", DeprecationWarning, stacklevel=2)
    try:
        json.loads("{")
    except ValueError:
        told = traceback.format_exc() + "".join(traceback.format_exception(*sys.exc_info()))
    inspect.signature(look); inspect.getsource(Point); inspect.getmodule(look); inspect.getdoc(look); list(numbers())
    assert copy.deepcopy(Point(1)) == pickle.loads(pickle.dumps(Point(1))); gc.collect(); asyncio.run(later())
    with concurrent.futures.ThreadPoolExecutor(2) as pool: list(pool.map(str, range(3)))
    subprocess.run([sys.executable, "-c", "pass"], check=True); pathlib.Path("calc.py").read_text(); os.listdir("tests")
    threading.Thread(target=print).start(); exec("x = 1"); eval("1 + 1"); compile("1", "<mine>", "eval")
    open("/proc/self/status").read(); functools.lru_cache(look); types.new_class("N"); ctypes.CDLL(None).getpid
    with contextlib.redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory(): print(told)
    return sys.exc_info()
"""


def test_what_honest_code_does_is_no_look(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    files = {"calc.py": USUAL, "tests/test_x.py": LOOKING}
    result = runner.run_tests(tree(files), base_environment, watched={"calc.py": [*range(1, 60)]})
    assert result.passed, result.output_tail
    files = {"calc.py": LOOKS["by inspect"], "tests/test_x.py": LOOKING}
    result = runner.run_tests(tree(files), base_environment, watched={"calc.py": [9], "other.py": [1], "c.py": [3]})
    assert result.passed, "nothing new looks"
    files["new/calc.py"] = "x = 1\n"
    result = runner.run_tests(tree(files), base_environment, watched={"new/calc.py": [], "alc.py": []})
    assert result.passed, "another file of this name is new"
