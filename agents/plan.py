"""A plan: the tasks that the CEO makes of a goal, in the shape of `PlanItem`. Code checks it and makes tasks of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from agents.answers import PlanItem
from agents.ceo import PRIORITIES, is_same_work, normal
from memory import Task, TaskKind, TaskType

_LINE_END = re.compile(r"\s*\n\s*")
"""Other white space in a criterion stays: it may be part of an example."""
_CRITERIA = "\n\nAcceptance criteria:\n"
"""What stands between what is wanted and how it is seen: two tasks may be seen by the same."""


@dataclass(frozen=True)
class PlanAssignment:
    """What a CEO with tools begins with."""

    goal: str
    project: str
    """Facts about the project: its folders, its tests, its conventions."""
    open_tasks: Sequence[str]
    past_tasks: Sequence[str]
    most: int
    """Tasks that the plan may have."""
    kinds: Sequence[str]
    """Kinds of work that this team can prove."""
    lessons: str = ""
    strategy: Sequence[str] = ()
    """What the CEO goes by, line by line."""


@dataclass(frozen=True)
class PlanLimits:
    """What a plan is checked against."""

    most: int
    """Tasks that it may have."""
    known: Sequence[Task]
    """All work that was ever asked for: open, landed or rejected."""
    kinds: Sequence[TaskKind]
    """Kinds of work that this team can prove."""
    unwritable: Callable[[str, TaskKind], str] = lambda _path, _kind: ""
    """Why nobody on the team may write a path in work of a kind; empty if somebody may."""


def problems_of(items: Sequence[PlanItem], limits: PlanLimits) -> list[str]:
    """Everything that is wrong with a plan, a sentence each, in words for its author; empty if nothing is."""
    if not items:
        return ["it has no task; if nothing is left to do, call goal_reached"]
    found = []
    if len(items) > limits.most:
        found.append(
            f"it has {len(items)} tasks, and {limits.most} may be planned now; keep those that must land first"
        )
    for number, item in enumerate(items, start=1):
        found += [f"task {number} {problem}" for problem in _problems(item, items[: number - 1], limits)]
    waits, unknown = dependencies(items)
    found += unknown
    try:
        TopologicalSorter(waits).prepare()
    except CycleError as cycle:
        found.append(f"tasks wait for each other: {' after '.join(str(number) for number in cycle.args[1])}")
    return found


def tasks_of(plan: Task, items: Sequence[PlanItem]) -> list[Task]:
    """The tasks of a checked plan, each behind those it depends on and the urgent ones first. The ids follow from the
    plan, its run and the titles, so that a plan carried out twice makes each task once."""
    waits, _ = dependencies(items)
    ids = {number: _id(plan, item) for number, item in enumerate(items, start=1)}
    made = []
    for number in _in_order(items, waits):
        item = items[number - 1]
        made.append(
            Task(
                id=ids[number],
                title=" ".join(item.title.split()),
                description=described(item),
                type=TaskType.CODE,
                kind=item.kind.value,
                priority=int(PRIORITIES[item.priority]),
                deadline=plan.deadline,
                parent_id=plan.id,
                depends_on=[ids[needed] for needed in waits[number]],
                source="ceo",
            )
        )
    return made


def described(item: PlanItem) -> str:
    """The description of a planned task, as QA, developer and reviewer read it."""
    criteria = "\n".join(f"- {_LINE_END.sub(' ', sentence.strip())}" for sentence in item.acceptance)
    files = ", ".join(_cleaned(path) for path in item.files)
    return f"{item.description.strip()}{_CRITERIA}{criteria}\n\nFiles concerned: {files}"


def _problems(item: PlanItem, before: Sequence[PlanItem], limits: PlanLimits) -> Iterator[str]:
    if item.kind not in limits.kinds:
        kinds = ", ".join(kind.value for kind in limits.kinds)
        yield f"is of the kind {item.kind.value}, which this team cannot prove; there are: {kinds}"
    for path in map(_cleaned, item.files):
        if path.startswith("/") or ".." in path.split("/") or not path:
            yield f"names {path!r}, which is no path in the repository"
        elif why := limits.unwritable(path, item.kind):
            yield f"names {path}, but {why}"
    for number, other in enumerate(before, start=1):
        if is_same_work(item.title, item.description, [(other.title, other.description)]):
            yield f"asks for the same as task {number}"
    for task in limits.known:
        wanted = task.description.partition(_CRITERIA)[0]
        if is_same_work(item.title, item.description, [(task.title, wanted)]):
            yield f"asks for the same as {task.id}, {task.title!r} ({task.status})"
            break


def dependencies(items: Sequence[PlanItem]) -> tuple[dict[int, set[int]], list[str]]:
    """Number of each task -> the numbers of those it depends on; and what is named and not there."""
    by_title = {normal(item.title): number for number, item in enumerate(items, start=1)}
    waits: dict[int, set[int]] = {number: set() for number in by_title.values()}
    unknown = []
    for number, item in enumerate(items, start=1):
        waits.setdefault(number, set())
        for named in item.depends_on:
            wanted = int(named) if str(named).strip().isdecimal() else by_title.get(normal(str(named)), 0)
            if 1 <= wanted <= len(items):
                waits[number].add(wanted)
            else:
                unknown.append(f"task {number} depends on {named!r}, which is no task of this plan")
    return waits, unknown


def _in_order(items: Sequence[PlanItem], waits: dict[int, set[int]]) -> Iterator[int]:
    order = TopologicalSorter(waits)
    order.prepare()
    while order.is_active():
        ready = sorted(order.get_ready(), key=lambda number: (PRIORITIES[items[number - 1].priority], number))
        yield from ready
        order.done(*ready)


def _cleaned(path: str) -> str:
    return path.strip().strip("`").removeprefix("./")


def _id(plan: Task, item: PlanItem) -> str:
    said = f"{plan.id}\n{plan.run}\n{normal(item.title)}"
    return f"idea-{hashlib.sha256(said.encode()).hexdigest()[:10]}"
