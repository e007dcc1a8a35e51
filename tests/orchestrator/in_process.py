"""Parts of a daemon in the test's own process, where the test can act between two steps."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager

from dbos import DBOS

from config import load_settings
from orchestrator.engine.engine import Engine, Handler
from orchestrator.services import Services, open_services
from tests.orchestrator.house import House


@contextmanager
def services_of(house: House) -> Iterator[Services]:
    """The services that a daemon of the house would use."""
    services = open_services(load_settings(house.config), house.paths)
    try:
        yield services
    finally:
        services.close()


def end_engine() -> None:
    """End the engine's threads, so that this process can start another engine."""
    DBOS.destroy(workflow_completion_timeout_sec=5)


@contextmanager
def engine(url: str, *, held: Collection[str] = (), **handlers: Handler) -> Iterator[Engine]:
    """A running engine; at the end of the block running steps may finish, but no more are started. The agents in
    `held` begin nothing."""
    running = Engine(url, dict(handlers))
    running.hold(held)
    running.start()
    try:
        yield running
    finally:
        running.stop(5)
        end_engine()


def engine_with(services: Services, ceo: Handler) -> AbstractContextManager[Engine]:
    """The engine of a house, with a handler for jobs of the kind `ceo`."""
    return engine(services.paths.engine_url, ceo=ceo)
