"""Spans by OpenTelemetry. Imported only where traces are sent; see `tracing.py`."""

from __future__ import annotations

import contextvars
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
    use_span,
)

from monitoring.logs import get_logger
from monitoring.redaction import redact
from monitoring.tracing import Note, Value

log = get_logger(__name__)

_SEND_SECONDS = 5
_MOST_CHARACTERS = 200
_NANO = 1_000_000_000
_ROOT: contextvars.ContextVar[SpanContext | None] = contextvars.ContextVar("root", default=None)
"""The ids of the span that is about to be made, where they are not drawn by lot."""


class Exporter:
    """Sends spans to one address, from a thread of its own."""

    def __init__(self, url: str, version: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `_Telling` says it once
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "ai-agents", "service.version": version}),
            id_generator=_Ids(), shutdown_on_exit=False,
            span_limits=SpanLimits(max_attribute_length=_MOST_CHARACTERS),
        )  # fmt: skip
        self._provider.add_span_processor(
            BatchSpanProcessor(_Telling(OTLPSpanExporter(endpoint=url, timeout=_SEND_SECONDS), url))
        )
        self._tracer = self._provider.get_tracer("ai-agents", version)

    def close(self, seconds: float) -> None:
        """Send what is left."""
        self._provider.force_flush(int(seconds * 1000))

    @contextmanager
    def trace(self, name: str) -> Iterator[None]:
        """Spans within are parts of the trace of this name."""
        token = contexts.attach(set_span_in_context(NonRecordingSpan(_ids_of(name))))
        try:
            yield
        finally:
            contexts.detach(token)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, Value]) -> Iterator[Note]:
        """A span around what happens within."""
        made = self._tracer.start_span(_text(name), attributes=_plain(attributes))
        try:
            with use_span(made, record_exception=False, set_status_on_exception=False):
                yield lambda **more: made.set_attributes(_plain(more))
        except BaseException as error:
            made.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            made.end()

    def record(self, name: str, seconds: float, attributes: Mapping[str, Value]) -> None:
        """A span that ends now."""
        end = time.time_ns()
        made = self._tracer.start_span(
            _text(name), attributes=_plain(attributes), start_time=end - int(seconds * _NANO)
        )
        _judge(made, attributes)
        made.end(end)

    def end_trace(self, name: str, title: str, begin: datetime, end: datetime, attributes: Mapping[str, Value]) -> None:
        """The span that all of a trace belongs to."""
        token = _ROOT.set(_ids_of(name))
        try:
            made = self._tracer.start_span(
                _text(title), contexts.Context(), attributes=_plain(attributes), start_time=_nanoseconds(begin)
            )
        finally:
            _ROOT.reset(token)
        _judge(made, attributes)
        made.end(_nanoseconds(end))


class _Ids(RandomIdGenerator):
    """Ids by lot, but for the first span of a trace."""

    def generate_span_id(self) -> int:
        """Eight bytes."""
        root = _ROOT.get()
        return root.span_id if root else super().generate_span_id()

    def generate_trace_id(self) -> int:
        """Sixteen bytes."""
        root = _ROOT.get()
        return root.trace_id if root else super().generate_trace_id()


class _Telling(SpanExporter):
    """Says once that a collector cannot be reached, and that it can be again. What could not be sent is lost."""

    def __init__(self, exporter: SpanExporter, url: str) -> None:
        self._exporter, self._url, self._failing = exporter, redact(url), False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """See there."""
        result = self._exporter.export(spans)
        if (failed := result is not SpanExportResult.SUCCESS) != self._failing:
            self._failing = failed
            if failed:
                log.warning("traces cannot be sent; what happens meanwhile is not traced", to=self._url)
            else:
                log.info("traces are sent again", to=self._url)
        return result

    def shutdown(self) -> None:
        """See there."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: float = 30_000) -> bool:
        """See there."""
        return self._exporter.force_flush(int(timeout_millis))


def _ids_of(name: str) -> SpanContext:
    digest = hashlib.sha256(name.encode()).digest()
    return SpanContext(
        int.from_bytes(digest[:16]) or 1, int.from_bytes(digest[16:24]) or 1, is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )  # fmt: skip


def _judge(made: Span, attributes: Mapping[str, Value]) -> None:
    """`error__type` among the attributes says that it failed, and how."""
    if error := attributes.get("error__type"):
        made.set_status(Status(StatusCode.ERROR, str(error)))


def _plain(attributes: Mapping[str, Value]) -> dict[str, str | bool | int | float]:
    """As they are sent: `error__type` is `error.type`."""
    return {
        name.replace("__", "."): _text(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None
    }


def _text(value: str) -> str:
    return redact(value)[:_MOST_CHARACTERS]


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * _NANO)
