"""A bounded discussion: the project manager opens it, the invited agents write to each other, code gives the word.

Each message is one durable step with the model of its author, and is kept where the task's thread shows it. In the
first round everybody speaks; in each later one those who were written to or do not agree yet. It ends when nobody has
to, or with the last round. Who says again what they said before, whose messages cannot be used, and two who write to
nobody but each other, lose the word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from agents import Agenda, Message, faults_of_agenda, faults_of_message, plain_words
from agents.project import Concern, Specification
from memory import FailureReason
from orchestrator.errors import StageFailed
from orchestrator.flow import StageContext
from orchestrator.flows.opinion_flow import until_it_holds

LEADER = "pm"
_SAID_AGAIN = 0.9
"""How alike two messages of one author are that count as the same."""
_MOST_IN_A_PAIR = 4
"""Messages in a row that two agents may write to nobody but each other."""

_PAUSED = "you have paused it"
"""The others go on without an agent that is paused: nobody is held up by it, and nobody speaks for it."""

_Answer = TypeVar("_Answer", bound=BaseModel)


@dataclass(frozen=True)
class Question:
    """What an agent is asked in one step, or again after the faults that code found."""

    step: str
    template: str
    values: Mapping[str, object]
    agent: str = LEADER


def settled(
    ctx: StageContext, question: Question, returns: type[_Answer], faults_of: Callable[[_Answer], list[str]]
) -> _Answer:
    """An answer in which code finds no fault. Whoever is asked again is shown what it said. Raises `StageFailed`."""
    agent, last = ctx.team.by_name(question.agent), [""]

    def ask(faults: list[str], step: str) -> _Answer:
        context = ctx.ask(step, question.agent)
        values = {**question.values, "faults": faults, "last": last[0]}
        return agent.answer(question.template, ctx.task, returns, context, **values)

    def examined(answer: _Answer) -> list[str]:
        last[0] = answer.model_dump_json(exclude_defaults=True)
        return faults_of(answer)

    return until_it_holds(ctx, question.step, returns, ask, examined)


class Said(BaseModel):
    """A message of the discussion."""

    round: int
    by: str
    message: Message

    @property
    def line(self) -> str:
        """As others read it."""
        head = f"{self.by}, to {', '.join(self.message.to) or 'everybody'}"
        concerns = "".join(f"\n(concern: {each})" for each in self.message.concerns)
        return f"{head}{' (agrees)' if self.message.agreed else ''}: {self.message.text}{concerns}"


class Discussion(BaseModel):
    """What was said, and how it ended."""

    agenda: Agenda | None = None
    said: list[Said] = []
    absent: dict[str, str] = {}
    """Who could have taken part and did not, with the reason."""
    stopped: dict[str, str] = {}
    """Who lost the word, with the reason."""
    ended: str = ""

    @property
    def concerns(self) -> list[Concern]:
        """What must not be forgotten, by label."""
        counts: dict[str, int] = {}
        found = []
        for each in self.said:
            for text in each.message.concerns:
                counts[each.by] = counts.get(each.by, 0) + 1
                found.append(Concern(f"{each.by}-{counts[each.by]}", text))
        return found


def discuss(ctx: StageContext, specification: Specification, described: str, repository: str) -> Discussion:
    """Lead the discussion of a specification; `described`: the same in words, `repository`: what there is."""
    able, absent = _able(ctx)
    found = Discussion(absent=absent)
    if not able:
        found.ended = "nobody could take part"
        return found
    team = {name: ctx.team.by_name(name).duty for name in able}
    given = {"specification": described, "repository": repository}
    question = Question("agenda", "open_discussion", {**given, "team": team})
    found.agenda = settled(ctx, question, Agenda, lambda answer: faults_of_agenda(answer, able))
    invited = [each.agent for each in found.agenda.invited]
    found.absent |= {name: "the project manager did not invite it" for name in able if name not in invited}
    ctx.step("record agenda", bool, partial(_record_agenda, ctx, found.agenda, found.absent))
    rounds = ctx.services.settings.orchestrator.discussion_rounds
    for number in range(1, rounds + 1):
        speakers = invited if number == 1 else [name for name in invited if _has_the_word(found, name)]
        if not speakers:
            found.ended = f"everybody agreed after {number - 1} of {rounds} rounds"
            break
        for name in speakers:
            if name in found.stopped or (number > 1 and not _has_the_word(found, name)):
                continue
            _speak(ctx, found, name, invited, number, given, is_last=number == rounds)
    else:
        open_still = [name for name in invited if _has_the_word(found, name)]
        found.ended = f"after {rounds} rounds" + (f"; not agreed: {', '.join(open_still)}" if open_still else "")
    ctx.step("record the end", bool, partial(_record_end, ctx, found))
    return found


def _able(ctx: StageContext) -> tuple[list[str], dict[str, str]]:
    """Who can take part, and why the others cannot."""
    able, absent = [], {}
    paused = ctx.step("who is paused", list[str], lambda: sorted(ctx.services.store.paused.since()))
    for name in ctx.services.settings.orchestrator.discussion_team:
        if name in paused:
            absent[name] = _PAUSED
        elif ctx.profile_of(ctx.team.by_name(name)).judges:
            able.append(name)
        else:
            absent[name] = "the judgement of its model is worth nothing"
    return able, absent


def _speak(
    ctx: StageContext, found: Discussion, name: str, invited: Sequence[str], number: int, given: dict[str, str],
    *, is_last: bool,
) -> None:  # fmt: skip
    step = f"message {number} of {name}"
    values = {
        **given, "agenda": found.agenda, "messages": [each.line for each in found.said], "speaker": name,
        "others": [other for other in invited if other != name], "asked": asked_by(found, name), "is_last": is_last,
    }  # fmt: skip
    said: Message | str = _PAUSED
    if not ctx.step(f"{name} is paused in round {number}", bool, lambda: name in ctx.services.store.paused.since()):
        said = _asked(ctx, found, Question(step, "discuss", values, name), invited)
    if isinstance(said, str):
        found.stopped[name] = said
        ctx.step(f"stop {number} {name}", bool, partial(_stop, ctx, name, said))
        return
    found.said.append(Said(round=number, by=name, message=said))
    ctx.step(f"keep {step}", bool, partial(_keep, ctx, found.said[-1], len(found.said)))
    for each in _circling(found):
        found.stopped[each] = "it wrote to nobody but one other, who did the same"
        ctx.step(f"stop {number} {each}", bool, partial(_stop, ctx, each, found.stopped[each]))


def _asked(ctx: StageContext, found: Discussion, question: Question, invited: Sequence[str]) -> Message | str:
    """What an agent says, or why it has no further word."""
    name = question.agent
    try:
        message = settled(ctx, question, Message, lambda answer: faults_of_message(answer, name, invited))
    except StageFailed as failure:
        if failure.reason is not FailureReason.INVALID_OUTPUT:
            raise
        return f"nothing it wrote could be used: {failure.detail}"
    return _repeats(found, name, message) or message


def asked_by(found: Discussion, name: str) -> list[str]:
    """Who has written to somebody since their last message."""
    last = max((index for index, each in enumerate(found.said) if each.by == name), default=-1)
    return list(dict.fromkeys(each.by for each in found.said[last + 1 :] if name in each.message.to))


def _has_the_word(found: Discussion, name: str) -> bool:
    """Whether somebody who has spoken is to speak again."""
    if name in found.stopped:
        return False
    mine = [each for each in found.said if each.by == name]
    return not mine or not mine[-1].message.agreed or bool(asked_by(found, name))


def _repeats(found: Discussion, name: str, message: Message) -> str:
    """Why a message says nothing new; empty if it does."""
    words = plain_words(message.text)
    for each in found.said:
        if each.by == name and SequenceMatcher(
            None, plain_words(each.message.text), words, autojunk=False
        ).ratio() >= _SAID_AGAIN:  # fmt: skip
            return "it said again what it had said before"
    return ""


def _circling(found: Discussion) -> list[str]:
    """Two who write to nobody but each other for too long."""
    latest = found.said[-_MOST_IN_A_PAIR:]
    pair = {each.by for each in latest}
    alone = all(len(each.message.to) == 1 and {*each.message.to} == pair - {each.by} for each in latest)
    return sorted(pair) if len(latest) == _MOST_IN_A_PAIR and len(pair) == 2 and alone else []  # a pair


def _record_agenda(ctx: StageContext, agenda: Agenda, absent: dict[str, str]) -> bool:
    invited: dict[str, JsonValue] = {each.agent: each.reason for each in agenda.invited}
    if _is_noted(ctx, "discussion begins"):
        return False
    ctx.note(
        "discussion begins", run=ctx.task.run, invited=invited, absent={**absent}, questions=[*agenda.questions],
        text=agenda.proposal,
    )  # fmt: skip
    return True


def _keep(ctx: StageContext, said: Said, number: int) -> bool:
    """Write a message to the task's thread, once."""
    if _is_noted(ctx, "message", number):
        return False
    message = said.message
    ctx.services.store.journal.log(
        said.by, "message", ctx.task.id, run=ctx.task.run, number=number, round=said.round, to=[*message.to],
        text=message.text, concerns=[*message.concerns], agreed=message.agreed,
    )  # fmt: skip
    return True


def _stop(ctx: StageContext, name: str, reason: str) -> bool:
    ctx.note("lost the word", name=name, reason=reason)
    return True


def _record_end(ctx: StageContext, found: Discussion) -> bool:
    ctx.note("discussion ended", messages=len(found.said), reason=found.ended)
    return True


def _is_noted(ctx: StageContext, activity: str, number: int = 0) -> bool:
    """Whether the line is there already: a kill between writing it and the end of its step repeats the step."""
    lines = ctx.services.store.journal.latest(200, task_id=ctx.task.id)
    return any(
        line.activity == activity
        and line.details.get("run") == ctx.task.run
        and line.details.get("number", 0) == number
        for line in lines
    )
