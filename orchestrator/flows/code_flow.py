"""The life of a code task, top to bottom:

requirements → tests first, which must fail → code until they pass → review → land → completed.
A task that the team cannot do is escalated before it ends.

Every line with a cost or an effect is a durable step; after a kill a stage continues at the step it was in.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from agents import FACTS, ChangeFacts, Review
from deployment import handed_over
from memory import FailureReason, RetryStage, Task, TaskKind, TaskType
from orchestrator.baseline import Baseline
from orchestrator.coding.method import Method
from orchestrator.coding.project_setup import baseline_of
from orchestrator.coding.proofs import needs_code
from orchestrator.coding.requirements import requirements_of
from orchestrator.coding.reviews import review_of
from orchestrator.coding.state import CodeState
from orchestrator.coding.suite_strength import settle_quality
from orchestrator.errors import StageFailed
from orchestrator.flow import LAND_GATE, PLAN_GATE, RUN_GATE, Done, Flow, Next, Outcome, Stage, StageContext, Wait
from orchestrator.flows.deploy_flow import deploy_landed
from orchestrator.flows.escalation import ESCALATION, lesson_of_landed
from orchestrator.flows.landing import land_commit
from orchestrator.flows.request import News, lands_by_request, news_of, take_up, wait_for_merge
from orchestrator.methods import method_for
from orchestrator.workbench.protected import held_back
from orchestrator.workbench.workbench import Opened

_OF_REQUIREMENTS = (
    "approved",
    "approved_change",
    "base",
    "suite_size",
    "failing_before",
    "requirements",
    "lessons",
    "named",
    "loops",
)
_OF_TESTS = (
    "kind", "brief", "places", "changed_tests", "examples_file", "cases", "tests_file", "tests_ids", "tests_commit",
    "red_count", "red_ids", "hidden", "shown", "dropped_tests", "benchmark", "page", "asked_for_tests",
)  # fmt: skip
"""What the stages `requirements` and `tests` find out."""
MAX_REVIEW_ROUNDS = 3


def requirements(ctx: StageContext) -> Outcome:
    """[product] A worktree, the state of the suite before the work, and where the work belongs."""
    state = CodeState.of(ctx.task)
    if _is_own_wish(ctx.task) and ctx.autonomy() == "approve_plan" and PLAN_GATE not in state.approved:
        return Wait(PLAN_GATE, "requirements", state)
    if not ctx.services.settings.testing.auto_run and RUN_GATE not in state.approved:
        return Wait(RUN_GATE, "requirements", state)
    opened = ctx.step("open worktree", Opened, ctx.bench.open)
    baseline = baseline_of(ctx, opened.base)
    _check_environment(ctx.task, baseline)
    state.lessons = ctx.step("lessons", str, lambda: ctx.services.lessons(f"{ctx.task.title}\n{ctx.task.description}"))
    settled = requirements_of(
        ctx, state, opened.base, chooses_file=lambda: method_for(ctx.profile_of(ctx.developer)).chooses_file
    )
    if settled.target_file:
        ctx.step("read the file", bool, partial(ctx.bench.check_readable, settled.target_file))
    state.begin(opened.base, baseline, settled)
    return Next("tests", state)


def tests(ctx: StageContext) -> Outcome:
    """[qa] Tests before code: collected, red for the right reason, committed."""
    state = CodeState.of(ctx.task)
    ctx.use_model("")
    method, qa_method = method_for(ctx.profile_of(ctx.developer)), method_for(ctx.profile_of(ctx.team.qa))
    if not method.settle_tests(ctx, state, qa_method):
        ctx.step("clean up", bool, ctx.bench.discard)
        return Done(state.finished())
    return Next("code", state)


def code(ctx: StageContext) -> Outcome:
    """[developer] Attempts until the tests and the whole suite are green, then one code commit. Then the strength of
    the tests is measured on that code, and missing cases are added.

    One approach per visit: after a failed one the task is queued again, so that a hard task holds up no other.
    """
    state = CodeState.of(ctx.task)
    ctx.use_model(state.model)
    method = method_for(ctx.profile_of(ctx.developer))
    match method.write_code(ctx, state):
        case "again":
            return Next("code", state)
        case "disputed":
            return Next("tests", state)
    settle_quality(ctx, state, method)
    return Next("review", state)


def review(ctx: StageContext) -> Outcome:
    """[tech_lead] Facts first, then a model's review if the model is able to judge."""
    state = CodeState.of(ctx.task)
    number = state.review_rounds + 1
    facts = ctx.step(
        "facts of the change", ChangeFacts, lambda: ctx.commits.facts(state.tests_commit, state.code_commit)
    )
    if state.kind == TaskKind.CHORE:  # what it takes away, the owner approves
        facts = replace(facts, lost_names=())
    verdict = ctx.team.tech_lead.check_facts(facts)
    if verdict.approved and ctx.profile_of(ctx.team.tech_lead).judges:
        verdict = review_of(ctx, state)
    ctx.step("record verdict", bool, partial(ctx.record_review, verdict, number))
    if not verdict.approved:
        return _rejected(state, verdict, number, method_for(ctx.profile_of(ctx.developer)))
    words = f"{ctx.task.title}\n{ctx.task.description}"
    state.held = held_back([*facts.changed_files, *facts.test_files], state.kind, words)
    if state.held or ctx.waits_to_land(state.kind):
        change = ctx.step("fingerprint", str, partial(ctx.commits.fingerprint, state.code_commit))
        if LAND_GATE not in state.approved or state.approved_change not in ("", change):
            state.approved = [gate for gate in state.approved if gate != LAND_GATE]
            state.approved_change = change
            return Wait(LAND_GATE, "land", state, is_suggestion=not state.held and ctx.only_suggests(state.kind))
    return Next("land", state)


def land(ctx: StageContext) -> Outcome:
    """[tech_lead] Rebase on the landing branch, run the whole suite on the result, swap the branch, push."""
    state = CodeState.of(ctx.task)
    landed = land_commit(ctx, state, state.tests_ids)
    if not landed.commit:
        return _start_over(ctx, state)
    if lands_by_request(ctx):
        return wait_for_merge(state)
    state.deployment = _on_the_way(ctx, landed.commit, pushed=landed.pushed)
    ctx.step("clean up", bool, lambda: ctx.bench.close(landed))
    if state.approach > 1:
        ctx.step("lesson", bool, partial(_learn, ctx, state))
    return Done(state.finished())


def merge(ctx: StageContext) -> Outcome:
    """[tech_lead] Where it lands by a request at the forge: done once that is merged; what is said of it is work."""
    state = CodeState.of(ctx.task)
    news = ctx.step("what the forge says", News, partial(news_of, ctx, state))
    if news.is_merged:
        state.merged_as = news.merged_as
        ctx.step("fetch", str, ctx.services.git.branch.update)
        state.deployment = _on_the_way(ctx, state.landed_commits[-1], merged=news.merged_as, pushed=True)
        ctx.step("clean up", bool, ctx.bench.discard)
        if state.approach > 1:
            ctx.step("lesson", bool, partial(_learn, ctx, state))
        return Done(state.finished())
    if not news.feedback:
        return wait_for_merge(state)
    ctx.step("withdraw", bool, partial(ctx.services.git.landing.withdraw, ctx.task.id))
    ctx.use_model(state.model)
    issues, test_issues = take_up(state, news.feedback)
    return _sent_back(state, issues, test_issues, method_for(ctx.profile_of(ctx.developer)))


CODE_FLOW = Flow(
    TaskType.CODE,
    (
        Stage("requirements", "product", requirements),
        Stage("tests", "qa", tests),
        Stage("code", "developer", code),
        Stage("review", "tech_lead", review),
        Stage("land", "tech_lead", land),
        Stage("merge", "tech_lead", merge),
        ESCALATION,
    ),
)


def _on_the_way(ctx: StageContext, commit: str, *, pushed: bool, merged: str = "") -> str:
    """What is said of the way of a landed change to production; begins a deployment where landing is to do that.
    `merged`: the commit by which others merged it."""
    settings = ctx.services.settings.deployment
    if settings.on_landing:
        task = ctx.step("deploy", str, partial(deploy_landed, ctx, settings.on_landing, merged or commit))
        return f"deployed to {settings.on_landing} by {task}"
    return handed_over(settings, ctx.commits.paths(commit), pushed=pushed)


def back_to(state: CodeState, stage: RetryStage) -> CodeState:
    """The state with which a task that has ended goes on from a stage: what that stage and those behind
    it found is forgotten, and the counts of what they may try begin anew."""
    kept = {name: getattr(state, name) for name in _OF_REQUIREMENTS}
    kept["earlier"] = state.earlier + state.turns
    if stage is not RetryStage.TESTS:
        kept |= {name: getattr(state, name) for name in _OF_TESTS}
    if stage is RetryStage.CODE:
        kept["code_commit"] = "" if needs_code(state.kind) else state.tests_commit
    if stage is RetryStage.REVIEW:
        again = {"review_rounds": 0, "review_issues": [], "test_issues": [], "turns": 0, "landing_rounds": 0}
        kept = state.model_dump() | kept | again
    return CodeState.model_validate(kept | {"visit": state.visit + 1})


def _is_own_wish(task: Task) -> bool:
    """Whether the team thought of the task by itself; what comes of a plan or an idea was decided on there."""
    return task.source in (FACTS, "ceo", "product") and task.parent_id is None


def _check_environment(task: Task, baseline: Baseline) -> None:
    """Ask no model where no test can pass. What the task itself names may be what is to be written."""
    words = f"{task.title}\n{task.description}\n{task.tests}"
    if baseline.lacking and not any(name in words for name in baseline.lacking):
        raise StageFailed(
            FailureReason.TESTS_FAILED,
            "no test of the repository passes before the work, because its environment lacks "
            f"{', '.join(baseline.lacking)}; set testing.setup_command in config.yaml to what installs it, such as: "
            f"{baseline.installing or 'pip install …'}",
            blocked=True,
        )


def _learn(ctx: StageContext, state: CodeState) -> bool:
    wanted, attempts = state.settled, ctx.services.store.evidence.attempts(ctx.task.id, run=ctx.task.run)
    name = wanted.symbols[0] if wanted.symbols else ""
    lesson = lesson_of_landed(name, wanted.target_file, state.strategy, state.approach, attempts)
    ctx.services.context.add_lesson(lesson, ctx.task.id, [ctx.task.title])
    return bool(lesson)


def _rejected(state: CodeState, verdict: Review, number: int, method: Method) -> Outcome:
    if number >= MAX_REVIEW_ROUNDS:
        issues = "; ".join([*verdict.issues, *verdict.test_issues]) or verdict.reasoning
        raise StageFailed(
            FailureReason.REVIEW_REJECTED, f"rejected in {number} reviews; last issues: {issues}", blocked=True
        )
    state.review_rounds = number
    nothing = (
        [] if verdict.issues or verdict.test_issues else [verdict.reasoning or "The reviewer rejected the change."]
    )
    return _sent_back(state, [*verdict.issues, *nothing], verdict.test_issues, method)


def _sent_back(state: CodeState, issues: list[str], test_issues: list[str], method: Method) -> Outcome:
    """Have the developer, or QA, go on from a change that is not accepted."""
    state.begin_anew()
    state.review_issues = issues
    if method.takes_test_issues and (test_issues or not needs_code(state.kind)):
        state.send_back_tests([*test_issues, *([] if needs_code(state.kind) else state.review_issues)])
        return Next("tests", state)
    state.review_issues = [*state.review_issues, *test_issues]
    return Next("code", state)


def _start_over(ctx: StageContext, state: CodeState) -> Outcome:
    """The landing branch has moved and the work does not fit: repeat the work on its new tip.

    Tests and answer are kept, so usually no model is called again.
    """
    opened = ctx.step("reopen worktree", Opened, ctx.bench.open)
    baseline = ctx.step("new baseline", Baseline, lambda: ctx.bench.baseline(opened.base))
    state.rebase(opened.base, baseline)
    return Next("tests", state)
