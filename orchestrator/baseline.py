"""How the suite of a project ends before any work, and what its failures lack."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from file_system import is_test_file
from memory import FailureReason
from orchestrator.errors import StageFailed
from testing import BY_EXIT_CODE, WHOLE_SCRIPT, Failure, TestResult

BY_COMMAND = (
    "set testing.framework to command and testing.test_command to a shell command that runs the tests named by its "
    "arguments and writes JUnit XML to $REPORT"
)
"""What the owner can do about tests that cannot be run as the repository has them."""
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
    installing: str = ""
    """A command that may install them."""


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


def require_usable(result: TestResult, frameworks: Sequence[str], make_target: str) -> None:
    """Raise `StageFailed` if the suite of a repository says nothing before any work, so that it would say nothing
    after it. `frameworks` are those of its projects, the main one's first; `make_target` runs other tests, if any."""
    is_judged_whole = bool({*frameworks} & {*BY_EXIT_CODE})
    found_none = not result.test_ids and not result.failures
    if make_target and found_none and frameworks[0] != "command" and not is_judged_whole:
        raise StageFailed(
            FailureReason.NEEDS_OWNER,
            f"no test was found where {frameworks[0]} looks, but the repository has `{make_target}`: {BY_COMMAND}; or, "
            "if these are no tests that have to hold, set testing.without_suite to true",
            blocked=True,
        )
    if result.killed_reason == "timeout":
        raise StageFailed(
            FailureReason.NEEDS_OWNER,
            f"the repository's own suite hangs: {result.problem} Leave that test out of the suite, start what it waits "
            "for, or raise testing.timeout if it only takes long",
            blocked=True,
        )
    if result.problem and not result.failures and not result.has_no_tests:
        raise StageFailed(
            FailureReason.TESTS_FAILED,
            f"the repository's own tests give no verdict: {result.problem}\n{result.output_tail[-1500:]}",
            blocked=True,
        )
    if is_judged_whole and _fails_as_a_whole(result):
        told = result.failures[0].traceback or result.output_tail if result.failures else result.output_tail
        raise StageFailed(
            FailureReason.NEEDS_OWNER,
            "the test script of package.json is judged by its exit code, and it fails before any work: mend it, or "
            f"{BY_COMMAND}\n{told[-1500:]}",
            blocked=True,
        )


def _fails_as_a_whole(result: TestResult) -> bool:
    """Whether a suite that is judged by its exit code fails, beside which others may pass."""
    return not result.passed and any(failure.test_id.endswith(f"::{WHOLE_SCRIPT}") for failure in result.failures)
