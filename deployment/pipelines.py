"""What pushing alone means: with `ci_cd`, the forge's pipeline does the rest."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from config import DeploymentSettings


class DeploymentStatus(StrEnum):
    """How far a landed commit is on its way to production, where no environment is set."""

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


def handed_over(settings: DeploymentSettings, paths: Iterable[str], *, pushed: bool) -> str:
    """The way of a landed change in words for the task's result, such as `handed over to github_actions`; empty if
    nothing is deployed. `paths`: the files of the repository as it landed."""
    if settings.type == "none" or not any(map(_PIPELINES[settings.ci_cd_provider].fullmatch, paths)):
        return ""
    return f"{DeploymentStatus.HANDED_OVER} to {settings.ci_cd_provider}" if pushed else DeploymentStatus.NOT_PUSHED
