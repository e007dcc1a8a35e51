"""The report of JavaScript's test runners, and why a test failed.

All give the same JSON: jest, vitest, and our reporters for the others. It is untrusted input: anyone inside can forge
the file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from testing.errors import InvalidReport
from testing.frameworks.framework import (
    LONGEST_OUTPUT,
    MESSAGE_LENGTH,
    MOST_TESTS,
    TRACEBACK_LENGTH,
    Report,
    Symptom,
)
from testing.frameworks.junit import report_text
from testing.results import Failure, FailureKind

_MOST_TITLES = 20
_FRAME = re.compile(r"^\s+at (?P<call>.*?)\(?(?:file://)?(?P<file>/[^():]+|[\w.][^():\s]*):(?P<line>\d+):\d+\)?$")
_LONGEST_FRAME = 1000
_NODE_FRAME = re.compile(r"^\s+at .*\(?node:")
_TYPE = re.compile(r"^(?:Uncaught )?(?P<name>[A-Za-z]*(?:Error|Exception))\b(?: \[[^\]]*\])?: ?(?P<rest>.*)", re.DOTALL)
_CLAIM = re.compile(r"^(?:AssertionError|JestAssertionError)|\bERR_ASSERTION\b|^Error: expect\(")
_NO_EXPORT = re.compile(r"module '([^']+)' does not provide an export named '([^']+)'")
_NO_MODULE = re.compile(r"Cannot find (?:module|package) '([^']+)'|Failed to (?:load url|resolve import) \"?([^\s\"]+)")
_NO_FUNCTION = re.compile(r"^(?:\(0 ?, ?)?([\w$.]+)\)?(?:\(\.\.\.\))? is not a (?:function|constructor)")
_UNPARSED = re.compile(
    r"^SyntaxError\b|^Failed to parse source|Transform failed|encountered an unexpected token|Unexpected token"
    r"|PARSE_ERROR"
)


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
                message = (case.failureMessages or ["failed"])[0][:LONGEST_OUTPUT]
                report.symptoms.append(Symptom(test_id, message, message))
            if len(outcomes) > MOST_TESTS:
                raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
        if file.status == "failed" and not any(case.status == "failed" for case in file.assertionResults):
            message = (file.message or "the file could not be run")[:LONGEST_OUTPUT]
            report.symptoms.append(Symptom(name, message, message, collected=False))
    report.add(outcomes)
    return report


def diagnose_javascript(symptom: Symptom) -> Failure:
    """The failure with its kind, what is missing, and the project's part of its stack.

    A call of what is undefined counts as missing: it is how JavaScript says that a function is not there. It is
    the function under test, since the test calls nothing else that does not exist.
    """
    text = symptom.text.strip()
    name, message = _error(text)
    kind: FailureKind = "error" if symptom.collected else "collection"
    missing = _missing(message)
    if missing:
        kind = "missing"
    elif _CLAIM.search(text[:400]):
        kind = "assertion"
    elif name == "SyntaxError" or _UNPARSED.search(message):
        kind = "syntax"
    return Failure(
        test_id=symptom.test_id,
        kind=kind,
        message=(f"{name}: {message}" if name and not message.startswith(name) else message)[:MESSAGE_LENGTH],
        traceback=_project_lines(text)[:TRACEBACK_LENGTH],
        missing=missing,
        location=_location(text),
    )


def _error(text: str) -> tuple[str, str]:
    """Type and message; of a file that did not load the printed text begins with an excerpt of the source."""
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines):
        if found := _TYPE.match(line):
            rest = _without_frames("\n".join(text.splitlines()[number + 1 :]))
            return found["name"], f"{found['rest']}\n{rest}".strip()
    return "", _without_frames(text)


def _missing(message: str) -> str | None:
    if found := _NO_EXPORT.search(message):
        return f"{_relative(found[1])}.{found[2]}"
    if found := _NO_MODULE.search(message):
        module = found[1] or found[2]
        return _relative(module) if module.startswith((".", "/")) else None  # a package is nobody's to write
    if found := _NO_FUNCTION.match(message):
        return found[1].rpartition("__.")[2]
    return None


def _relative(path: str) -> str:
    return path.removeprefix("/work/")


def _project_path(match: re.Match[str]) -> str | None:
    """The frame's file relative to /work, None if it is not the project's."""
    path = _relative(match["file"])
    return None if path.startswith(("/", "..", "node:")) or "node_modules/" in path else path


def _location(text: str) -> str | None:
    for line in text.splitlines():
        if (found := _frame(line)) and (path := _project_path(found)):
            return f"{path}:{found['line']}"
    return None


def _frame(line: str) -> re.Match[str] | None:
    """A frame of a stack; a test may print lines of any length, which the pattern would take long for."""
    return _FRAME.match(line) if len(line) <= _LONGEST_FRAME else None


def _project_lines(text: str) -> str:
    """`text` without the frames of node, of packages and of the runner."""
    kept = []
    for line in text.splitlines():
        found = _frame(line)
        if (
            _NODE_FRAME.match(line)
            or re.match(r"^\s+at .*<anonymous>\)?$", line)
            or (found and not _project_path(found))
        ):
            continue
        kept.append(line.replace("file:///work/", "").replace("/work/", ""))
    return "\n".join(kept).strip()


def _without_frames(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not re.match(r"^\s+at ", line)).strip()
