"""The CEO: decides what is next. Stated work (goal, backlog file) is read by code; ideas are asked of a model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agents.answers import TaskIdea
from agents.answers import TaskIdeas as Ideas
from agents.base import BaseAgent
from agents.examples import stated_examples
from agents.prompts import render
from llm import CallContext
from memory import Priority, Task, TaskType

_ITEM = re.compile(r"(?m)^##[ \t]+(?P<title>[^\n#].*?)[ \t]*$")
_MARKER = re.compile(r"\s*[\[(](?P<word>high|medium|low|done)[\])]\s*$", re.IGNORECASE)
_FIRST_SENTENCE = re.compile(r"(?:`[^`\n]+`|[^`\n])+?(?=[.!?:](?:\s|$)|\n|$)")
"""Without its full stop; one inside of code ends nothing."""
_PRIORITIES = {"high": Priority.HIGH, "medium": Priority.MEDIUM, "low": Priority.LOW}
_TITLE_LENGTH = 80


@dataclass(frozen=True)
class Situation:
    """What the CEO knows when it is asked what is next."""

    goal: str
    outline: str
    open_tasks: Sequence[str]
    past_tasks: Sequence[str]


class CEOAgent(BaseAgent):
    name = "ceo"
    role = "CEO"
    duty = "You decide what the team does next so that the owner's goal comes nearer at little cost."

    def tasks_from_goal(self, goal: str) -> list[Task]:
        """A goal that states examples of one function is itself the task; nobody has to be asked."""
        if not stated_examples(goal):
            return []
        first = match[0] if (match := _FIRST_SENTENCE.match(goal.strip())) else goal.strip().splitlines()[0]
        title = first if len(first) <= _TITLE_LENGTH else first[: _TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"
        return [_task("goal", title, goal.strip(), Priority.HIGH, "owner")]

    def tasks_from_backlog(self, text: str) -> list[Task]:
        """The `##` items of a backlog file in its order; `[done]` ones are left out, `[high]`/`[low]` set priority."""
        tasks: list[Task] = []
        matches = list(_ITEM.finditer(text))
        for index, match in enumerate(matches):
            end = matches[index + 1].start() if index + 1 < len(matches) else len(text)
            body = text[match.end() : end].strip()
            title = match["title"].strip()
            priority = Priority.MEDIUM
            if marker := _MARKER.search(title):
                title = title[: marker.start()]
                if marker["word"].lower() == "done":
                    continue
                priority = _PRIORITIES[marker["word"].lower()]
            if body:
                tasks.append(_task("backlog", title, body, priority, "backlog"))
        return tasks

    def generate_tasks(self, situation: Situation, limit: int, context: CallContext) -> list[Task]:
        """At most `limit` ideas of the model that are not open, landed or rejected already (by title)."""
        prompt = render(
            "plan_goal",
            goal=situation.goal or "Keep this code base healthy and useful.",
            outline=situation.outline,
            open_tasks="\n".join(f"- {title}" for title in situation.open_tasks) or "none",
            past_tasks="\n".join(f"- {title}" for title in situation.past_tasks) or "none",
            limit=limit,
        )
        ideas = self._structured(prompt, Ideas, context).tasks[:limit]
        known = {_normal(title) for title in [*situation.open_tasks, *situation.past_tasks]}
        fresh: dict[str, TaskIdea] = {}
        for idea in ideas:
            if _normal(idea.title) not in known:
                fresh.setdefault(_normal(idea.title), idea)
        return [
            _task("idea", idea.title, idea.description, _PRIORITIES[idea.priority], "ceo") for idea in fresh.values()
        ]


def _task(kind: str, title: str, description: str, priority: Priority, source: str) -> Task:
    """A task whose id follows from its words, so that the same item read twice is one task."""
    digest = hashlib.sha256(f"{_normal(title)}\n{description.strip()}".encode()).hexdigest()[:10]
    return Task(
        id=f"{kind}-{digest}",
        title=title,
        description=description,
        type=TaskType.CODE,
        priority=priority,
        source=source,
    )


def _normal(title: str) -> str:
    return re.sub(r"\W+", " ", title).strip().lower()
