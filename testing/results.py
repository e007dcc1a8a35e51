"""What a test run means."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

FailureKind = Literal["assertion", "missing", "error", "syntax", "collection"]


class Failure(BaseModel):
    """One test that failed, or one file that could not be collected.

    Kinds: `assertion` — the test ran and its claim is false; `missing` — the thing under test, or a part or parameter
    of it, is not there; `syntax` — a file does not parse; `collection` — a test file ended with another error while
    it was imported; `error` — anything else, such as a mistake of the test itself.
    """

    model_config = ConfigDict(frozen=True)

    test_id: str
    """As pytest writes it, `tests/test_x.py::TestY::test_z[param]`, relative to /work; the file if not collected."""
    kind: FailureKind
    message: str
    traceback: str
    """Frames of the project only; at most 8000 characters."""
    missing: str | None = None
    """What is not there: `package.module`, `package.name`, `Class.name` or `function(parameter)`."""
    location: str | None = None
    """`path:line`, relative to /work, of the innermost frame of the project."""
    causes: tuple[str, ...] = ()
    """The same of the exceptions that led to this one, as Python chains them."""
    output: str = ""
    """The end of what the test printed."""


class TestCounts(BaseModel):
    """How many tests ended how. `skipped` holds expected failures too."""

    __test__ = False

    model_config = ConfigDict(frozen=True)

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0


class TestResult(BaseModel):
    """The result of a test run. `passed` needs a report, at least one passed test, no failed one, and exit code 0."""

    __test__ = False

    model_config = ConfigDict(frozen=True)

    passed: bool
    test_count: int
    counts: TestCounts
    failures: list[Failure]
    test_ids: list[str]
    """Every test that ran or was skipped, in the order of the report."""
    passed_ids: list[str]
    skipped_ids: list[str]
    duration: float
    """Seconds, the sandbox's start included."""
    exit_code: int
    tier: int
    """The sandbox's tier; above 2 or 0 the code was not confined."""
    output_tail: str
    """The end of what was printed; at most 8000 characters."""
    problem: str | None
    """Why there is no verdict on single tests, or why passing tests do not count: killed, no report, no tests, …"""
    killed_reason: str | None = None

    @computed_field  # type: ignore[prop-decorator]  # mypy does not know property decorators of pydantic
    @property
    def failed(self) -> bool:
        """The opposite of `passed`: there is no third answer."""
        return not self.passed

    @property
    def has_no_tests(self) -> bool:
        """Whether all that is wrong is that there was nothing to run."""
        return any(words in (self.problem or "") for words in ("No test was found", "no test was collected"))

    def of_files(self, files: Collection[str]) -> TestResult:
        """The part of the result that is about tests in `files`. In its counts errors are failures."""
        return self.renamed(lambda test_id: test_id if test_id.partition("::")[0] in files else "")

    def renamed(self, name: Callable[[str], str]) -> TestResult:
        """The result with other names of tests; what gets none is left out. In its counts errors are failures."""

        def chosen(ids: Iterable[str]) -> list[str]:
            return [*filter(None, map(name, ids))]

        named = [(name(failure.test_id), failure) for failure in self.failures]
        failures = [failure.model_copy(update={"test_id": test_id}) for test_id, failure in named if test_id]
        ran, passed, skipped = chosen(self.test_ids), chosen(self.passed_ids), chosen(self.skipped_ids)
        kept: dict[str, object] = {
            "passed": bool(passed) and not failures and self.problem is None,
            "test_count": len(ran),
            "counts": TestCounts(passed=len(passed), failed=len(failures), skipped=len(skipped)),
            "failures": failures,
            "test_ids": ran,
            "passed_ids": passed,
            "skipped_ids": skipped,
        }
        return self.model_copy(update=kept)


def merged(results: Sequence[TestResult]) -> TestResult:
    """One result of the suites of several projects. One that has none says nothing beside others; one without a
    verdict is none for all."""
    empty = [each for each in results if not each.test_ids and not each.failures and each.has_no_tests]
    told = [each for each in results if each not in empty] or [*results[:1]]
    if len(told) == 1:
        return told[0].model_copy(update={"duration": sum(each.duration for each in results)})
    first = next((each for each in told if not each.passed), told[0])
    return first.model_copy(
        update={
            "passed": all(each.passed for each in told),
            "test_count": sum(each.test_count for each in told),
            "counts": TestCounts(
                passed=sum(each.counts.passed for each in told),
                failed=sum(each.counts.failed for each in told),
                errors=sum(each.counts.errors for each in told),
                skipped=sum(each.counts.skipped for each in told),
            ),
            "failures": [failure for each in told for failure in each.failures],
            "test_ids": [test_id for each in told for test_id in each.test_ids],
            "passed_ids": [test_id for each in told for test_id in each.passed_ids],
            "skipped_ids": [test_id for each in told for test_id in each.skipped_ids],
            "duration": sum(each.duration for each in results),
            "tier": max(each.tier for each in told),
            "problem": next((each.problem for each in told if each.problem), None),
            "killed_reason": next((each.killed_reason for each in told if each.killed_reason), None),
        }
    )


class LinesRun(BaseModel):
    """Which lines of the project's own code a run of tests executed. It was noted beside the code that ran: good enough
    to ask for another test, not to trust code that would deceive it."""

    arcs: dict[str, set[tuple[int, int]]] = {}
    """Path -> (line that was left, line that was reached), the ways through the code; tests are among the files."""
    problem: str = ""
    """Why nothing could be measured; then `arcs` is empty."""

    def lines(self, path: str) -> set[int]:
        """The lines of a file that were executed."""
        return {line for _, line in self.arcs.get(path, ())}
