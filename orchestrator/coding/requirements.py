"""Where the work of a task belongs, for a developer without tools: by the task's own words, else by product.

Product is asked only where the words leave it open. If its model calls tools it looks into the repository; otherwise,
or if it comes to nothing, it chooses by the outline of the files.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath

from pydantic import JsonValue

from agents import Requirements
from llm import Turn
from memory import FailureReason
from orchestrator.coding.conversation import converse
from orchestrator.coding.state import CodeState, Settled
from orchestrator.errors import StageFailed
from orchestrator.flow import OwnerAsked, StageContext
from orchestrator.workbench.sources import is_source
from orchestrator.workbench.tool_bench import BenchTool, Rights, ToolBench
from orchestrator.workbench.tools import AskOwner, FinishRequirements

_LABEL = "requirements"
_SHOWN = 4500
"""Characters of the code that the task seems to name."""


def requirements_of(
    ctx: StageContext, state: CodeState, base: str, *, chooses_file: Callable[[], bool]
) -> Requirements:
    """What the task is about, as far as its words and, if they leave it open, product settle it. `chooses_file`:
    whether the developer's method needs to be told."""
    settled = ctx.step("requirements by code", Settled, partial(_by_code, ctx)).requirements
    if settled is not None:
        return settled
    if not chooses_file():
        return Requirements(target_file="")  # whoever works with tools finds the place
    profile = ctx.profile_of(ctx.team.product)
    if profile.tools and profile.judges and (found := _by_looking(ctx, state, base)):
        return found
    return ctx.step("choose file", Requirements, partial(_by_outline, ctx))


def _by_code(ctx: StageContext) -> Settled:
    sources = ctx.bench.sources()
    return Settled(requirements=ctx.team.product.requirements_from_text(ctx.task, sources.files, sources.symbols))


def _by_looking(ctx: StageContext, state: CodeState, base: str) -> Requirements | None:
    """What product's conversation comes to. Raises `OwnerAsked` for a question."""
    rights = Rights(base=base, may_end=partial(_may_end, ctx), overview=ctx.views.map)
    opening = partial(_opening, ctx, base)
    talk = converse(ctx, ctx.team.product, rights, _LABEL, base, opening, state.take_answer())
    end = talk.conclusion
    if end is None:
        return None
    if end.tool == AskOwner.tool:
        raise OwnerAsked(state, f"product asks: {end.arguments['question']}", talk.tree)
    return Requirements.model_validate(end.facts)


def _opening(ctx: StageContext, base: str) -> Turn:
    given = {"project": ctx.views.project(base), "places": ctx.views.places(base, ctx.views.named(), _SHOWN)}
    return ctx.team.product.begin(ctx.task, given)


def _may_end(ctx: StageContext, bench: ToolBench, call: BenchTool) -> dict[str, JsonValue] | str:
    if not isinstance(call, FinishRequirements):
        return {}
    sources, files = ctx.bench.sources(), bench.files()
    path = PurePosixPath(call.file.strip().removeprefix("./"))
    if str(path) not in sources.files:
        if files.exists(str(path)) or not is_source(str(path)):
            return f"{path} is no file of the project's code"
        suffixes = {PurePosixPath(file).suffix for file in sources.files} or {".py"}
        if path.suffix not in suffixes or not files.find_files(f"{path.parent}/*" if path.parent.name else "*"):
            return f"{path} is not there, and nothing of its kind is in its folder"
    found = ctx.team.product.requirements_of(str(path), call.symbols, sources.files)
    return found.model_dump(mode="json")


def _by_outline(ctx: StageContext) -> Requirements:
    sources = ctx.bench.sources()
    if not sources.files:
        raise StageFailed(
            FailureReason.INVALID_OUTPUT,
            "the repository has no source file and the task names none; name the file in the task's description",
            blocked=True,
        )
    return ctx.team.product.choose_file(ctx.task, sources.outline, sources.files, ctx.ask("choose file"))
