"""How a project is set up, found out by QA with tools when its suite cannot be run as its dependency files say.

It happens once for a state of the project, before any other model is asked. What is found is remembered for the
repository; `testing.setup_command` overrides it.
"""

from __future__ import annotations

from functools import partial

from pydantic import BaseModel, JsonValue

from llm import Turn
from memory import FailureReason
from orchestrator.baseline import Baseline
from orchestrator.coding.conversation import converse
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.services import NO_SETUP, SETUP_MEMORY, keep_setup
from orchestrator.workbench.tool_bench import BenchTool, Rights, ToolBench
from orchestrator.workbench.tools import SETUP, CannotSetUp, FinishSetup
from testing import EnvironmentSetupError

_TRIED = "setup tried for "


class Ended(BaseModel):
    """How the suite ends before any work: a baseline, or why there is none."""

    baseline: Baseline | None = None
    failure: dict[str, str | bool] = {}

    @property
    def is_usable(self) -> bool:
        """Whether tests pass, or there are none that could."""
        return self.baseline is not None and bool(self.baseline.passed or not self.baseline.failed)

    @property
    def needs_owner(self) -> bool:
        """Whether only the owner can help, so that no model need be asked."""
        return self.failure.get("reason") == FailureReason.NEEDS_OWNER


def baseline_of(ctx: StageContext, base: str) -> Baseline:
    """The result of the suite before any work; the team sets the project up first where that is needed and possible.

    Raises `StageFailed` if there is no verdict at all.
    """
    ended = ctx.step("suite before the work", Ended, partial(_ended, ctx, base))
    if not ended.is_usable and not ended.needs_owner and _may_set_up(ctx, base):
        _set_up(ctx, base, ended)
        ended = ctx.step("suite after the set-up", Ended, partial(_ended, ctx, base))
    if ended.baseline is None:
        raise StageFailed.from_json(ended.failure)
    return ended.baseline


def _ended(ctx: StageContext, base: str) -> Ended:
    try:
        return Ended(baseline=ctx.bench.baseline(base))
    except StageFailed as failure:
        return Ended(failure=failure.as_json())
    except EnvironmentSetupError as problem:
        return Ended(failure=StageFailed(problem.reason, str(problem), blocked=True).as_json())


def _may_set_up(ctx: StageContext, base: str) -> bool:
    profile = ctx.profile_of(ctx.team.qa)
    if ctx.services.settings.testing.setup_command or not (profile.tools and profile.judges):
        return False
    return ctx.step("set-up is new", bool, partial(_is_new, ctx, base))


def _is_new(ctx: StageContext, base: str) -> bool:
    """Whether nobody has tried to set this state of the project up for another task."""
    journal = ctx.services.store.journal
    tree = ctx.bench.tree_of(base)
    known = journal.recall(SETUP_MEMORY, _TRIED + tree)
    if known is None:
        journal.remember(SETUP_MEMORY, _TRIED + tree, ctx.task.id)
    return known in (None, ctx.task.id)


def _set_up(ctx: StageContext, base: str, ended: Ended) -> None:
    may_end = partial(_may_end, ctx, base)
    rights = Rights(base=base, role=SETUP, working=ctx.team.qa.setting_up, may_end=may_end, overview=ctx.views.map)
    talk = converse(ctx, ctx.team.qa, rights, SETUP, base, partial(_opening, ctx, base, ended))
    end = talk.conclusion
    if end is not None and end.tool == FinishSetup.tool:
        ctx.step("keep the set-up", bool, partial(_keep, ctx, str(end.arguments["command"])))
    elif end is not None and end.tool == CannotSetUp.tool:
        ctx.step("note the remedy", bool, partial(_note_remedy, ctx, str(end.arguments["remedy"])))
        raise StageFailed(
            FailureReason.NEEDS_OWNER,
            f"the project cannot be set up, so no test can be run: {end.arguments['remedy']}",
            blocked=True,
        )


def _opening(ctx: StageContext, base: str, ended: Ended) -> Turn:
    told = str(ended.failure.get("detail", ""))
    if ended.baseline is not None:
        failures = [failure.evidence for failure in ended.baseline.failures[:4]]
        told = "\n\n".join([f"0 tests pass, {len(ended.baseline.failed)} fail", *failures])
    return ctx.team.qa.begin_setup(ctx.services.suite.projects.setup_command or "", told, ctx.views.files(base))


def _may_end(ctx: StageContext, base: str, _bench: ToolBench, call: BenchTool) -> dict[str, JsonValue] | str:
    if not isinstance(call, FinishSetup):
        return {}
    result, told = ctx.bench.try_setup(base, call.command)
    if result is None or not result.passed_ids:
        return f"no test passes with it.\n{told}"
    lost = [failure for failure in result.failures if "::" not in failure.test_id]
    if lost and not call.incomplete:
        names = "; ".join(f"{failure.test_id}: {failure.message}" for failure in lost[:8])
        return f"{len(lost)} files of tests cannot be collected with it, and count for nothing: {names}"
    return {"passed": len(result.passed_ids), "uncollected": len(lost)}


def _note_remedy(ctx: StageContext, remedy: str) -> bool:
    ctx.services.store.journal.remember(SETUP_MEMORY, NO_SETUP, remedy)
    return True


def _keep(ctx: StageContext, command: str) -> bool:
    keep_setup(ctx.services.store, command)
    ctx.note("project set up", command=command)
    return True
