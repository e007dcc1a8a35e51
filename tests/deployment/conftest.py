from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config import DeploymentSettings
from deployment import DeploymentManager
from memory import MemoryStore
from tests.deployment.hosts import Repository, TestHost, a_host


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.at(tmp_path / "repository")


@pytest.fixture
def manager(store: MemoryStore, repository: Repository) -> Iterator[Callable[..., DeploymentManager]]:
    """A manager of the environments that are given by name."""

    made_here: list[DeploymentManager] = []

    def made(**environments: dict[str, Any]) -> DeploymentManager:
        settings = DeploymentSettings.model_validate({"environments": environments})
        made_here.append(DeploymentManager(settings, store.deployments, repository))
        return made_here[-1]

    yield made
    for each in made_here:
        each.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[TestHost]:
    with a_host(tmp_path / "host") as found:
        yield found


@pytest.fixture
def nginx_host(tmp_path: Path) -> Iterator[TestHost]:
    with a_host(tmp_path / "host", with_nginx=True) as found:
        yield found
