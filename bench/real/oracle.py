"""A model server that plays a strong model which knows the right change of one task.

It works as such a model would: it looks before it writes, edits with texts that it has been shown, runs tests, reacts
to what comes back, and finishes. Where the product refuses something that is right, it notes so in its log ("flow said
no: …"), tries once more, and gives up in prose. A role is known by the tools that a request offers.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field, replace

from pydantic import BaseModel

from bench.real.hand import GIVES_UP, Hand, Heard
from bench.real.mistakes import Mistakes
from bench.real.players import Player, player_of
from bench.real.real_tasks import RealTask
from tests.support import Reply, Request, ScriptedModelServer


class CallSize(BaseModel):
    """What a call was made of, in estimated tokens."""

    role: str
    system: int
    tools: int
    first: int
    """The first message after the system's: the task and what surrounds it."""
    later: int
    """The model's messages and the results of its calls so far."""
    cached: int
    output: int


@dataclass
class Usage:
    """What was asked of the oracle, in estimated tokens."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    by_role: dict[str, int] = field(default_factory=dict)
    by_call: list[CallSize] = field(default_factory=list)


@dataclass
class _Conversation:
    player: Player
    role: str
    answered: dict[int, Reply]
    """Number of messages in a request -> its answer, for a request that is repeated."""
    sent: list[str] = field(default_factory=list)
    """The last request, to find out how much of the next one begins alike."""
    begun: bool = False


class Oracle:
    """The model server for one task. A context manager, as the scripted server that it is built on."""

    def __init__(self, task: RealTask, setup: str = "", *, fallible: bool = False) -> None:
        """`setup`: the command that sets the project up for its tests."""
        self.task = task
        self._setup = setup
        self.usage = Usage()
        self.log: list[str] = []
        self._mistakes = Mistakes.of(task) if fallible else Mistakes()
        self._conversations: dict[tuple[str, str], _Conversation] = {}
        self._lock = threading.Lock()
        self.server = ScriptedModelServer(self._answer)

    def __enter__(self) -> Oracle:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def _answer(self, request: Request) -> Reply:
        with self._lock:
            role = role_of(request)
            opening = request.messages[0].text if request.messages else ""
            talk = self._conversations.get((role, opening))
            if talk is None:
                hand = Hand(self.task, self.log, role, request)
                talk = _Conversation(player_of(role, hand, self._mistakes, self._setup, request), role, {})
                self._conversations[role, opening] = talk
            position = len(request.messages)
            reply = talk.answered.get(position) or self._next(talk, request)
            talk.answered[position] = reply
            return counted(self.usage, talk.role, talk.sent, request, reply)

    def _next(self, talk: _Conversation, request: Request) -> Reply:
        try:
            if not talk.begun:
                talk.begun = True
                return next(talk.player)
            return talk.player.send(Heard(tuple(_data(text) for _, text in request.results), said_last(request)))
        except StopIteration:
            self.log.append(f"{talk.role}: asked again after its end: {said_last(request)[:300]}")
            return Reply.text(f"{GIVES_UP}I have nothing to add.")


def counted(usage: Usage, role: str, sent: list[str], request: Request, reply: Reply) -> Reply:
    """Count a call of a conversation. The reply says how much is cached: as much as this request begins like the one
    before, which is in `sent`."""
    text = json.dumps([request.body.get("tools"), request.body.get("messages")])
    cached = _common(sent[-1], text) // 4 if sent else 0
    sent[:] = [text]
    written = reply.content + "".join(f"{name}{json.dumps(given)}" for name, given in reply.calls)
    usage.by_call.append(_size(role, request, cached, len(written) // 4))
    usage.calls += 1
    usage.input_tokens += len(str(request.body)) // 4
    usage.cached_tokens += cached
    usage.output_tokens += max(1, len(written) // 4)
    usage.by_role[role] = usage.by_role.get(role, 0) + 1
    return replace(reply, cached_tokens=cached)


def role_of(request: Request) -> str:
    """qa, developer or tech_lead by the tools that are offered; otherwise what kind of answer is wanted."""
    for tool, role in (
        ("finish_tests", "qa"),
        ("finish", "developer"),
        ("verdict", "tech_lead"),
        ("finish_setup", "setup"),
    ):
        if tool in request.tools:
            return role
    return "structured" if request.schema is not None else "text"


def said_last(request: Request) -> str:
    """What the product said after the model's last answer, besides results of tools."""
    said: list[str] = []
    for message in reversed(request.messages):
        if message.role == "assistant":
            break
        if message.role == "user":
            said.append(message.text)
    return "\n".join(reversed(said))


def _size(role: str, request: Request, cached: int, output: int) -> CallSize:
    messages = request.body.get("messages")
    sizes = [len(str(message)) // 4 for message in messages] if isinstance(messages, list) else []
    system = 1 if request.system else 0
    return CallSize(
        role=role,
        system=sum(sizes[:system]),
        tools=len(str(request.body.get("tools") or "")) // 4,
        first=sum(sizes[system : system + 1]),
        later=sum(sizes[system + 1 :]),
        cached=cached,
        output=output,
    )


def _common(a: str, b: str) -> int:
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _data(text: str) -> str:
    """The text of a result without the marks around it."""
    return re.sub(r"\A\s*<data>\n?|\n?</data>\s*\Z", "", text).strip("\n")
