"""A change that lands by a request at the forge: its task waits until it is merged, and what reviewers and continuous
integration say of it becomes work again.

The forge itself is asked by `owner/forge_desk.py`, beside the work; here is read what it found.
"""

from __future__ import annotations

from pydantic import BaseModel

from file_system import is_test_file
from memory import MERGE_GATE, Feedback
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext, Wait


class News(BaseModel):
    """What is new about the request of a task, as a step gives it."""

    is_merged: bool = False
    merged_as: str = ""
    feedback: list[Feedback] = []


def lands_by_request(ctx: StageContext) -> bool:
    """Whether a change lands so."""
    return ctx.services.settings.git.landing == "pull_request"


def wait_for_merge(state: CodeState) -> Wait:
    """The task is at rest until somebody merges its request; nobody is pressed for it, and it does not expire."""
    return Wait(MERGE_GATE, "merge", state, is_suggestion=True)


def news_of(ctx: StageContext, state: CodeState) -> News:
    """What is known of the request of this run and was not taken up yet."""
    threads = ctx.services.store.forge.of_task(ctx.task.id, "request")
    found = next((thread for thread in threads if thread.state.run == ctx.task.run), None)
    if found is None:
        return News()
    new = found.state.feedback[state.remarks_taken :]
    return News(is_merged=found.status == "merged", merged_as=found.state.merged_as, feedback=new)


def take_up(state: CodeState, feedback: list[Feedback]) -> tuple[list[str], list[str]]:
    """Count what was said as taken up. Gives what is for the developer, and what is for the author of the tests."""
    state.remarks_taken += len(feedback)
    state.reworks += 1
    state.review_rounds = state.landing_rounds = 0
    state.pushed, state.push_error = False, ""
    about_tests = [each for each in feedback if is_test_file(each.place.partition(":")[0])]
    return [_told(each) for each in feedback if each not in about_tests], [_told(each) for each in about_tests]


def _told(feedback: Feedback) -> str:
    where = f" at {feedback.place}" if feedback.place else ""
    if not feedback.by:
        return feedback.text
    return f"{feedback.by} wrote{where}: {feedback.text or 'changes are requested, without a word on what'}"
