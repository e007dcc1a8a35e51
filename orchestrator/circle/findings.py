"""What is done about a version that is worse than the one before: it is brought back, if the owner wants that, and
there is one task that mends it. Each can be done again after a crash, and changes nothing then."""

from __future__ import annotations

from collections.abc import Sequence

from config import Environment
from memory import OPEN, Comparison, Deployment, Priority, Task, TaskKind, TaskType
from monitoring import AlertKind, alert, redact
from orchestrator.services import Services

SOURCE = "watch"
"""The source of tasks that come of what was measured."""
_AGENT = "devops"
_SHORT = 12
_MOST_COMMITS = 20
_MOST_ERRORS = 3


def act_on(
    services: Services, settings: Environment, live: Deployment, before: Deployment, worse: Sequence[Comparison],
    log: str,
) -> None:  # fmt: skip
    """`log`: the newest lines of what the service wrote; empty if nobody knows. The way back comes last: once it has
    begun, nobody looks at this version again."""
    told = [*dict.fromkeys(str(each.evidence.get("told")) for each in worse)]
    goes_back = settings.watch.on_regression == "roll_back"
    mend = _have_it_mended(services, live, before, worse, back=goes_back, log=log)
    services.store.journal.log(
        _AGENT, "version is worse", mend,
        environment=live.environment, number=live.id, commit=live.commit, before=before.commit, found=[*told],
        back=goes_back,
    )  # fmt: skip
    what = f"{live.commit[:_SHORT]} in {live.environment} is worse than {before.commit[:_SHORT]}: {'; '.join(told)}"
    alert(AlertKind.OWNER, f"watch {live.id}", f"{what}{'; it is taken back' if goes_back else ''}")
    if goes_back:
        _roll_back(services, live, before)


def _roll_back(services: Services, live: Deployment, before: Deployment) -> None:
    """Have the version before brought back."""
    store, task_id = services.store, f"watch-{live.id}-back"
    store.deployments.request(
        task_id, live.environment, kind="rollback", commit=before.commit, goes_back_to=before.id, by=SOURCE
    )
    task = Task(
        id=task_id,
        title=f"Roll {live.environment} back to {before.commit[:_SHORT]}",
        type=TaskType.DEPLOY,
        priority=Priority.HIGH,
        source=SOURCE,
    )
    if store.tasks.add(task):
        store.journal.log(_AGENT, "task added", task_id, title=task.title, source=task.source)


def _have_it_mended(
    services: Services, live: Deployment, before: Deployment, worse: Sequence[Comparison], *, back: bool, log: str
) -> str:
    """The id of the task that mends it: a new one, unless one for this environment is open."""
    store = services.store
    title = f"Mend what is worse in {live.environment} since {live.commit[:_SHORT]}"
    task = Task(
        id=f"watch-{live.id}-mend",
        title=title,
        description=_described(services, live, before, worse, back=back, log=log),
        type=TaskType.CODE,
        kind=TaskKind.BUGFIX.value,
        priority=Priority.HIGH,
        source=SOURCE,
    )
    for other in store.tasks.select(OPEN, type=TaskType.CODE, limit=1000):
        if other.source == SOURCE and f" in {live.environment} since " in other.title and other.id != task.id:
            return other.id
    if store.tasks.add(task):
        store.journal.log(_AGENT, "task added", task.id, title=task.title, source=task.source)
    return task.id


def _described(
    services: Services, live: Deployment, before: Deployment, worse: Sequence[Comparison], *, back: bool, log: str
) -> str:
    """What was found, in words for the team. What the service said is no word of the owner's."""
    store = services.store
    parts = [
        f"Commit {live.commit} is live in {live.environment}, and measurements say that it is worse than "
        f"{before.commit}, which was live before:",
        "\n".join(f"- {each.evidence.get('told')} (p = {_number(each.evidence.get('p'))})" for each in worse),
        "Find the cause among what changed between the two, and mend it; a test has to show it. "
        + ("The version before is brought back meanwhile." if back else "It stays live meanwhile."),
    ]
    changed = services.git.repository.git(
        "log", "--format=%h %s", f"--max-count={_MOST_COMMITS}", f"{before.commit}..{live.commit}", allowed=(0, 128)
    ).text.strip()
    if changed:
        parts.append(f"Commits between them:\n{changed}")
    said = dict[str, None]()
    for of in dict.fromkeys(each.of for each in worse if each.metric == "errors"):
        for row in store.measurements.samples(live.environment, live.id, "answer", of)[::-1]:
            if row.outcome == "bad" and len(said) < _MOST_ERRORS:
                said[f"{of}: {row.detail}"] = None
    if said:
        parts.append("What it answered:\n" + "\n".join(said))
    if log:
        parts.append(f"The end of its log:\n{log}")
    return redact("\n\n".join(parts))


def _number(value: object) -> str:
    return f"{value:.1g}" if isinstance(value, float) else "?"
