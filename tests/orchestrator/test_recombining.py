"""When a match of the search counts as an answer. The search itself is not run; its result is given."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from memory import Task
from orchestrator.coding.method import Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.small_models.recombining import Recombination, Recombining
from orchestrator.small_models.state import ALL, Sample, SmallState

SURE = Recombination(code="x", found=2, agreeing=2, proven=True)
SEVERAL = Recombination(code="x", found=3, agreeing=1, proven=True)
UNTESTED = Recombination(code="x", found=2, agreeing=2, proven=False)


def accepted(found: Recombination, state: CodeState, tests: str = "") -> bool:
    def step(name: str, returns: type[Recombination], action: Callable[[], Recombination]) -> Recombination:
        return found

    task = Task(id="t", title="T", tests=tests, tests_file="test_it.py" if tests else "")
    ctx = cast(StageContext, SimpleNamespace(step=step, task=task))
    search = Recombining(ALL)
    return search.answer(ctx, state, Try(1, 4, search), Standing("")) is not None


@pytest.mark.parametrize(("found", "is_answer"), [(SURE, True), (SEVERAL, False), (UNTESTED, False)])
def test_a_find_stands_by_itself_when_it_is_the_only_way_and_tested(found: Recombination, is_answer: bool) -> None:
    assert accepted(found, CodeState()) is is_answer
    assert accepted(found, CodeState(), tests="def test_it(): ...")  # with tests of the owner no more is required


@pytest.mark.parametrize("first", [SEVERAL, UNTESTED])
def test_after_a_doubtful_search_a_later_one_settles_nothing_by_itself(first: Recombination) -> None:
    state = CodeState()
    assert not accepted(first, state)
    assert not accepted(SURE, state)
    assert SmallState.of(state).ambiguous == max(first.found, SURE.found)


def test_a_find_may_confirm_an_answer_that_passed_alone_when_the_tests_run_all_of_it() -> None:
    alone = [Sample(answer="a", passed=True), Sample(answer="b", passed=False, missing=1)]
    assert accepted(SEVERAL, CodeState(own=SmallState(drafts=alone, ambiguous=3)))
    assert not accepted(UNTESTED, CodeState(own=SmallState(drafts=alone)))
