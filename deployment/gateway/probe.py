"""Whether a release answers for its objects: some of every class are called, and the worker's own address of health."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deployment.gateway.files import Trouble

_SECONDS = 10.0
_MOST_OBJECTS = 4
"""Objects of a class that are called: the newest and the oldest."""
_BAD = 500
"""From which an answer is bad. Below, it may only be that a proxy before the worker changes paths."""
_NAME_FOR_NONE = "rehearsal"
_OBJECT = re.compile(r"[0-9a-f]{64}")
_NO_FETCH = "Handler does not export a fetch() function"
"""An object that only has methods for RPC: it was constructed, which is what can be asked of it."""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Open it."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def objects_of(state: Path, unique: str) -> list[str]:
    """Ids of the newest and the oldest objects of a class."""
    files = [file for file in (state / unique).glob("*.sqlite") if _OBJECT.fullmatch(file.stem)]
    files.sort(key=lambda file: file.stat().st_mtime)
    half = _MOST_OBJECTS // 2
    return [file.stem for file in (files if len(files) <= _MOST_OBJECTS else files[:half] + files[-half:])]


def probe(
    private: Path,
    given: Mapping[str, Any],
    objects: Mapping[str, Sequence[str]],
    last_words: Callable[[], str],
    *,
    create: bool,
) -> list[str]:
    """Call them all; what was called. `create`: also an object that is new, of every class. Raises `Trouble`."""
    called = []
    for name, unique in given["classes"].items():
        for each in objects.get(unique, ()):
            _ask(private, f"/id/{name}/{each}{given['probe']}", f"the object {name} {each[:12]}…", last_words)
            called.append(f"{name} {each[:12]}")
        if create:
            _ask(private, f"/name/{name}/{_NAME_FOR_NONE}{given['probe']}", f"a new object {name}", last_words)
            called.append(f"{name} (new)")
    if given["health"]:
        _ask(private, f"/worker{given['health']}", f"the worker at {given['health']}", last_words)
        called.append(given["health"])
    return called


def _ask(private: Path, path: str, what: str, last_words: Callable[[], str]) -> None:
    connection = UnixConnection(private, _SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(65_536).decode("utf-8", "replace")[:500]
    except (OSError, http.client.HTTPException) as problem:
        told = f"{what} does not answer: {problem or type(problem).__name__}; {last_words()}"
        raise Trouble("unhealthy", told) from problem
    finally:
        connection.close()
    thrown = answer.getheader("X-Gateway-Thrown")
    if (thrown and _NO_FETCH not in text) or (not thrown and answer.status >= _BAD):
        raise Trouble("unhealthy", f"{what} answers HTTP {answer.status}: {text}")
