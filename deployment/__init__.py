"""What happens after landing. With `ci_cd`, pushing is deploying: the forge's pipeline does the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from config import DeploymentSettings

__all__ = ["DeploymentManager", "DeploymentStatus"]


class DeploymentStatus(StrEnum):
    """How far a landed commit is on its way to production."""

    NONE = "none"
    """No deployment is configured, or the repository has no pipeline for its forge."""
    HANDED_OVER = "handed over"
    """The commit is on the remote; the forge's pipeline, which the repository has, does the rest."""
    NOT_PUSHED = "not pushed"
    """The commit has not reached the remote, so no pipeline has seen it."""


_PIPELINES = {
    "github_actions": re.compile(r"\.github/workflows/[^/]+\.ya?ml"),
    "gitlab_ci": re.compile(r"\.gitlab-ci\.ya?ml"),
}
"""Where a forge looks for what to do after a push."""


class DeploymentManager:
    """Deployment by `ci_cd`: the push that lands a change hands it to the forge's pipeline."""

    def __init__(self, settings: DeploymentSettings) -> None:
        self.deployment_type = settings.type
        self.provider = settings.ci_cd_provider

    def report(self, paths: Iterable[str], *, pushed: bool) -> str:
        """`check_status` in words for the task's result, such as `handed over to github_actions`; empty if nothing is
        deployed."""
        status = self.check_status(paths, pushed=pushed)
        if status is DeploymentStatus.NONE:
            return ""
        return f"{status} to {self.provider}" if status is DeploymentStatus.HANDED_OVER else status.value

    def check_status(self, paths: Iterable[str], *, pushed: bool) -> DeploymentStatus:
        """How far a landed change is on its way to production. `paths`: the files of the repository as it landed."""
        if self.deployment_type == "none" or not any(map(_PIPELINES[self.provider].fullmatch, paths)):
            return DeploymentStatus.NONE
        return DeploymentStatus.HANDED_OVER if pushed else DeploymentStatus.NOT_PUSHED
