"""A project whose suite cannot be run as its dependency files say is set up by the team."""

from __future__ import annotations

import pytest

from memory import FailureReason, TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.players import (
    TASK,
    WITH_TOOLS,
    Script,
    players,
    results,
    role_of,
)

__all__ = ["make_house"]


NEEDS_A_PACKAGE = {
    "tests/test_calc.py": "import tidy_helper\nfrom calc import double\n\n\ndef test_double():\n"
    "    assert double(4) == tidy_helper.EIGHT\n",
    "helper/pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n'
    '[project]\nname = "tidy-helper"\nversion = "1"\n\n[tool.setuptools]\npy-modules = ["tidy_helper"]\n',
    "helper/tidy_helper.py": "EIGHT = 8\n",
    "tox.ini": "[testenv]\ndeps = ./helper\n    pytest\ncommands = pytest\n",
}
INSTALL = "cp helper/tidy_helper.py $(python -c 'import site; print(site.getsitepackages()[0])') && pip install pytest"


def test_a_project_whose_tests_cannot_run_is_set_up_by_the_team_first(make_house: MakeHouse) -> None:
    setup: Script = (
        (("read_file", {"path": "tox.ini"}), ("try_setup", {"command": "false"})),
        (("finish_setup", {"command": "true"}),),
        (("finish_setup", {"command": INSTALL}),),
    )
    house, server = make_house(players(setup=setup), files=NEEDS_A_PACKAGE, llm=WITH_TOOLS)
    task_id = house.submit(TASK, "Add add")
    with house.daemon("--until-idle"):
        house.wait_for(task_id, TaskStatus.COMPLETED, seconds=600)
    asked = [role_of(request) for request in server.requests]
    assert asked == ["setup", "setup", "setup", "qa", "qa", "developer", "tech_lead"]
    assert "0 tests pass, 1 fail" in server.requests[0].messages[0].text
    assert "deps = ./helper" in results(server.requests[1])
    assert "not finished: no test passes with it" in results(server.requests[2])
    # It is remembered: the next task begins with the tests.
    second = house.submit("Say in calc.py that it is arithmetic of integers.", "More words")
    with house.daemon("--until-idle"):
        house.wait_for(second, TaskStatus.BLOCKED, TaskStatus.COMPLETED, seconds=600)
    assert "setup" not in [role_of(request) for request in server.requests[7:]]


@pytest.mark.long
def test_what_the_team_cannot_set_up_goes_to_the_owner(make_house: MakeHouse) -> None:
    setup: Script = ((("cannot_set_up", {"remedy": "Start a PostgreSQL server and set DATABASE_URL."}),),)
    house, server = make_house(players(setup=setup), files=NEEDS_A_PACKAGE, llm=WITH_TOOLS)
    first, second = house.submit(TASK, "Add add"), house.submit("Add `less(a, b)` to calc.py.", "Add less")
    with house.daemon("--until-idle"):
        task = house.wait_for(first, TaskStatus.BLOCKED)
        house.wait_for(second, TaskStatus.BLOCKED)
    assert task.reason is FailureReason.NEEDS_OWNER
    assert "Start a PostgreSQL server" in task.reason_detail
    assert [role_of(request) for request in server.requests] == ["setup"], "no model is asked twice"
