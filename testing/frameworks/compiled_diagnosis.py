"""Why a test in Go or Rust failed. What is missing shows when it is compiled: then no test of the package has run."""

from __future__ import annotations

import re

from testing.frameworks.framework import MESSAGE_LENGTH, TRACEBACK_LENGTH, Symptom
from testing.results import Failure, FailureKind

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


def diagnose_compiled(symptom: Symptom) -> Failure:
    """The failure with its kind and what is missing. A test that ran and failed has made a false claim, unless the
    code under it panicked by itself."""
    told = "\n".join(line for line in symptom.text.splitlines() if not _NOISE.match(line)).strip() or "the test failed"
    found = next((match for pattern in _MISSING if (match := pattern.search(told))), None)
    place = _PLACE.search(told)
    kind: FailureKind = "collection"
    if symptom.collected:
        kind = "error" if _OTHER_PANIC.search(told) else "assertion"
    elif found is not None:
        kind = "missing"
    elif _UNPARSED.search(told):
        kind = "syntax"
    return Failure(
        test_id=symptom.test_id,
        kind=kind,
        message=told[:MESSAGE_LENGTH],
        traceback=told[:TRACEBACK_LENGTH],
        missing=found[1] if found and kind == "missing" else None,
        location=f"{place[1].removeprefix('/work/').removeprefix('./')}:{place[2]}" if place else None,
    )
