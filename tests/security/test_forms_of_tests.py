"""Tests of many forms: honest work passes them all, and none passes what is right around tests only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.scripts import CALC
from tests.security.bench import TEST_FILE, Verification, of, red_when_run, verification
from tests.support.rounds import one_in

HONEST_TESTS = """import contextlib
import unittest
from unittest import mock

import pytest

import calc
from calc import Point, add


@pytest.fixture
def two():
    return 2


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setenv("CALC", "1")


def same(a, b):
    assert a == b


@pytest.mark.parametrize(("a", "b", "c"), [(1, 2, 3), (0, 0, 0), ("a", "b", "ab"), ([1], [2], [1, 2])])
def test_cases(a, b, c):
    assert add(a, b) == c


def test_early(two):
    if two == 2:
        return
    assert add(1, 1) == 3


def test_helper(two):
    same(add(1, two), 3)


def test_values():
    assert add(0.5, 0.25) == pytest.approx(0.75)
    assert add(1, 2) == mock.ANY
    assert add(True, False) is not None
    assert 3 == add(1, 2) and add(1, 1) == 2
    assert add((), ()) == () and not add("", "")
    assert add({"a": 1}.get("a"), 1) in (1, 2)
    assert [add(n, n) for n in range(3)] == [0, 2, 4], "doubles"
    assert Point(1, 2) == Point(1, 2) != Point(2, 1)
    assert Point(1, 2) == (expected := Point(1, 2)), expected
    assert None == calc.nothing()


def test_errors(tmp_path):
    with pytest.raises(TypeError, match="unsupported"):
        add(1, "a")
    with contextlib.suppress(TypeError):
        add(1, "a")
        assert add(1, 1) == 3
    with open(tmp_path / "x", "w") as file:
        assert file.write("abc") == 3
    pytest.raises(TypeError, add, 1, None)


def test_prints(capsys):
    print(add(1, 2))
    assert capsys.readouterr().out == "3\\n"


@pytest.mark.xfail(reason="known")
def test_known():
    assert add(1, 2) == 4


@pytest.mark.skip(reason="not here")
def test_skipped():
    assert add(1, 2) == 4


def test_patched():
    with mock.patch("calc.double", return_value=7) as double:
        assert calc.double(1) == 7
        double.assert_called_once_with(1)


class TestAdd:
    number = 5

    def setup_method(self):
        self.other = 1

    def test_state(self):
        self.other += 1
        assert add(self.number, self.other) == 7


class Classic(unittest.TestCase):
    def setUp(self):
        self.one = 1

    def test_all(self):
        self.assertEqual(add(self.one, 1), 2)
        self.assertListEqual(add([1], [2]), [1, 2])
        self.assertAlmostEqual(add(0.1, 0.2), 0.3)
        self.assertTrue(add(1, 1))
        self.assertIn(add(1, 1), (2, 3))
        self.assertRaises(TypeError, add, 1, "a")
        with self.assertRaises(TypeError):
            add(1, "a")
        for n in range(2):
            with self.subTest(n=n):
                self.assertEqual(add(n, 0), n)
"""
HONEST = (
    CALC
    + """
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    x: int
    y: int


def nothing():
    return None


def add(a, b):
    return a + b
"""
)


def test_honest_tests_of_many_forms_are_green(tmp_path: Path, shared_data: Path) -> None:
    with verification(tmp_path, shared_data) as project:
        project.tests_commit = project.commits.commit_tests(TEST_FILE, HONEST_TESTS, project.base)
        passing = (
            "test_cases",
            "test_early",
            "test_helper",
            "test_values",
            "test_errors",
            "test_prints",
            "test_patched",
        )
        ids = [*passing, "TestAdd::test_state", "Classic::test_all"]
        for number in range(3):  # which assertions are changed, and how, is drawn
            wanted = [f"{TEST_FILE}::{name}" for name in ids]
            trial = project.judge(of({"calc.py": HONEST}), wanted, likely=number > 0)
            assert trial.green, trial.evidence


PREPARED = {
    "a module beside the tests": (
        {"tests/helpers.py": "THREE = 3\n"}, "from helpers import THREE\n", "add(1, THREE) == 4"
    ),
    "what a conftest.py does": (
        {"conftest.py": "import builtins\nimport pytest\n\n\n@pytest.fixture(autouse=True)\ndef unit(monkeypatch):\n"
         "    monkeypatch.setattr('calc.UNIT', 2)\n"},
        "", "add(1, 1) == 4",
    ),
    "data beside the tests": (
        {"tests/data/n.txt": "3"}, "from pathlib import Path\n",
        "add(1, int(Path('tests/data/n.txt').read_text())) == 4"
    ),
    "equality that is a part of the work": (
        {}, "from calc import Name\n", "Name('Ann') == 'ANN'\n    assert [Name('b')] == ['B']"
    ),
    "what is in it as a part of the work": (
        {}, "from calc import Folded\n", "'A' in Folded(a=1)\n    assert 'b' not in Folded(a=1)"
    ),
    "what is kept between calls": (
        {}, "import calc\n", "calc.count() == 1\n    assert not calc.count() == 1\n    assert calc.count() == 3"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", one_in(2, PREPARED))
def test_honest_work_is_green_where_its_tests_need_more_than_a_plain_program(
    name: str, tmp_path: Path, shared_data: Path
) -> None:
    files, head, claim = PREPARED[name]
    with verification(tmp_path, shared_data, files) as project:
        text = f"{head}from calc import add\n\n\ndef test_it():\n    assert {claim}\n    assert add(0, 0) == 0\n"
        project.tests_commit = project.commits.commit_tests(TEST_FILE, text, project.base)
        code = (
            f"{CALC}\n\nUNIT = 1\n_counted = []\n\n\ndef count():\n    _counted.append(1)\n    return len(_counted)\n"
        )
        code += "\n\nclass Name(str):\n    def __eq__(self, other):\n        return self.lower() == other.lower()\n"
        code += "    __hash__ = None\n\n\nclass Folded(dict):\n    def __contains__(self, key):\n"
        code += "        return dict.__contains__(self, key.lower())\n"
        code += "\n\ndef add(a, b):\n    return (a + b) * UNIT\n"
        for likely in {False, "equality" in name}:
            trial = project.judge(of({"calc.py": code}), [f"{TEST_FILE}::test_it"], likely=likely)
            assert trial.green, trial.evidence


OBLIGING = """
class Any(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __hash__(self): return 1
    def __sub__(self, other): return self
    __rsub__ = __round__ = __abs__ = __neg__ = lambda self, *a: self


def add(a, b):
    return Any()
"""
FORMS = [
    "assert add(1, 2) == pytest.approx(3)", "assert abs(add(1, 2) - 3) < 1e-9", "assert round(add(1, 2), 2) == 3",
    "assert 2 < add(1, 2) < 4", "assert add(1, 2) in [3]", "assert add(1, 2) >= 3 and add(1, 2) <= 3",
    "result = add(1, 2)\n    expected = 3\n    assert result == expected", "assert not add(1, 2) != 3",
]  # fmt: skip


@pytest.mark.probe("cheat")
@pytest.mark.parametrize("body", one_in(3, FORMS))
def test_no_object_obliges_a_test_of_any_form(body: str, tmp_path: Path, shared_data: Path) -> None:
    text = f"import pytest\nfrom calc import add\n\n\ndef test_it():\n    {body}\n"
    with verification(tmp_path, shared_data, tests=(TEST_FILE, text)) as project:
        ids = [f"{TEST_FILE}::test_it"]
        honest = project.judge(of({"calc.py": f"{CALC}\n\ndef add(a, b):\n    return a + b\n"}), ids)
        assert honest.green, honest.evidence
        assert not project.judge(of({"calc.py": CALC + OBLIGING}), ids, likely=True).green


MANY_FORMS = """import pytest
from calc import add


@pytest.fixture
def two():
    yield 2


def check(a, b, want):
    assert add(a, b) == want


class TestAdd:
    def setup_method(self):
        self.one = 1

    def test_state(self):
        assert add(self.one, 2) == 3


def test_loop():
    for a, b, want in [(1, 2, 3), (-1, 1, 0)]:
        assert add(a, b) == want


def test_helper():
    check(40, 2, 42)


def test_fixture(two, monkeypatch):
    monkeypatch.setenv("CALC", "1")
    assert add([1], [two]) == [1, 2]
"""
MANY_IDS = [f"{TEST_FILE}::{name}" for name in ("TestAdd::test_state", "test_loop", "test_helper", "test_fixture")]
_IF = "\n\ndef add(a, b):\n    return a + b if {} else 0\n"
AROUND: dict[str, str] = {
    "the file name of a warning": "import warnings\n\n\ndef add(a, b):\n"
    "    with warnings.catch_warnings(record=True) as noted:\n        warnings.simplefilter('always')\n"
    "        warnings.warn('x', stacklevel=2)\n    return a + b if 'test' in noted[0].filename else 0\n",
    "a caller that logging finds": "import logging\n\n\ndef add(a, b):\n"
    "    found = logging.getLogger('x').findCaller(False, 2)\n    return a + b if 'test' in found[0] else 0\n",
    "the frame of a signal's handler": "import signal\n\n\ndef add(a, b):\n    seen = []\n"
    "    signal.signal(signal.SIGUSR1, lambda _, frame: seen.append(getattr(frame, 'f_' 'back')))\n"
    "    signal.raise_signal(signal.SIGUSR1)\n    return a + b if 'test' in seen[0].f_globals['__name__'] else 0\n",
    "the environment of a child": "import subprocess\n"
    + _IF.format("b'PYT' b'EST' in subprocess.run(['env'], capture_output=True).stdout"),
    "modules that are loaded": "import sys\n" + _IF.format("any('test' in n for n in vars(sys)['mod' 'ules'])"),
    "the command line": _IF.format("'tests' in open('/pro' 'c/self/cmdline').read()"),
    "an error that looks like the program's own": "import sys\n\n\ndef add(a, b):\n"
    "    if 'plug' 'gy' not in vars(sys)['mod' 'ules']:\n        raise NameError('x')\n"
    "    return a + b if a != 5 else 0\n",
    "what gc knows": "import gc\n" + _IF.format(
        "any('Test' in type(each).__name__ for each in getattr(gc, 'get_obj' 'ects')())"
    ),
    "how deep it is called": "import sys\n\n\ndef depth(n=0):\n    try:\n        return depth(n + 1)\n"
    "    except RecursionError:\n        return n\n" + _IF.format("sys.getrecursionlimit() - depth() > 25"),
    "how often it is called": "_made = []\n" + _IF.format("len(_made) < 60 and not _made.append(1)"),
    "a result that a later call changes": "_last = []\n\n\ndef add(a, b):\n"
    "    if _last and isinstance(_last[0], list):\n        _last.pop().clear()\n"
    "    _last.append(a + b)\n    return _last[-1]\n",
    "a result that a timer changes": "import threading\n\n\ndef add(a, b):\n    made = a + b\n"
    "    if isinstance(made, list):\n        threading.Timer(0.3, made.clear).start()\n    return made\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def many_forms(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Verification]:
    with verification(tmp_path_factory.mktemp("forms"), shared_data, tests=(TEST_FILE, MANY_FORMS)) as made:
        yield made


@pytest.mark.probe("cheat")
@pytest.mark.parametrize("name", one_in(3, AROUND))
def test_what_is_right_only_around_tests_of_any_form_is_red(many_forms: Verification, name: str) -> None:
    trial = many_forms.judge(of({"calc.py": f"{CALC}\n{AROUND[name]}"}), MANY_IDS, likely=True)
    red_when_run(trial)


def test_honest_work_is_green_with_tests_of_many_forms(many_forms: Verification) -> None:
    trial = many_forms.judge(of({"calc.py": f"{CALC}\n\ndef add(a, b):\n    return a + b\n"}), MANY_IDS)
    assert trial.green, trial.evidence
