"""`ci_cd` against a small forge that keeps state, with real pushes to a real repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config import DeploymentSettings
from deployment import DeploymentManager
from deployment.errors import ForgeAway, ForgeRefused
from git_ops import GitManager
from memory import MemoryStore
from orchestrator.deployed_from import DeployedFrom
from tests.deployment.forge import Forge
from tests.deployment.hosts import Repository, run

Make = Callable[..., DeploymentManager]
PROVIDERS = ("github_actions", "gitlab_ci")


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    opened = Forge(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def commit(forge: Forge, tmp_path: Path) -> Callable[[str], str]:
    """The owner's next commit, pushed to main."""
    repository = Repository.at(tmp_path / "checkout")
    run("git", "remote", "add", "origin", forge.repository, cwd=repository.folder)

    def made(odd: str = "") -> str:
        number = len(list(repository.folder.glob("more*")))
        sha = repository.commit(odd, **{f"more{number}.txt": odd})
        run("git", "push", "-q", "origin", "main", cwd=repository.folder)
        return sha

    return made


@pytest.fixture
def deployer(forge: Forge, store: MemoryStore, tmp_path: Path) -> Iterator[Make]:
    opened: list[DeploymentManager] = []

    def made(provider: str = "github_actions", **changes: Any) -> DeploymentManager:
        git = GitManager(str(forge.repository), tmp_path / "clone", workspace_path=tmp_path / "workspace")
        git.clone()
        environments = {"staging": forge.settings(provider, **changes)}
        settings = DeploymentSettings.model_validate({"environments": environments})
        opened.append(DeploymentManager(settings, store.deployments, DeployedFrom(git)))
        return opened[-1]

    yield made
    for each in opened:
        each.close()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_pipeline_is_followed_and_a_failed_one_is_reverted_by_a_push(
    forge: Forge, commit: Callable[..., str], deployer: Make, store: MemoryStore, provider: str
) -> None:
    first = commit()
    assert deployer(provider).deploy("staging")
    assert forge.git("rev-parse", forge.branch) == first
    bad = commit("sick")
    manager = deployer(provider)
    assert not manager.deploy("staging")
    row = store.deployments.history()[0]
    assert row.status == "rolled_back" and "the job test:" in row.detail and "E   assert 1 == 2" in row.detail
    assert ("\x1b" not in row.detail and "2026-01-01T" not in row.detail) or provider == "gitlab_ci"
    tip = forge.git("rev-parse", forge.branch)
    assert forge.git("rev-parse", f"{tip}^") == bad, "the branch keeps its history"
    assert forge.git("diff", "--stat", first, tip) == "", "and has the files of the version before"
    status = manager.check_status("staging")
    assert status.healthy and status.commit == tip
    second = commit()
    assert deployer(provider).deploy("staging")
    assert forge.git("diff", "--stat", second, forge.branch) == ""
    assert manager.rollback("staging")
    assert forge.git("diff", "--stat", first, forge.branch) == ""
    assert not any(forge.tokens_elsewhere), "the token stays with the forge's API"


@pytest.mark.parametrize(("odd", "told"), [("without", "no pipeline began"), ("endless", "did not end within")])
def test_a_pipeline_that_does_not_begin_or_end_is_not_waited_for_for_ever(
    forge: Forge, commit: Callable[..., str], deployer: Make, store: MemoryStore, odd: str, told: str
) -> None:
    commit(odd)
    assert not deployer(begins_within=0.3, pipeline_deadline=1).deploy("staging")
    row = store.deployments.history()[0]
    assert row.status == "failed" and told in row.detail
    assert all(each.cancelled for each in forge.pipelines), "what ran is ended"


def test_nothing_is_pushed_where_the_forge_refuses_or_is_away(
    forge: Forge, commit: Callable[..., str], deployer: Make
) -> None:
    commit()
    with pytest.raises(ForgeRefused, match="may read pipelines"):
        deployer(token="t-wrong").deploy("staging")
    with pytest.raises(ForgeRefused, match="404"):
        deployer(repository="acme/other").deploy("staging")
    forge.down = True
    with pytest.raises(ForgeAway, match="502"):
        deployer().deploy("staging")
    assert forge.git("branch", "--list", forge.branch) == ""
