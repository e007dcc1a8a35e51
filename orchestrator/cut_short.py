"""Deployments whose tasks are over before they were: cancelled half-way, or ended by an error of ours. What is live and
healthy counts as deployed, anything else is taken back, without anybody having to deploy again."""

from __future__ import annotations

from deployment import DeploymentManager, EnvironmentBusy
from memory import ENDED, MemoryStore, UnknownTask
from monitoring import get_logger
from orchestrator.deployed_from import DeployedFrom
from orchestrator.services import Services

log = get_logger(__name__)

_AGENT = "devops"


def owner_is_over(store: MemoryStore, owner: str) -> bool:
    """Whether the run of a task that holds an environment has ended, so that it will never give it back."""
    task_id, _, run = owner.rpartition(".")
    try:
        task = store.tasks.get(task_id)
    except UnknownTask:
        return False
    return task.status in ENDED or str(task.run) != run


def put_in_order(services: Services) -> list[int]:
    """Finish or revert what was cut short and whose environment nobody holds; the numbers of those deployments."""
    records, done = services.store.deployments, []
    for environment in services.settings.deployment.environments:
        left = [row for row in records.unfinished(environment) if owner_is_over(services.store, row.owner)]
        if not left:
            continue
        holder, owner = records.holder(environment), f"order-{left[-1].id}"
        if holder and holder != owner:
            if not owner_is_over(services.store, holder):
                continue  # who deploys now does it first
            records.unlock(environment, holder)
        # a manager of its own: a step that still runs keeps its connection
        manager = DeploymentManager(services.settings.deployment, records, DeployedFrom(services.git))
        try:
            manager.take(environment, owner)
            for number in manager.reconcile(environment, 0):
                done.append(number)
                row = records.get(number)
                told = "deployed" if row.status == "live" else f"deployment {row.status.replace('_', ' ')}"
                services.store.journal.log(
                    _AGENT, told, row.task_id, number=number, environment=environment, commit=row.commit,
                    kind=row.kind, detail=row.detail,
                )  # fmt: skip
        except EnvironmentBusy as busy:  # the host is held; the next look finds it free
            log.info("a deployment that was cut short waits", environment=environment, reason=str(busy))
        finally:
            records.unlock(environment, owner)
            manager.close()
    return done
