"""What all flows that land a commit do alike."""

from __future__ import annotations

from collections.abc import Sequence

from memory import FailureReason
from orchestrator.errors import StageFailed
from orchestrator.flow import LandingState, StageContext
from orchestrator.workbench.commits import Landed

MAX_LANDING_ROUNDS = 5


def land_commit(ctx: StageContext, state: LandingState, test_ids: Sequence[str], what: str = "it") -> Landed:
    """Try to land `state.code_commit` once and keep in `state` what came of it; the step is called "land".

    Without a commit in the answer it did not fit, and the caller makes it anew on the branch as it is now.

    Raises:
        StageFailed: It did not fit for the last time.
    """
    landed = ctx.step("land", Landed, lambda: ctx.commits.land(state.code_commit, test_ids))
    if not landed.commit:
        state.landing_rounds += 1
        if state.landing_rounds >= MAX_LANDING_ROUNDS:
            told = f"{what} could not land in {state.landing_rounds} tries: {landed.problem}"
            raise StageFailed(FailureReason.CONFLICT, told, blocked=True)
    state.landed_commits, state.pushed, state.push_error = landed.commits, landed.pushed, landed.push_error
    return landed
