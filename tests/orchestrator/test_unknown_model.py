"""A real daemon with an unknown model: it is tried out when it is first needed, and the work goes on."""

from __future__ import annotations

import pytest

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.scripts import team
from tests.support import Answer, Reply, Request
from tests.support.probe import RIGHT, asked


@pytest.mark.parametrize("fails", [pytest.param(False, marks=pytest.mark.long), True])
def test_an_unknown_model_is_tried_out_once_and_no_task_fails_of_it(fails: bool, make_house: MakeHouse) -> None:
    work = team()

    def rule(request: Request) -> Answer:
        if (ability := asked(request)) == "work":
            return work(request)
        return Reply.status(503, "not now") if fails else RIGHT[ability]

    house, server = make_house(rule, llm={"profile": "auto"})
    task_id = house.submit()
    done = house.run_until_idle()

    assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED
    questions = [ability for request in server.requests if (ability := asked(request)) != "work"]
    assert questions == (["tools"] if fails else list(RIGHT))
    with house.store() as store:
        [paid] = [row for row in store.ledger.usage("agent") if row.key == "probe"]
    assert paid.calls == len(questions)
