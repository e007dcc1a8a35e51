"""Go: `go test -json` (cmd/test2json) writes one event a line; a package that does not build has no tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, Field, ValidationError

from testing.environments.javascript_package import read_package
from testing.errors import InvalidReport
from testing.frameworks.compiled_diagnosis import diagnose_compiled
from testing.frameworks.framework import LONGEST_TOLD, MOST_TESTS, Report, Symptom, TestCommand, TestFramework
from testing.frameworks.junit import report_text

_REPORT = "/out/report.jsonl"
_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)


class _Event(BaseModel):
    action: str = Field(alias="Action")
    package: str = Field("", alias="Package")
    import_path: str = Field("", alias="ImportPath")
    test: str = Field("", alias="Test")
    output: str = Field("", alias="Output")


def go_command(selection: Sequence[str]) -> TestCommand:
    """The command that runs the packages of `selection` (test files or ids; all when empty)."""
    packages = sorted({f"./{_folder(test_id)}" for test_id in selection}) or ["./..."]
    script = f'exec go test -json -vet=off "$@" > {_REPORT}'
    return TestCommand(["sh", "-c", script, "sh", *packages], report=_REPORT)


def read_go_report(path: Path, source: Path) -> Report:
    """The events at `path`. A test's id is `package/folder::TestName/subtest`, in the topmost folder `.::TestName`.

    Raises InvalidReport when there are none.
    """
    module = _module(source)
    printed: dict[str, str] = defaultdict(str)
    outcomes: dict[str, str] = {}
    for event in _events(report_text(path)):
        package = event.package or event.import_path.partition(" ")[0]
        folder = package.removeprefix(module).strip("/") or "."
        test_id = f"{folder}::{event.test}" if event.test else folder
        if event.action in ("output", "build-output"):
            printed[test_id] = (printed[test_id] + event.output)[-LONGEST_TOLD:]
        elif event.action in ("pass", "fail", "skip"):
            outcomes[test_id] = event.action
        if len(outcomes) > MOST_TESTS:
            raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
    return _report(outcomes, printed)


def _report(outcomes: Mapping[str, str], printed: Mapping[str, str]) -> Report:
    report = Report()
    failed = [test_id for test_id, outcome in outcomes.items() if outcome == "fail"]
    for test_id, outcome in outcomes.items():
        # A package fails with any of its tests, and a test with any of its subtests.
        below = f"{test_id}/" if "::" in test_id else f"{test_id}::"
        if outcome == "fail" and any(other.startswith(below) for other in failed):
            continue
        told = printed.get(test_id) or "failed"
        if "::" in test_id:
            report.test_ids.append(test_id)
            {"pass": report.passed, "fail": report.failed, "skip": report.skipped}[outcome].append(test_id)
        if outcome == "fail":
            report.symptoms.append(Symptom(test_id, told, told, collected="::" in test_id))
    return report


def _events(text: str) -> list[_Event]:
    found = []
    for line in text.splitlines():
        try:
            found.append(_Event.model_validate_json(line))
        except ValidationError:
            continue  # a test may print to the report's own file
    if not found:
        raise InvalidReport("The report holds no events of go test.")
    return found


def _folder(test_id: str) -> str:
    place = PurePosixPath(test_id.partition("::")[0])
    return str(place.parent if place.suffix == ".go" else place)


def _module(source: Path) -> str:
    file = source / "go.mod"
    text = file.read_text(errors="replace") if file.is_file() and not file.is_symlink() else ""
    found = _MODULE.search(text)
    return found[1] if found else ""


GO = TestFramework(
    name="go",
    language="go",
    recognises=lambda source: (source / "go.mod").is_file() and read_package(source) is None,
    command=lambda run: go_command(run.selection),
    read=lambda written: read_go_report(written.file, written.source),
    diagnose=lambda symptom, names: diagnose_compiled(symptom),
)
