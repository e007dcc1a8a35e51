"""Whether a version is healthy: so many good answers in a row that name the expected commit, within a deadline."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from config import HealthSettings
from monitoring import redact

if TYPE_CHECKING:
    import httpx2

_SHORTEST_COMMIT = 7
"""Characters of a commit's hash that an answer has to give at least."""
_MOST_SHOWN = 200
_MOST_READ = 65_536


@dataclass(frozen=True)
class Health:
    """How a check ended."""

    healthy: bool
    detail: str
    """The last answer in words."""
    version: str = ""
    """What the last answer says is running."""
    asked: int = 0
    seconds: float = 0.0


def wait_until_healthy(
    settings: HealthSettings,
    commit: str,
    *,
    socket: Path | None = None,
    url: str = "",
    deadline: float | None = None,
) -> Health:
    """Ask until `settings.healthy` answers in a row are good and name `commit`, or the deadline has passed.

    `socket`: a Unix socket that leads to the service, in place of the host and port of the address; `url`: another
    address. Without an address
    nothing can be asked, and the target's own word counts.
    """
    if not settings.url:
        return Health(True, "no address to ask is set (health.url)")
    if url:
        settings = settings.model_copy(update={"url": url})
    begun = time.monotonic()
    end = begun + (settings.deadline if deadline is None else deadline)
    row = asked = 0
    with _client(settings, socket) as client:
        while True:
            answer = _ask(client, settings, commit, socket)
            asked += 1
            row = row + 1 if answer.healthy else 0
            seconds = time.monotonic() - begun
            if row >= settings.healthy:
                told = f"{row} healthy answers in a row after {seconds:.1f} s"
                return Health(True, told, answer.version, asked, seconds)
            if time.monotonic() + settings.interval > end:
                told = f"not healthy within {seconds:.1f} s ({asked} answers); the last: {answer.detail}"
                return Health(False, told, answer.version, asked, seconds)
            time.sleep(settings.interval)


def look(settings: HealthSettings, commit: str) -> Health:
    """Ask once."""
    with _client(settings, None) as client:
        return _ask(client, settings, commit, None) if settings.url else Health(True, "no address to ask is set")


def _client(settings: HealthSettings, socket: Path | None) -> httpx2.Client:
    import httpx2  # a tenth of a second, which commands that only look do not pay

    # Each answer by a connection of its own: one that is kept open may lead to a copy that is being stopped.
    limits = httpx2.Limits(max_keepalive_connections=0)
    transport = httpx2.HTTPTransport(uds=str(socket), limits=limits) if socket else None
    return httpx2.Client(
        transport=transport, limits=limits, timeout=settings.timeout, follow_redirects=False, trust_env=False
    )


def _ask(client: httpx2.Client, settings: HealthSettings, commit: str, socket: Path | None) -> Health:
    import httpx2

    url = settings.url
    if socket:
        parts = urlsplit(url)
        url = f"http://localhost{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
    end = time.monotonic() + settings.timeout
    try:
        with client.stream("GET", url) as answer:
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > _MOST_READ or time.monotonic() > end:
                    return Health(False, f"HTTP {answer.status_code}, and its answer has no end")
    except httpx2.HTTPError as problem:
        return Health(False, f"{type(problem).__name__}: {problem}")
    text = redact(body[:_MOST_SHOWN].decode("utf-8", "replace"))
    if not answer.is_success:
        return Health(False, f"HTTP {answer.status_code}: {text}")
    if settings.version == "none":
        return Health(True, f"HTTP {answer.status_code}")
    version = _version(settings.version, answer.headers, body)
    named = version.lower()
    if len(named) >= _SHORTEST_COMMIT and commit.startswith(named):
        return Health(True, f"HTTP {answer.status_code}, version {version[:12]}", version)
    told = f"names the version {version[:60]!r}" if version else f"names no version ({settings.version}): {text}"
    return Health(False, f"HTTP {answer.status_code}, but it {told}, not {commit[:12]}", version)


def _version(where: str, headers: httpx2.Headers, body: bytes) -> str:
    if where.startswith("header "):
        return headers.get(where.removeprefix("header "), "").strip()
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    for key in where.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found.strip() if isinstance(found, str) else ""
