"""Parts of a daemon in the process of the test, which can then step in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from dbos import DBOS

from config import load_settings
from orchestrator.engine.engine import Engine, Handler
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


def end_engine() -> None:
    """End the engine's threads, so that this process can start another engine; a daemon ends with its process."""
    DBOS.destroy(workflow_completion_timeout_sec=5)


@contextmanager
def engine(url: str, **handlers: Handler) -> Iterator[Engine]:
    """A running engine; at the end of the block it lets running steps end and begins no more."""
    running = Engine(url, dict(handlers))
    running.start()
    try:
        yield running
    finally:
        running.stop(5)
        end_engine()


def engine_with(services: Services, ceo: Handler) -> AbstractContextManager[Engine]:
    """An engine of the house, for jobs of the kind `ceo`."""
    return engine(services.paths.engine_url, ceo=ceo)
