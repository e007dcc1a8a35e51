"""A conversation of one agent about one task: it looks, changes, runs and goes on until it ends its work with a tool.

Each message of the model is a durable step, and so is carrying out its calls, whose result contains the git tree with
the state of the work. After a kill the conversation continues from there: no message is requested twice, and the files
are checked out as they were. What was said is kept between the stages of a run, so that a failure of the suite, a
review or a dispute comes back into the same conversation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from pydantic import BaseModel, TypeAdapter

from agents import BaseAgent, UnusableAnswer
from agents.tools import action_of, as_data, tools
from llm import Reply, ToolResult, Turn, estimate_tokens
from orchestrator.flow import StageContext
from orchestrator.workbench.tool_bench import Acted, BenchTool, Conclusion, Doing, Rights, ToolBench
from orchestrator.workbench.tools import tools_of

Reason = Literal["concluded", "repeated", "silent", "steps", "tokens"]
_MOST_CALLS = 16
"""In one message."""
_MOST_REPEATS = 3
_MOST_SILENT = 2
"""Messages without a call."""
_FILLED = 0.7
"""Share of the model's context that a conversation may fill. Above it the conversation is compacted."""
_KEPT_TURNS = 4
"""Latest turns, which stay as they are when a conversation is compacted."""
_KEPT_RESULT = 4000
"""Characters of a tool's result that stay of it there."""
_CUT_OFF = "\n[… cut …]</data>"
_DIFF_CHARACTERS = 12_000
_NAMED_CHARACTERS, _MOST_DONE = 160, 60
"""Of a call, and how many calls, in the list of what was done."""
_NO_CALL = "You called no tool. Go on with one; end the work with {ends}."
_CUT = "Your message was cut off at its length limit before it was complete. Go on, in smaller steps."
_AGAIN = "A call of this message was made before, and no file has changed since. Made a third time it ends the work.\n"
_TURNS = TypeAdapter(list[Turn])


class Talk(BaseModel):
    """How a conversation ended for now, and with which files."""

    tree: str
    reason: Reason
    conclusion: Conclusion | None = None
    calls: int
    """Messages of the model."""
    tokens: int
    """Their input and output together, estimated from the length of the text."""
    evidence: str = ""
    """How the task's tests failed when they were last run."""
    said: str = ""
    """What the model said instead of a call, if that ended it."""


@dataclass
class _State:
    """The state of a conversation; rebuilt from the steps' results after a crash."""

    tree: str
    turns: list[Turn]
    green: bool = False
    evidence: str = ""
    tokens: int = 0
    made: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each call was made with the same files."""
    done: list[str] = field(default_factory=list)
    """What was done, a line each, for the time when the messages are left out."""


def converse(
    ctx: StageContext,
    agent: BaseAgent,
    rights: Rights,
    label: str,
    start: str,
    opening: Callable[[], Turn],
    news: str = "",
) -> Talk:
    """Let `agent` work on the files of `start` until it ends its work, goes round in circles or reaches a limit.

    `label` distinguishes the steps from those of other conversations in the stage. A conversation that was kept in
    this run of the task goes on with `news`; otherwise it begins with `opening`, and `news` after it.
    """
    limits = ctx.services.settings.orchestrator
    role = rights.role or agent.name
    actions = tools_of(role)
    offered = tools(actions)
    ends = ", ".join(name for name in actions if actions[name].concludes)
    bench = ToolBench(ctx.bench, rights)
    begun = ctx.step(f"begin {label}", str, partial(bench.begin, start))
    turns = ctx.step(f"open {label}", list[Turn], partial(_opened, ctx, role, opening, news))
    state = _State(tree=begun, turns=turns)
    room = int(ctx.profile_of(agent).context_tokens * _FILLED)
    reason: Reason = "steps"
    conclusion: Conclusion | None = None
    silent, said, number = 0, "", 0
    for number in range(1, limits.max_tool_steps + 1):
        if _size(state.turns) > room:
            state.turns = ctx.step(f"compact {label}.{number}", list[Turn], partial(_compacted, ctx, rights, state))
        step = f"think {label}.{number}"
        go_on = partial(agent.go_on, list(state.turns), offered, ctx.ask(step, agent.name), rights.working)
        reply = ctx.step(step, Reply, go_on)
        state.tokens += _size(state.turns) + estimate_tokens(reply.text + "".join(c.arguments for c in reply.calls))
        state.turns.append(reply.turn())
        doings, repeated = _doings(state, reply, actions)
        if repeated >= _MOST_REPEATS:
            reason = "repeated"
            state.turns.append(_unanswered(reply, "not done: the same call was made three times"))
            break
        if reply.calls:
            act = partial(bench.act, state.tree, doings, green=state.green)
            acted = ctx.step(f"act {label}.{number}", Acted, act)
            _take(state, reply, acted, doings, again=repeated == _MOST_REPEATS - 1)
            if conclusion := acted.conclusion:
                reason = "concluded"
                break
        else:
            state.turns.append(Turn("user", _CUT if reply.truncated else _NO_CALL.format(ends=ends)))
            silent += not reply.truncated
            if silent == _MOST_SILENT:
                said = reply.text
                reason = "silent"
                break
        if state.tokens > limits.max_tool_tokens:
            reason = "tokens"
            break
    talk = Talk(
        tree=state.tree,
        reason=reason,
        conclusion=conclusion,
        calls=number,
        tokens=state.tokens,
        evidence=state.evidence,
        said=said,
    )
    ctx.step(f"end {label}", bool, partial(_keep, ctx, role, talk, list(state.turns)))
    return talk


def _opened(ctx: StageContext, role: str, opening: Callable[[], Turn], news: str) -> list[Turn]:
    kept = ctx.services.store.evidence.conversation(ctx.task.id, ctx.task.run, role)
    turns = _TURNS.validate_python(kept) if kept else [opening()]
    if not news:
        return turns
    if turns[-1].role == "user":  # results of the last calls, or the opening: one message of the user, not two
        last = turns[-1]
        return [*turns[:-1], replace(last, text=f"{last.text}\n\n{news}".strip())]
    return [*turns, Turn("user", news)]


def _doings(state: _State, reply: Reply, actions: dict[str, type[BenchTool]]) -> tuple[list[Doing], int]:
    """The calls in the reply, with a note in place of each that cannot be carried out; and in how many messages so far
    one of them was made with the same files.
    """
    doings: list[Doing] = []
    for call in reply.calls[:_MOST_CALLS]:
        try:
            doings.append(action_of(call, actions))
        except UnusableAnswer as problem:
            cut = "your message was cut off at its length limit, make smaller changes; " if reply.truncated else ""
            doings.append(f"not done: {cut}{problem}")
    keys = [
        f"{call.name} {doing if isinstance(doing, str) else doing.key()}"
        for call, doing in zip(reply.calls, doings, strict=False)
    ]
    for key in dict.fromkeys(keys or [""]):
        state.made[key, state.tree] += 1
    return doings, max(state.made[key, state.tree] for key in keys or [""])


def _take(state: _State, reply: Reply, acted: Acted, doings: list[Doing], *, again: bool) -> None:
    """Continue with the results of the calls."""
    results = []
    for position, call in enumerate(reply.calls):
        text = acted.results[position] if position < len(acted.results) else ""
        text = text or f"not done: at most {_MOST_CALLS} calls in a message, and none after the one that ends the work"
        results.append(ToolResult(call.id, as_data(text)))
    for doing, text in zip(doings, acted.results, strict=False):
        state.done.append(f"{_named(doing)}: {text.splitlines()[0][:120] if text.strip() else 'done'}")
    if again and acted.tree == state.tree:
        results[-1] = replace(results[-1], text=_AGAIN + results[-1].text)
    state.turns.append(Turn("user", results=tuple(results)))
    if acted.tree != state.tree or acted.evidence or acted.green:
        state.evidence = acted.evidence
    state.tree, state.green = acted.tree, acted.green


def _unanswered(reply: Reply, text: str) -> Turn:
    """Results for the calls of a last message, which providers want before the conversation goes on."""
    return (
        Turn("user", results=tuple(ToolResult(call.id, text) for call in reply.calls))
        if reply.calls
        else Turn("user", text)
    )


def _named(doing: Doing) -> str:
    if isinstance(doing, str):
        return "a call"
    said = doing.model_dump_json(exclude_defaults=True)
    return f"{doing.tool} {said if len(said) <= _NAMED_CHARACTERS else said[:_NAMED_CHARACTERS] + '…'}"


def _compacted(ctx: StageContext, rights: Rights, state: _State) -> list[Turn]:
    """The conversation without its middle: its opening, what was done and the change so far, and the latest turns.

    Much at once and rarely: each time the provider's cache of the conversation is lost.
    """
    first = next(
        (place for place in range(max(1, len(state.turns) - _KEPT_TURNS), len(state.turns))
         if state.turns[place].role == "assistant"),
        len(state.turns),
    )  # fmt: skip
    diff = ctx.bench.diff(rights.base, state.tree, _DIFF_CHARACTERS)
    parts = [
        "[Earlier messages were left out. What you did:]",
        as_data("\n".join(f"- {line}" for line in state.done[-_MOST_DONE:])),
        as_data(f"The change so far:\n{diff}") if diff else "No file was changed so far.",
        *([as_data(f"How the tests failed last:\n{state.evidence}")] if state.evidence else []),
    ]
    opening = state.turns[0]
    begun = replace(opening, text="\n\n".join([opening.text.partition("\n\n[Earlier messages")[0], "\n".join(parts)]))
    return [begun, *(_shortened(turn) for turn in state.turns[first:])]


def _shortened(turn: Turn) -> Turn:
    """A turn whose results are cut where they are long."""
    results = (
        result if len(result.text) <= _KEPT_RESULT else replace(result, text=f"{result.text[:_KEPT_RESULT]}{_CUT_OFF}")
        for result in turn.results
    )
    return replace(turn, results=tuple(results))


def _size(turns: list[Turn]) -> int:
    return sum(
        estimate_tokens("".join(text for _, text in turn.shown())) + sum(thought.tokens for thought in turn.thoughts)
        for turn in turns
    )


def _keep(ctx: StageContext, role: str, talk: Talk, turns: list[Turn]) -> bool:
    kept = _TURNS.dump_python(turns, mode="json")
    ctx.services.store.evidence.keep_conversation(ctx.task.id, ctx.task.run, role, kept)
    how = talk.conclusion.tool if talk.conclusion else talk.reason
    ctx.note("conversation", who=role, ended=how, calls=talk.calls, tokens=talk.tokens)
    return True
