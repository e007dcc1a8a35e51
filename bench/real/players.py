"""How the oracle plays each role: it looks, edits with texts that it has been shown, runs tests, reacts, and finishes.

A `Player` is one role in one conversation, a generator: it yields its answers and is sent what came back.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Sequence
from typing import TypeAlias

from pydantic import JsonValue

from bench.real.hand import GIVES_UP, REFUSED, Call, Hand, Heard, name_of
from bench.real.mistakes import Mistakes
from bench.real.real_tasks import Edit, FileChange, Look
from tests.support import Reply, Request

Player: TypeAlias = Generator[Reply, Heard, None]
_LONGEST_NOTE = 1500


def player_of(role: str, hand: Hand, mistakes: Mistakes, setup: str, request: Request) -> Player:
    """Who answers in a role; `setup` is the command that sets the project up."""
    players = {"qa": _qa, "developer": _developer, "tech_lead": _tech_lead}
    if role in players:
        return players[role](hand, mistakes)
    return _set_up(hand, setup) if role == "setup" else _structured(hand, request)


def _look_first(hand: Hand, changes: Sequence[FileChange], known: Sequence[Call] = ()) -> Player:
    """Look at what is named, search for the rest of what is to be changed, and read it."""
    if known:
        _hear(hand, (yield Reply.tools(*known)))
    if looks := hand.looks(changes):
        _hear(hand, (yield Reply.tools(*looks)))
    if searches := hand.finds(changes):
        heard = yield Reply.tools(*searches)
        reads = hand.reads(changes, heard.results)
        _hear(hand, heard)
        if reads:
            _hear(hand, (yield Reply.tools(*reads)))
    for change in changes:
        for old in hand.unseen(change):
            hand.note(f"is not shown, after looking, what it changes in {change.path}: {old[:80]!r}")


def _hear(hand: Hand, heard: Heard) -> Heard:
    hand.see(heard.text)
    return heard


def _written(
    hand: Hand, first: Sequence[FileChange], right: Sequence[FileChange], ends: Sequence[Call]
) -> Generator[Reply, Heard, Heard | None]:
    """Write `first` and end; what was refused is written once more as it is `right`. None if that is refused, too."""
    writes = hand.edits(first)
    heard = _hear(hand, (yield Reply.tools(*writes, *ends)))
    if refused := hand.refused(writes, heard):
        left = [each for each in hand.edits(right) if any(line.startswith(name_of(each)) for line in refused)]
        heard = _hear(hand, (yield Reply.tools(*left, *ends)))
        if refused := hand.refused(left, heard):
            yield Reply.text(f"{GIVES_UP}{refused[0]}")
            return None
    return heard


def _again(hand: Hand, heard: Heard, finish: Call, refusals: int) -> Reply:
    """The answer to a refused end: the same end once more, then the prose of giving up."""
    hand.note(f"flow said no: {name_of(finish)}: {heard.text[:_LONGEST_NOTE]}")
    return Reply.tools(finish) if refusals == 1 else Reply.text(f"{GIVES_UP}{heard.text[:300]}")


def _qa(hand: Hand, mistakes: Mistakes) -> Player:
    """Look, write the tests, see them red, finish; then answer disputes."""
    task = hand.task
    known = [
        hand.call("search", text=look.search)
        if look.search
        else hand.call("read_file", path=look.path, **_range(look.first_line, look.last_line))
        for look in task.look
        if not hand.has_seen(look)
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
        **({"benchmark": task.benchmark} if task.benchmark else {}),
    )
    ends = [hand.call("run_tests", tests=_test_files(task.tests)), finish] if task.tests else [finish]
    heard = yield from _written(hand, mistakes.wrong_old("qa", tests), tests, ends)
    refusals = 0
    while heard is not None:
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
        heard = yield _again(hand, heard, finish, refusals)
        if refusals > 1:
            return


def _answer_dispute(hand: Hand, said: str, finish: Call) -> Generator[Reply, Heard, Heard]:
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


def _set_up(hand: Hand, command: str) -> Player:
    """Look what there is, and say how the project is set up."""
    _hear(hand, (yield Reply.tools(hand.call("list_files", pattern="*"))))
    for _ in range(2):
        heard = _hear(hand, (yield Reply.tools(hand.call("finish_setup", command=command))))
        hand.note(f"flow said no: finish_setup: {heard.text[:900]}")
    yield Reply.tools(hand.call("cannot_set_up", remedy=f"Set testing.setup_command to: {command}"))


def _developer(hand: Hand, mistakes: Mistakes) -> Player:
    """Look where it has not been shown enough, change, run, finish; then answer failures and reviews."""
    task = hand.task
    change = task.change
    finish = hand.call("finish", summary=task.summary, commit_message=task.commit_message)
    run = hand.call("run_tests", tests=[])
    yield from _slip(hand, mistakes, "developer")
    yield from _look_first(hand, change)
    if disputed := mistakes.test_to_dispute():
        _hear(hand, (yield Reply.tools(hand.call("dispute_test", test=disputed[0], reason=disputed[1]))))
    first, rest = mistakes.wrong_change(change)
    heard = yield from _written(hand, mistakes.wrong_old("developer", first), first, [run, finish])
    refusals = 0
    while heard is not None:
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
            if not REFUSED.match(heard.results[0] if heard.results else ""):
                heard = _hear(hand, (yield Reply.tools(run, finish)))
            continue
        refusals += 1
        heard = _hear(hand, (yield _again(hand, heard, finish, refusals)))
        if refusals > 1:
            return


def _tech_lead(hand: Hand, mistakes: Mistakes) -> Player:
    """Approve the right change; say what is missing of one that is not all of it."""
    while True:
        missing = hand.missing()
        if missing:
            hand.note(f"is not shown all of the right change: {missing}")
        objection = f"The change is not complete: {missing}" if missing else mistakes.objection()
        _hear(hand, (yield Reply.tools(_verdict(hand, objection))))


def _verdict(hand: Hand, objection: str) -> Call:
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


def _structured(hand: Hand, request: Request) -> Player:
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


def _slip(hand: Hand, mistakes: Mistakes, role: str) -> Player:
    """An answer that is none: prose without a call, or one that is cut off."""
    slip = mistakes.slip(role)
    if slip == "prose":
        _hear(hand, (yield Reply.text("I will look at the code that is concerned and then make the change.")))
    elif slip == "cut off":
        path = next((each.path for each in (*hand.task.tests, *hand.task.change)), "x.py")
        _hear(hand, (yield Reply.tools(("read_file", f'{{"path": "{path}", "first_'), truncated=True)))


def _range(first: int | None, last: int | None) -> dict[str, JsonValue]:
    return {name: value for name, value in (("first_line", first), ("last_line", last)) if value is not None}


def _test_files(changes: Sequence[FileChange]) -> list[JsonValue]:
    paths = [change.path for change in changes if not change.delete]
    return [path for path in paths if path.endswith(".py") and "conftest" not in path]


def _is_code(look: Look) -> bool:
    return bool(look.path and look.first_line and look.last_line) and "test" not in look.path


def _named_test(text: str) -> str:
    found = re.search(r"[\w./-]+\.py(?:::[\w\[\].-]+)*", text)
    return found.group() if found else ""
