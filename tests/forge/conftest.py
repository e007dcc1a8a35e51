from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config import Settings
from memory import MemoryStore
from owner.forge_desk import Round
from owner.forge_runner import forge_of, sync
from tests.forge.standin import StandIn
from tests.orchestrator.conftest import make_house  # noqa: F401

PROVIDERS = ("github", "gitlab", "gitea")
Look = Callable[..., Round]


@pytest.fixture(params=PROVIDERS)
def forge(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StandIn]:
    opened = StandIn(tmp_path, request.param)
    yield opened
    opened.close()


@pytest.fixture
def github(tmp_path: Path) -> Iterator[StandIn]:
    opened = StandIn(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def look(store: MemoryStore, tmp_path: Path) -> Look:
    """One round with a client of its own, as after a restart."""

    def looked(forge: StandIn, git: dict[str, Any] | None = None, **changes: Any) -> Round:
        settings = Settings.model_validate({"forge": forge.settings(**changes), "git": git or {}})
        opened = forge_of(settings)
        try:
            return sync(settings, store, tmp_path / "state", lambda: None, opened)
        finally:
            opened.close()

    return looked
