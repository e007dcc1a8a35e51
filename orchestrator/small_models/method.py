"""`SmallModels`: the method for models that cannot judge or cannot repair.

Such a model is sampled: it is asked for the same function in several ways, because showing it a failure never helped in
measurements. The tests select among the answers, a second answer that behaves alike has to confirm the
selected one, and code recombines near misses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agents import Requirements, TestCase
from llm import ModelProfile
from orchestrator.coding.attempts import digest_of, make_tests_pass, record_attempt
from orchestrator.coding.method import Answer, Carried, Method, Progress, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.coding.tests_first import settle_tests
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.small_models import agreement
from orchestrator.small_models.apply import apply_definitions, merged_modules
from orchestrator.small_models.recombining import Recombining
from orchestrator.small_models.sampling import Sampling, draft_solutions, voted_cases
from orchestrator.small_models.state import ALL, Parts, Sample, SmallState
from orchestrator.small_models.views import SampleViews
from orchestrator.workbench.trial import Trial


@dataclass(frozen=True)
class SmallModels:
    """Sampling, voting and agreement. `parts` says which parts are switched on; `bench/` switches single ones off."""

    parts: Parts = ALL
    approaches = 3
    """In measurements most answers that passed in later approaches were wrong (bench/NOTES.md)."""
    chooses_file = True
    takes_test_issues = False
    runs_tests_often = True

    def suits(self, profile: ModelProfile) -> bool:
        """Models that cannot judge or cannot repair."""
        return not (profile.judges and profile.repairs)

    def settle_tests(self, ctx: StageContext, state: CodeState, qa_method: Method) -> bool:
        """Tests of the owner, or by code and QA's method."""
        return settle_tests(ctx, state, self, qa_method)

    def write_code(self, ctx: StageContext, state: CodeState) -> Progress:
        """Attempts until one is green and confirmed."""
        return make_tests_pass(ctx, state, self)

    def prepare(self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> None:
        """Draw independent solutions; they vote on further tests and are the first attempts."""
        draft_solutions(ctx, state, stated, self.parts)

    def further_cases(
        self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, fast: bool
    ) -> list[TestCase]:
        """Assertions of QA and properties that the task states, if enough drafts pass them."""
        return voted_cases(ctx, state, stated, self.parts, fast=fast)

    def seen_red(self, ctx: StageContext, state: CodeState, red: int) -> None:
        """Keep the present code of the function as one more near miss; it fails all red tests."""
        if code := SampleViews(ctx.services, ctx.task).present(state.base, state.settled):
            SmallState.of(state).present = Sample(answer=code, passed=False, missing=red)

    def attempts(self, ctx: StageContext, state: CodeState, seen: set[str]) -> Iterator[Try]:
        """The drafts, then further samples, and last a search among small changes of all of them."""
        own, approach = SmallState.of(state), state.earlier + state.turns
        if state.is_carried_over:
            yield Try(0, 1, Carried(state.answer))
        drafts = own.drafts[:] if state.turns == 1 and not state.answer and not state.model else []
        most = ctx.services.settings.orchestrator.max_task_attempts
        for number in range(1, most + 1):
            if number <= len(drafts):
                yield Try(approach, number, _Draft(drafts[number - 1], seen))
            else:
                yield Try(approach, number, Sampling(self.parts))
        near = own.is_near(len(state.tests_ids or state.cases))
        confirms = self.parts.confirming and own.is_alone
        if self.parts.recombining and near and (confirms or not own.passing):
            yield Try(approach, most + 1, Recombining(self.parts))

    def apply(self, root: Path, protected: list[str], *, requirements: Requirements, answer: str) -> str:
        """Merge the definitions of the answer into the files they belong to."""
        return apply_definitions(root, protected, requirements, answer, self.parts)

    def counts_again(self, state: CodeState, answer: Answer) -> bool:
        """Yes for an answer that passed: given again to another prompt, it confirms itself."""
        known = SmallState.of(state).known(answer.text)
        if known is None or not known.passed:
            return False
        known.given += 1
        return True

    def accepts(self, ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, trial: Trial) -> bool:
        """A passing answer lands if enough others agree; all answers are kept for comparing and recombining."""
        own, name = SmallState.of(state), attempt.strategy.name
        if not trial.green:
            if agreement.is_own(name) and trial.applied:
                own.keep(Sample.of(answer.text, trial))
            return False
        if not (self.parts.agreement and agreement.is_wanted(ctx, own, name)):
            return True
        if agreement.is_own(name):
            known = own.known(answer.text)
            own.keep(Sample.of(answer.text, trial).model_copy(update={"given": known.given if known else 1}))
        opinion = agreement.opinion(ctx, state, answer.text, attempt.label, self.parts)
        own.difference = opinion.difference or own.difference
        return opinion.settled

    def is_far(self, state: CodeState) -> bool:
        """Whether the closest answer fails more than one test."""
        return min((sample.missing for sample in SmallState.of(state).drafts), default=0) > 1

    def is_hopeless(self, state: CodeState) -> bool:
        """Whether so many answers passed without agreeing that further ones will not help."""
        return agreement.is_hopeless(SmallState.of(state))

    def open_question(self, state: CodeState) -> StageFailed | None:
        """The call on which passing answers differ: the owner has to say what is right."""
        return agreement.open_question(SmallState.of(state))

    def other_solutions(self, ctx: StageContext, state: CodeState) -> list[str]:
        """The target module as each of the other kept answers would leave it."""
        answers = [sample.answer for sample in SmallState.of(state).drafts if sample.answer != state.answer]
        return merged_modules(ctx, state, answers, self.parts)


@dataclass(frozen=True)
class _Draft:
    """An answer drawn before the tests were settled. It counts as an attempt; a failed one is not run again."""

    sample: Sample
    seen: set[str]
    name = "draft"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer | None:
        answer = Answer(text=self.sample.answer)
        if self.sample.passed:
            return answer
        digest = digest_of(answer.text)
        self.seen.add(digest)
        ctx.step(f"draft {attempt.label}", bool, partial(self._record, ctx, attempt, digest))
        return None

    def _record(self, ctx: StageContext, attempt: Try, digest: str) -> bool:
        record_attempt(ctx, attempt.named, "failed", digest, Trial.invalid(self.sample.evidence or "failed"))
        return True
