"""From red to green: attempts at the code, each tested in the sandbox, until the new tests and the whole suite pass.

The developer's method decides which attempts there are and whether a green one may land. A repeated answer is not
tested again. A strategy that continues from the last attempt ends its approach when it repeats an answer, or fails in
the same way with equivalent code. After `max_task_attempts` the approach is over: the task returns to its queue, behind
tasks that were tried less often, and starts again without the old context.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable
from functools import partial

from memory import Attempt, FailureReason
from orchestrator.coding.method import Answer, AttemptName, Method, Progress, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.workbench.trial import Trial
from orchestrator.workbench.workbench import Workbench

_PASSING = (
    (re.compile(r"\b0x[0-9a-fA-F]+"), "0x…"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"), "uuid"),
    (re.compile(r"(?:/private)?/(?:tmp|var/tmp|var/folders|dev/shm)/[^\s'\",:;)\]]+"), "/tmp/…"),  # noqa: S108
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?"), "time"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:\.\d+)?"), "time"),
    (re.compile(r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|µs|us|ms|s|secs?|seconds?)\b"), "time"),
    (re.compile(r"\bline \d+"), "line …"),
    (re.compile(r"(\.\w{1,4}):\d+(?::\d+)?\b"), r"\1:…"),
)
"""What differs between runs of the same code: addresses, temporary paths, times, line numbers."""


def make_tests_pass(ctx: StageContext, state: CodeState, method: Method) -> Progress:
    """One approach: attempts until one passes, whose code is committed. Raises `StageFailed` if none did and no other
    approach is left.
    """
    state.turns += 1
    seen, met = set(state.seen), set[str]()
    tried: list[Trial] = []
    standing = Standing(state.code_commit if state.review_issues else state.shown)
    for attempt in method.attempts(ctx, state, seen):
        answer = attempt.strategy.answer(ctx, state, attempt, standing)
        if answer is None:
            continue
        digest = digest_of(answer.text or answer.tree)
        if digest in seen and not method.counts_again(state, answer):
            known = ctx.step(f"repeated {attempt.label}", Standing, partial(_repeated, ctx, attempt, digest))
            if attempt.strategy.goes_on:
                if digest in met:
                    state.loops += 1
                    break
                met.add(digest)
                # An earlier approach gave it: continue from what is known of it.
                standing = Standing(known.tree or standing.tree, known.evidence)
            continue
        seen.add(digest)
        met.add(digest)
        run = partial(_run, ctx, state, method, attempt, answer, digest, standing, tried)
        trial = ctx.step(f"try {attempt.label}", Trial, run)
        tried = [*tried, trial]
        if method.accepts(ctx, state, attempt, answer, trial):
            state.answer, state.approach, state.attempts = answer.text, attempt.approach, len(seen)
            state.strategy = attempt.strategy.name
            tree = ctx.step("format", str, partial(ctx.bench.formatted, trial, state.tests_commit, state.tests_ids))
            state.code_commit = ctx.step("commit code", str, partial(ctx.commits.commit_code, tree, state.tests_commit))
            state.review_issues, state.behind = [], 0
            return "green"
        standing = Standing(trial.tree or standing.tree, trial.evidence)
        if (trial.overfitted or trial.circular) and attempt.strategy.goes_on:
            state.loops += trial.circular
            break  # more evidence of the same kind would not help: start again
    state.seen = sorted(seen)
    return end_approach(ctx, state, method, len(seen))


def end_approach(ctx: StageContext, state: CodeState, method: Method, answers: int) -> Progress:
    """After a failed approach: another one, or another model. Raises `StageFailed` when neither is left."""
    if method.is_hopeless(state) or state.turns >= (
        ctx.services.settings.orchestrator.max_approaches or method.approaches
    ):
        following = _next_model(ctx, state)
        if not following:
            raise method.open_question(state) or _given_up(ctx, state, answers)
        state.model = following
        state.begin_anew()
        ctx.step("escalate", bool, partial(_note_escalation, ctx, following))
    state.step_back(far=method.is_far(state))
    return "again"


def record_attempt(
    ctx: StageContext, attempt: AttemptName, outcome: str, digest: str, trial: Trial, seconds: float = 0.0
) -> None:
    """Store an attempt as a row; storing it twice changes nothing."""
    ctx.services.store.evidence.record_attempt(
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


def digest_of(answer: str) -> str:
    """Identity of an answer; white space at line ends and around it is ignored."""
    lines = [line.rstrip() for line in answer.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def signature(trial: Trial) -> tuple[str, ...]:
    """What failed and how: test ids and messages, without what differs between runs."""
    failures = sorted(f"{failure.test_id} {lasting(failure.message)}" for failure in trial.failures)
    return (*failures, lasting(trial.problem))


def lasting(message: str) -> str:
    """The part of a message that is the same in every run of the same code."""
    for pattern, instead in _PASSING:
        message = pattern.sub(instead, message)
    return " ".join(message.split())


def _goes_round(bench: Workbench, trial: Trial, earlier: Iterable[Trial]) -> bool:
    """Whether `trial` fails like one of the `earlier` ones, with code that differs only in blanks and comments."""
    if trial.green or not trial.applied:
        return False
    told = signature(trial)
    return any(told == signature(other) and bench.says_the_same(other.tree, trial.tree) for other in earlier)


def _run(
    ctx: StageContext,
    state: CodeState,
    method: Method,
    attempt: Try,
    answer: Answer,
    digest: str,
    standing: Standing,
    earlier: list[Trial],
) -> Trial:
    """Apply an answer to the worktree, run the new tests, then the whole suite; record the attempt."""
    begun = time.monotonic()
    start = standing.tree if attempt.strategy.goes_on else state.tests_commit
    if answer.cut:
        trial = Trial.invalid("the answer was cut off at its length limit; answer shorter")
    elif answer.tree:
        trial = ctx.bench.verify_tree(answer.tree, state.tests_commit, state.tests_ids, state.hidden)
    else:
        apply = partial(method.apply, requirements=state.settled, answer=answer.text)
        trial = ctx.bench.verify(start, state.tests_commit, apply, state.tests_ids, state.hidden)
    if attempt.strategy.goes_on and _goes_round(ctx.bench, trial, earlier):
        trial = trial.model_copy(update={"circular": True})
    red = "overfitted" if trial.overfitted else "repeated" if trial.circular else "failed"
    outcome = "passed" if trial.green else red if trial.applied else "invalid"
    record_attempt(ctx, attempt.named, outcome, digest, trial, time.monotonic() - begun)
    _note_attempt(ctx, attempt, outcome)
    return trial


def _repeated(ctx: StageContext, attempt: Try, digest: str) -> Standing:
    """Record the attempt; the result of the same answer when it was tried."""
    known = next((tried for tried in _attempts(ctx) if tried.answer_hash == digest), None)
    record_attempt(ctx, attempt.named, "repeated", digest, Trial.invalid("an answer that was tested before"))
    _note_attempt(ctx, attempt, "repeated")
    return Standing(known.tree, known.evidence) if known else Standing("")


def _next_model(ctx: StageContext, state: CodeState) -> str:
    """The next model to escalate to; empty if there is none."""
    models = ctx.services.llm.escalations(ctx.developer.name)
    following = models[models.index(state.model) + 1 :] if state.model in models else models
    return following[0] if following else ""


def _given_up(ctx: StageContext, state: CodeState, answers: int) -> StageFailed:
    tried = [each for each in reversed(_attempts(ctx)) if each.evidence and each.outcome != "repeated"]
    failed = [each for each in tried if each.outcome == "failed"]
    evidence = next((each.evidence for each in [*failed, *tried]), "nothing is known of it")
    if state.loops and state.loops == state.earlier + state.turns:
        told = f"every approach ({state.loops}) came back to code that had failed in the same way; the last failure"
        return StageFailed(FailureReason.LOOP_DETECTED, f"{told}:\n{evidence}", blocked=True)
    told = f"no answer of {answers} passed; the last one"
    return StageFailed(FailureReason.TESTS_FAILED, f"{told}:\n{evidence}", blocked=True)


def _attempts(ctx: StageContext) -> list[Attempt]:
    return ctx.services.store.evidence.attempts(ctx.task.id, run=ctx.task.run)


def _note_attempt(ctx: StageContext, attempt: Try, outcome: str) -> None:
    ctx.note(
        "attempt", approach=attempt.approach, number=attempt.number, strategy=attempt.strategy.name, outcome=outcome
    )


def _note_escalation(ctx: StageContext, model: str) -> bool:
    ctx.note("escalated", model=model)
    return True
