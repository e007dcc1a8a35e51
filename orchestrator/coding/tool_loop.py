"""The developer with tools: a conversation in which a model reads, changes, tests and repairs until the tests pass.

Each message of the model is a durable step, and so is carrying out its calls, whose result contains the git tree with
the state of the work. After a kill the loop continues from there: no message is requested twice, and the files are
checked out as they were.
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
"""From this many files of code on a prompt cannot show enough, and it pays to let the developer search."""
_APPROACHES = 2
"""Approaches with tools; a loop costs as much as many single answers."""
Reason = Literal["finished", "repeated", "steps", "tokens"]
_MOST_CALLS = 8
"""In one message."""
_MOST_REPEATS = 3
_FILLED = 0.7
"""Share of the model's context that a conversation may fill; above it the oldest results of tools are left out, down to
half of that."""
_KEPT_TURNS = 6
"""Latest turns, which are never shortened."""
_NO_CALL = "You called no tool. Go on with one; call finish when the work is done."
_AGAIN = "A call of this message was made before, and no file has changed since. Made a third time it ends the work.\n"


class LoopResult(BaseModel):
    """How a loop ended, and with which files."""

    tree: str
    finished: bool
    """The developer finished, and the task's tests passed; the caller runs the whole suite."""
    reason: Reason
    calls: int
    """Messages of the model."""
    tokens: int
    """Their input and output together, estimated from the length of the text."""
    evidence: str = ""
    """How the tests failed when they were last run."""


@dataclass
class _Loop:
    """The state of a loop; rebuilt from the steps' results after a crash."""

    tree: str
    turns: list[Turn]
    green: bool = False
    evidence: str = ""
    tokens: int = 0
    made: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each call was made with the same files."""

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
    """`tools`: a loop with tools on the files as they are, with the evidence against them."""

    name = "tools"
    goes_on = True

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """The files that the loop produced, finished or not: they are verified like any other answer."""
        result = run_tool_loop(ctx, state, attempt.label, standing.tree, standing.evidence)
        return Answer(tree=result.tree)


def works_with_tools(ctx: StageContext, state: CodeState) -> bool:
    """Whether the next approach is a loop with tools: the model is able to, and there is much code."""
    if state.turns > _APPROACHES or not ctx.profile_of(ctx.developer).tools:
        return False
    return ctx.step("files of code", int, ctx.views.files_of_code) >= _LARGE


def run_tool_loop(ctx: StageContext, state: CodeState, label: str, start_tree: str, evidence: str = "") -> LoopResult:
    """Let the developer work on the files of `start_tree` until it finishes, goes round in circles or reaches a limit.

    `label` distinguishes the loop's steps from those of other loops in the stage; `evidence` is how the tests failed
    with `start_tree`, if they were run.
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
    """The calls in the reply, with a note in place of each that cannot be carried out; and in how many messages so far
    one of them was made with the same files.
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
    """Continue the loop with the results of the calls."""
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
    """Leave out the oldest results of tools once the conversation nearly fills the context.

    Much at once and rarely: each time the provider's cache of the conversation is lost.
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
