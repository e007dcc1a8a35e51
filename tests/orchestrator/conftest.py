"""A house per test; the project environment (pip, pytest) is made once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.orchestrator.house import House, make_repository
from tests.orchestrator.scripts import Rule
from tests.support import ScriptedModelServer

MakeHouse = Callable[..., tuple[House, ScriptedModelServer]]


@pytest.fixture
def make_house(tmp_path: Path, shared_data: Path) -> Iterator[MakeHouse]:
    """`make_house(rule, files={…}, git={…})`: repository, configuration and model server, ready for daemons."""
    with ExitStack() as servers:

        def make(
            rule: Rule, files: dict[str, str] | None = None, **settings: dict[str, object]
        ) -> tuple[House, ScriptedModelServer]:
            server = servers.enter_context(ScriptedModelServer(rule))
            repository = make_repository(tmp_path / "repository", files)
            return House(tmp_path, repository, server.url, shared_data, settings), server

        yield make
