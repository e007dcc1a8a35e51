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

from pydantic import BaseModel, JsonValue

from agents import BaseAgent, UnusableAnswer
from agents.tools import action_of, as_data, tools
from llm import PromptTooLong, Reply, ToolResult, Turn, Window, estimate_tokens
from orchestrator.coding.compaction import CUT_MESSAGE, NO_CALL, LeftOut, Present, Room, compacted, read_in, size_of
from orchestrator.flow import StageContext
from orchestrator.workbench.tool_bench import Acted, BenchTool, Conclusion, Doing, Rights, ToolBench
from orchestrator.workbench.tools import offered, tools_of

Reason = Literal["concluded", "repeated", "silent", "steps", "tokens"]
_MOST_CALLS = 16
"""In one message."""
_MOST_REPEATS = 3
_MOST_SILENT = 2
"""Messages without a call."""
_FILLED, _EMPTIED = 0.7, 0.4
"""Shares of the model's context: a conversation that fills more than the first is compacted to less than the second,
much at once and rarely, because each time the provider's cache of it is lost."""
_LEFT_FREE = 0.25
"""Share of the context that is left for an answer that may be longer."""
_MOST_REFUSALS = 3
"""How often in a row a conversation is made shorter because the model's server says that it does not fit."""
_AFTER_REFUSAL = 0.75
"""Of what was refused, so much is taken for the model's true context."""
_DIFF_CHARACTERS = 12_000
_AGAIN = "A call of this message was made before, and no file has changed since. Made a third time it ends the work.\n"


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
    read: dict[str, list[tuple[int, int]]] = {}
    """Path -> the ranges of lines that it has read."""


class Kept(BaseModel):
    """A conversation as it is stored between the stages of a run."""

    turns: list[Turn] = []
    left_out: LeftOut = LeftOut()
    ratio: float = 1.0
    """See `Window`."""
    context_tokens: int | None = None
    """The model's context, where its server showed that it is smaller than its profile says."""


class _Begun(BaseModel):
    """What a conversation goes on from."""

    kept: Kept
    around: int
    """Estimated tokens of the instructions and the tools."""
    answer: int
    """Tokens that an answer may have."""


class _Said(BaseModel):
    """What came of a call of the model."""

    reply: Reply | None = None
    """None: the conversation does not fit into the model's context."""


@dataclass
class _State:
    """The state of a conversation; rebuilt from the steps' results after a crash."""

    tree: str
    turns: list[Turn]
    left_out: LeftOut
    window: Window
    around: int
    answer: int
    told_by_server: bool
    """Whether the window is smaller than the profile says."""
    green: bool = False
    evidence: str = ""
    tokens: int = 0
    made: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often each call was made with the same files."""

    @property
    def taken(self) -> int:
        """The model's tokens of what is sent next."""
        return self.window.taken(self.around + size_of(self.turns))

    @property
    def room(self) -> Room:
        """What the turns may take."""
        around = replace(self.window, measured=0).taken(self.around)
        return Room(
            wanted=int(self.window.tokens * _EMPTIED) - around,
            most=self._most - around,
            ratio=max(1.0, self.window.ratio),
        )

    @property
    def is_full(self) -> bool:
        return self.taken > min(self._most, int(self.window.tokens * _FILLED))

    @property
    def _most(self) -> int:
        """What may be sent, so that there is room for an answer."""
        return self.window.tokens - min(self.answer, int(self.window.tokens * _LEFT_FREE))


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
    ends = ", ".join(name for name in actions if actions[name].concludes)
    bench = ToolBench(ctx.bench, rights)
    begun = ctx.step(f"begin {label}", str, partial(bench.begin, start))
    known = ctx.step(f"recall {label}", _Begun, partial(_begun, ctx, agent, role, rights, opening, news))
    state = _state(begun, known, ctx.profile_of(agent).context_tokens)
    reason: Reason = "steps"
    conclusion: Conclusion | None = None
    silent, said, number = 0, "", 0
    for number in range(1, limits.max_tool_steps + 1):
        reply = _next_message(ctx, agent, rights, state, f"{label}.{number}")
        state.tokens += size_of(state.turns) + estimate_tokens(reply.text + "".join(c.arguments for c in reply.calls))
        state.turns.append(reply.turn())
        doings, repeated = _doings(state, reply, actions)
        if repeated >= _MOST_REPEATS:
            reason = "repeated"
            state.turns.append(_unanswered(reply, "not done: the same call was made three times"))
            break
        if reply.calls:
            act = partial(bench.act, state.tree, doings, green=state.green)
            acted = ctx.step(f"act {label}.{number}", Acted, act)
            _take(state, reply, acted, again=repeated == _MOST_REPEATS - 1)
            if conclusion := acted.conclusion:
                reason = "concluded"
                break
        else:
            state.turns.append(Turn("user", CUT_MESSAGE if reply.truncated else NO_CALL.format(ends=ends)))
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
        read=read_in(state.turns, state.left_out, actions),
    )
    ctx.step(f"end {label}", bool, partial(_keep, ctx, role, talk, state))
    return talk


def _begun(
    ctx: StageContext, agent: BaseAgent, role: str, rights: Rights, opening: Callable[[], Turn], news: str
) -> _Begun:
    stored = ctx.services.store.evidence.conversation(ctx.task.id, ctx.task.run, role)
    kept = Kept.model_validate({"turns": stored} if isinstance(stored, list) else stored or {})
    turns = kept.turns or [opening()]
    if news and turns[-1].role == "user":  # results of the last calls, or the opening: one message of the user, not two
        turns = [*turns[:-1], replace(turns[-1], text=f"{turns[-1].text}\n\n{news}".strip())]
    elif news:
        turns = [*turns, Turn("user", news)]
    around, answer = agent.needs(tools(tools_of(role)), ctx.ask("", agent.name), rights.working)
    return _Begun(kept=kept.model_copy(update={"turns": turns}), around=around, answer=answer)


def _state(tree: str, begun: _Begun, context_tokens: int) -> _State:
    kept = begun.kept
    tokens = min(context_tokens, kept.context_tokens or context_tokens)
    return _State(
        tree=tree,
        turns=kept.turns,
        left_out=kept.left_out,
        window=Window(tokens, kept.ratio),
        around=begun.around,
        answer=begun.answer,
        told_by_server=tokens < context_tokens,
    )


def _next_message(ctx: StageContext, agent: BaseAgent, rights: Rights, state: _State, name: str) -> Reply:
    """The model's next message, to a conversation that fits into its context. It is compacted when it is full, and when
    the model's server says that it does not fit, whose context then is smaller than its profile says.
    """
    actions = tools_of(rights.role or agent.name)
    for refusals in range(_MOST_REFUSALS + 1):
        number = f"{name}.{refusals}" if refusals else name
        if refusals or state.is_full:
            present = ctx.step(f"compact {number}", Present, partial(_compacted, ctx, agent, rights, state))
            state.turns, state.left_out = present.turns, present.left_out
            state.window = replace(state.window, measured=0)
            state.made.clear()  # what was left out may be looked at again
        step = f"think {number}"
        told = offered(actions, rights.first, {call.name for turn in state.turns for call in turn.calls})
        ask = partial(agent.go_on, list(state.turns), told, ctx.ask(step, agent.name), state.window, rights.working)
        said = ctx.step(step, _Said, partial(_said, ask, last=refusals == _MOST_REFUSALS))
        if said.reply is not None:
            state.window = state.window.learned(said.reply)
            return said.reply
        state.window = replace(state.window, tokens=int(min(state.taken, state.window.tokens) * _AFTER_REFUSAL))
        state.told_by_server = True
    raise AssertionError("the last refusal is raised by its step")


def _said(ask: Callable[[], Reply], *, last: bool) -> _Said:
    try:
        return _Said(reply=ask())
    except PromptTooLong:
        if last:
            raise
        return _Said()


def _compacted(ctx: StageContext, agent: BaseAgent, rights: Rights, state: _State) -> Present:
    actions = tools_of(rights.role or agent.name)
    diff = ctx.bench.diff(rights.base, state.tree, _DIFF_CHARACTERS)
    present = compacted(state.turns, state.left_out, actions, state.room, diff=diff, evidence=state.evidence)
    sizes: dict[str, JsonValue] = {"before": size_of(state.turns), "after": size_of(present.turns)}
    ctx.note("conversation compacted", who=rights.role or agent.name, context_tokens=state.window.tokens, **sizes)
    return present


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


def _take(state: _State, reply: Reply, acted: Acted, *, again: bool) -> None:
    """Continue with the results of the calls."""
    results = []
    for position, call in enumerate(reply.calls):
        text = acted.results[position] if position < len(acted.results) else ""
        if not text and position < _MOST_CALLS:
            text = f"not done: {reply.calls[len(acted.results) - 1].name} ended the message before it"
        text = text or f"not done: at most {_MOST_CALLS} calls in a message"
        results.append(ToolResult(call.id, as_data(text)))
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


def _keep(ctx: StageContext, role: str, talk: Talk, state: _State) -> bool:
    kept = Kept(
        turns=state.turns,
        left_out=state.left_out,
        ratio=state.window.ratio,
        context_tokens=state.window.tokens if state.told_by_server else None,
    ).model_dump(mode="json")
    ctx.services.store.evidence.keep_conversation(ctx.task.id, ctx.task.run, role, kept)
    how = talk.conclusion.tool if talk.conclusion else talk.reason
    ctx.note("conversation", who=role, ended=how, calls=talk.calls, tokens=talk.tokens)
    return True
