"""Traces as a collector gets them: a task across agents, steps, model calls and test runs, and no word of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from memory import TaskStatus, utc_now
from monitoring import register_secret, tracing
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.scripts import ADD_TASK, CALC, team
from tests.support.loopback import LoopbackServer

__all__ = ["make_house"]

ROOT = Path(__file__).parents[2]


class Receiver:
    """What a collector would have received."""

    def __init__(self, url: str) -> None:
        self.url, self.raw, self.answer = url, b"", 200

    @property
    def spans(self) -> list[Span]:
        request = ExportTraceServiceRequest.FromString(self.raw)  # messages of protobuf that follow each other are one
        return [each for resource in request.resource_spans for scope in resource.scope_spans for each in scope.spans]

    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@contextmanager
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces" and found.answer == 200:
                found.raw += body
            self.send_response(found.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with LoopbackServer(Handler) as server:
        found = Receiver(f"{server.url}/v1/traces")
        yield found


def attributes(span: Span) -> dict[str, object]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


@contextmanager
def traced(url: str) -> Iterator[None]:
    tracing.start_tracing(url, "1.2.3")
    try:
        yield
    finally:
        tracing.stop_tracing()


def test_a_task_is_one_trace_from_its_stages_to_its_test_runs(make_house: MakeHouse) -> None:
    with receiver() as found:
        house, _ = make_house(team(), monitoring={"traces_url": found.url})
        task_id = house.submit(title="A title of the owner's", description=ADD_TASK)
        done = house.run_until_idle()
        assert done.returncode == 0, done.stdout + done.stderr
    assert house.task(task_id).status is TaskStatus.COMPLETED
    (root,) = [span for span in found.spans if attributes(span).get("status") == "completed"]
    spans = {span.span_id: span for span in found.spans if span.trace_id == root.trace_id}

    def inside(span: Span) -> list[str]:
        """The names from the first span to this one."""
        above = inside(spans[span.parent_span_id]) if span.parent_span_id else []
        return [*above, span.name]

    paths = [inside(span) for span in spans.values()]
    assert root.name == "task code" and attributes(root) | {"kind": ""} == {
        "task": task_id, "kind": "", "run": 0, "status": "completed",
    }  # fmt: skip
    assert {path[1] for path in paths if len(path) > 1} == {
        f"stage {stage}" for stage in ("requirements", "tests", "code", "review", "land")
    }
    stages = {span.name: attributes(span)["agent"] for span in spans.values() if span.name.startswith("stage ")}
    assert (stages["stage tests"], stages["stage code"], stages["stage land"]) == ("qa", "developer", "tech_lead")
    assert any(path[1] == "stage code" and path[-1] == "model call" and len(path) == 4 for path in paths)
    assert any(path[1] == "stage code" and path[-2:] == ["test run", "sandbox"] for path in paths)
    call = attributes(next(span for span in spans.values() if span.name == "model call"))
    assert call["gen_ai.request.model"] == "scripted" and call["gen_ai.usage.input_tokens"]
    for span in spans.values():
        assert root.start_time_unix_nano - 1e9 <= span.start_time_unix_nano <= span.end_time_unix_nano
    said = found.raw.decode("utf-8", "replace")
    assert [word for word in ("A title", ADD_TASK[:20], CALC[:20], "returns", str(house.folder)) if word in said] == []


def test_a_trace_goes_on_after_a_restart_and_its_first_span_comes_last(tmp_path: Path) -> None:
    with receiver() as found:
        for process in range(2):
            with traced(found.url), tracing.trace("t-1.0"), tracing.span(f"stage {process}"):
                tracing.record_span("model call", 2.0, cached=False, cost_usd=None)
                if process:
                    tracing.end_trace("t-1.0", "task code", utc_now() - timedelta(minutes=1), utc_now(), status="done")
    assert found.names() == ["model call", "stage 0", "model call", "task code", "stage 1"]
    root = found.spans[3]
    assert {span.trace_id for span in found.spans} == {root.trace_id} and not root.parent_span_id
    assert [span.parent_span_id for span in found.spans if span.name.startswith("stage")] == [root.span_id] * 2
    assert root.end_time_unix_nano - root.start_time_unix_nano == pytest.approx(60e9, rel=0.1)
    assert attributes(found.spans[0]) == {"cached": False}


def test_what_fails_is_named_and_not_quoted_and_secrets_are_masked() -> None:
    register_secret("hunter2-hunter2")
    with receiver() as found, traced(found.url):
        with pytest.raises(ValueError, match="password"), tracing.span("step", word="has hunter2-hunter2 in it"):
            raise ValueError("the password is hunter2")
        tracing.record_span("model call", 0.1, error__type="timeout", text="x" * 1000)
        tracing.stop_tracing()
        failed, late = found.spans
    assert (failed.status.message, late.status.message, late.status.code) == ("ValueError", "timeout", 2)
    assert attributes(late) == {"error.type": "timeout", "text": "x" * 200}
    assert b"hunter2" not in found.raw and b"has " in found.raw


def test_a_collector_that_is_away_holds_up_nothing_and_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    for level in ("warning", "info"):
        monkeypatch.setattr("monitoring.otlp.log." + level, lambda what, **_: told.append(what), raising=False)
    with receiver() as found, traced(found.url):
        for answer in (400, 400, 200):
            found.answer = answer
            with tracing.span("step"):
                pass
            assert tracing._exporter is not None
            tracing._exporter.close(5)
        assert found.names() == ["step"]
    assert [what.partition(";")[0] for what in told] == ["traces cannot be sent", "traces are sent again"]


@pytest.mark.long
def test_without_the_setting_nothing_is_imported_and_nothing_happens() -> None:
    with tracing.trace("t-1.0"), tracing.span("step") as note:
        note(passed=True)
    assert not tracing.is_tracing()
    script = "import sys, cli.running, api, orchestrator; print([n for n in sys.modules if 'opentelemetry.sdk' in n])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")
