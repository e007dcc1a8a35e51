"""Rust: `cargo test` prints what libtest says of each test, in plain text: its JSON output is not stable."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from testing.environments.javascript_package import read_package
from testing.errors import InvalidReport
from testing.frameworks.compiled_diagnosis import diagnose_compiled
from testing.frameworks.framework import LONGEST_TOLD, MOST_TESTS, Report, Symptom, TestCommand, TestFramework
from testing.frameworks.junit import report_text

_REPORT = "/out/report.txt"
_TARGET = re.compile(r"^ +(?:Running (?:unittests )?(?P<file>\S+) \(|Doc-tests \S+)", re.MULTILINE)
_TEST = re.compile(r"^test (?P<name>.+?)(?: - should panic)? \.\.\. (?P<outcome>ok|FAILED|ignored)\b", re.MULTILINE)
_DETAIL = re.compile(
    r"^---- (?P<name>.+?) stdout ----\n(?P<text>.*?)(?=^---- |^failures:\n|\Z)", re.MULTILINE | re.DOTALL
)
_NO_BUILD = re.compile(r"^error(?:\[E\d+\])?: .*", re.MULTILINE | re.DOTALL)
_OUTCOMES = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
_PLACE = re.compile(r"--> ((?:tests|src)/[^:\s]+)")


def cargo_command(selection: Sequence[str]) -> TestCommand:
    """The command that runs the files of `selection` (all when empty): integration tests by their target, unit tests
    with the whole library. Of a file that tells no target of the topmost package, the whole workspace is run."""
    files = dict.fromkeys(PurePosixPath(test_id.partition("::")[0]) for test_id in selection)
    found = [_target(file) for file in files]
    targets = [word for words in found for word in words] if all(found) else ["--workspace"]
    script = f'exec cargo test --offline --no-fail-fast "$@" -- --test-threads=4 > {_REPORT} 2>&1'
    return TestCommand(["sh", "-c", script, "sh", *targets], report=_REPORT)


def _target(file: PurePosixPath) -> list[str]:
    """The options for the target that `file` belongs to; none when its path does not tell."""
    match file.parts:
        case ("tests", _) if file.suffix == ".rs":
            return ["--test", file.stem]
        case ("tests", folder, "main.rs"):
            return ["--test", folder]
        case ("src", first, *_) if first not in ("main.rs", "bin"):
            return ["--lib"]
    return []


def read_cargo_report(path: Path) -> Report:
    """What cargo and libtest printed to `path`. A test's id is `path::module::name`, a documentation test's `doc::…`.

    Raises InvalidReport when cargo did not get as far as the tests and does not say why.
    """
    text = report_text(path)
    report = Report()
    outcomes: dict[str, set[str]] = defaultdict(set)  # two packages of a workspace may have tests of the same id
    starts = list(_TARGET.finditer(text))
    for number, start in enumerate(starts):
        end = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        _read_target(start["file"] or "doc", text[start.end() : end], outcomes, report.symptoms)
    for test_id, outcome in outcomes.items():
        report.test_ids.append(test_id)
        worst = next(name for name in ("failed", "skipped", "passed") if name in outcome)
        getattr(report, worst).append(test_id)
    if not starts:
        told = _NO_BUILD.search(text)
        if told is None:
            raise InvalidReport("cargo test printed neither tests nor an error.")
        place = _PLACE.search(text)
        error = told[0][:LONGEST_TOLD]
        report.symptoms.append(Symptom(place[1] if place else "Cargo.toml", error, error, collected=False))
    return report


def _read_target(file: str, text: str, outcomes: dict[str, set[str]], symptoms: list[Symptom]) -> None:
    details = {found["name"]: found["text"].strip()[:LONGEST_TOLD] for found in _DETAIL.finditer(text)}
    for found in _TEST.finditer(text):
        test_id = f"{file}::{found['name']}"
        outcomes[test_id].add(_OUTCOMES[found["outcome"]])
        if len(outcomes) > MOST_TESTS:
            raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
        if found["outcome"] == "FAILED":
            told = details.get(found["name"], "the test failed")
            symptoms.append(Symptom(test_id, told, told))


CARGO = TestFramework(
    name="cargo",
    language="rust",
    recognises=lambda source: (source / "Cargo.toml").is_file() and read_package(source) is None,
    command=lambda run: cargo_command(run.selection),
    read=lambda written: read_cargo_report(written.file),
    diagnose=lambda symptom, names: diagnose_compiled(symptom),
)
