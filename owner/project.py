"""What a text has become: specification, discussion, architecture and plan, in sections that people read."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, JsonValue

from memory import MemoryStore, TaskStatus, TaskType
from owner.errors import NotPossible
from owner.sections import Section, part, parts, text, texts
from owner.words import agent_name


class ProjectPart(BaseModel):
    """A task of a project, and where it is."""

    id: str
    title: str
    type: str
    kind: str
    status: TaskStatus
    stage: str
    reason: str
    after: list[str]


class ProjectView(BaseModel):
    """A project: what the text has become, and how far its work is."""

    task: str
    title: str
    status: TaskStatus
    stage: str
    detail: str
    note: str
    """Path of the architecture note in the repository."""
    sections: list[Section]
    tasks: list[ProjectPart]


def latest_project(store: MemoryStore, named: str = "") -> ProjectView | None:
    """The project of that id, or its beginning, else the latest; None if there is none. Raises `NotPossible` for a task
    that is no project."""
    if named:
        task = store.tasks.find(named)
        if task.type != TaskType.PROJECT:
            raise NotPossible(f"{task.id} is no project but of the type {task.type}; for tasks there is: task show")
    elif found := store.tasks.select(type=TaskType.PROJECT, limit=1):
        (task,) = found
    else:
        return None
    return ProjectView(
        task=task.id,
        title=task.title,
        status=task.status,
        stage=task.stage,
        detail=task.reason_detail,
        note=text(task.result, "note"),
        sections=[section for section in project_sections(task.result) if section.text or section.items],
        tasks=[
            ProjectPart(
                id=each.id, title=each.title, type=each.type, kind=each.kind, status=each.status, stage=each.stage,
                reason=each.reason_detail, after=each.depends_on,
            )
            for each in reversed(store.tasks.select(parent_id=task.id))
        ],
    )  # fmt: skip


def project_sections(result: dict[str, JsonValue]) -> Iterator[Section]:
    """The result of a project as far as it has come."""
    yield from _specification(part(result, "specification"))
    yield from _discussion(part(result, "discussion"))
    yield from _architecture(result)
    plan = part(result, "plan")
    yield Section(
        heading="Work that comes of it",
        text=text(plan, "reason"),
        items=[f"{text(each, 'title')} ({', '.join(texts(each, 'serves'))})" for each in parts(plan, "tasks")],
    )


def _specification(found: dict[str, JsonValue]) -> Iterator[Section]:
    yield Section(heading="Goal", text=text(part(found, "goal"), "says"))
    for heading, key, letter in (
        ("Users", "users", ""), ("Features", "features", "F"), ("Constraints", "constraints", "C"),
        ("Acceptance criteria", "acceptance", "A"),
    ):  # fmt: skip
        yield Section(
            heading=heading,
            items=[
                f"{f'{letter}{number}: ' if letter else ''}{text(each, 'says')}"
                f"{'' if text(each, 'quote') else ' (assumed)'}"
                for number, each in enumerate(parts(found, key), 1)
            ],
        )
    yield Section(
        heading="Open questions",
        items=[
            f"{text(each, 'question')} "
            + ("It was put to you." if each.get("blocks") else f"Assumed: {text(each, 'assumption')}")
            for each in parts(found, "questions")
        ],
    )


def _discussion(found: dict[str, JsonValue]) -> Iterator[Section]:
    agenda = part(found, "agenda")
    there = [
        f"{agent_name(text(each, 'agent'), first=True)}: {text(each, 'reason')}" for each in parts(agenda, "invited")
    ]
    absent = [f"Not {agent_name(name)}: {reason}" for name, reason in part(found, "absent").items()]
    yield Section(heading="Who discussed it, and why", items=[*there, *absent])
    yield Section(heading="What was to be settled", text=text(agenda, "proposal"), items=texts(agenda, "questions"))
    yield Section(heading="What was said", items=[_said(each) for each in parts(found, "said")])
    stopped = [f"{agent_name(name, first=True)} lost the word: {why}" for name, why in part(found, "stopped").items()]
    yield Section(heading="How the discussion ended", text=text(found, "ended"), items=stopped)


def _said(said: dict[str, JsonValue]) -> str:
    message = part(said, "message")
    to = ", ".join(agent_name(name) for name in texts(message, "to")) or "everybody"
    concerns = "".join(f" (concern: {each})" for each in texts(message, "concerns"))
    agrees = " (agrees)" if message.get("agreed") else ""
    return f"{agent_name(text(said, 'by'), first=True)} to {to}{agrees}: {text(message, 'text')}{concerns}"


def _architecture(result: dict[str, JsonValue]) -> Iterator[Section]:
    found = part(result, "architecture")
    note, left_out = text(result, "note"), text(result, "note_left_out")
    where = f"It stands in {note}." if note else f"There is no note: {left_out}." if left_out else ""
    yield Section(
        heading="Architecture",
        text=" ".join(filter(None, [text(found, "overview"), where])),
        items=[
            f"{text(each, 'name')}{_in_brackets(texts(each, 'files'))}: {text(each, 'does')}"
            for each in parts(found, "components")
        ],
    )
    yield Section(
        heading="What was settled",
        items=[f"{text(each, 'decision')} {text(each, 'why')}" for each in parts(found, "settled")],
    )
    yield Section(
        heading="What became of the concerns",
        items=[f"{text(each, 'objection')}: {text(each, 'answer')}" for each in parts(found, "answers")],
    )


def _in_brackets(names: list[str]) -> str:
    return f" ({', '.join(names)})" if names else ""
