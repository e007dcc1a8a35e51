"""Once the code passes, the strength of its tests is measured and missing cases are added: through a real daemon."""

from __future__ import annotations

import json

import pytest
from pydantic import JsonValue

from agents import Requirements, TestCase
from file_system.code.outline import touched_functions
from memory import SuiteQuality, TaskStatus
from orchestrator.coding.state import CodeState
from orchestrator.coding.suite_strength import quality_of
from testing import Mutation, Survivor
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import git
from tests.orchestrator.scripts import APPROVED, CALC, REJECTED, Rule, team
from tests.support import Answer, Request

CLAMP_TASK = """Add `clamp(x: int) -> int` to calc.py: `x`, but at most 10.
`clamp(1)` returns `1` and `clamp(2)` returns `2`."""
CLAMP = """```python
def clamp(x: int) -> int:
    if x > 10:
        return 10
    return x
```"""
ANOTHER_CLAMP = "```python\ndef clamp(x: int) -> int:\n    return min(x, 10)\n```"
WHOLE_CLAMP = f"### calc.py\n```python\n{CALC}\n\n{CLAMP.strip('`').removeprefix('python')}\n```"
MISSING = ["assert clamp(11) == 10", "assert clamp(12) == 12", "assert clamp(1) == 1", "assert clamp(2) > 1"]


def with_missing(rule: Rule, assertions: list[str]) -> Rule:
    """`rule`, but a request for missing assertions is answered with `assertions`."""

    def answer(request: Request) -> Answer:
        told: list[JsonValue] = [*assertions]
        return {"assertions": told} if "goes unnoticed" in request.prompt else rule(request)

    return answer


def quality(result: dict[str, JsonValue]) -> SuiteQuality:
    return SuiteQuality.model_validate(result["quality"])


def test_weak_tests_get_the_missing_case_which_lands_with_them(make_house: MakeHouse) -> None:
    house, server = make_house(with_missing(team(code=[WHOLE_CLAMP]), MISSING))
    task_id = house.submit(CLAMP_TASK, "Clamp")
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    task = house.task(task_id)
    assert task.status is TaskStatus.COMPLETED
    tests = git(house.repository, "show", f"agents/integration:{task.result['tests_file']}")
    assert tests.count("assert ") == 3  # failing, known and useless assertions are left out
    assert "assert clamp(11) == 10" in tests
    found = quality(task.result)
    assert (found.assertions, found.stated, found.added) == (3, 2, 1)
    assert found.killed > found.mutants * 0.6 > 3
    assert len(house.landed()) == 2
    [question] = [request.prompt for request in server.requests if "goes unnoticed" in request.prompt]
    assert "- if x > 10:\n+ if " in question
    assert "- assert clamp(2) == 2" in question

    shown = house.cli("task", "show", task_id)
    line = f"3 assertions (2 stated, 1 added), {found.killed} of {found.mutants} mutants killed"
    assert line in " ".join(shown.stdout.split())
    assert (
        json.loads(house.cli("task", "show", task_id, "--json").stdout)["result"]["quality"] == task.result["quality"]
    )


@pytest.mark.long
def test_of_a_small_model_other_solutions_tell_what_is_missing(make_house: MakeHouse) -> None:
    task = CLAMP_TASK + " `clamp(10)` returns `10`."
    house, server = make_house(team(code=[CLAMP, ANOTHER_CLAMP]), llm={"profile": "small"})
    task_id = house.submit(task, "Clamp")
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    found = quality(house.task(task_id).result)
    assert found.added
    assert found.killed > found.mutants * 0.6
    assert not [request for request in server.requests if "goes unnoticed" in request.prompt]


@pytest.mark.long
def test_a_second_review_asks_for_no_second_case(make_house: MakeHouse) -> None:
    better = WHOLE_CLAMP.replace("    if x", '    """At most 10."""\n    if x')
    rule = team(code=[WHOLE_CLAMP, better], reviews=[REJECTED, APPROVED])
    house, server = make_house(with_missing(rule, MISSING[:1]))
    task_id = house.submit(CLAMP_TASK, "Clamp")
    house.run_until_idle()

    assert house.task(task_id).status is TaskStatus.COMPLETED
    assert quality(house.task(task_id).result).added == 1
    assert len([request for request in server.requests if "goes unnoticed" in request.prompt]) == 1


@pytest.mark.long
@pytest.mark.parametrize("given", [True, False])
def test_the_owners_tests_are_measured_and_left_alone_and_nothing_is_measured_where_it_is_switched_off(
    make_house: MakeHouse, given: bool
) -> None:
    settings: dict[str, dict[str, object]] = {} if given else {"testing": {"mutation_score": 0}}
    house, _ = make_house(with_missing(team(code=[WHOLE_CLAMP]), MISSING), **settings)
    text = "from calc import clamp\n\n\ndef test_clamp() -> None:\n    assert clamp(1) == 1\n    assert clamp(2) == 2\n"
    file = house.folder / "test_clamp.py"
    file.write_text(text)
    added = house.cli("task", "add", "Clamp", "--tests", str(file), "--json")
    task_id = json.loads(added.stdout)["id"]
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert git(house.repository, "show", "agents/integration:tests/test_clamp.py") == text.strip()
    result = house.task(task_id).result
    if given:
        assert (quality(result).given, quality(result).added) == (2, 0)
        assert 0 < quality(result).killed < quality(result).mutants
    else:
        assert result["quality"] is None


PACK = f"""{CALC}

def pack(text: str) -> str:
    \"\"\"Each letter with a dot behind it.\"\"\"
    return "".join(letter + "." for letter in text)
"""
UNPACK_TASK = """Add `unpack(code: str) -> str` to calc.py, the inverse of `pack`.
`unpack('a.')` returns `'a'` and `unpack('b.c.')` returns `'bc'`."""
UNPACK = "### calc.py\n```python\n" + PACK + "\n\ndef unpack(code: str) -> str:\n    return code[::2]\n```\n"


@pytest.mark.long
def test_a_stated_property_refuses_what_the_examples_let_pass(make_house: MakeHouse) -> None:
    wrong = UNPACK.replace("code[::2]", "code[0] + code[2:3]")
    house, _ = make_house(team(code=[wrong, UNPACK]), {"calc.py": PACK})
    task_id = house.submit(UNPACK_TASK, "Unpack")
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    result = house.task(task_id).result
    assert quality(result).properties == 1
    assert result["attempts"] == 2
    tests = git(house.repository, "show", f"agents/integration:{result['tests_file']}")
    assert "assert unpack(pack(text)) == text" in tests
    assert "hypothesis" not in tests


def test_the_figures_of_a_suite_in_one_line() -> None:
    origins = ["example"] * 2 + ["qa"] + ["property", "mutant"]
    cases = [TestCase.model_validate({"name": "t", "lines": [], "origin": origin}) for origin in origins]
    survivor = Survivor(line=1, before="a", after="b", operator="number")
    state = CodeState(requirements=Requirements(target_file="a.py"), cases=cases, dropped_tests=3)
    found = quality_of(state, Mutation(total=4, killed=3, survivors=[survivor]))
    assert found.agreement == 0.25
    assert str(found) == "5 assertions (2 stated, 1 agreed, 1 properties, 1 added), 3 of 4 mutants killed"
    assert str(SuiteQuality(assertions=1, given=1)) == "1 assertion (1 given), strength not measured"


@pytest.mark.long
def test_given_tests_that_do_not_stand_alone_are_not_measured_by_those_that_do(make_house: MakeHouse) -> None:
    house, _ = make_house(team(code=[WHOLE_CLAMP]))
    text = "from calc import clamp\n\n\ndef test_one() -> None:\n    assert clamp(1) == 1\n\n\n"
    text += "def test_more(tmp_path) -> None:\n    assert clamp(11) == 10\n"
    file = house.folder / "test_clamp.py"
    file.write_text(text)
    task_id = json.loads(house.cli("task", "add", "Clamp", "--tests", str(file), "--json").stdout)["id"]
    house.run_until_idle()
    assert str(quality(house.task(task_id).result)) == "1 assertion (1 given), strength not measured"


def test_what_a_change_touches_is_told_by_functions_and_methods() -> None:
    before = "def a(x):\n    return x\n\nclass B:\n    def c(self): return 1\n    def d(self): return 2\n"
    after = before.replace("return 1", "return 3").replace("    return x", '    """Doc."""\n    return x  # x')
    assert touched_functions(before, after + "\nasync def e(): pass\n") == ["B.c", "e"]
    assert touched_functions("", after) == ["a", "B.c", "B.d"]
    assert touched_functions(before, "def (") == []
