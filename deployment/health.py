"""Whether a version is healthy: so many good answers in a row that name the expected commit, within a deadline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

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
    away: bool = False
    """Nothing answered, and nothing says that the service is at fault: no route, no name, no time to connect."""


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
    if not settings.url:
        return Health(True, "no address to ask is set")
    return _timed(settings, lambda client: _ask(client, settings, commit, None))


def look_at(path: str, settings: HealthSettings) -> Health:
    """Ask once for another path of the service. A redirection is an answer; 400 and above is an error."""
    url = urljoin(settings.url, path)
    return _timed(settings, lambda client: _judged(_got(client, url, settings.timeout), allowed=400))


def _timed(settings: HealthSettings, ask: Callable[[httpx2.Client], Health]) -> Health:
    with _client(settings, None) as client:
        begun = time.monotonic()
        return replace(ask(client), seconds=time.monotonic() - begun)


def _client(settings: HealthSettings, socket: Path | None) -> httpx2.Client:
    import httpx2  # a tenth of a second, which commands that only look do not pay

    # Each answer by a connection of its own: one that is kept open may lead to a copy that is being stopped.
    limits = httpx2.Limits(max_keepalive_connections=0)
    transport = httpx2.HTTPTransport(uds=str(socket), limits=limits) if socket else None
    return httpx2.Client(
        transport=transport, limits=limits, timeout=settings.timeout, follow_redirects=False, trust_env=False
    )


@dataclass(frozen=True)
class _Answer:
    """What came back, or why nothing did."""

    status: int = 0
    headers: httpx2.Headers | None = None
    body: bytes = b""
    problem: str = ""
    away: bool = False


def _got(client: httpx2.Client, url: str, seconds: float) -> _Answer:
    import httpx2

    end = time.monotonic() + seconds
    try:
        with client.stream("GET", url) as answer:
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > _MOST_READ or time.monotonic() > end:
                    return _Answer(problem=f"HTTP {answer.status_code}, and its answer has no end")
    except httpx2.HTTPError as problem:
        refused = "refused" in str(problem).lower()
        away = isinstance(problem, httpx2.ConnectTimeout) or (isinstance(problem, httpx2.ConnectError) and not refused)
        return _Answer(problem=f"{type(problem).__name__}: {problem}", away=away)
    return _Answer(answer.status_code, answer.headers, body)


def _judged(answer: _Answer, *, allowed: int) -> Health:
    """Healthy if its status is below the first that is not `allowed`."""
    if answer.problem:
        return Health(False, answer.problem, away=answer.away)
    if 200 <= answer.status < allowed:
        return Health(True, f"HTTP {answer.status}")
    return Health(False, f"HTTP {answer.status}: {_shown(answer)}")


def _ask(client: httpx2.Client, settings: HealthSettings, commit: str, socket: Path | None) -> Health:
    url = settings.url
    if socket:
        parts = urlsplit(url)
        url = f"http://localhost{parts.path or '/'}" + (f"?{parts.query}" if parts.query else "")
    answer = _got(client, url, settings.timeout)
    judged = _judged(answer, allowed=300)
    if not judged.healthy or settings.version == "none" or answer.headers is None:
        return judged
    version = _version(settings.version, answer.headers, answer.body)
    named = version.lower()
    if len(named) >= _SHORTEST_COMMIT and commit.startswith(named):
        return Health(True, f"{judged.detail}, version {version[:12]}", version)
    told = f"names the version {version[:60]!r}" if version else f"names no version ({settings.version}): "
    told += "" if version else _shown(answer)
    return Health(False, f"{judged.detail}, but it {told}, not {commit[:12]}", version)


def _shown(answer: _Answer) -> str:
    return redact(answer.body[:_MOST_SHOWN].decode("utf-8", "replace"))


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
