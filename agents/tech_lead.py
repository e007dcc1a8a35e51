"""The tech lead: reviews a verified change. Facts that code can check come first; a model's view is added
only when its judgement is worth something (see `ModelProfile.judges`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agents.answers import Escalation, Review, ReviewCriterion
from agents.base import BaseAgent
from agents.prompts import render
from llm import CallContext
from memory import Task

MAX_CHANGED_LINES = 1500
"""A change larger than this is no single task; nobody reviews it well."""


@dataclass(frozen=True)
class ChangeFacts:
    """What is known about a change without asking anybody."""

    changed_files: Sequence[str]
    test_files: Sequence[str]
    """The files QA committed; the developer's commit may not touch them."""
    changed_lines: int
    lost_names: Sequence[str]
    """Public names the target modules had before and no longer have."""
    touched_existing_tests: Sequence[str] = ()


@dataclass(frozen=True)
class Setback:
    """The evidence of a task that did not succeed."""

    reason: str
    """Typed reason and its words."""
    attempts: Sequence[str]
    """A line each, oldest first."""
    evidence: str
    """How it failed last."""
    verdicts: Sequence[str]
    tests: str
    """The tests that were to pass."""
    may_split: bool


@dataclass(frozen=True)
class ReviewAssignment:
    """What a reviewer with tools begins with."""

    diff: str
    report: str
    """True facts about the runs of the suite."""
    proofs: str = ""
    """What code found out about this kind of work."""
    summary: str = ""
    """What the developer says of the change."""
    tests: str = ""
    """QA's change."""
    changed_tests: Mapping[str, str] = field(default_factory=dict)
    """Existing tests that QA changed: id -> reason."""


class TechLeadAgent(BaseAgent):
    name = "tech_lead"
    role = "tech lead"
    duty = "You review changes for correctness, safety and maintainability, and you are fair and concrete."
    working = (
        "Answer with verdict: your criteria for this particular change (name, threshold 0-10, weight 0-10) with a "
        "score each, then the decision. Most changes can be judged from what you are shown, in one message; look or "
        "run something only for a doubt that matters, with more_tools if you have no other. Reject only for what would "
        "do harm: wrong against the task, answers made up for the tests' inputs, a security problem, something broken "
        "or removed that others need, code nobody could maintain. List each such issue in one sentence that says what "
        "to change: in issues for the developer, in test_issues for QA, who alone may change tests. Matters of taste "
        "are no reason to reject."
    )
    opening = "review_with_tools"

    def review_again(self, given: ReviewAssignment) -> str:
        """The words in which a reworked change comes into the conversation."""
        return render("review_again", given=given)

    def check_facts(self, facts: ChangeFacts) -> Review:
        """A review of what code can see: scope, size, nothing public lost, tests untouched."""
        issues: list[str] = []
        if not facts.changed_files:
            issues.append("The change is empty.")
        if touched := sorted(set(facts.changed_files) & set(facts.test_files)):
            issues.append(f"The code commit changes the tests it has to pass: {', '.join(touched)}.")
        if facts.touched_existing_tests:
            issues.append(f"Existing tests were changed: {', '.join(facts.touched_existing_tests)}.")
        if facts.lost_names:
            issues.append(f"Public names were removed: {', '.join(facts.lost_names)}. Keep them.")
        if facts.changed_lines > MAX_CHANGED_LINES:
            issues.append(f"{facts.changed_lines} changed lines; at most {MAX_CHANGED_LINES} in one task.")
        score = 0.0 if issues else 10.0
        criteria = [
            ReviewCriterion(
                name="tests untouched, nothing public lost, size in bounds", threshold=10, weight=10, score=score
            )
        ]
        return Review(approved=not issues, score=score, criteria=criteria, issues=issues, reasoning="Checked by code.")

    def review_change(self, task: Task, diff: str, test_report: str, proofs: str, context: CallContext) -> Review:
        """The model's review of `diff`. `proofs`: what code found out about this kind of work."""
        prompt = self._prompt("review_change", task, diff=diff, test_report=test_report, proofs=proofs)
        return self.structured(prompt, Review, context, temperature=0.0)

    def resolve(self, task: Task, setback: Setback, context: CallContext) -> Escalation:
        """What the model makes of a task that the team could not do. For a model that judges."""
        prompt = self._prompt("escalation", task, given=bool(task.tests), at=setback)
        return self.structured(prompt, Escalation, context, temperature=0.0)
