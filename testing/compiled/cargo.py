"""Rust: `cargo test` prints what libtest says of each test, in plain text: its JSON output is not stable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from testing.diagnosis import Symptom
from testing.errors import InvalidReport
from testing.junit import MOST_TESTS, Report, report_text
from testing.test_command import TestCommand

_REPORT = "/out/report.txt"
_TARGET = re.compile(r"^\s+(?:Running (?:unittests )?(?P<file>\S+) \(|Doc-tests \S+)", re.MULTILINE)
_TEST = re.compile(r"^test (?P<name>.+?)(?: - should panic)? \.\.\. (?P<outcome>ok|FAILED|ignored)\b", re.MULTILINE)
_DETAIL = re.compile(
    r"^---- (?P<name>.+?) stdout ----\n(?P<text>.*?)(?=^---- |^failures:\n|\Z)", re.MULTILINE | re.DOTALL
)
_NO_BUILD = re.compile(r"^error(?:\[E\d+\])?: .*", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"--> ((?:tests|src)/[^:\s]+)")


def cargo_command(selection: Sequence[str]) -> TestCommand:
    """The command that runs the files of `selection` (all when empty): integration tests by their target, unit tests
    with the whole library."""
    files = dict.fromkeys(PurePosixPath(test_id.partition("::")[0]) for test_id in selection)
    targets = [word for file in files for word in (["--test", file.stem] if file.parts[0] == "tests" else ["--lib"])]
    script = f'exec cargo test --offline --no-fail-fast "$@" -- --test-threads=4 > {_REPORT} 2>&1'
    return TestCommand(["sh", "-c", script, "sh", *targets], report=_REPORT)


def read_cargo_report(path: Path) -> Report:
    """What cargo and libtest printed to `path`. A test's id is `path::module::name`, a documentation test's `doc::…`.

    Raises InvalidReport when cargo did not get as far as the tests and does not say why.
    """
    text = report_text(path)
    report = Report()
    starts = list(_TARGET.finditer(text))
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        _read_target(start["file"] or "doc", text[start.end() : end], report)
    if not starts:
        told = _NO_BUILD.search(text)
        if told is None:
            raise InvalidReport("cargo test printed neither tests nor an error.")
        place = _PLACE.search(text)
        report.symptoms.append(Symptom(place[1] if place else "Cargo.toml", told[0], told[0], collected=False))
    return report


def _read_target(file: str, text: str, report: Report) -> None:
    details = {found["name"]: found["text"].strip() for found in _DETAIL.finditer(text)}
    for found in _TEST.finditer(text):
        test_id = f"{file}::{found['name']}"
        if len(report.test_ids) == MOST_TESTS:
            raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
        report.test_ids.append(test_id)
        {"ok": report.passed, "FAILED": report.failed, "ignored": report.skipped}[found["outcome"]].append(test_id)
        if found["outcome"] == "FAILED":
            told = details.get(found["name"], "the test failed")
            report.symptoms.append(Symptom(test_id, told, told))
