"""`ToolUsers`: the method for strong models that call tools.

QA writes the tests and the developer the code, each in one conversation a task, into which failures of the suite,
reviews and disputes come back.
"""

from __future__ import annotations

from functools import partial
from typing import NoReturn

from pydantic import JsonValue

from agents import Assignment
from agents.tools import as_data
from llm import ModelProfile, Turn
from memory import FailureReason
from monitoring import redact
from orchestrator.coding import tests_first
from orchestrator.coding.attempts import digest_of, end_approach, record_attempt
from orchestrator.coding.conversation import converse
from orchestrator.coding.method import AttemptName, Method, Progress
from orchestrator.coding.proofs import lacking, needs_code, prove
from orchestrator.coding.state import CodeState, Dispute
from orchestrator.coding.strong import StrongModels
from orchestrator.coding.tests_by_qa import settle_by_conversation
from orchestrator.errors import StageFailed
from orchestrator.flow import OwnerAsked, StageContext
from orchestrator.workbench.commits import Moved
from orchestrator.workbench.protected import protected_paths
from orchestrator.workbench.tool_bench import BenchTool, Rights, ToolBench
from orchestrator.workbench.tools import AskOwner, DisputeTest, Finish
from orchestrator.workbench.trial import Trial, evidence_of, files_of, shortened
from testing import EnvironmentSetupError

_TESTS_CHARACTERS = 9000
"""Of QA's change, as the developer is first shown it."""
_MOST_ASKED = 2
"""Times that QA is asked for tests of what the work touches; then the developer has to leave it as it is."""
_LEAVE_IT = "\nQA was asked for these tests and has none to give: leave that code as it is."
_NAME = "tools"
_MOST_DISPUTES = 2
"""Of a test: it may be disputed again after QA has corrected it."""


class ToolUsers(StrongModels):
    """Conversations with tools. What it does not do itself is as for other strong models."""

    chooses_file = False
    takes_test_issues = True

    def suits(self, profile: ModelProfile) -> bool:
        """Models that call tools reliably; that they judge and repair is decided by the methods before this one."""
        return profile.tools

    def settle_tests(self, ctx: StageContext, state: CodeState, qa_method: Method) -> bool:
        """Tests by QA's conversation, if its model calls tools, too, and the owner gave none."""
        if ctx.task.tests or not isinstance(qa_method, ToolUsers):
            state.test_issues = []
            return tests_first.settle_tests(ctx, state, self, qa_method)
        if not _carried_over(ctx, state):
            settle_by_conversation(ctx, state)
        if not needs_code(state.kind):
            state.code_commit = state.tests_commit
        return True

    def write_code(self, ctx: StageContext, state: CodeState) -> Progress:
        """One approach: the developer works until it finishes, and what the suite says comes back, a few times."""
        if not needs_code(state.kind):
            return "green"
        state.turns += 1
        approach = state.earlier + state.turns
        answered = state.take_answer()
        rights, news = _rights(ctx, state), "\n\n".join(filter(None, [_news(state), answered]))
        tree = _start(ctx, state)
        if state.dispute is not None and files_of(state.tests_ids):
            ended = ctx.step("tests after the dispute", str, partial(_ends, ctx, state, tree))
            news += f"\n\nThe task's tests with your work so far:\n{as_data(ended)}"
        if tree != state.tests_commit and not (state.review_issues or state.dispute or state.conflict or answered):
            carried = AttemptName(approach, 0, "carried")  # the tests or the base have changed
            trial = ctx.step("try carried", Trial, partial(_try, ctx, state, carried, tree))
            if trial.green:
                _accept(ctx, state, trial, approach, Finish(summary=state.summary, commit_message=state.commit_message))
                return "green"
            if trial.missing_tests and state.asked_for_tests < _MOST_ASKED:
                return _untested(state, trial)
            news = f"The tests or the branch have changed, and your change does not hold:\n{as_data(trial.evidence)}"
            news += _LEAVE_IT if trial.missing_tests else ""
        for number in range(1, ctx.services.settings.orchestrator.max_task_attempts + 1):
            attempt = AttemptName(approach, number, _NAME)
            talk = converse(ctx, ctx.developer, rights, attempt.label, tree, partial(_opening, ctx, state), news)
            end = talk.conclusion
            if end is not None and end.tool == AskOwner.tool:
                _ask_owner(state, f"the developer asks: {end.arguments['question']}", talk.tree)
            if talk.reason == "silent":
                told = f"the developer gives it up: {talk.said[:2000]}"
                raise StageFailed(FailureReason.TESTS_FAILED, told, blocked=True)
            if end is not None and end.tool == DisputeTest.tool:
                return _disputed(ctx, state, talk.tree, DisputeTest.model_validate(end.arguments))
            trial = ctx.step(f"try {attempt.label}", Trial, partial(_try, ctx, state, attempt, talk.tree))
            if trial.green:
                _accept(ctx, state, trial, approach, Finish.model_validate(end.arguments) if end else Finish())
                return "green"
            if trial.missing_tests and state.asked_for_tests < _MOST_ASKED:
                said = Finish.model_validate(end.arguments) if end else Finish()
                state.summary, state.commit_message = said.summary, said.commit_message
                return _untested(state, trial)
            tree, news = talk.tree, f"Your change was checked, and does not hold yet:\n{as_data(trial.evidence)}"
            news += _LEAVE_IT if trial.missing_tests else ""
            if talk.reason != "concluded":
                state.loops += talk.reason == "repeated"
                break
        ctx.step(f"forget {approach}", bool, partial(_forget, ctx))
        return end_approach(ctx, state, self, state.earlier + state.turns)


def _ends(ctx: StageContext, state: CodeState, tree: str) -> str:
    result = ctx.bench.run(tree, list(files_of(state.tests_ids)))
    return evidence_of(result) or f"all {len(result.passed_ids)} pass"


def _start(ctx: StageContext, state: CodeState) -> str:
    """The files that the developer goes on with: its rejected change, the work it had begun before a dispute, or those
    with QA's tests alone."""
    if state.code_commit:
        return state.code_commit
    if not state.unfinished:
        return state.tests_commit
    moved = partial(ctx.bench.moved, state.unfinished_on, state.unfinished, state.tests_commit)
    tree = ctx.step("go on with the work", str, moved)
    state.unfinished = state.unfinished_on = ""
    return tree


def _carried_over(ctx: StageContext, state: CodeState) -> bool:
    """Whether the tests of the same run, which did not fit the landing branch, could be put on its new tip. Code that
    can be put there, too, is what the developer goes on with."""
    if not state.former:
        return False
    tests_commit, code_commit = state.former
    state.former = []
    moved = ctx.step("carry over", Moved, partial(ctx.commits.moved, tests_commit, code_commit, state.base))
    if not moved.tests:
        return False
    state.tests_commit = state.shown = moved.tests
    state.hidden = []
    state.unfinished, state.unfinished_on = moved.code, moved.tests
    state.conflict = moved.problem
    return True


def _rights(ctx: StageContext, state: CodeState) -> Rights:
    shown = tuple(state.shown_ids)
    return Rights(
        base=state.tests_commit,
        protected=protected_paths(ctx.services.settings, state.kind),
        kept=(state.shown, files_of(shown)) if shown else None,
        test_ids=shown,
        may_end=partial(_may_end, state),
        overview=ctx.views.map,
    )


def _may_end(state: CodeState, bench: ToolBench, call: BenchTool) -> dict[str, JsonValue] | str:
    if isinstance(call, DisputeTest):
        test = call.test.partition("[")[0]
        if test not in {test_id.partition("[")[0] for test_id in state.tests_ids}:
            return f"{call.test} is no test of this task"
        return {} if state.disputed.count(test) < _MOST_DISPUTES else f"{test} was disputed before; the answer stands"
    if not isinstance(call, Finish):
        return {}
    if not bench.is_green():
        return f"the task's tests do not pass.\n{bench.evidence}"
    if not bench.bench.changed(state.shown, bench.tree):
        return "no file was changed"
    return {}


def _opening(ctx: StageContext, state: CodeState) -> Turn:
    diff = ctx.bench.diff(state.base, state.shown or state.tests_commit, _TESTS_CHARACTERS)
    if ctx.task.tests and not diff:
        diff = f"{ctx.task.tests_file}\n{ctx.task.tests[:_TESTS_CHARACTERS]}"
    assignment = Assignment(
        project=ctx.views.project(state.base),
        kind=state.kind,
        lessons=state.lessons,
        brief=state.brief,
        places=ctx.views.places(state.base, list(dict.fromkeys([*state.places, *ctx.views.changelog(state.base)]))),
        tests=diff,
        benchmark=state.benchmark,
    )
    return ctx.developer.begin(ctx.task, assignment)


def _news(state: CodeState) -> str:
    """What happened since the developer's last message."""
    parts = []
    if state.review_issues:
        issues = as_data("\n".join(f"- {issue}" for issue in state.review_issues))
        parts.append(f"The reviewer asks for these changes:\n{issues}")
    if state.landing_rounds and state.unfinished:
        parts.append("The landing branch has moved on. Your change was carried over to it and has to be checked there.")
    elif state.landing_rounds and state.conflict:
        parts.append(
            "The landing branch has moved on and your change no longer fits it, so it is gone; the files are as they "
            f"are on that branch now. Make it again, to fit.\n{as_data(state.conflict)}"
        )
    if state.dispute is not None and state.dispute.answer:
        answer = as_data(f"{state.dispute.test}: {state.dispute.answer}")
        parts.append(f"You disputed a test.\n{answer}")
    return "\n\n".join(parts)


def _try(ctx: StageContext, state: CodeState, attempt: AttemptName, tree: str) -> Trial:
    """Run the new tests and the suite with the files of `tree`, and look for the proof that the kind of work needs."""
    try:
        trial = ctx.bench.verify_tree(tree, state.tests_commit, state.tests_ids, state.hidden, state.kind)
        if trial.green:
            proofs = prove(ctx, state, trial.tree)
            told = lacking(proofs)
            trial = trial.model_copy(update={"green": not told, "evidence": told, "proofs": proofs})
    except EnvironmentSetupError as problem:  # that of the base was built before the work
        trial = Trial.invalid(
            redact(shortened(f"the project's environment cannot be built from the change: {problem}"))
        )
    outcome = "passed" if trial.green else "failed" if trial.applied else "invalid"
    record_attempt(ctx, attempt, outcome, digest_of(tree), trial)
    ctx.note("attempt", approach=attempt.approach, number=attempt.number, strategy=_NAME, outcome=outcome)
    if trial.proofs:
        ctx.note("proofs", found=[str(proof) for proof in trial.proofs])
    return trial


def _accept(ctx: StageContext, state: CodeState, trial: Trial, approach: int, said: Finish) -> None:
    state.approach, state.strategy, state.summary = approach, _NAME, said.summary or state.summary
    state.commit_message = said.commit_message or state.commit_message
    state.attempts += 1
    tree = ctx.step("format", str, partial(ctx.bench.formatted, trial, state.tests_commit, state.tests_ids))
    commit = partial(ctx.commits.commit_code, tree, state.tests_commit, state.commit_message)
    state.code_commit = ctx.step("commit code", str, commit)
    state.review_issues, state.dispute, state.behind = [], None, 0
    state.proofs = trial.proofs


def _ask_owner(state: CodeState, question: str, tree: str) -> NoReturn:
    """Wait for the owner; the work so far is kept, to go on from it."""
    state.unfinished, state.unfinished_on, state.code_commit = tree, state.tests_commit, ""
    state.turns -= 1
    raise OwnerAsked(state, question, tree)


def _disputed(ctx: StageContext, state: CodeState, tree: str, said: DisputeTest) -> Progress:
    """Hand the dispute to QA; one about the owner's own tests goes to the owner with both sides."""
    test = said.test.partition("[")[0]
    if ctx.task.tests:
        state.disputed = [*state.disputed, test, test]  # the owner's word stands
        _ask_owner(state, f"the developer says that your test {test} contradicts the task: {said.reason}", tree)
    state.dispute, state.disputed = Dispute(test=test, reason=said.reason), [*state.disputed, test]
    state.unfinished, state.unfinished_on, state.code_commit = tree, state.tests_commit, ""
    state.turns -= 1
    ctx.step("disputed", bool, partial(_note_dispute, ctx, state.dispute))
    return "disputed"


def _untested(state: CodeState, trial: Trial) -> Progress:
    """Let QA pin down what the work touches; the work waits, to be tried on its tests."""
    state.asked_for_tests += 1
    state.test_issues = trial.missing_tests
    state.unfinished, state.unfinished_on, state.code_commit = trial.tree, state.tests_commit, ""
    state.turns -= 1
    return "disputed"


def _note_dispute(ctx: StageContext, dispute: Dispute) -> bool:
    ctx.note("test disputed", test=dispute.test, reason=dispute.reason)
    return True


def _forget(ctx: StageContext) -> bool:
    """Begin the next approach with a fresh conversation."""
    ctx.services.store.evidence.keep_conversation(ctx.task.id, ctx.task.run, ctx.developer.name, [])
    return True
