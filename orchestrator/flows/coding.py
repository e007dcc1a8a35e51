"""From red to green: attempts at the code, each tested in the sandbox, until the tests and the whole suite pass.

A small model is sampled: varied answers to varied views of the task, since repairing was measured never to help it;
then its near misses are recombined by code, which costs no tokens. A strong model repairs its answer from the evidence.
Either way an answer that was seen before is not tested again. After `max_task_attempts` the approach is over: the task
goes back to its queue, behind those that are nearer to their end, and begins anew without the old context.
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
from orchestrator.flows.code_state import CodeState, Sample
from orchestrator.flows.flow import StageContext
from orchestrator.trials import Trial
from testing import Recombination

RECOMBINED = "recombined"


@dataclass(frozen=True)
class _View:
    """What one sample shows of the task: its words and the file, or the wanted function begun."""

    simple: bool = False
    tests: bool = False
    begun: bool = False
    steps: bool = False


_VIEWS = (
    _View(),
    _View(begun=True),
    _View(simple=True),
    _View(begun=True, steps=True),
    _View(tests=True),
)
"""In turn. The first three are drawn before there are tests, so they cannot show any."""


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
    draft: Sample | None = None
    """A draft that was tested and failed; it counts as an attempt and is not run again."""

    @property
    def label(self) -> str:
        return f"{self.approach}.{self.number}"


@dataclass(frozen=True)
class Standing:
    """Where the developer stands before an attempt: the files as they are, and what failed with them."""

    tree: str
    evidence: str = ""


def make_tests_pass(ctx: StageContext, state: CodeState) -> bool:
    """One approach: attempts until one passes, whose code is committed. False when all failed and another approach

    is left. Raises `StageFailed` when there is none.
    """
    state.turns += 1
    seen = set(state.seen)
    standing = Standing(state.code_commit if state.review_issues else state.tests_commit)
    for attempt in _tries(ctx, state):
        if attempt.draft is not None:
            seen.add(_digest(attempt.draft.answer))
            ctx.step(f"draft {attempt.label}", bool, partial(_failed_draft, ctx, attempt))
            continue
        answer = _answer(ctx, state, attempt, standing)
        if answer is None:
            continue
        if (digest := _digest(answer.text)) in seen:
            ctx.step(f"repeated {attempt.label}", bool, partial(_repeated, ctx, attempt, digest))
            continue
        seen.add(digest)
        trial = ctx.step(f"try {attempt.label}", Trial, partial(_run, ctx, state, attempt, answer, standing))
        if trial.green:
            state.answer, state.approach, state.attempts = answer.text, attempt.approach, len(seen)
            state.strategy = attempt.strategy
            state.code_commit = ctx.step(
                "commit code", str, partial(ctx.bench.commit_code, trial.tree, state.tests_commit)
            )
            state.review_issues = []
            return True
        if attempt.strategy == "sample" and trial.applied:
            state.keep(Sample.of(answer.text, trial))
        standing = Standing(trial.tree or standing.tree, trial.evidence)
    state.seen = sorted(seen)
    if state.turns >= (ctx.services.settings.orchestrator.max_approaches or ctx.team.developer.profile.approaches):
        raise StageFailed(
            FailureReason.TESTS_FAILED,
            f"no answer of {len(seen)} passed; the last one:\n{_last_evidence(ctx)}",
            blocked=True,
        )
    return False


def write_definitions(ctx: StageContext, state: CodeState, commit: str, sample: int, step: str) -> Answer:
    """Answer number `sample` (from 0) of a small model: the new or changed definitions, written for `commit`.

    Every answer is shown something else, and is greedy, until all views had their turn: more of those are nearly right
    than of warm ones. From then on every second answer begins as the nearest one so far does, and goes on differently
    from some statement on.
    """
    views = [view for view in _VIEWS if ctx.team.developer.profile.continues or not view.begun]
    draw, turn = divmod(sample, len(views))
    shown = _resumed(ctx, state, commit, sample) if draw and sample % 2 else None
    shown = shown or _code_view(ctx, state, commit, views[turn])
    try:
        text = ctx.team.developer.write_definitions(ctx.task, state.settled, shown, draw, ctx.ask(step, "developer"))
    except TruncatedOutput as cut:
        return Answer(text=cut.partial, cut=True)
    return Answer(text=text)


def _resumed(ctx: StageContext, state: CodeState, commit: str, sample: int) -> CodeView | None:
    """One of the nearest answers, begun; None when none is near, or the model cannot go on from a beginning."""
    if not (ctx.team.developer.profile.continues and _near(state)):
        return None
    least = min(known.missing for known in state.samples)
    nearest = [known.answer for known in state.samples if known.missing == least]
    return ctx.bench.resumed_view(commit, state.settled, nearest[sample // 2 % len(nearest)], sample)


def _code_view(ctx: StageContext, state: CodeState, commit: str, view: _View) -> CodeView:
    if view.begun and (begun := ctx.bench.begun_view(commit, state.settled, steps=view.steps)):
        return begun
    tests = ctx.bench.compact_tests(state.cases) if view.tests else ""
    return replace(ctx.bench.view(commit, state.settled), tests=tests, simple=view.simple)


def _tries(ctx: StageContext, state: CodeState) -> Iterator[Try]:
    small, approach = ctx.team.developer.profile.small, state.turns
    if state.answer and not state.review_issues and approach == 1:
        yield Try(0, 1, "carried", answer=state.answer)
    drafts = state.drafts[:] if approach == 1 and not state.answer else []
    most = ctx.services.settings.orchestrator.max_task_attempts
    for number in range(1, most + 1):
        if number <= len(drafts):
            draft = drafts[number - 1]
            passed = draft.passed
            yield Try(approach, number, "draft", draft.answer if passed else None, None if passed else draft)
        elif small:
            yield Try(approach, number, "sample")
        else:
            yield Try(approach, number, "write" if number == 1 else "repair")
    if small and _near(state):
        yield Try(approach, most + 1, RECOMBINED)


def _near(state: CodeState) -> bool:
    """Whether there are samples worth going on from: the best one passes at least a quarter of the tests."""
    most = len(state.tests_ids or state.cases)
    enough = state.present is not None or len(state.drafts) > 1
    return enough and min(sample.missing for sample in state.samples) * 4 <= most * 3


def _answer(ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
    """The answer to be tried; None when a recombination found nothing."""
    name = f"write {attempt.label}"
    if attempt.answer is not None:
        return Answer(text=attempt.answer)
    if attempt.strategy == RECOMBINED:
        found = ctx.step(f"recombine {attempt.label}", Recombination, partial(_recombine, ctx, state))
        return Answer(text=f"```python\n{found.code}```") if found.code else None
    if attempt.strategy == "sample":
        return ctx.step(name, Answer, partial(_sample, ctx, state, attempt, name))
    return ctx.step(name, Answer, partial(_write, ctx, state, attempt, name, standing))


def _recombine(ctx: StageContext, state: CodeState) -> Recombination:
    answers = [known.answer for known in state.samples]
    return ctx.bench.recombine(state.tests_commit, state.settled, answers, state.cases)


def _sample(ctx: StageContext, state: CodeState, attempt: Try, step: str) -> Answer:
    most = ctx.services.settings.orchestrator.max_task_attempts
    number = (attempt.approach - 1) * most + attempt.number - 1
    return write_definitions(ctx, state, state.tests_commit, number, step)


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
    assert attempt.draft is not None
    trial = Trial.invalid(attempt.draft.evidence or "failed")
    _record(ctx, attempt, "failed", _digest(attempt.draft.answer), trial, 0.0)
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


def _last_evidence(ctx: StageContext) -> str:
    attempts = ctx.services.store.attempts(ctx.task.id, run=ctx.task.run)
    return next((attempt.evidence for attempt in reversed(attempts) if attempt.outcome == "failed"), "")


def _digest(answer: str) -> str:
    """Identity of an answer: blank space at line ends and around it means nothing."""
    lines = [line.rstrip() for line in answer.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
