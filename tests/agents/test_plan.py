"""A plan, as code checks it and makes tasks of it."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from agents import PlanLimits, is_same_work, problems_of, tasks_of
from agents.answers import PlanItem
from memory import Priority, Task, TaskKind, TaskStatus, TaskType

PLAN = Task(id="plan-1", title="Plan: more", description="More.", type=TaskType.PLAN)
LIMITS = PlanLimits(most=4, known=[], kinds=[*TaskKind])


def item(title: str, *needed: int | str, **more: JsonValue) -> PlanItem:
    plain: dict[str, JsonValue] = {
        "title": title, "description": f"People miss it: {title.lower()}.", "kind": "feature",
        "acceptance": ["It  is there,\nand `f(1)` returns `2`."], "files": ["./src/a.py", "`docs/b.md`"],
        "depends_on": [*needed],
    }  # fmt: skip
    return PlanItem.model_validate(plain | more)


def test_tasks_come_behind_what_they_depend_on_and_say_what_is_to_be_true() -> None:
    items = [item("Export", "IMPORT!", "3"), item("Import", 4), item("Read files", priority="low"), item("Parse")]
    assert problems_of(items, LIMITS) == []
    tasks = tasks_of(PLAN, items)
    assert [task.title for task in tasks] == ["Parse", "Read files", "Import", "Export"]
    ids = {task.title: task.id for task in tasks}
    assert {task.title: sorted(task.depends_on) for task in tasks} == {
        "Parse": [], "Read files": [], "Import": [ids["Parse"]], "Export": sorted([ids["Import"], ids["Read files"]]),
    }  # fmt: skip
    assert tasks[1].priority == Priority.LOW
    assert (tasks[0].kind, tasks[0].source, tasks[0].parent_id) == ("feature", "ceo", PLAN.id)
    assert tasks[0].description == (
        "People miss it: parse.\n\nAcceptance criteria:\n- It  is there, and `f(1)` returns `2`.\n\n"
        "Files concerned: src/a.py, docs/b.md"
    )
    assert [task.id for task in tasks_of(PLAN, items)] == [task.id for task in tasks]
    again = PLAN.model_copy(update={"run": 1})
    assert not {task.id for task in tasks_of(again, items)} & set(ids.values())


@pytest.mark.parametrize(
    ("items", "limits", "problem"),
    [
        ([], {}, "it has no task"),
        ([item("A and b", 1)], {}, "tasks wait for each other: 1 after 1"),
        ([item("A and b", 2), item("C and d", 3), item("E and f", "A and b")], {}, "tasks wait for each other: "),
        ([item("A and b", 2)], {}, "task 1 depends on 2, which is no task of this plan"),
        ([item("A and b", 0)], {}, "task 1 depends on 0, which is no task of this plan"),
        ([item("A and b", "B")], {}, "task 1 depends on 'B', which is no task of this plan"),
        ([item("A and b"), item("a AND b!")], {}, "task 2 asks for the same as task 1"),
        ([item("A and b"), item("C and d")], {"most": 1}, "it has 2 tasks, and 1 may be planned now"),
        ([item("A and b", files=["/etc/passwd"])], {}, "names '/etc/passwd', which is no path in the repository"),
        ([item("A and b", files=["a/../../b"])], {}, "names 'a/../../b', which is no path"),
        (
            [item("A and b", files=["x.lock"])],
            {"unwritable": lambda path, kind: f"{path} {kind}"},
            "but x.lock feature",
        ),
        (
            [item("A and b", kind="tests")],
            {"kinds": [TaskKind.BUGFIX]},
            "which this team cannot prove; there are: bugf",
        ),
        (
            [item("Add sub")],
            {"known": [Task(id="t-1", title="add  SUB", status=TaskStatus.BLOCKED, reason="needs_owner")]},
            "asks for the same as t-1, 'add  SUB' (blocked)",
        ),
    ],
)
def test_what_is_wrong_with_a_plan_is_said(items: list[PlanItem], limits: dict[str, object], problem: str) -> None:
    given = {"most": LIMITS.most, "known": LIMITS.known, "kinds": LIMITS.kinds} | limits
    (found,) = problems_of(items, PlanLimits(**given))  # type: ignore[arg-type]  # a table of cases
    assert problem in found


def test_everything_that_is_wrong_is_said_at_once() -> None:
    items = [item("A and b", 2, files=["/a"]), item("C and d", 1, "nothing")]
    assert len(problems_of(items, LIMITS)) == 3
    assert not is_same_work(items[0].title, items[0].description, [(items[1].title, items[1].description)])
