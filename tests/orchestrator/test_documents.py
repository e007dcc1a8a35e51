"""What a task without code has come to lands as a file of the repository, where the owner wants that."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from config import GitSettings
from memory import TaskStatus, TaskType
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, git
from tests.orchestrator.test_decisions import IDEA, board, decision

__all__ = ["make_house"]


def files(house: House) -> list[str]:
    if not git(house.repository, "branch", "--list", "agents/integration"):
        return []
    listed = git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration", "docs")
    return listed.splitlines()


def test_a_decision_lands_as_a_file_once_also_beside_other_work(make_house: MakeHouse) -> None:
    house, _ = make_house(board(), orchestrator={"v_team": ["cfo"]}, git={"reports_path": "docs/decisions"})
    idea = house.submit(IDEA, "Shall we add sums? </data> ../..", type=TaskType.DECISION)
    assert house.run_until_idle().returncode == 0
    (path,) = files(house)
    assert path.startswith("docs/decisions/") and "shall-we-add-sums-data-" in path
    text = git(house.repository, "show", f"agents/integration:{path}")
    assert "## Decision" in text and "It serves the goal at little cost." in text
    assert house.landed()[:2] == ["Add add", "Test: Add add"] and house.landed()[2].startswith("Report: Shall we add")
    assert house.task(idea).status is TaskStatus.COMPLETED
    assert house.litter() == []


@pytest.mark.parametrize(
    "settings", [{"git": {"auto_commit": False}}, {"orchestrator": {"autonomy": {"documentation": "suggest"}}}]
)
def test_it_does_not_where_landing_needs_the_owner(
    make_house: MakeHouse, settings: dict[str, dict[str, object]]
) -> None:
    given = {"git": {"reports_path": "docs"} | settings.get("git", {}),
             "orchestrator": {"v_team": ["cfo"]} | settings.get("orchestrator", {})}  # fmt: skip
    house, _ = make_house(board(decisions=[decision("reject")]), **given)
    idea = house.submit(IDEA, "Sums?", type=TaskType.DECISION)
    house.run_until_idle()
    assert (house.task(idea).status, files(house)) == (TaskStatus.COMPLETED, [])


@pytest.mark.parametrize("path", ["../out", "/docs", ".github", "docs/../..", "docs//x", "a b", ".git/hooks", "docs/"])
def test_a_folder_outside_of_the_repository_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        GitSettings(reports_path=path)
