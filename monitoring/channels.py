"""The services that alerts go to, each made by apprise from an address of the configuration, which is a secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from monitoring.logs import get_logger
from monitoring.redaction import redact, register_secret

if TYPE_CHECKING:
    from apprise import NotifyBase

log = get_logger(__name__)

_SHORTEST_PART = 12
"""A part of an address after its host that has so many characters is a secret of its own."""
_TITLE = "AI Agents"


class Channel:
    """One service that takes messages."""

    def __init__(self, service: NotifyBase) -> None:
        self._service = service
        self.name = str(service.service_name)
        """Such as `Slack`."""

    def send(self, title: str, text: str) -> str:
        """Send a message; gives the reason if it could not be sent (without the address), else an empty text."""
        import apprise

        with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as output:  # type: ignore[no-untyped-call]
            try:
                if self._service.notify(title=f"{_TITLE} {title}".strip(), body=text):
                    return ""
            except Exception as error:  # outermost: a hundred services, each with its own faults
                log.exception("the code of a service failed", service=self.name)
                return f"{type(error).__name__} in the service's own code"
            lines = str(output.getvalue()).strip().splitlines() if output else []
        return redact(" ".join(lines))[:300] or "the service gave no reason"


def open_channels(urls: Sequence[SecretStr]) -> tuple[list[Channel], list[str]]:
    """The services behind `urls`, and a problem for each address unknown to apprise, identified by its number."""
    found: list[Channel] = []
    problems: list[str] = []
    if not urls:
        return found, problems
    import apprise  # it takes 0.2 s, spent only if there are addresses

    logger = logging.getLogger("apprise")
    logger.propagate = False  # it logs addresses
    logger.addHandler(logging.NullHandler())
    for number, url in enumerate(urls):
        _register(url.get_secret_value())
        service = apprise.Apprise.instantiate(url.get_secret_value(), suppress_exceptions=True)
        if service is None:
            problems.append(f"monitoring.alerts.urls[{number}] is not an address that apprise knows")
        else:
            found.append(Channel(service))
    return found, problems


def _register(url: str) -> None:
    """The whole address is a secret, and so is each part of it after the name of the service's host."""
    register_secret(url)
    rest = url.partition("://")[2]
    credentials, at, place = rest.rpartition("@")
    for part in [*re.split(r"[:/@]", credentials), *re.split(r"[/?&=]", place if at else rest)[1:]]:
        if len(part) >= _SHORTEST_PART:
            register_secret(part)
