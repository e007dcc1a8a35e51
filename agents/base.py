"""What every agent has: a role, a model, prompts, and the loop of answering, checking oneself and correcting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Self, TypeVar

from agents.answers import Report, Review
from agents.decisions import Opinion, OwnCriteria
from agents.owners_words import MessageReply, Said
from agents.prompts import render
from llm import CallContext, LLMClient, ModelProfile, Reply, Tool, Turn, Window
from memory import OWNER, Task

Asked = TypeVar("Asked")
Ask = Callable[[str], CallContext]
"""Names a model call: gives the ledger's context for the step of that name."""

ACCEPTED_SCORE = 7.0
"""Least score of a valid result, as in the specification ("validation['score'] >= 7.0")."""


@dataclass(frozen=True)
class Work:
    """A result with the judgement of it; `accepted` is False when every attempt and approach was used up."""

    report: Report
    review: Review | None
    accepted: bool
    calls: int


def stated(task: Task, *, fenced: bool = True) -> dict[str, str | bool]:
    """What prompts say about a task. What did not come from the owner stands in a data block, like everything else that
    the repository or a model says. A model that does not judge only writes what code asks for, and sees the plain words
    (`fenced` is False).
    """
    return {"title": task.title, "description": task.description, "foreign": task.source != OWNER and fenced}


class BaseAgent:
    """A role on the team. Agents only think: they ask models and judge answers, and touch neither files nor git."""

    name: str
    role: str
    duty: str
    vetoes: Sequence[str] = ()
    """Grounds on which its objection can be overruled by nobody but the owner."""
    working: ClassVar[str] = ""
    """How it works with tools; empty for a role that is given none."""
    opening: ClassVar[str] = ""
    """The prompt that a conversation with tools begins with; it is filled with the task and what is `given`."""

    def __init__(self, llm: LLMClient, model: str | None = None) -> None:
        """`model`: one to be asked instead of the agent's own."""
        self.llm = llm
        self.model = model

    def with_model(self, model: str) -> Self:
        """The same agent, asking another model; its own again for an empty name."""
        return type(self)(self.llm, model or None)

    @property
    def profile(self) -> ModelProfile:
        """What this agent's model can do."""
        return self.llm.profile(self.name, self.model)

    @property
    def system_prompt(self) -> str:
        """The stable head of every prompt of this agent."""
        return render("role", role=self.role, duty=self.duty)

    def begin(self, task: Task, given: object) -> Turn:
        """The first turn of a conversation with tools; `given` is what the role's `opening` shows."""
        return Turn("user", self._prompt(self.opening, task, given=given))

    def go_on(
        self, turns: Sequence[Turn], offered: Sequence[Tool], context: CallContext, window: Window, working: str = ""
    ) -> Reply:
        """The model's next message in a conversation with tools; its calls have not been checked. `working`: how it
        works there, if not as in its own role. Raises PromptTooLong when the conversation does not fit into `window`.
        """
        system = self._system_with_tools(working)
        return self.llm.converse(turns, offered, system=system, window=window, context=context, model=self.model)

    def needs(self, offered: Sequence[Tool], context: CallContext, working: str = "") -> tuple[int, int]:
        """Estimated tokens that `go_on` sends besides the turns, and the tokens it lets the answer have."""
        return self.llm.needs(offered, system=self._system_with_tools(working), context=context, model=self.model)

    def _system_with_tools(self, working: str) -> str:
        return render("tool_role", role=self.role, duty=self.duty, working=working or self.working)

    def process_task(
        self,
        task: Task,
        context: str,
        ask: Ask,
        *,
        attempts: int,
        approaches: int,
        step: Callable[[str, Callable[[], Report]], Report],
        judge: Callable[[str, Callable[[], Review]], Review],
    ) -> Work:
        """Answer an analysis task; check the answer; correct it up to `attempts` times, then start over.

        `step` and `judge` run one model call each as a durable step of the given name.
        A model whose judgement means nothing is not asked to judge itself.
        """
        calls = 0
        last: tuple[Report, Review | None] | None = None
        for approach, attempt in _tries(approaches, attempts):
            issues = last[1].issues if last and last[1] and attempt > 1 else []
            prompt = self._prompt(
                "analyse",
                task,
                context=context,
                issues="\n".join(f"- {issue}" for issue in issues),
                fresh_start=approach > 1 and attempt == 1,
            )
            label = f"answer.{approach}.{attempt}"
            report = step(label, partial(self.structured, prompt, Report, ask(label)))
            calls += 1
            if not self.profile.judges:
                return Work(report, None, True, calls)
            check = f"validate.{approach}.{attempt}"
            review = judge(check, partial(self.validate_result, task, report, ask(check)))
            calls += 1
            last = (report, review)
            if review.approved and review.score >= ACCEPTED_SCORE:
                return Work(report, review, True, calls)
        assert last is not None
        return Work(last[0], last[1], False, calls)

    def validate_result(self, task: Task, result: Report, context: CallContext) -> Review:
        """A model's judgement of `result` against what `task` asked."""
        prompt = self._prompt("validate", task, answer=result.model_dump_json(indent=1))
        return self.structured(prompt, Review, context, temperature=0.0)

    def answer(self, template: str, task: Task, returns: type[Asked], context: CallContext, **values: object) -> Asked:
        """Its answer to a question about `task` that any role can be asked: the prompt `template` with `values`."""
        return self.structured(self._prompt(template, task, **values), returns, context)

    def own_criteria(self, idea: Task, material: str, faults: Sequence[str], context: CallContext) -> OwnCriteria:
        """What it wants to know of this very idea, before it measures anything. `faults`: of its last answer."""
        return self.structured(
            self._prompt("own_criteria", idea, material=material, faults=faults), OwnCriteria, context
        )

    def opinion(
        self, idea: Task, material: str, criteria: OwnCriteria, faults: Sequence[str], context: CallContext
    ) -> Opinion:
        """Its verdict on an idea by its own `criteria`."""
        values = {"material": material, "criteria": criteria.criteria, "vetoes": self.vetoes, "faults": faults}
        return self.structured(self._prompt("opinion", idea, **values), Opinion, context)

    def reply(self, message: Task, said: Said, context: CallContext) -> MessageReply:
        """Its answer to what the owner tells it."""
        return self.structured(self._prompt("reply", message, said=said), MessageReply, context)

    def _prompt(self, template: str, task: Task, **values: object) -> str:
        """A prompt about `task`, as this agent's model sees it."""
        return render(template, **stated(task, fenced=self.profile.judges), **values)

    def structured(
        self, prompt: str, schema: type[Asked], context: CallContext, temperature: float | None = None
    ) -> Asked:
        """The model's answer to a prompt, in this shape."""
        return self.llm.generate_structured(
            prompt, schema, system=self.system_prompt, temperature=temperature, context=context
        )


def _tries(approaches: int, attempts: int) -> Iterator[tuple[int, int]]:
    for approach in range(1, approaches + 1):
        for attempt in range(1, attempts + 1):
            yield approach, attempt
