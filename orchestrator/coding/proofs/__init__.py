"""The proof that each kind of work needs beside its tests and the suite. No kind lands without those that apply to it;
what was found out about each is recorded, also that and why one was not checked.

A new proof is a class with what `Proof` asks for, and a line in `PROOFS`.
"""

from __future__ import annotations

from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs.behaviour import NothingRunsDifferently, PublicSurface, TouchedCodeIsTested
from orchestrator.coding.proofs.documents import CheckersSayNothingNew, ExamplesHold, LinksHold
from orchestrator.coding.proofs.pages import PagesAreSeen
from orchestrator.coding.proofs.proof import Proof, Work
from orchestrator.coding.proofs.settings import EnvironmentIsNew, SettingsAreRead, WorkflowsAreSound
from orchestrator.coding.proofs.speed import Faster
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext

PROOFS: tuple[Proof, ...] = (
    NothingRunsDifferently(),
    PublicSurface(),
    TouchedCodeIsTested(),
    LinksHold(),
    ExamplesHold(),
    CheckersSayNothingNew("linters and types", "lint", "types"),
    CheckersSayNothingNew("build of the documentation", "documents"),
    SettingsAreRead(),
    WorkflowsAreSound(),
    EnvironmentIsNew(),
    Faster(),
    PagesAreSeen(),
)
"""In the order in which they are looked for; those of one change are all looked for, so that its author sees all."""


def needs_code(kind: str) -> bool:
    """Whether the developer has work to do: tests alone are QA's."""
    return kind != TaskKind.TESTS


def prove(ctx: StageContext, state: CodeState, tree: str) -> list[ProofOutcome]:
    """What is found out about the proofs that the developer's green change needs."""
    work = Work(ctx, state, state.tests_commit, tree)
    return [proof.examine(work) for proof in PROOFS if proof.applies(work)]


def lacking(outcomes: list[ProofOutcome]) -> str:
    """What lacks, in words for its author; empty if nothing does."""
    return "\n".join(outcome.told for outcome in outcomes if outcome.outcome == "lacks")
