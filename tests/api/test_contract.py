"""The API keeps to what its own description says, whatever is sent: schemathesis draws requests from it, right ones and
wrong ones, and holds every answer against it."""

from __future__ import annotations

from typing import Any

import limits
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.openapi import from_url
from schemathesis.specs.openapi import checks

from memory import Role, TaskStatus
from tests.api.conftest import Rooms

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
load_all_checks()
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
ENDLESS = ("/api/v1/events",)
"""Answers that never end; tests of their own read them."""
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
MOST = 6
"""Requests of each kind for each operation."""


def test_every_operation_answers_as_described(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.access._CHANGES", limits.parse("100000/minute"))
    for status in TaskStatus:
        rooms.add_task(f"t-{status.value.replace('_', '')}", status=status)
    rooms.add_person("vera", Role.VIEWER)
    key = rooms.program(Role.ADMIN).headers["authorization"]
    schema = from_url(f"{rooms.url}/api/v1/openapi.json")
    found, tried = list[str](), 0
    for each in schema.get_all_operations():
        assert isinstance(each, Ok), each
        operation = each.ok()
        if operation.path in ENDLESS:
            continue
        for mode in MODES if operation.body or operation.query else MODES[:1]:

            @settings(
                max_examples=MOST, deadline=None, database=None, derandomize=True,
                suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
            )  # fmt: skip
            @given(case=operation.as_strategy(generation_mode=mode))
            def holds(case: Case[Any]) -> None:
                case.call_and_validate(headers={"Authorization": key}, checks=CHECKS, timeout=20)

            try:
                holds()
            except (FailureGroup, AssertionError) as problem:
                found.append(f"{operation.label} ({mode.value}): {problem}")
            tried += 1
    assert not found, "\n\n".join(found)
    assert tried > 60
