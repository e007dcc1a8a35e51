"""What a task that is no code has come to: a report, an opinion or a decision, in sections that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from memory import Task, TaskType
from owner.project import project_sections
from owner.sections import Section, part, parts, text, texts

__all__ = ["Section", "artifact_of", "as_markdown"]


def artifact_of(task: Task) -> list[Section]:
    """The result of a task in sections; none if it has no words of its own (yet)."""
    told = {
        TaskType.ANALYSIS.value: _report,
        TaskType.OPINION.value: _opinion,
        TaskType.DECISION.value: _decision,
        TaskType.PROJECT.value: project_sections,
        TaskType.MESSAGE.value: _message,
    }.get(task.type)
    return [section for section in told(task.result) if section.text or section.items] if told else []


def as_markdown(task: Task, sections: Sequence[Section]) -> str:
    """The same as a document."""
    lines = [f"# {' '.join(task.title.split())}"]
    for section in sections:
        lines.append(f"## {section.heading}")
        lines += [section.text] if section.text else []
        lines += ["\n".join(f"- {' '.join(item.split())}" for item in section.items)] if section.items else []
    return "\n\n".join(lines) + "\n"


def document_of(task: Task) -> str:
    """The result of a task as a document of its own; empty if it has none."""
    sections = artifact_of(task)
    return as_markdown(task, sections) if sections else ""


def _report(result: dict[str, JsonValue]) -> Iterator[Section]:
    report = part(result, "report")
    yield Section(heading="Summary", text=text(report, "summary"))
    yield Section(heading="Findings", items=texts(report, "findings"))
    yield Section(heading="Recommendations", items=texts(report, "recommendations"))


def _opinion(result: dict[str, JsonValue]) -> Iterator[Section]:
    opinion, criteria = part(result, "opinion"), part(result, "criteria")
    said = [text(opinion, "verdict"), text(opinion, "reasoning")]
    yield Section(heading="Verdict", text=". ".join(filter(None, said)))
    wanted = {text(each, "name"): each for each in parts(criteria, "criteria")}
    yield Section(
        heading="By its own criteria",
        items=[
            f"{text(each, 'name')}: {each.get('score')} of 10, wants "
            f"{wanted.get(text(each, 'name'), {}).get('threshold')}. {text(each, 'evidence')}"
            for each in parts(opinion, "measured")
        ],
    )
    yield Section(
        heading="Objections",
        items=[
            text(each, "text") + (f" (veto: {text(each, 'veto')})" if text(each, "veto") else "")
            for each in parts(opinion, "objections")
        ],
    )
    yield Section(
        heading="Calculations",
        items=[f"{text(each, 'expression')} = {each.get('result')}" for each in parts(opinion, "calculations")],
    )


def _decision(result: dict[str, JsonValue]) -> Iterator[Section]:
    decision = part(result, "decision")
    outcome = text(result, "outcome") or text(decision, "decision").replace("_", " ")
    yield Section(heading="Decision", text=". ".join(filter(None, [outcome, text(result, "reasons")])))
    yield Section(heading="Veto", text=text(result, "veto"))
    yield Section(
        heading="What was said to the objections",
        items=[f"{text(each, 'objection')}: {text(each, 'answer')}" for each in parts(decision, "answers")],
    )
    yield Section(heading="Work that comes of it", items=[text(each, "title") for each in parts(decision, "tasks")])


def _message(result: dict[str, JsonValue]) -> Iterator[Section]:
    yield Section(heading="Answer", text=text(result, "answer"))
