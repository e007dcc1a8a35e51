"""How the suite of a project ends before any work, and what its failures lack."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from file_system import is_test_file
from testing import Failure

_EVIDENCE = 800
_EVIDENCE_LINES = 8
_OUTSIDE = re.compile(
    r"(?:[\w.]*\.)?(?:\w*Connect\w*|gaierror|URLError|HTTPError|SSLError|\w*Timeout\w*|PermissionError|OSError|"
    r"FileNotFoundError|ModuleNotFoundError|ImportError|OperationalError|MaxRetryError|ProxyError|NoSuchModuleError|"
    r"PackageNotFoundError|DistributionNotFound|ZoneInfoNotFoundError|ExecutableNotFound|TesseractNotFoundError|"
    r"Docker\w*|WebDriver\w*|TclError|locale\.Error|No\w*Available|No\w*Credentials\w*|No\w*Region\w*)\b|"
    r".*(?:fixture '\w+' not found|[Ee]xecutable (?:needs to be in|doesn't exist|not found)|no display name|"
    r"[Nn]o CUDA|CUDA (?:driver|is not available)|unsupported locale|command not found|Resource \S+ not found)"
)
"""Errors for which a package, a program, a service, a device or a right is missing, not code of the project."""
_ENVIRONMENT_VARIABLE = re.compile(r"\bos\.environ\b|\benviron\[")
_NOT_INSTALLED = re.compile(
    r"ModuleNotFoundError: No module named '(?P<module>[\w.]+)'|fixture '(?P<fixture>\w+)' not found"
)
_MOST_LACKING = 8


class FailedTest(BaseModel):
    """A test that already fails before the work."""

    test_id: str
    evidence: str
    outside: bool
    """It needs something that no code of the project provides: network, a package, a fixture, a file."""


class Baseline(BaseModel):
    """The result of the suite of one tree."""

    key: str
    tree: str
    passed: list[str]
    failed: list[str]
    seconds: float
    skipped: int = 0
    failures: list[FailedTest] = []
    """Details of the first of `failed`."""
    lacking: list[str] = []
    """Modules and fixtures that are nowhere in the tree, if no test passes and all fail for that reason."""


def lacking_in(failures: Sequence[Failure], folder: Path) -> list[str]:
    """The modules and fixtures that all `failures` are about; none if one is about something else, or about a module of
    the project."""
    lacking: dict[str, None] = {}
    for failure in failures:
        match = _NOT_INSTALLED.search(failure.message)
        if match is None:
            return []
        lacking[match["module"] or match["fixture"]] = None
    tops = {name.partition(".")[0] for name in lacking}
    there = {path.name for root in (folder, folder / "src") if root.is_dir() for path in root.iterdir()}
    return [] if there & {*tops, *(f"{top}.py" for top in tops)} else [*lacking][:_MOST_LACKING]


def failed_test(failure: Failure) -> FailedTest:
    """What is kept of a failure."""
    trace = [line for line in failure.traceback.splitlines() if line.strip()][-_EVIDENCE_LINES:]
    told = f"{failure.test_id}\n{failure.message.strip()}\n" + "\n".join(trace)
    return FailedTest(test_id=failure.test_id, evidence=told.strip()[:_EVIDENCE], outside=is_outside(failure))


def is_outside(failure: Failure) -> bool:
    """Whether it needs something that no code of the project provides."""
    if failure.kind in ("assertion", "missing"):
        return False
    if failure.kind == "syntax":  # of a test: the team may not change it
        return failure.location is None or is_test_file(failure.location.partition(":")[0])
    if failure.message.startswith("KeyError") and _ENVIRONMENT_VARIABLE.search(failure.traceback):
        return True
    return _OUTSIDE.match(failure.message) is not None
