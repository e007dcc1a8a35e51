"""From red to green: attempts at the code, each tested in the sandbox, until the tests and the whole suite pass.

A small model is sampled: varied answers to varied views of the task, since repairing was measured never to help it;
then its near misses are recombined by code, which costs no tokens. A strong model repairs its answer from the evidence.
Either way an answer that was seen before is not tested again; a strong model that gives one again, or fails in the same
way with code that says the same, has no further attempt in that approach. After `max_task_attempts` the approach is
over: the task goes back to its queue, behind those that were tried less often, and begins anew without the old
context.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial

from memory import Attempt, FailureReason
from orchestrator.coding.loops import goes_round
from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.plan import tries
from orchestrator.coding.state import CodeState, Sample
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.small_models import agreement
from orchestrator.workbench.trial import Trial


def make_tests_pass(ctx: StageContext, state: CodeState) -> bool:
    """One approach: attempts until one passes, whose code is committed. False when all failed and another approach
    is left. Raises `StageFailed` when there is none.
    """
    ctx.use_model(state.model)
    state.turns += 1
    seen, met = set(state.seen), set[str]()
    tried: list[Trial] = []
    standing = Standing(state.code_commit if state.review_issues else state.shown)
    for attempt in tries(ctx, state):
        if attempt.draft is not None:
            seen.add(digest_of(attempt.draft.answer))
            ctx.step(f"draft {attempt.label}", bool, partial(_failed_draft, ctx, attempt))
            continue
        answer = attempt.strategy.answer(ctx, state, attempt, standing)
        if answer is None:
            continue
        if (digest := digest_of(answer.text or answer.tree)) in seen and not _confirms(state, answer):
            known = ctx.step(f"repeated {attempt.label}", Standing, partial(_repeated, ctx, attempt, digest))
            if attempt.strategy.goes_on:
                if digest in met:
                    state.loops += 1
                    break
                met.add(digest)
                # An earlier approach came to it: go on from what is known of it.
                standing = Standing(known.tree or standing.tree, known.evidence)
            continue
        seen.add(digest)
        met.add(digest)
        run = partial(_run, ctx, state, attempt, answer, standing, tried)
        trial = ctx.step(f"try {attempt.label}", Trial, run)
        tried = [*tried, trial]
        if trial.green and _may_land(ctx, state, attempt, answer, trial):
            state.answer, state.approach, state.attempts = answer.text, attempt.approach, len(seen)
            state.strategy = attempt.strategy.name
            tree = ctx.step("format", str, partial(ctx.bench.formatted, trial, state.tests_commit, state.tests_ids))
            state.code_commit = ctx.step("commit code", str, partial(ctx.bench.commit_code, tree, state.tests_commit))
            state.review_issues = []
            return True
        if agreement.is_own(attempt.strategy.name) and trial.applied and not trial.green:
            state.keep(Sample.of(answer.text, trial))
        standing = Standing(trial.tree or standing.tree, trial.evidence)
        if (trial.overfitted or trial.circular) and attempt.strategy.goes_on:
            state.loops += trial.circular
            break  # more evidence of the same kind would lead to more of the same: begin anew
    state.seen = sorted(seen)
    profile = ctx.profile_of(ctx.developer)
    most = ctx.services.settings.orchestrator.max_approaches or profile.approaches
    if state.turns < most and not (profile.small and agreement.is_hopeless(state)):
        return False
    if not _escalated(ctx, state):
        raise (agreement.open_question(state) if profile.small else None) or _given_up(ctx, state, len(seen))
    return False


def _given_up(ctx: StageContext, state: CodeState, answers: int) -> StageFailed:
    evidence = _last_evidence(ctx)
    if state.loops and state.loops == state.earlier + state.turns:
        told = f"every approach ({state.loops}) came back to code that had failed in the same way; the last failure"
        return StageFailed(FailureReason.LOOP_DETECTED, f"{told}:\n{evidence}", blocked=True)
    told = f"no answer of {answers} passed; the last one"
    return StageFailed(FailureReason.TESTS_FAILED, f"{told}:\n{evidence}", blocked=True)


def _escalated(ctx: StageContext, state: CodeState) -> bool:
    """Whether there is a further model to go on with; the next approach is then its first."""
    models = ctx.services.llm.escalations(ctx.developer.name)
    following = models[models.index(state.model) + 1 :] if state.model in models else models
    if not following:
        return False
    state.model = following[0]
    state.begin_anew()
    ctx.step("escalate", bool, partial(_note_escalation, ctx, state.model))
    return True


def _note_escalation(ctx: StageContext, model: str) -> bool:
    ctx.note("escalated", model=model)
    return True


def _confirms(state: CodeState, answer: Answer) -> bool:
    """Whether an answer that was seen before passed then: given again to something else, it counts twice."""
    known = next((sample for sample in state.drafts if sample.passed and sample.answer == answer.text), None)
    if known:
        known.given += 1
    return known is not None


def _may_land(ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, trial: Trial) -> bool:
    """Whether a green answer is enough; if not, it is kept, and other answers are asked for to confirm it."""
    if not agreement.is_wanted(ctx, state, attempt.strategy.name):
        return True
    if agreement.is_own(attempt.strategy.name):
        given = next((sample.given for sample in state.drafts if sample.answer == answer.text), 1)
        state.keep(Sample.of(answer.text, trial).model_copy(update={"given": given}))
    found = agreement.opinion(ctx, state, answer.text, attempt.label)
    state.difference = found.difference or state.difference
    return found.settled


def _run(
    ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, standing: Standing, earlier: list[Trial]
) -> Trial:
    """Apply an answer to the worktree, run the new tests, then the whole suite; record the attempt."""
    begun = time.monotonic()
    start = standing.tree if attempt.strategy.goes_on else state.tests_commit
    if answer.cut:
        trial = Trial.invalid("the answer was cut off at its length limit; answer shorter")
    elif answer.tree:
        trial = ctx.bench.verify_tree(answer.tree, state.tests_commit, state.tests_ids, state.hidden)
    else:
        trial = ctx.bench.verify(start, state.tests_commit, state.settled, answer.text, state.tests_ids, state.hidden)
    if attempt.strategy.goes_on and goes_round(ctx.bench, trial, earlier):
        trial = trial.model_copy(update={"circular": True})
    red = "overfitted" if trial.overfitted else "repeated" if trial.circular else "failed"
    outcome = "passed" if trial.green else red if trial.applied else "invalid"
    _record(ctx, attempt, outcome, digest_of(answer.text or answer.tree), trial, time.monotonic() - begun)
    ctx.note(
        "attempt", approach=attempt.approach, number=attempt.number, strategy=attempt.strategy.name, outcome=outcome
    )
    return trial


def _failed_draft(ctx: StageContext, attempt: Try) -> bool:
    assert attempt.draft is not None
    trial = Trial.invalid(attempt.draft.evidence or "failed")
    _record(ctx, attempt, "failed", digest_of(attempt.draft.answer), trial, 0.0)
    return True


def _repeated(ctx: StageContext, attempt: Try, digest: str) -> Standing:
    """Record the attempt; what came of the same answer when it was tried."""
    attempts = ctx.services.store.attempts(ctx.task.id, run=ctx.task.run)
    known = next((tried for tried in attempts if tried.answer_hash == digest), None)
    _record(ctx, attempt, "repeated", digest, Trial.invalid("an answer that was tested before"), 0.0)
    ctx.note(
        "attempt", approach=attempt.approach, number=attempt.number, strategy=attempt.strategy.name, outcome="repeated"
    )
    return Standing(known.tree, known.evidence) if known else Standing("")


def _record(ctx: StageContext, attempt: Try, outcome: str, digest: str, trial: Trial, seconds: float) -> None:
    ctx.services.store.record_attempt(
        Attempt(
            task_id=ctx.task.id,
            run=ctx.task.run,
            stage=ctx.stage,
            approach=attempt.approach,
            number=attempt.number,
            strategy=attempt.strategy.name,
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


def digest_of(answer: str) -> str:
    """Identity of an answer: blank space at line ends and around it means nothing."""
    lines = [line.rstrip() for line in answer.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
