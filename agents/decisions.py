"""What a V-team and the CEO answer when they decide on an idea, and what code checks of it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, Field

from agents.answers import Part, Review, ReviewCriterion

_TOLERANCE = 0.005
"""Share by which a stated result may differ from the calculated one: numbers are rounded."""
_LONGEST_CALCULATION = 300
_OPERATORS: dict[type[ast.operator] | type[ast.unaryop], Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


class OwnCriterion(BaseModel):
    """What a role wants to know of one idea before it judges."""

    name: str = Field(min_length=2, max_length=80)
    threshold: float = Field(ge=0, le=10, description="The least score with which you would agree.")
    weight: float = Field(gt=0, le=10)
    reasoning: str = Field(min_length=5, max_length=600)


class OwnCriteria(BaseModel):
    """The criteria of a role for one idea, settled before anything is measured."""

    criteria: list[OwnCriterion] = Field(min_length=1, max_length=6)


class Measured(BaseModel):
    """How an idea does by one criterion."""

    name: str = Field(max_length=80)
    score: float = Field(ge=0, le=10)
    evidence: str = Field(min_length=5, max_length=1200, description="What the score rests on.")


class Calculation(BaseModel):
    """A calculation that can be done again: plain numbers with + - * / and brackets."""

    expression: str = Field(max_length=_LONGEST_CALCULATION)
    result: float


class Objection(BaseModel):
    """What speaks against an idea."""

    text: str = Field(min_length=5, max_length=800)
    veto: str = Field("", max_length=120, description="One of your grounds for a veto, word for word; else empty.")


class Opinion(BaseModel):
    """A role's verdict on an idea."""

    verdict: Literal["approve", "object", "reject"]
    measured: list[Measured] = Field(max_length=6)
    objections: list[Objection] = Field(default_factory=list, max_length=6)
    calculations: list[Calculation] = Field(default_factory=list, max_length=12)
    reasoning: str = Field(min_length=5, max_length=2000)

    def review(self, criteria: OwnCriteria) -> Review:
        """The same as a verdict is recorded."""
        scores = {each.name: each.score for each in self.measured}
        return Review(
            approved=self.verdict == "approve",
            score=round(weighted(criteria, self), 1),
            criteria=[
                ReviewCriterion(
                    name=each.name, threshold=each.threshold, weight=each.weight, score=scores.get(each.name, 0.0)
                )
                for each in criteria.criteria
            ],
            issues=[objection.text for objection in self.objections],
            reasoning=self.reasoning,
        )


class AnsweredObjection(BaseModel):
    """The CEO's answer to an objection."""

    objection: str = Field(max_length=20, description="Its label, such as legal-1.")
    answer: str = Field(min_length=5, max_length=800)


class PieceOfWork(Part):
    """A part of the work on an approved idea."""

    after: list[int] = Field(
        default_factory=list, max_length=8, description="Numbers of the tasks before it, from 1, that it waits for."
    )


class IdeaDecision(BaseModel):
    """What the CEO decides on an idea, knowing all opinions."""

    decision: Literal["approve", "reject", "revise", "ask_owner"]
    reasons: str = Field(min_length=10, max_length=2000)
    answers: list[AnsweredObjection] = Field(default_factory=list, max_length=40)
    revised_title: str = Field("", max_length=120)
    revised_description: str = Field("", max_length=4000)
    tasks: list[PieceOfWork] = Field(
        default_factory=list, max_length=8, description="When you approve: the work, cut into parts, in order."
    )


@dataclass(frozen=True)
class LabelledObjection:
    """An objection with the name by which it is answered."""

    label: str
    text: str
    veto: str


@dataclass(frozen=True)
class GivenOpinion:
    """An opinion as the CEO is shown it."""

    agent: str
    verdict: str
    score: float
    reasoning: str
    measured: Sequence[str]
    objections: Sequence[LabelledObjection]


@dataclass(frozen=True)
class Hearing:
    """What the CEO knows when it decides on an idea."""

    opinions: Sequence[GivenOpinion]
    goal: str
    may_revise: bool
    strategy: Sequence[str] = ()
    """What the CEO goes by, line by line."""

    @property
    def objections(self) -> list[str]:
        """Their labels."""
        return [objection.label for opinion in self.opinions for objection in opinion.objections]

    @property
    def vetoed(self) -> bool:
        """Whether a veto stands."""
        return any(objection.veto for opinion in self.opinions for objection in opinion.objections)


def weighted(criteria: OwnCriteria, opinion: Opinion) -> float:
    """The weighted mean of the scores, 0 to 10."""
    scores = {each.name: each.score for each in opinion.measured}
    total = sum(each.weight for each in criteria.criteria)
    return sum(each.weight * scores.get(each.name, 0.0) for each in criteria.criteria) / total


def faults_of_criteria(criteria: OwnCriteria) -> list[str]:
    """What code finds wrong with criteria."""
    names = [each.name for each in criteria.criteria]
    return [f"two criteria are called {name!r}" for name in sorted({one for one in names if names.count(one) > 1})]


def faults_of_opinion(opinion: Opinion, criteria: OwnCriteria, vetoes: Sequence[str]) -> list[str]:
    """What code finds wrong with an opinion: what it leaves out or adds, where it contradicts itself, what does not
    add up."""
    faults: list[str] = []
    wanted, given = {each.name: each for each in criteria.criteria}, {each.name: each for each in opinion.measured}
    faults += [f"the criterion {name!r} is not measured" for name in wanted if name not in given]
    faults += [f"{name!r} is none of your criteria" for name in given if name not in wanted]
    failed = [name for name in wanted if name in given and given[name].score < wanted[name].threshold]
    if opinion.verdict == "approve" and failed:
        faults.append(f"you approve, but {', '.join(map(repr, failed))} is below its threshold")
    if opinion.verdict != "approve" and not opinion.objections:
        faults.append(f"your verdict is {opinion.verdict}, but there is no objection")
    for objection in opinion.objections:
        if objection.veto and objection.veto not in vetoes:
            grounds = ", ".join(map(repr, vetoes)) or "none"
            faults.append(f"{objection.veto!r} is no ground on which you may veto; your grounds: {grounds}")
        if objection.veto and opinion.verdict == "approve":
            faults.append("you approve and veto at once")
    for calculation in opinion.calculations:
        try:
            right = calculated(calculation.expression)
        except ValueError as problem:
            faults.append(f"`{calculation.expression}` cannot be calculated: {problem}")
            continue
        if not math.isclose(right, calculation.result, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            faults.append(f"`{calculation.expression}` is {right:g} and not {calculation.result:g}")
    return faults


def faults_of_decision(decision: IdeaDecision, given: Hearing) -> list[str]:
    """What code finds wrong with a decision."""
    objections, vetoed = given.objections, given.vetoed
    answered = {each.objection for each in decision.answers}
    faults = [f"the objection {label} is not answered" for label in objections if label not in answered]
    faults += [f"there is no objection {label}" for label in sorted(answered - {*objections})]
    if decision.decision == "approve" and vetoed:
        faults.append("a veto stands, which only the owner can overrule: revise, reject, or ask_owner")
    if decision.decision == "ask_owner" and not vetoed:
        faults.append("no veto stands, so the decision is yours")
    if decision.decision == "revise":
        if not given.may_revise:
            faults.append("the idea was revised often enough: approve or reject it")
        if not (decision.revised_title and decision.revised_description):
            faults.append("you revise the idea, but its new title and description are missing")
    if decision.decision == "approve" and not decision.tasks:
        faults.append("you approve the idea, but no tasks are given")
    for number, piece in enumerate(decision.tasks, 1):
        if wrong := [other for other in piece.after if not 1 <= other < number]:
            faults.append(f"task {number} waits for {wrong[0]}, which is no task before it")
    return faults


def calculated(expression: str) -> float:
    """The value of an expression of numbers with + - * / and brackets. Raises `ValueError` for anything else."""
    try:
        value = _value(ast.parse(expression.replace(",", "").replace("_", "").strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError("it is no expression of numbers") from None
    except (ZeroDivisionError, OverflowError):
        raise ValueError("it divides by zero or is too large") from None
    if not math.isfinite(value):
        raise ValueError("it is too large")
    return value


def _value(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
    raise ValueError("only numbers, + - * / and brackets are calculated")
