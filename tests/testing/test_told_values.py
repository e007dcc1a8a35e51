"""What a plain program tells of values whose equality a library defines, decided as the library would."""

from __future__ import annotations

import pytest

from testing import CallsTask, Environment, Sandbox, TestRunner, calls_of, run_calls, value_of, whole_tests
from tests.testing.conftest import Tree

CODE = """
def sync(source, target):
    for key, value in source.items():
        target.put(key, value)
def half(x): return [x / 2, {'a': x / 2}]
"""
BODIES = {
    "sync({'a': 1}, m); assert m.put.call_args == call('a', KEY)": (1, 2),
    "sync({'a': 1}, m); assert m.mock_calls == [call.put('a', KEY)]": (1, 2),
    "sync({'a': 1}, m); assert m.put.call_args == (('a', KEY), {})": (1, 2),
    "assert half(3)[0] == pytest.approx(math.pi - math.pi + KEY)": (1.5, 1.6),
    "want = pytest.approx([KEY], abs=0.2); assert [half(3)[0]] == want": (1.6, 1.8),
    "assert half(3)[1] == pytest.approx({'a': float(KEY)})": (1.5, 1.6),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_library_s_equality(body: str, sandbox: Sandbox, base_environment: Environment, tree: Tree) -> None:
    place = TestRunner(sandbox).place(tree({"calc.py": CODE}), base_environment)
    head = "import math\nimport pytest\nfrom unittest.mock import MagicMock, call\nfrom calc import *\n"
    texts = [f"{head}def test_x():\n    m = MagicMock(); {body.replace('KEY', str(key))}\n" for key in BODIES[body]]
    replays = [replay for text in texts for replay in whole_tests("test_x.py", text, ["test_x.py::test_x"])]
    given = run_calls(place, CallsTask(programs=calls_of(replays))).given
    held = []
    for replay, found in zip(replays, given, strict=True):
        told = next(each for each in found if each.claim == 0)
        assert isinstance(told.value, list)
        held.append(replay.claims[0].holds([value_of(value) for value in told.value]))
    assert held == [True, False]
