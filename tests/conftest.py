"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory import MemoryStore
from monitoring import Alert, alerting, receive_alerts

pytest_plugins = ["tests.probes"]


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder for all workers of this run, so that the project environment (pip, pytest) is built once."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared-data"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def alerts() -> Iterator[list[Alert]]:
    """What the owner is alerted about meanwhile."""
    received: list[Alert] = []
    receive_alerts(received.append)
    yield received
    alerting._receivers.remove(received.append)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    """A migrated database of its own."""
    opened = MemoryStore(f"sqlite:///{tmp_path / 'agents.db'}")
    opened.migrate()
    yield opened
    opened.close()
