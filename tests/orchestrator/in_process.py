"""Parts of a daemon in the process of the test, which can then step in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from config import load_settings
from orchestrator.engine import Engine, Handler
from orchestrator.services import Services, open_services
from tests.orchestrator.house import House


@contextmanager
def services_of(house: House) -> Iterator[Services]:
    """What a daemon of the house would work with."""
    services = open_services(load_settings(house.config), house.paths)
    try:
        yield services
    finally:
        services.close()


@contextmanager
def engine_with(services: Services, ceo: Handler) -> Iterator[Engine]:
    """An engine for jobs of the kind `ceo`, stopped at the end."""
    running = Engine(services.paths.engine_url, {"ceo": ceo})
    running.start()
    try:
        yield running
    finally:
        running.stop(5)
        running.close()
