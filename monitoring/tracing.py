"""Traces: how a task went through agents, steps, model calls and test runs, for a collector that speaks OTLP over HTTP.

Off unless `monitoring.traces_url` is set; until then nothing here costs more than a look at a variable, and the library
is not imported. A trace belongs to one run of a task, and its ids are made of the run's name: a daemon that was killed
goes on with it. Attributes are names and numbers, never what was asked, answered or printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitoring.otlp import Exporter

Value = str | bool | int | float | None
Note = Callable[..., None]
"""Adds attributes to a span."""

_exporter: Exporter | None = None
"""There is one for the process, as there is one log."""


def start_tracing(url: str, version: str) -> None:
    """Send spans to `url` from now on. Nothing happens where it is empty."""
    global _exporter  # noqa: PLW0603  # see there
    if url:
        from monitoring.otlp import Exporter

        _exporter = Exporter(url, version)


def stop_tracing(seconds: float = 3.0) -> None:
    """Send what is left, for so many seconds at most."""
    global _exporter
    ending, _exporter = _exporter, None
    if ending:
        ending.close(seconds)


def is_tracing() -> bool:
    """Whether spans are sent."""
    return _exporter is not None


@contextmanager
def trace(name: str) -> Iterator[None]:
    """What happens within belongs to the trace of this name, such as a run of a task."""
    if _exporter is None:
        yield
        return
    with _exporter.trace(name):
        yield


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[Note]:
    """Something that takes time; one inside of another is its part. An exception is named, and not quoted."""
    if _exporter is None:
        yield _nothing
        return
    with _exporter.span(name, attributes) as note:
        yield note


def record_span(name: str, seconds: float, **attributes: Value) -> None:
    """Something that has just ended."""
    if _exporter is not None:
        _exporter.record(name, seconds, attributes)


def end_trace(name: str, title: str, begin: datetime | None, end: datetime | None, **attributes: Value) -> None:
    """What the trace of this name was about has ended: its first span, which all others are parts of."""
    if _exporter is not None and begin and end:
        _exporter.end_trace(name, title, begin, end, attributes)


def _nothing(**_: Value) -> None: ...
