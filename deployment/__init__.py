"""What happens after landing. With `ci_cd`, pushing is deploying: the forge's pipeline does the rest."""

from __future__ import annotations

from enum import StrEnum

from config import DeploymentSettings

__all__ = ["DeploymentManager", "DeploymentStatus"]


class DeploymentStatus(StrEnum):
    """How far a landed commit is on its way to production."""

    NONE = "none"
    """No deployment is configured."""
    HANDED_OVER = "handed over"
    """The commit is on the remote; the forge's pipeline does the rest."""
    NOT_PUSHED = "not pushed"
    """The commit has not reached the remote, so no pipeline has seen it."""


class DeploymentManager:
    """Deployment by `ci_cd`: the push that lands a change hands it to the forge's pipeline."""

    def __init__(self, settings: DeploymentSettings) -> None:
        self.deployment_type = settings.type
        self.provider = settings.ci_cd_provider

    def report(self, *, pushed: bool) -> str:
        """`check_status` in words for the task's result: `handed over to github_actions`."""
        status = self.check_status(pushed=pushed)
        return f"{status} to {self.provider}" if status is DeploymentStatus.HANDED_OVER else status.value

    def check_status(self, *, pushed: bool) -> DeploymentStatus:
        """How far a landed change is on its way to production."""
        if self.deployment_type == "none":
            return DeploymentStatus.NONE
        return DeploymentStatus.HANDED_OVER if pushed else DeploymentStatus.NOT_PUSHED
