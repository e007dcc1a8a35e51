"""What is said of the way of a landed change to production."""

from __future__ import annotations

from typing import Literal

import pytest

from config import DeploymentSettings
from deployment import handed_over


@pytest.mark.parametrize(
    ("provider", "paths", "pushed", "told"),
    [
        ("github_actions", [".github/workflows/ci.yml"], True, "handed over to github_actions"),
        ("github_actions", [".github/workflows/ci.yaml"], False, "not pushed"),
        ("github_actions", [".gitlab-ci.yml", ".github/workflows/README.md", "src/a.py"], True, ""),
        ("gitlab_ci", [".gitlab-ci.yml"], True, "handed over to gitlab_ci"),
        ("gitlab_ci", ["docs/.gitlab-ci.yml"], True, ""),
    ],
)
def test_a_change_is_handed_over_only_where_a_pipeline_is(
    provider: Literal["github_actions", "gitlab_ci"], paths: list[str], pushed: bool, told: str
) -> None:
    assert handed_over(DeploymentSettings(ci_cd_provider=provider), paths, pushed=pushed) == told


def test_nothing_is_handed_over_where_the_owner_wants_none() -> None:
    assert handed_over(DeploymentSettings(type="none"), [".github/workflows/ci.yml"], pushed=True) == ""
