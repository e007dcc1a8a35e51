"""The developer with tools: a conversation in which a model looks, changes, tests and mends until the tests pass.

Each message of the model is a durable step, and so is what is done on it, whose result holds the git tree that the work
has come to. After a kill the loop goes on from there: no message is asked for again, and files are laid as they were.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from pydantic import BaseModel

from agents import UnusableAnswer
from agents.tool_developer import Assignment, ToolDeveloper, action_of, as_data, tools
from llm import Reply, ToolResult, Turn, estimate_tokens
from orchestrator.coding.method import Answer, Standing, Try
from orchestrator.coding.state import CodeState
from orchestrator.flow import StageContext
from orchestrator.workbench.tool_bench import Acted, Doing, ToolBench
from orchestrator.workbench.tools import ACTIONS

_LARGE = 25
"""Files of code from which on a prompt cannot show enough, so that it pays to let the developer look for itself."""
_APPROACHES = 2
"""Approaches with tools; a loop costs what many single answers do."""
Reason = Literal["finished", "repeated", "steps", "tokens"]
_MOST_CALLS = 8
"""In one message."""
_MOST_REPEATS = 3
_FILLED = 0.7
"""Of the model's context, that a conversation may take; then what tools gave back first is left out down to half."""
_KEPT_TURNS = 6
"""Newest turns that are never shortened."""
_NO_CALL = "You called no tool. Go on with one; call finish when the work is done."
_AGAIN = "A call of this message was made before, and no file has changed since. Made a third time it ends the work.\n"


class LoopResult(BaseModel):
    """How a loop ended, and with which files."""

    tree: str
    finished: bool
    """The developer said so, and the task's tests passed; the whole suite is for the caller to run."""
    reason: Reason
    calls: int
    """Messages of the model."""
    tokens: int
    """What they took in and gave out together, as estimated by the length of the text."""
    evidence: str = ""
    """How the tests failed when they were run last."""


@dataclass
class _Loop:
    """Where a loop stands; made anew from the steps' results after a crash."""

    tree: str
    turns: list[Turn]
    green: bool = False
    evidence: str = ""
    tokens: int = 0
    made: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often which call was made with which files."""

    def ended(self, reason: Reason, calls: int) -> LoopResult:
        return LoopResult(
            tree=self.tree,
            finished=reason == "finished",
            reason=reason,
            calls=calls,
            tokens=self.tokens,
            evidence=self.evidence,
        )


@dataclass(frozen=True)
class Tooling:
    """`tools`: a loop with tools on the files as they stand, with the evidence against them."""

    name = "tools"
    goes_on = True

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """The files the loop came to, finished or not: they are verified like any other answer."""
        result = run_tool_loop(ctx, state, attempt.label, standing.tree, standing.evidence)
        return Answer(tree=result.tree)


def works_with_tools(ctx: StageContext, state: CodeState) -> bool:
    """Whether the approach that begins now is a loop with tools: the model can, and there is much code."""
    if state.turns > _APPROACHES or not ctx.profile_of(ctx.developer).tools:
        return False
    return ctx.step("files of code", int, ctx.views.files_of_code) >= _LARGE


def run_tool_loop(ctx: StageContext, state: CodeState, label: str, start_tree: str, evidence: str = "") -> LoopResult:
    """Let the developer work on the files of `start_tree` until it finishes, goes round in circles or meets a limit.

    `label` sets the loop's steps apart from those of others in the same stage; `evidence` is how the tests failed with
    `start_tree`, if they were run.
    """
    limits = ctx.services.settings.orchestrator
    developer = ToolDeveloper(ctx.services.llm, tools(ACTIONS), ctx.developer.model)
    bench = ToolBench(ctx.bench, state.tests_commit, state.shown, state.shown_ids)
    opening = ctx.step(f"assign {label}", Turn, partial(_opening, ctx, state, developer, evidence))
    begun = ctx.step(f"begin {label}", str, partial(bench.begin, start_tree))
    loop = _Loop(tree=begun, turns=[opening], evidence=evidence)
    ended: LoopResult | None = None
    for number in range(1, limits.max_tool_steps + 1):
        _make_room(loop.turns, int(ctx.profile_of(ctx.developer).context_tokens * _FILLED))
        reply = ctx.step(f"think {label}.{number}", Reply, partial(_think, ctx, developer, loop, label, number))
        loop.tokens += _size(loop.turns) + estimate_tokens(reply.text + "".join(c.arguments for c in reply.calls))
        loop.turns.append(Turn("assistant", reply.text or ("" if reply.calls else "…"), reply.calls))
        doings, repeated = _doings(loop, reply)
        if repeated >= _MOST_REPEATS:
            ended = loop.ended("repeated", number)
            break
        if reply.calls:
            act = partial(bench.act, loop.tree, doings, green=loop.green)
            acted = ctx.step(f"act {label}.{number}", Acted, act)
            _take(loop, reply, acted, again=repeated == _MOST_REPEATS - 1)
            if acted.finished:
                ended = loop.ended("finished", number)
                break
        else:
            loop.turns.append(Turn("user", _NO_CALL))
        if loop.tokens > limits.max_tool_tokens:
            ended = loop.ended("tokens", number)
            break
    result = ended or loop.ended("steps", limits.max_tool_steps)
    ctx.step(f"end {label}", bool, partial(_note, ctx, result))
    return result


def _opening(ctx: StageContext, state: CodeState, developer: ToolDeveloper, evidence: str) -> Turn:
    assignment = Assignment(
        around=ctx.views.surroundings(state.settled, state.lessons),
        target=state.settled.target_file,
        tests_file=state.tests_file,
        tests=ctx.bench.text_of(state.shown, state.tests_file),
        evidence=evidence,
        review="\n".join(f"- {issue}" for issue in state.review_issues),
    )
    return developer.begin(ctx.task, assignment)


def _think(ctx: StageContext, developer: ToolDeveloper, loop: _Loop, label: str, number: int) -> Reply:
    return developer.go_on(loop.turns, ctx.ask(f"think {label}.{number}"))


def _doings(loop: _Loop, reply: Reply) -> tuple[list[Doing], int]:
    """What the reply asks for, with notes in the place of what cannot be done; and in how many messages so far one of
    its calls was made with these very files.
    """
    doings: list[Doing] = []
    for call in reply.calls[:_MOST_CALLS]:
        try:
            doings.append(action_of(call, ACTIONS))
        except UnusableAnswer as problem:
            cut = "your message was cut off at its length limit, make smaller changes; " if reply.truncated else ""
            doings.append(f"not done: {cut}{problem}")
    keys = [
        f"{call.name} {doing if isinstance(doing, str) else doing.key()}"
        for call, doing in zip(reply.calls, doings, strict=False)
    ]
    for key in dict.fromkeys(keys or [""]):
        loop.made[key, loop.tree] += 1
    return doings, max(loop.made[key, loop.tree] for key in keys or [""])


def _take(loop: _Loop, reply: Reply, acted: Acted, *, again: bool) -> None:
    """Go on from what was done."""
    results = []
    for position, call in enumerate(reply.calls):
        text = acted.results[position] if position < len(acted.results) else ""
        text = text or f"not done: at most {_MOST_CALLS} calls in a message, and none after finish"
        results.append(ToolResult(call.id, as_data(text)))
    if again and acted.tree == loop.tree:
        results[-1] = replace(results[-1], text=_AGAIN + results[-1].text)
    loop.turns.append(Turn("user", results=tuple(results)))
    if acted.tree != loop.tree or acted.evidence or acted.green:
        loop.evidence = acted.evidence
    loop.tree, loop.green = acted.tree, acted.green


def _make_room(turns: list[Turn], most: int) -> None:
    """Leave out what tools gave back first, once the conversation nearly fills the context.

    Much at a time and seldom: each time the provider's cache of the conversation is lost.
    """
    if _size(turns) <= most:
        return
    for position in range(1, len(turns) - _KEPT_TURNS):
        if turns[position].results:
            gone = tuple(ToolResult(result.call_id, "[left out; call again]") for result in turns[position].results)
            turns[position] = replace(turns[position], results=gone)
        if _size(turns) <= most // 2:
            return


def _size(turns: list[Turn]) -> int:
    return sum(estimate_tokens("".join(text for _, text in turn.shown())) for turn in turns)


def _note(ctx: StageContext, result: LoopResult) -> bool:
    ctx.note("tool loop", reason=result.reason, calls=result.calls, tokens=result.tokens)
    return True
