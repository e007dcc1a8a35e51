"""The result of a trial in the sandbox, in the few words that flows and prompts need."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Self

from pydantic import BaseModel

from file_system import is_test_file
from memory import ProofOutcome
from monitoring import redact
from testing import Failure, TestResult

_MOST_FAILURES = 4
_MESSAGE = 600
_TRACEBACK_LINES = 10
_PRINTED = 800
"""Characters of the end of what a failed test printed."""
_FAIR_ERRORS = ("TypeError",)
"""Errors that the missing code causes itself, such as a call with an argument that does not exist yet."""


_BROKEN = re.compile(
    r"\s*(?:NameError|UnboundLocalError|ImportError|ModuleNotFoundError|RecursionError)\b|.*fixture '\w+' not found"
)


class FailureNote(BaseModel):
    """One test that failed."""

    test_id: str
    message: str
    fair: bool
    """Whether it failed on an assertion, on code that is yet to be written, or in the project's code, and not on a
    mistake of its own."""
    broken: bool = False
    """Whether the test is surely wrong itself, whatever the code does: a name, an import or a fixture that is not
    there, or a file that cannot be read."""


class Trial(BaseModel):
    """The application of one answer, and the test run after it."""

    applied: bool
    """False if the answer could not be applied; `evidence` says why."""
    green: bool = False
    tree: str = ""
    """The git tree that was tested."""
    passed: list[str] = []
    failures: list[FailureNote] = []
    problem: str = ""
    """Why there is no verdict: no report, timeout, no test collected."""
    evidence: str = ""
    """What a developer needs to see of the failures."""
    overfitted: bool = False
    """Only tests that the developer was not shown failed."""
    proofs: list[ProofOutcome] = []
    """What was found out about the proofs that its kind of work needs."""
    circular: bool = False
    """It fails like an earlier trial of the same approach, with equivalent code."""

    @property
    def missing_tests(self) -> list[str]:
        """What only further tests of QA can prove, if nothing else lacks."""
        lacking = [proof for proof in self.proofs if proof.outcome == "lacks"]
        return [proof.told for proof in lacking] if all(proof.by_tests for proof in lacking) else []

    @classmethod
    def invalid(cls, evidence: str) -> Self:
        """An answer that could not be applied."""
        return cls(applied=False, evidence=evidence)

    @classmethod
    def of(cls, result: TestResult, tree: str, about: Collection[str] = ()) -> Self:
        """The trial with the test run `result`. Failures of tests that are not in `about` (if given) are left out: what
        fails in the same file for another reason is not part of the task."""
        others = {failure.test_id for failure in result.failures if about and not _is_about(failure.test_id, about)}
        failures = [
            FailureNote(
                test_id=failure.test_id,
                message=_first_line(failure.message),
                fair=is_fair(failure),
                broken=is_broken(failure),
            )
            for failure in result.failures
            if failure.test_id not in others
        ]
        problem = result.problem or ""
        return cls(
            applied=True,
            green=result.passed and bool(result.passed_ids) and not failures and not problem,
            tree=tree,
            passed=list(result.passed_ids),
            failures=failures,
            problem=problem,
            evidence=evidence_of(result, [failure.test_id for failure in failures] if others else ()),
        )

    def red(self, result: TestResult, missing: Sequence[str], hidden: Collection[str]) -> Self:
        """The trial of a run in which the tests `missing` did not pass; the `hidden` ones are not described."""
        told = [test_id for test_id in missing if test_id.partition("[")[0] not in hidden]
        if hidden and missing and not told:
            evidence = f"All tests that you were shown pass, but {len(missing)} that you were not shown fail."
            return self.model_copy(update={"green": False, "evidence": evidence, "overfitted": True})
        evidence = evidence_without(result, hidden) if hidden else self.evidence
        evidence = evidence or f"these tests did not pass: {', '.join(told)}"
        return self.model_copy(update={"green": False, "evidence": evidence})


def not_passed(expected: Iterable[str], passed: Iterable[str]) -> list[str]:
    """The ids of `expected` that are not among `passed`. An id without parameters stands for all of its cases."""
    known = {name for test_id in passed for name in (test_id, test_id.partition("[")[0])}
    return sorted(set(expected) - known)


def _is_about(test_id: str, about: Collection[str]) -> bool:
    """A failure of a whole file, which has no `::`, is about all of its tests."""
    return "::" not in test_id or bool({test_id, test_id.partition("[")[0]} & set(about))


def is_fair(failure: Failure) -> bool:
    """Whether a test that fails before the code exists does so for the right reason: its claim is false, what it is
    about is missing, or the project's code raised the error, which may be the very crash that the task reports."""
    if failure.kind in ("assertion", "missing"):
        return True
    return failure.kind == "error" and (
        failure.message.lstrip().startswith(_FAIR_ERRORS)
        or any(map(_is_raised_by_code, (failure.location, *failure.causes)))
    )


def is_broken(failure: Failure) -> bool:
    """Whether a test that fails before the code exists could not pass with any code. An error of another kind may come
    of what the code does, such as of a None that it returns; then the test is judged by the code that makes it pass."""
    return not is_fair(failure) and (failure.kind != "error" or _BROKEN.match(failure.message) is not None)


def _is_raised_by_code(location: str | None) -> bool:
    """Whether the innermost frame of the project, `path:line`, is in its code and not in a test or a fixture."""
    return location is not None and not is_test_file(location.rpartition(":")[0])


def evidence_of(result: TestResult, only: Sequence[str] = ()) -> str:
    """The failures of a run (those with an id in `only`, if given): expected and actual values, a few lines each."""
    chosen = [failure for failure in result.failures if not only or failure.test_id in only]
    parts = [result.problem] if result.problem else []
    for failure in chosen[:_MOST_FAILURES]:
        trace = [line for line in failure.traceback.splitlines() if line.strip()][-_TRACEBACK_LINES:]
        printed = f"\nIt printed:\n{failure.output[-_PRINTED:]}" if failure.output else ""
        parts.append(f"{failure.test_id}\n{failure.message.strip()[:_MESSAGE]}\n" + "\n".join(trace) + printed)
    if len(chosen) > _MOST_FAILURES:
        parts.append(f"… and {len(chosen) - _MOST_FAILURES} more failing tests")
    if result.problem and not chosen:
        parts.append(result.output_tail[-1500:])
    return redact("\n\n".join(part.strip() for part in parts if part.strip()))


def evidence_without(result: TestResult, hidden: Collection[str], known: Collection[str] = ()) -> str:
    """As `evidence_of`, without the `hidden` tests and the `known` failures; failures of whole files and fixtures are
    included."""
    if not hidden and not known:
        return evidence_of(result)
    told = [f.test_id for f in result.failures if f.test_id.partition("[")[0] not in hidden and f.test_id not in known]
    return evidence_of(result, told) if told else result.problem or ""


def files_of(test_ids: Sequence[str]) -> tuple[str, ...]:
    """The files that tests are in."""
    return tuple(dict.fromkeys(test_id.split("::")[0] for test_id in test_ids))


def listed(test_ids: Collection[str], hidden: Collection[str] = (), most: int = 10) -> str:
    """Tests in a line, and how many are left out of it: those beyond `most`, and the `hidden` ones."""
    shown = [test_id for test_id in test_ids if test_id.partition("[")[0] not in hidden]
    parts = [", ".join(shown[:most])] if shown else []
    if more := len(shown) - most if len(shown) > most else 0:
        parts.append(f"{more} more")
    if unseen := len(test_ids) - len(shown):
        parts.append(f"{unseen} that you were not shown")
    return " and ".join(parts)


def shortened(text: str, most: int = 6000) -> str:
    """The beginning and the end of a long output."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}\n[… {len(text) - most} characters …]\n{text[-half:]}"


def _first_line(text: str) -> str:
    return redact(text.strip().splitlines()[0][:300]) if text.strip() else ""
