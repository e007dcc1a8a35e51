"""What the owner does about deployments. Each is a task that the daemon does; nothing is deployed from here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NoReturn

from pydantic import BaseModel, Field

from config import DeploymentSettings
from deployment import DeploymentManager, UnknownCommit
from memory import (
    OPEN,
    OWNER,
    Deployment,
    DeploymentKind,
    MemoryStore,
    Priority,
    Task,
    TaskStatus,
    TaskType,
    UnknownTask,
    new_task_id,
)
from owner.errors import NotNow, NotPossible
from owner.words import status_word

_SHORT = 12


class EnvironmentNow(BaseModel):
    """An environment as far as is remembered."""

    name: str = Field(examples=["staging"])
    target: str = Field(examples=["direct"])
    approval: bool = Field(description="Deployments wait for a word of yours.")
    promote_from: str = Field(description="Only what is live there may be deployed here; empty: anything.")
    on_landing: bool = Field(description="Landed work is deployed here at once.")
    url: str = Field(description="What is asked whether it is healthy.")
    live: Deployment | None = Field(description="What is live; null: nothing was deployed from here.")
    deploying: Deployment | None = Field(description="The deployment that is under way, or is asked for.")


class Requested(BaseModel):
    """A deployment that the daemon was asked for."""

    task: str
    deployment: int
    environment: str
    kind: DeploymentKind
    commit: str = Field(description="Empty: the newest landed work, as the daemon finds it.")


def environments_of(store: MemoryStore, settings: DeploymentSettings) -> list[EnvironmentNow]:
    """All environments, in the order of the configuration."""
    found = []
    for name, each in settings.environments.items():
        recent = history(store, name, 20)
        under_way = next((row for row in recent if _is_under_way(store, row)), None)
        found.append(
            EnvironmentNow(
                name=name,
                target=each.target,
                approval=each.approval,
                promote_from=each.promote_from,
                on_landing=settings.on_landing == name,
                url=each.health.url,
                live=store.deployments.live(name),
                deploying=under_way,
            )
        )
    return found


def history(
    store: MemoryStore, environment: str | None = None, limit: int = 50, before: int | None = None
) -> list[Deployment]:
    """The newest deployments; of one whose task stands still, why."""
    return [as_seen(store, row) for row in store.deployments.history(environment, limit, before)]


def as_seen(store: MemoryStore, row: Deployment) -> Deployment:
    """A deployment with what its task says of it."""
    if row.finished_at is not None or row.task_id is None:
        return row
    try:
        task = store.tasks.get(row.task_id)
    except UnknownTask:
        return row
    if task.status in (TaskStatus.PENDING, TaskStatus.IN_PROGRESS):
        return row
    told = task.reason_detail or status_word(task.status)
    return row.model_copy(update={"status": "stopped", "detail": told})


def _is_under_way(store: MemoryStore, row: Deployment) -> bool:
    if row.finished_at is not None or row.task_id is None:
        return False
    try:
        return store.tasks.get(row.task_id).status in OPEN
    except UnknownTask:
        return False


def chosen_environment(settings: DeploymentSettings, name: str) -> str:
    """The environment of that name; for an empty one that of `on_landing`, or the only one. Raises `NotPossible`."""
    there = list(settings.environments)
    if not there:
        told = "no environment is set; say where to deploy to with deployment.environments in config.yaml"
        raise NotPossible(f"{told} (docs/DEPLOYING.md)")
    name = name or settings.on_landing or (there[0] if len(there) == 1 else "")
    if not name:
        raise NotPossible(f"say which environment: {', '.join(there)}")
    if name not in there:
        raise NotPossible(f"there is no environment {name[:40]!r}; there are: {', '.join(there)}")
    return name


def deploy(
    store: MemoryStore, settings: DeploymentSettings, environment: str, commit: str = "", by: str = ""
) -> Requested:
    """Have a commit deployed; an empty one is the newest landed work, or what is live where it has to be first."""
    name = chosen_environment(settings, environment)
    before = settings.environments[name].promote_from
    if before and not commit:
        return promote(store, settings, name, by)
    what = commit[:_SHORT] or "what has landed"
    return _request(store, f"Deploy {what} to {name}", name, "deploy", commit, None, by)


def promote(store: MemoryStore, settings: DeploymentSettings, environment: str, by: str = "") -> Requested:
    """Have what is live in the environment before this one deployed here."""
    name = chosen_environment(settings, environment)
    before = settings.environments[name].promote_from
    if not before:
        raise NotPossible(f"{name} has no promote_from: nothing says from where to promote", f"deploy {name}")
    there = store.deployments.live(before)
    if there is None:
        raise NotNow(f"nothing is live in {before} yet", f"deploy {before}")
    title = f"Promote {there.commit[:_SHORT]} from {before} to {name}"
    return _request(store, title, name, "deploy", there.commit, None, by)


def rollback(
    store: MemoryStore, settings: DeploymentSettings, environment: str, to: int | None = None, by: str = ""
) -> Requested:
    """Have the version before the live one brought back, or that of the deployment `to`."""
    name = chosen_environment(settings, environment)
    if to is None:
        earlier = store.deployments.before(name)
        if earlier is None:
            raise NotNow(f"nothing was live in {name} before what is live now", f"deployments list {name}")
    else:
        earlier = store.deployments.get(to)
        if earlier.environment != name or earlier.status not in ("live", "replaced"):
            raise NotPossible(f"deployment {to} was never live in {name}", f"deployments list {name}")
    title = f"Roll {name} back to {earlier.commit[:_SHORT]}"
    return _request(store, title, name, "rollback", earlier.commit, earlier.id, by)


def log_of(store: MemoryStore, settings: DeploymentSettings, environment: str, lines: int) -> str:
    """The newest lines of what the running service wrote; asks the target. Raises `DeploymentError`."""
    name = chosen_environment(settings, environment)
    manager = DeploymentManager(settings, store.deployments, _NoSource())
    try:
        return manager.logs(name, lines)
    finally:
        manager.close()


def _request(
    store: MemoryStore,
    title: str,
    environment: str,
    kind: Literal["deploy", "rollback"],
    commit: str,
    goes_back_to: int | None,
    by: str,
) -> Requested:
    task = Task(
        id=new_task_id(),
        title=title,
        type=TaskType.DEPLOY,
        priority=Priority.HIGH if kind == "rollback" else Priority.MEDIUM,
        source=OWNER,
    )
    number = store.deployments.request(
        task.id, environment, kind=kind, commit=commit, goes_back_to=goes_back_to, by=by or OWNER
    )
    store.tasks.add(task)
    details = {"by": by} if by else {}
    store.journal.log(OWNER, "deployment asked for", task.id, title=title, environment=environment, **details)
    return Requested(task=task.id, deployment=number, environment=environment, kind=kind, commit=commit)


class _NoSource:
    """For whoever only looks."""

    def resolve(self, name: str) -> str:
        raise UnknownCommit(name)

    def archive(self, commit: str, file: Path) -> NoReturn:
        raise UnknownCommit(commit)

    def bring(self, commit: str, branch: str) -> str:
        raise UnknownCommit(commit)
