"""Reads the JSON report of jest, vitest or our reporter for node:test: untrusted input, by a file anyone inside can
forge.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from testing.errors import InvalidReport
from testing.frameworks.diagnosis import LONGEST_TOLD, Symptom
from testing.frameworks.junit import MOST_TESTS, Report, report_text

_MOST_TITLES = 20


class _Case(BaseModel):
    title: str
    ancestorTitles: list[str] = Field([], max_length=_MOST_TITLES)
    status: Literal["passed", "failed", "pending", "skipped", "todo", "disabled", "focused"]
    failureMessages: list[str] | None = None


class _File(BaseModel):
    name: str
    status: str
    message: str | None = ""
    assertionResults: list[_Case] = []


class _Output(BaseModel):
    testResults: list[_File]


def read_javascript_report(path: Path, source: Path) -> Report:
    """The report at `path` about the sources at `source`. A test's id is `path::suite > name`.

    Raises InvalidReport when there is none, or it is not what these runners write.
    """
    text = report_text(path).replace(f"{source}/", "/work/")  # where nothing is mounted, paths are the host's
    try:
        output = _Output.model_validate_json(text)
    except ValidationError as error:
        raise InvalidReport(
            f"The report is not JSON as jest and vitest write it: {error.errors()[0]['msg']}."
        ) from None
    outcomes: dict[str, set[str]] = defaultdict(set)
    report = Report()
    for file in output.testResults:
        name = file.name.removeprefix("/work/")
        for case in file.assertionResults:
            test_id = f"{name}::{' > '.join([*case.ancestorTitles, case.title])}"
            outcomes[test_id].add(case.status if case.status in ("passed", "failed") else "skipped")
            if case.status == "failed":
                told = (case.failureMessages or ["failed"])[0][:LONGEST_TOLD]
                report.symptoms.append(Symptom(test_id, told, told))
            if len(outcomes) > MOST_TESTS:
                raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
        if file.status == "failed" and not any(case.status == "failed" for case in file.assertionResults):
            message = (file.message or "the file could not be run")[:LONGEST_TOLD]
            report.symptoms.append(Symptom(name, message, message, collected=False))
    for test_id, found in outcomes.items():
        report.test_ids.append(test_id)
        worst = next(outcome for outcome in ("failed", "skipped", "passed") if outcome in found)
        getattr(report, worst).append(test_id)
    return report
