"""A model server that plays a strong model which knows the right change of one task.

It works as such a model would: it looks before it writes, edits with texts that it has been shown, runs tests, reacts
to what comes back, and finishes. Where the product refuses something that is right, it notes so in its log ("flow said
no: …"), tries once more, and gives up in prose. A role is known by the tools that a request offers.

A `Player` is one role in one conversation, a generator: it yields its answers and is sent what came back.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from pydantic import JsonValue

from bench.real.mistakes import Mistakes
from bench.real.tasks import Edit, FileChange, Look, RealTask
from tests.support import Reply, Request, ScriptedModelServer

Call: TypeAlias = tuple[str, dict[str, JsonValue]]

GIVES_UP = "I cannot go on: "
"""Begins the prose in which a player gives up."""
_REFUSED = re.compile(r"(not (done|finished|accepted|made)|refused|error|there is no)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"^\s*\d+\t|^[^\s:]+:\d+: ?")
_SHOWN_AROUND = 4
_LONGEST_READ = 380
_MOST_PLACES = 4


@dataclass(frozen=True)
class Heard:
    """What came back after an answer."""

    results: tuple[str, ...]
    """Of its calls, in order."""
    said: str
    """What the product said besides."""

    @property
    def text(self) -> str:
        return "\n".join([*self.results, self.said])


Player: TypeAlias = Generator[Reply, Heard, None]


@dataclass
class Usage:
    """What was asked of the oracle, in estimated tokens."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    by_role: dict[str, int] = field(default_factory=dict)


@dataclass
class _Conversation:
    player: Player
    role: str
    answered: dict[int, Reply]
    """Number of messages in a request -> its answer, for a request that is repeated."""
    sent: str = ""
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
                talk = _Conversation(self._player(role, request), role, {})
                self._conversations[role, opening] = talk
            position = len(request.messages)
            reply = talk.answered.get(position) or self._next(talk, request)
            talk.answered[position] = reply
            return self._counted(talk, request, reply)

    def _player(self, role: str, request: Request) -> Player:
        hand = _Hand(self.task, self.log, role, request)
        players = {"qa": _qa, "developer": _developer, "tech_lead": _tech_lead}
        if role in players:
            return players[role](hand, self._mistakes)
        if role == "setup":
            return _set_up(hand, self._setup)
        return _structured(hand, request)

    def _next(self, talk: _Conversation, request: Request) -> Reply:
        try:
            if not talk.begun:
                talk.begun = True
                return next(talk.player)
            return talk.player.send(Heard(tuple(_data(text) for _, text in request.results), said_last(request)))
        except StopIteration:
            self.log.append(f"{talk.role}: asked again after its end: {said_last(request)[:300]}")
            return Reply.text(f"{GIVES_UP}I have nothing to add.")

    def _counted(self, talk: _Conversation, request: Request, reply: Reply) -> Reply:
        """The reply with its cached tokens: as much as this request begins like the last one of the conversation."""
        sent = json.dumps([request.body.get("tools"), request.body.get("messages")])
        cached = 0 if not talk.sent else _common(talk.sent, sent) // 4
        talk.sent = sent
        written = reply.content + "".join(f"{name}{json.dumps(given)}" for name, given in reply.calls)
        self.usage.calls += 1
        self.usage.input_tokens += len(str(request.body)) // 4
        self.usage.cached_tokens += cached
        self.usage.output_tokens += max(1, len(written) // 4)
        self.usage.by_role[talk.role] = self.usage.by_role.get(talk.role, 0) + 1
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


def _common(a: str, b: str) -> int:
    return next((place for place, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _data(text: str) -> str:
    """The text of a result without the marks around it."""
    return re.sub(r"\A\s*<data>\n?|\n?</data>\s*\Z", "", text).strip("\n")


class _Hand:
    """What all players of a task do: calls that fit the tools offered, looking, editing, and noting refusals."""

    def __init__(self, task: RealTask, log: list[str], role: str, request: Request) -> None:
        self.task = task
        self._log = log
        self._role = role
        self._fields = _fields_of(request)
        self._seen: set[str] = set()
        self._disputed: set[str] = set()
        self.see(request.system)
        for message in request.messages:
            self.see(message.text)

    def note(self, text: str) -> None:
        self._log.append(f"{self._role}: {text}")

    def call(self, tool: str, **arguments: JsonValue) -> Call:
        """A call with those arguments that the tool has."""
        known = self._fields.get(tool)
        if known is None:
            self.note(f"there is no tool {tool}")
            return tool, dict(arguments)
        return tool, {name: value for name, value in arguments.items() if name in known}

    def see(self, text: str) -> None:
        """Remember the lines of what was shown."""
        self._seen.update(_NUMBERED.sub("", line).strip() for line in text.splitlines())

    def unseen(self, change: FileChange) -> list[str]:
        """The old texts of the change that have not been shown, each once."""
        return [
            edit.old for edit in change.edits if not all(self._shown(line.strip()) for line in edit.old.splitlines())
        ]

    def _shown(self, line: str) -> bool:
        """Whether a line, or the part of one that an edit names, has been shown."""
        return not line or line in self._seen or any(line in seen for seen in self._seen)

    def looks(self, changes: Sequence[FileChange]) -> list[Call]:
        """Searches for the places that are to be changed and have not been shown."""
        return [
            self.call("search", text=_telling(old), files=change.path)
            for change in changes
            for old in self.unseen(change)
        ]

    def reads(self, changes: Sequence[FileChange], results: Sequence[str]) -> list[Call]:
        """Reads of the lines around what `looks` for the same changes has found."""
        wanted = [(change.path, old) for change in changes for old in self.unseen(change)]
        calls = []
        for (path, old), result in zip(wanted, results, strict=False):
            found = re.findall(rf"^{re.escape(path)}:(\d+):", result, re.MULTILINE)
            if not found:
                self.note(f"search does not find in {path}: {_telling(old)!r}: {result[:200]}")
            lines = old.splitlines()
            before = [line.strip() for line in lines].index(_telling(old))
            for place in found[:_MOST_PLACES]:
                first = max(1, int(place) - before - _SHOWN_AROUND)
                last = int(place) - before + min(len(lines) + _SHOWN_AROUND, _LONGEST_READ)
                calls.append(self.call("read_file", path=path, first_line=first, last_line=last))
        return _merged(calls)

    def foreign(self, text: str) -> str:
        """A failing test that `text` names and that is neither QA's nor was there before, as far as is known; once."""
        own = {change.path for change in self.task.tests}
        for found in re.finditer(r"[\w./-]+\.py::[\w:]+(?:\[[^\]]*\])?", text):
            test = found.group()
            if test.partition("::")[0] not in own and test not in self._disputed:
                self._disputed.add(test)
                return test
        return ""

    def missing(self) -> str:
        """What of the right change is not among the added lines that were shown."""
        added = {line[1:].strip() for line in self._seen if line.startswith("+")}
        lost = [(change.path, line) for change in self.task.change for line in _new_lines(change) if line not in added]
        return f"{lost[0][0]} lacks {lost[0][1]!r} and {len(lost) - 1} other lines" if lost else ""

    def edits(self, changes: Sequence[FileChange]) -> list[Call]:
        calls = []
        for change in changes:
            if change.content is not None:
                calls.append(self.call("create_file", path=change.path, content=change.content))
            elif change.move_to:
                calls.append(self.call("move_file", path=change.path, to=change.move_to))
            elif change.delete:
                calls.append(self.call("delete_file", path=change.path))
            elif "edits" in self._fields.get("edit_file", ()):
                pairs: list[JsonValue] = [{"old": edit.old, "new": edit.new} for edit in change.edits]
                calls.append(self.call("edit_file", path=change.path, edits=pairs))
            else:
                calls += [self.call("edit_file", path=change.path, old=e.old, new=e.new) for e in change.edits]
        return calls

    def refused(self, calls: Sequence[Call], heard: Heard) -> list[str]:
        """What was refused of `calls`, which also goes into the log."""
        found = []
        for (tool, arguments), result in zip(calls, heard.results, strict=False):
            if _REFUSED.match(result):
                what = f"{tool} {arguments.get('path', '')}".strip()
                found.append(f"{what}: {result[:600]}")
                self.note(f"flow said no: {what}: {result[:600]}")
        return found


def _look_first(hand: _Hand, changes: Sequence[FileChange], known: Sequence[Call] = ()) -> Player:
    """Look at what is named, search for the rest of what is to be changed, and read it."""
    if known:
        _hear(hand, (yield Reply.tools(*known)))
    searches = hand.looks(changes)
    if searches:
        heard = yield Reply.tools(*searches)
        reads = hand.reads(changes, heard.results)
        _hear(hand, heard)
        if reads:
            _hear(hand, (yield Reply.tools(*reads)))
    for change in changes:
        for old in hand.unseen(change):
            hand.note(f"is not shown, after looking, what it changes in {change.path}: {old[:80]!r}")


def _hear(hand: _Hand, heard: Heard) -> Heard:
    hand.see(heard.text)
    return heard


def _qa(hand: _Hand, mistakes: Mistakes) -> Player:
    """Look, write the tests, see them red, finish; then answer disputes."""
    task = hand.task
    known = [
        hand.call("search", text=look.search)
        if look.search
        else hand.call("read_file", path=look.path, **_range(look.first_line, look.last_line))
        for look in task.look
    ]
    yield from _slip(hand, mistakes, "qa")
    yield from _look_first(hand, task.tests, known)
    tests = mistakes.wrong_tests(task.tests)
    finish = hand.call(
        "finish_tests",
        summary=f"Tests for: {task.title}",
        brief=task.brief or "Nothing to add to the task's words.",
        places=[f"{look.path}:{look.first_line}-{look.last_line}" for look in task.look if _is_code(look)],
        kind=task.kind,
        changed_tests=[{"test": each.test, "reason": each.reason} for each in task.changed_tests],
    )
    writes = hand.edits(mistakes.wrong_old("qa", tests))
    ends = [hand.call("run_tests", tests=_test_files(task.tests)), finish] if task.tests else [finish]
    heard = _hear(hand, (yield Reply.tools(*writes, *ends)))
    if refused := hand.refused(writes, heard):
        again = hand.edits(tests)
        left = [each for each in again if any(line.startswith(_name(each)) for line in refused)]
        heard = _hear(hand, (yield Reply.tools(*left, *ends)))
        if refused := hand.refused(left, heard):
            yield Reply.text(f"{GIVES_UP}{refused[0]}")
            return
    refusals = 0
    while True:
        _hear(hand, heard)
        if disputed := mistakes.disputed(heard.text):
            fix = hand.edits(mistakes.corrected_tests(disputed))
            heard = yield Reply.tools(*fix, finish)
            hand.refused(fix, heard)
            continue
        if "test is wrong" in heard.said:
            heard = yield from _answer_dispute(hand, heard.said, finish)
            continue
        refusals += 1
        hand.note(f"flow said no: finish_tests: {heard.text[:900]}")
        if refusals > 1:
            yield Reply.text(f"{GIVES_UP}{heard.text[:300]}")
            return
        heard = yield Reply.tools(finish)


def _answer_dispute(hand: _Hand, said: str, finish: Call) -> Generator[Reply, Heard, Heard]:
    """Take away a test that is not of QA's own and contradicts the task; keep one of its own."""
    test = _named_test(said)
    file, _, name = test.partition("::")
    if not file or file in {change.path for change in hand.task.tests}:
        return (yield Reply.tools(hand.call("keep_test", test=test, reason="It follows from the task's words.")))
    heard = yield Reply.tools(hand.call("read_file", path=file))
    block = _function(heard.results[0] if heard.results else "", name.rpartition("::")[2].partition("[")[0])
    take = hand.edits([FileChange(path=file, edits=(Edit(old=block, new=""),))]) if block else []
    heard = yield Reply.tools(*take, finish)
    if hand.refused(take, heard):
        reason = "It is wrong, but I cannot change it: the owner has to decide."
        return (yield Reply.tools(hand.call("keep_test", test=test, reason=reason)))
    return heard


def _function(shown: str, name: str) -> str:
    """The text of a function at the beginning of lines, as a read of its file shows it."""
    lines = [re.sub(r"^\s*\d+\t", "", line) for line in shown.splitlines()]
    first = next((place for place, line in enumerate(lines) if line.startswith(f"def {name}(")), None)
    if first is None:
        return ""
    body = itertools.takewhile(lambda line: not line or line[0].isspace(), lines[first + 1 :])
    return "\n".join([lines[first], *body]).rstrip() + "\n"


def _set_up(hand: _Hand, command: str) -> Player:
    """Look what there is, and say how the project is set up."""
    _hear(hand, (yield Reply.tools(hand.call("list_files", pattern="*"))))
    for _ in range(2):
        heard = _hear(hand, (yield Reply.tools(hand.call("finish_setup", command=command))))
        hand.note(f"flow said no: finish_setup: {heard.text[:900]}")
    yield Reply.tools(hand.call("cannot_set_up", remedy=f"Set testing.setup_command to: {command}"))


def _developer(hand: _Hand, mistakes: Mistakes) -> Player:
    """Look where it has not been shown enough, change, run, finish; then answer failures and reviews."""
    task = hand.task
    change = task.change
    finish = hand.call("finish", summary=task.summary, commit_message=task.commit_message)
    run = hand.call("run_tests", tests=[])
    yield from _slip(hand, mistakes, "developer")
    yield from _look_first(hand, change)
    if disputed := mistakes.test_to_dispute():
        heard = yield Reply.tools(hand.call("dispute_test", test=disputed[0], reason=disputed[1]))
        _hear(hand, heard)
    first, rest = mistakes.wrong_change(change)
    writes = hand.edits(mistakes.wrong_old("developer", first))
    heard = _hear(hand, (yield Reply.tools(*writes, run, finish)))
    if refused := hand.refused(writes, heard):
        writes = hand.edits(first)
        left = [each for each in writes if any(line.startswith(_name(each)) for line in refused)]
        heard = _hear(hand, (yield Reply.tools(*left, run, finish)))
        if refused := hand.refused(left, heard):
            yield Reply.text(f"{GIVES_UP}{refused[0]}")
            return
    refusals = 0
    while True:
        if rest:
            writes, rest = hand.edits(rest), ()
            heard = _hear(hand, (yield Reply.tools(*writes, run, finish)))
            hand.refused(writes, heard)
            continue
        if mistakes.rejected(heard.text):
            heard = _hear(hand, (yield Reply.tools(finish)))
            continue
        if wrong := hand.foreign(heard.text):
            hand.note(f"disputes a test that is not of QA's own: {wrong}")
            reason = "It states what the task calls wrong; the change does what the task asks, and this test fails."
            heard = _hear(hand, (yield Reply.tools(hand.call("dispute_test", test=wrong, reason=reason))))
            if not _REFUSED.match(heard.results[0] if heard.results else ""):
                heard = _hear(hand, (yield Reply.tools(run, finish)))
            continue
        refusals += 1
        hand.note(f"flow said no: finish: {heard.text[:1500]}")
        if refusals > 1:
            yield Reply.text(f"{GIVES_UP}{heard.text[:300]}")
            return
        heard = _hear(hand, (yield Reply.tools(finish)))


def _tech_lead(hand: _Hand, mistakes: Mistakes) -> Player:
    """Approve the right change; say what is missing of one that is not all of it."""
    while True:
        missing = hand.missing()
        if missing:
            hand.note(f"is not shown all of the right change: {missing}")
        objection = f"The change is not complete: {missing}" if missing else mistakes.objection()
        _hear(hand, (yield Reply.tools(_verdict(hand, objection))))


def _verdict(hand: _Hand, objection: str) -> Call:
    good = not objection
    score = 9 if good else 4
    return hand.call(
        "verdict",
        criteria=[{"name": "does what the task says", "threshold": 7, "weight": 10, "score": score}],
        approved=good,
        score=score,
        issues=[] if good else [objection],
        reasoning="It does what the task asks, and nothing else." if good else objection,
    )


def _structured(hand: _Hand, request: Request) -> Player:
    """Answer a request without tools: a review, the choice of a file, ideas, an escalation; else in prose."""
    properties = (request.schema or {}).get("properties")
    names = set(properties) if isinstance(properties, dict) else set()
    task = hand.task
    while True:
        if "approved" in names:
            yield Reply.json(dict(_verdict(hand, "")[1]) or {"approved": True, "score": 9, "issues": []})
        elif "file" in names:
            yield Reply.json({"file": next((each.path for each in task.change or task.tests), "README.md")})
        elif "action" in names:
            hand.note(f"asked to escalate: {request.prompt[-1500:]}")
            yield Reply.json({"action": "give_up", "reason": "The right answer was refused."})
        elif "tasks" in names:
            yield Reply.json({"tasks": []})
        elif "assertions" in names:
            hand.note("asked for assertions alone, not for tests")
            yield Reply.json({"assertions": []})
        else:
            hand.note(f"asked without tools for {sorted(names) or 'text'}: {request.prompt[:300]}")
            yield Reply.json({}) if names else Reply.text(f"{GIVES_UP}I need tools to look at the repository.")


def _slip(hand: _Hand, mistakes: Mistakes, role: str) -> Player:
    """An answer that is none: prose without a call, or one that is cut off."""
    slip = mistakes.slip(role)
    if slip == "prose":
        _hear(hand, (yield Reply.text("I will look at the code that is concerned and then make the change.")))
    elif slip == "cut off":
        path = next((each.path for each in (*hand.task.tests, *hand.task.change)), "x.py")
        _hear(hand, (yield Reply.tools(("read_file", f'{{"path": "{path}", "first_'), truncated=True)))


def _fields_of(request: Request) -> dict[str, set[str]]:
    """Tool -> its arguments, as the request offers them."""
    offered = request.body.get("tools")
    found: dict[str, set[str]] = {}
    for tool in offered if isinstance(offered, list) else []:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict):
            parameters = function.get("parameters")
            properties = parameters.get("properties") if isinstance(parameters, dict) else None
            found[str(function.get("name"))] = set(properties) if isinstance(properties, dict) else set()
    return found


def _range(first: int | None, last: int | None) -> dict[str, JsonValue]:
    return {name: value for name, value in (("first_line", first), ("last_line", last)) if value is not None}


def _telling(text: str) -> str:
    """The line of a text to search for: the longest, since it is least likely to stand elsewhere."""
    return max((line.strip() for line in text.splitlines()), key=len)[:300]


def _merged(calls: Sequence[Call]) -> list[Call]:
    """Reads of one file that overlap become one."""
    merged: list[Call] = []
    for tool, arguments in sorted(calls, key=lambda call: (str(call[1]["path"]), _int(call[1]["first_line"]))):
        last = merged[-1][1] if merged else {}
        if last.get("path") == arguments["path"] and _int(arguments["first_line"]) <= _int(last["last_line"]) + 10:
            last["last_line"] = max(_int(last["last_line"]), _int(arguments["last_line"]))
        else:
            merged.append((tool, arguments))
    return merged


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0


def _name(call: Call) -> str:
    return f"{call[0]} {call[1].get('path', '')}".strip()


def _test_files(changes: Sequence[FileChange]) -> list[JsonValue]:
    paths = [change.path for change in changes if not change.delete]
    return [path for path in paths if path.endswith(".py") and "conftest" not in path]


def _is_code(look: Look) -> bool:
    return bool(look.path and look.first_line and look.last_line) and "test" not in look.path


def _named_test(text: str) -> str:
    found = re.search(r"[\w./-]+\.py(?:::[\w\[\].-]+)*", text)
    return found.group() if found else ""


def _new_lines(change: FileChange) -> Iterator[str]:
    texts: Mapping[str, str] = {edit.new: edit.old for edit in change.edits}
    for new, old in texts.items():
        known = {line.strip() for line in old.splitlines()}
        yield from (line.strip() for line in new.splitlines() if line.strip() and line.strip() not in known)
    yield from (line.strip() for line in (change.content or "").splitlines() if line.strip())
