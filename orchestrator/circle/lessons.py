"""What came of landed work once it was deployed: measured against the version before, and kept as a lesson."""

from __future__ import annotations

from memory import Comparison, Deployment, Task, TaskStatus, UnknownDeployment
from orchestrator.circle.findings import SOURCE
from orchestrator.circle.marks import MEASURED, is_marked, mark
from orchestrator.services import Services

_AGENT = "devops"
_LOOK = 4
"""The look, of 40 measurements, at which a version counts as measured."""
_MOST_TASKS = 200
_SHORT = 12


def measured(services: Services, live: Deployment, before: Deployment) -> None:
    """Once a version was looked at often enough, keep for each task that came with it what was measured."""
    store = services.store
    made = store.measurements.comparisons(live.id)
    if is_marked(made, MEASURED) or max((each.look for each in made), default=0) < _LOOK:
        return
    told = [str(each.evidence.get("told")) for each in _newest(made) if each.word != "same"]
    for task in _came_with(services, live, before):
        found = "; ".join(_since(services, task, made) or told) or "no difference that could be measured"
        lesson = f"Deployed to {live.environment} as {live.commit[:_SHORT]}: {task.title}. Measured: {found}."
        services.context.add_lesson(lesson, task.id, task.description.split()[:100])
        store.journal.log(
            _AGENT, "effect measured", task.id, environment=live.environment, number=live.id, commit=live.commit,
            found=found,
        )  # fmt: skip
    store.measurements.compared(mark(live, MEASURED))


def _newest(made: list[Comparison]) -> list[Comparison]:
    """The last comparison of each series."""
    return list({(each.metric, each.of): each for each in made}.values())


def _came_with(services: Services, live: Deployment, before: Deployment) -> list[Task]:
    """The tasks whose commits are in the live version and were not in that before."""
    repository = services.git.repository
    found = []
    for task in services.store.tasks.select([TaskStatus.COMPLETED], limit=_MOST_TASKS):
        commits = task.result.get("landed_commits")
        last = str(commits[-1]) if isinstance(commits, list) and commits else ""
        if last and repository.is_ancestor(last, live.commit) and not repository.is_ancestor(last, before.commit):
            found.append(task)
    return found


def _since(services: Services, task: Task, made: list[Comparison]) -> list[str]:
    """Of a task that mends what was measured: how that is now."""
    number = task.id.removeprefix(f"{SOURCE}-").partition("-")[0]
    if task.source != SOURCE or not number.isdecimal():
        return []
    store = services.store
    try:
        bad = store.deployments.get(int(number))
    except UnknownDeployment:
        return []
    now = {(each.metric, each.of): each for each in _newest(made)}
    return [
        f"{each.evidence.get('told')}, in {bad.commit[:_SHORT]}; then {then.evidence.get('told')}"
        for each in store.measurements.comparisons(bad.id)
        if each.word == "worse" and (then := now.get((each.metric, each.of)))
    ]
