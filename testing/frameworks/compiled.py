"""Go and Rust: the tests of compiled languages, and why one failed.

`go test -json` (cmd/test2json) writes one event a line. `cargo test` prints what libtest says of each test, in plain
text: its JSON output is not stable. What is missing shows when a package is compiled: then none of its tests has run.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, Field, ValidationError

from testing.environments.package_json import read_package
from testing.environments.python_dependencies import text_of
from testing.errors import InvalidReport
from testing.frameworks.framework import (
    LONGEST_OUTPUT,
    MESSAGE_LENGTH,
    MOST_TESTS,
    TRACEBACK_LENGTH,
    Report,
    Symptom,
    TestCommand,
    TestFramework,
)
from testing.frameworks.junit import report_text
from testing.results import Failure, FailureKind

_GO_REPORT = "/out/report.jsonl"
_MODULE = re.compile(r"^module\s+(\S+)", re.MULTILINE)
_CARGO_REPORT = "/out/report.txt"
_TARGET = re.compile(r"^ +(?:Running (?:unittests )?(?P<file>\S+) \(|Doc-tests \S+)", re.MULTILINE)
_TEST = re.compile(r"^test (?P<name>.+?)(?: - should panic)? \.\.\. (?P<outcome>ok|FAILED|ignored)\b", re.MULTILINE)
_DETAIL = re.compile(
    r"^---- (?P<name>.+?) stdout ----\n(?P<text>.*?)(?=^---- |^failures:\n|\Z)", re.MULTILINE | re.DOTALL
)
_NO_BUILD = re.compile(r"^error(?:\[E\d+\])?: .*", re.MULTILINE | re.DOTALL)
_OUTCOMES = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
_BUILD_PLACE = re.compile(r"--> ((?:tests|src)/[^:\s]+)")
_MISSING = (
    re.compile(r"undefined: ([\w.]+)"),  # go
    re.compile(r"has no field or method (\w+)"),
    re.compile(r"cannot find (?:function|type|value|struct|macro)[^`]*`([\w:]+)`"),  # rust
    re.compile(r"no (?:function or associated item|method) named `(\w+)`"),
    re.compile(r"unresolved import `([\w:]+)`"),
)
_UNPARSED = re.compile(r"syntax error|error: expected|unclosed delimiter")
_OTHER_PANIC = re.compile(r"panic: runtime error|panicked at .*\n(?!assertion)(?:index out of|called `|attempt to)")
_PLACE = re.compile(r"\b([\w./-]+\.(?:go|rs)):(\d+)")
_NOISE = re.compile(r"^\s*(?:=== (?:RUN|PAUSE|CONT)|--- FAIL|note: run with `RUST_BACKTRACE|FAIL\b|exit status)")


class _Event(BaseModel):
    action: str = Field(alias="Action")
    package: str = Field("", alias="Package")
    import_path: str = Field("", alias="ImportPath")
    test: str = Field("", alias="Test")
    output: str = Field("", alias="Output")


def go_command(selection: Sequence[str]) -> TestCommand:
    """The command that runs the packages of `selection` (test files or ids; all when empty)."""
    packages = sorted({f"./{_folder(test_id)}" for test_id in selection}) or ["./..."]
    script = f'exec go test -json -vet=off "$@" > {_GO_REPORT}'
    return TestCommand(["sh", "-c", script, "sh", *packages], report=_GO_REPORT)


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
            printed[test_id] = (printed[test_id] + event.output)[-LONGEST_OUTPUT:]
        elif event.action in ("pass", "fail", "skip"):
            outcomes[test_id] = event.action
        if len(outcomes) > MOST_TESTS:
            raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
    return _go_report(outcomes, printed)


def _go_report(outcomes: Mapping[str, str], printed: Mapping[str, str]) -> Report:
    report = Report()
    failed = [test_id for test_id, outcome in outcomes.items() if outcome == "fail"]
    for test_id, outcome in outcomes.items():
        # A package fails with any of its tests, and a test with any of its subtests.
        below = f"{test_id}/" if "::" in test_id else f"{test_id}::"
        if outcome == "fail" and any(other.startswith(below) for other in failed):
            continue
        text = printed.get(test_id) or "failed"
        if "::" in test_id:
            report.test_ids.append(test_id)
            {"pass": report.passed, "fail": report.failed, "skip": report.skipped}[outcome].append(test_id)
        if outcome == "fail":
            report.symptoms.append(Symptom(test_id, text, text, collected="::" in test_id))
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
    found = _MODULE.search(text_of(source / "go.mod"))
    return found[1] if found else ""


def cargo_command(selection: Sequence[str]) -> TestCommand:
    """The command that runs the files of `selection` (all when empty): integration tests by their target, unit tests
    with the whole library. Where a file's path shows no target of the topmost package, the whole workspace is run."""
    files = dict.fromkeys(PurePosixPath(test_id.partition("::")[0]) for test_id in selection)
    found = [_target(file) for file in files]
    targets = [word for words in found for word in words] if all(found) else ["--workspace"]
    script = f'exec cargo test --offline --no-fail-fast "$@" -- --test-threads=4 > {_CARGO_REPORT} 2>&1'
    return TestCommand(["sh", "-c", script, "sh", *targets], report=_CARGO_REPORT)


def _target(file: PurePosixPath) -> list[str]:
    """The options for the target that `file` belongs to; none when its path does not show it."""
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
    report.add(outcomes)
    if not starts:
        failed = _NO_BUILD.search(text)
        if failed is None:
            raise InvalidReport("cargo test printed neither tests nor an error.")
        place = _BUILD_PLACE.search(text)
        error = failed[0][:LONGEST_OUTPUT]
        report.symptoms.append(Symptom(place[1] if place else "Cargo.toml", error, error, collected=False))
    return report


def _read_target(file: str, text: str, outcomes: dict[str, set[str]], symptoms: list[Symptom]) -> None:
    details = {found["name"]: found["text"].strip()[:LONGEST_OUTPUT] for found in _DETAIL.finditer(text)}
    for found in _TEST.finditer(text):
        test_id = f"{file}::{found['name']}"
        outcomes[test_id].add(_OUTCOMES[found["outcome"]])
        if len(outcomes) > MOST_TESTS:
            raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
        if found["outcome"] == "FAILED":
            printed = details.get(found["name"], "the test failed")
            symptoms.append(Symptom(test_id, printed, printed))


def diagnose_compiled(symptom: Symptom) -> Failure:
    """The failure with its kind and what is missing. A test that ran and failed has made a false claim, unless the
    code under it panicked by itself."""
    text = "\n".join(line for line in symptom.text.splitlines() if not _NOISE.match(line)).strip() or "the test failed"
    found = next((match for pattern in _MISSING if (match := pattern.search(text))), None)
    place = _PLACE.search(text)
    kind: FailureKind = "collection"
    if symptom.collected:
        kind = "error" if _OTHER_PANIC.search(text) else "assertion"
    elif found is not None:
        kind = "missing"
    elif _UNPARSED.search(text):
        kind = "syntax"
    return Failure(
        test_id=symptom.test_id,
        kind=kind,
        message=text[:MESSAGE_LENGTH],
        traceback=text[:TRACEBACK_LENGTH],
        missing=found[1] if found and kind == "missing" else None,
        location=f"{place[1].removeprefix('/work/').removeprefix('./')}:{place[2]}" if place else None,
    )


GO = TestFramework(
    name="go",
    language="go",
    test_files=("*_test.go",),
    recognises=lambda source: (source / "go.mod").is_file() and read_package(source) is None,
    command=lambda run: go_command(run.selection),
    read=lambda written: read_go_report(written.file, written.source),
    diagnose=lambda symptom, names: diagnose_compiled(symptom),
)
CARGO = TestFramework(
    name="cargo",
    language="rust",
    recognises=lambda source: (source / "Cargo.toml").is_file() and read_package(source) is None,
    command=lambda run: cargo_command(run.selection),
    read=lambda written: read_cargo_report(written.file),
    diagnose=lambda symptom, names: diagnose_compiled(symptom),
)
