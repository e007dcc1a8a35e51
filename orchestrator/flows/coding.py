"""From red to green: attempts at the code, each tested in the sandbox, until the tests and the whole suite pass.

A small model is sampled: greedy first, then varied answers with varied views of the task, since repairing was measured
never to help it. A strong model repairs its answer from the evidence. Either way an answer that was seen before is
not tested again, and after `max_task_attempts` a new approach begins without the old context.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

from pydantic import BaseModel

from agents import CodeView
from llm import TruncatedOutput
from memory import Attempt, FailureReason
from orchestrator.errors import StageFailed
from orchestrator.flows.code_state import CodeState
from orchestrator.flows.flow import StageContext
from orchestrator.trials import Trial


class Answer(BaseModel):
    """What a model wrote; `cut` when its length limit ended it."""

    text: str
    cut: bool = False


@dataclass(frozen=True)
class Try:
    """One attempt to be made."""

    approach: int
    number: int
    strategy: str
    answer: str | None = None
    """Written already: by an earlier landing round, or as a draft."""
    first_result: str = ""
    """Evidence of a draft that was tested and failed; it counts as an attempt and is not run again."""

    @property
    def label(self) -> str:
        return f"{self.approach}.{self.number}"


@dataclass(frozen=True)
class Standing:
    """Where the developer stands before an attempt: the files as they are, and what failed with them."""

    tree: str
    evidence: str = ""


def make_tests_pass(ctx: StageContext, state: CodeState) -> None:
    """Attempt after attempt until one passes; its code is committed. Raises `StageFailed` when all are used up."""
    seen: set[str] = set()
    fresh = Standing(state.code_commit if state.review_issues else state.tests_commit)
    standing = fresh
    for attempt in _tries(ctx, state):
        if attempt.number == 1:
            standing = fresh
        if attempt.first_result:
            seen.add(_digest(attempt.answer or ""))
            ctx.step(f"draft {attempt.label}", bool, partial(_failed_draft, ctx, attempt))
            continue
        answer = Answer(text=attempt.answer) if attempt.answer is not None else _ask(ctx, state, attempt, standing)
        if (digest := _digest(answer.text)) in seen:
            ctx.step(f"repeated {attempt.label}", bool, partial(_repeated, ctx, attempt, digest))
            continue
        seen.add(digest)
        trial = ctx.step(f"try {attempt.label}", Trial, partial(_run, ctx, state, attempt, answer, standing))
        if trial.green:
            state.answer, state.approach, state.attempts = answer.text, attempt.approach, len(seen)
            state.code_commit = ctx.step(
                "commit code", str, partial(ctx.bench.commit_code, trial.tree, state.tests_commit)
            )
            state.review_issues = []
            return
        standing = Standing(trial.tree or standing.tree, trial.evidence)
    raise StageFailed(
        FailureReason.TESTS_FAILED,
        f"no answer of {len(seen)} passed; the last one:\n{_last_evidence(ctx, state)}",
        blocked=True,
    )


def write_definitions(ctx: StageContext, state: CodeState, sample: int, step: str, view: CodeView) -> Answer:
    """One answer of a small model: the new or changed definitions."""
    try:
        text = ctx.team.developer.write_definitions(ctx.task, state.settled, view, sample, ctx.ask(step, "developer"))
    except TruncatedOutput as cut:
        return Answer(text=cut.partial, cut=True)
    return Answer(text=text)


def _tries(ctx: StageContext, state: CodeState) -> Iterator[Try]:
    limits = ctx.services.settings.orchestrator
    small = ctx.team.developer.profile.small
    if state.answer and not state.review_issues:
        yield Try(0, 1, "carried", answer=state.answer)
    drafts = state.drafts if not state.answer else []
    for approach in range(1, limits.max_approaches + 1):
        for number in range(1, limits.max_task_attempts + 1):
            if approach == 1 and number <= len(drafts):
                draft = drafts[number - 1]
                failed = "" if draft.passed else draft.evidence or "failed"
                yield Try(approach, number, "draft", draft.answer, failed)
            elif small:
                yield Try(approach, number, "sample")
            else:
                yield Try(approach, number, "write" if number == 1 else "repair")


def _ask(ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
    name = f"write {attempt.label}"
    if ctx.team.developer.profile.small:
        return ctx.step(name, Answer, partial(_sample, ctx, state, attempt, name))
    return ctx.step(name, Answer, partial(_write, ctx, state, attempt, name, standing))


def _sample(ctx: StageContext, state: CodeState, attempt: Try, step: str) -> Answer:
    """Vary what the prompt shows: the tests in full, a plan first, the words alone."""
    limits = ctx.services.settings.orchestrator
    index = (attempt.approach - 1) * limits.max_task_attempts + attempt.number
    view = ctx.bench.view(state.tests_commit, state.settled)
    turn = index % 3
    if turn != 0:
        view = replace(view, tests=ctx.bench.compact_tests(state.cases), plan_first=turn == 2)
    return write_definitions(ctx, state, index, step, view)


def _write(ctx: StageContext, state: CodeState, attempt: Try, step: str, standing: Standing) -> Answer:
    view = replace(
        ctx.bench.wide_view(standing.tree, state.settled, state.tests_file),
        evidence=standing.evidence,
        review="\n".join(f"- {issue}" for issue in state.review_issues),
        fresh_start=attempt.approach > 1 and not standing.evidence,
    )
    try:
        return Answer(text=ctx.team.developer.write_files(ctx.task, view, ctx.ask(step)))
    except TruncatedOutput as cut:
        return Answer(text=cut.partial, cut=True)


def _run(ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, standing: Standing) -> Trial:
    """Apply an answer to the worktree, run the new tests, then the whole suite; record the attempt."""
    begun = time.monotonic()
    # Sampled answers and carried ones were written for the files before any attempt.
    start = standing.tree if attempt.strategy in ("write", "repair") else state.tests_commit
    if answer.cut:
        trial = Trial.invalid("the answer was cut off at its length limit; answer shorter")
    else:
        trial = ctx.bench.verify(start, state.tests_commit, state.settled, answer.text, state.tests_ids)
    outcome = "passed" if trial.green else "failed" if trial.applied else "invalid"
    _record(ctx, attempt, outcome, _digest(answer.text), trial, time.monotonic() - begun)
    ctx.note("attempt", approach=attempt.approach, number=attempt.number, strategy=attempt.strategy, outcome=outcome)
    return trial


def _failed_draft(ctx: StageContext, attempt: Try) -> bool:
    trial = Trial.invalid(attempt.first_result)
    _record(ctx, attempt, "failed", _digest(attempt.answer or ""), trial, 0.0)
    return True


def _repeated(ctx: StageContext, attempt: Try, digest: str) -> bool:
    _record(ctx, attempt, "repeated", digest, Trial.invalid("an answer that was tested before"), 0.0)
    return True


def _record(ctx: StageContext, attempt: Try, outcome: str, digest: str, trial: Trial, seconds: float) -> None:
    ctx.services.store.record_attempt(
        Attempt(
            task_id=ctx.task.id,
            run=ctx.task.run,
            stage=ctx.stage,
            approach=attempt.approach,
            number=attempt.number,
            strategy=attempt.strategy,
            outcome=outcome,
            answer_hash=digest,
            tree=trial.tree,
            tests_passed=len(trial.passed),
            tests_failed=len(trial.failures),
            evidence=trial.evidence,
            seconds=seconds,
        )
    )


def _last_evidence(ctx: StageContext, state: CodeState) -> str:
    attempts = ctx.services.store.attempts(ctx.task.id, run=ctx.task.run)
    return next((attempt.evidence for attempt in reversed(attempts) if attempt.outcome == "failed"), "")


def _digest(answer: str) -> str:
    """Identity of an answer: blank space at line ends and around it means nothing."""
    lines = [line.rstrip() for line in answer.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
