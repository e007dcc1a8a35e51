"""What Prometheus is told, and that the dashboard and the alerts ask for nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from memory import Attempt, FailureReason, ModelCall, Role, Task, TaskStatus, WaitingCall
from monitoring.counters import SANDBOX_RUNS
from tests.api.conftest import Rooms

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"
_USE = re.compile(r"\b(aiagents_\w+|up)\b(?:\{([^}]*)\})?")
_MATCH = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"')
_GROUPED = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")
_NAMED = re.compile(r"{{\s*(?:\$labels\.)?(\w+)\s*}}")
_ADDED = {"job", "instance"}
"""Labels that Prometheus adds itself."""


def promtool(*arguments: str) -> None:
    if not (program := shutil.which("promtool")):
        pytest.skip("NOT CHECKED: there is no promtool here (Debian: apt install prometheus)")
    done = subprocess.run([program, *arguments], cwd=MONITORING, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def asked() -> Iterator[tuple[str, str]]:
    """All expressions, each with the text in which its labels are named."""
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["expr"], rule["annotations"]["summary"]
    for panel in json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]


def told(rooms: Rooms) -> str:
    """The figures of a project in which everything has happened once."""
    store = rooms.store
    for number, status in enumerate(TaskStatus):
        store.tasks.add(Task(id=f"t-{number}", title=f"Task {number}"))
        if status not in (TaskStatus.PENDING, TaskStatus.IN_PROGRESS):
            store.tasks.transition(f"t-{number}", TaskStatus.IN_PROGRESS)
        if status is not TaskStatus.PENDING:
            reason = FailureReason.TIMEOUT if status in (TaskStatus.FAILED, TaskStatus.BLOCKED) else None
            store.tasks.transition(f"t-{number}", status, stage="code", reason=reason)
    for number, outcome in enumerate(("failed", "passed")):
        store.evidence.record_attempt(
            Attempt(task_id="t-1", run=0, stage="code", approach=1, number=number, outcome=outcome)
        )
    for number, (cached, outcome) in enumerate(((True, "ok"), (False, "ok"), (False, "error"))):
        store.ledger.record_call(
            ModelCall(workflow_id="w", step=f"{number}", request_hash="h", task_id="t-1", agent="developer",
                      provider="openai", model="m", prompt_hash="p", prompt="", response="", input_tokens=7,
                      cached=cached, outcome=outcome, seconds=20, cost_usd=0.5)
        )  # fmt: skip
    store.journal.log("tech_lead", "landed", "t-1")
    store.budgets.begin_waiting(WaitingCall(agent="qa", task_id=None, kind="provider", reason="down", until=None))
    SANDBOX_RUNS.add("1", "no")
    return rooms.program(Role.VIEWER).get("/metrics").text


def labelled(figures: str) -> dict[str, dict[str, set[str]]]:
    """Each metric with its labels and their values."""
    found: dict[str, dict[str, set[str]]] = {"up": {}}
    for family in text_string_to_metric_families(figures):
        for sample in family.samples:
            labels = found.setdefault(sample.name, defaultdict(set))
            for name, value in sample.labels.items():
                labels[name].add(value)
    return found


def test_every_expression_asks_for_what_there_is(rooms: Rooms) -> None:
    metrics, expressions = labelled(told(rooms)), list(asked())
    assert len(expressions) > 30
    used: set[str] = set()
    for expression, names in expressions:
        uses = _USE.findall(expression)
        assert uses and {name for name, _ in uses} <= set(metrics), expression
        used |= {name for name, _ in uses}
        known = _ADDED.union(*(metrics[name] for name, _ in uses))
        for name, selected in uses:
            for label, values in _MATCH.findall(selected):
                there = metrics[name].get(label, set()) | ({*FailureReason} if label == "reason" else set())
                assert label in _ADDED or {*filter(None, values.split("|"))} <= there, f"{expression}: {label}={values}"
        grouped = {label for group in _GROUPED.findall(expression) for label in re.findall(r"\w+", group)}
        assert grouped | set(_NAMED.findall(names)) <= known, f"{expression}: {names}"
    families = {re.sub(r"_(bucket|count|sum)$", "", name) for name in metrics if not name.endswith("_created")}
    assert families == {re.sub(r"_(bucket|count|sum)$", "", name) for name in used}, "each is shown somewhere"


def test_figures_are_counted_in_classes_and_by_agent(rooms: Rooms) -> None:
    figures = told(rooms)
    for line in (
        'aiagents_tasks{agent="developer",status="in_progress",type="code"} 1.0',
        'aiagents_tasks{agent="product",status="pending",type="code"} 1.0',
        'aiagents_tasks{agent="",status="completed",type="code"} 1.0',
        'aiagents_task_seconds_bucket{le="60.0",type="code"} 1.0',
        'aiagents_model_call_seconds_bucket{agent="developer",le="10.0",model="openai/m"} 0.0',
        'aiagents_model_call_seconds_bucket{agent="developer",le="30.0",model="openai/m"} 2.0',
        'aiagents_model_call_seconds_bucket{agent="developer",le="+Inf",model="openai/m"} 2.0',
        'aiagents_model_call_seconds_sum{agent="developer",model="openai/m"} 40.0',
    ):
        assert line in figures.splitlines(), figures


def test_prometheus_takes_the_rules_and_each_fires_when_it_should() -> None:
    promtool("check", "rules", "alerts.yml")
    promtool("test", "rules", "alerts_test.yml")


def test_prometheus_takes_the_expressions_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": expression} for number, (expression, _) in enumerate(asked())]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", str(file))
