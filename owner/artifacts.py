"""What a task that is no code has come to: a report, an opinion or a decision, in sections that people read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, JsonValue

from memory import Task, TaskType


class Section(BaseModel):
    """A part of a result."""

    heading: str
    text: str = ""
    items: list[str] = []


def artifact_of(task: Task) -> list[Section]:
    """The result of a task in sections; none if it has no words of its own (yet)."""
    told = {
        TaskType.ANALYSIS.value: _report,
        TaskType.OPINION.value: _opinion,
        TaskType.DECISION.value: _decision,
        TaskType.MESSAGE.value: _message,
    }.get(task.type)
    return [section for section in told(task.result) if section.text or section.items] if told else []


def as_markdown(task: Task, sections: Sequence[Section]) -> str:
    """The same as a document."""
    parts = [f"# {' '.join(task.title.split())}"]
    for section in sections:
        parts.append(f"## {section.heading}")
        parts += [section.text] if section.text else []
        parts += ["\n".join(f"- {' '.join(item.split())}" for item in section.items)] if section.items else []
    return "\n\n".join(parts) + "\n"


def document_of(task: Task) -> str:
    """The result of a task as a document of its own; empty if it has none."""
    sections = artifact_of(task)
    return as_markdown(task, sections) if sections else ""


def _report(result: dict[str, JsonValue]) -> Iterator[Section]:
    report = _part(result, "report")
    yield Section(heading="Summary", text=_text(report, "summary"))
    yield Section(heading="Findings", items=_texts(report, "findings"))
    yield Section(heading="Recommendations", items=_texts(report, "recommendations"))


def _opinion(result: dict[str, JsonValue]) -> Iterator[Section]:
    opinion, criteria = _part(result, "opinion"), _part(result, "criteria")
    said = [_text(opinion, "verdict"), _text(opinion, "reasoning")]
    yield Section(heading="Verdict", text=". ".join(filter(None, said)))
    wanted = {_text(each, "name"): each for each in _parts(criteria, "criteria")}
    yield Section(
        heading="By its own criteria",
        items=[
            f"{_text(each, 'name')}: {each.get('score')} of 10, wants "
            f"{wanted.get(_text(each, 'name'), {}).get('threshold')}. {_text(each, 'evidence')}"
            for each in _parts(opinion, "measured")
        ],
    )
    yield Section(
        heading="Objections",
        items=[
            _text(each, "text") + (f" (veto: {_text(each, 'veto')})" if _text(each, "veto") else "")
            for each in _parts(opinion, "objections")
        ],
    )
    yield Section(
        heading="Calculations",
        items=[f"{_text(each, 'expression')} = {each.get('result')}" for each in _parts(opinion, "calculations")],
    )


def _decision(result: dict[str, JsonValue]) -> Iterator[Section]:
    decision = _part(result, "decision")
    outcome = _text(result, "outcome") or _text(decision, "decision").replace("_", " ")
    yield Section(heading="Decision", text=". ".join(filter(None, [outcome, _text(result, "reasons")])))
    yield Section(heading="Veto", text=_text(result, "veto"))
    yield Section(
        heading="What was said to the objections",
        items=[f"{_text(each, 'objection')}: {_text(each, 'answer')}" for each in _parts(decision, "answers")],
    )
    yield Section(heading="Work that comes of it", items=[_text(each, "title") for each in _parts(decision, "tasks")])


def _message(result: dict[str, JsonValue]) -> Iterator[Section]:
    yield Section(heading="Answer", text=_text(result, "answer"))


def _part(value: dict[str, JsonValue], key: str) -> dict[str, JsonValue]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _parts(value: dict[str, JsonValue], key: str) -> list[dict[str, JsonValue]]:
    found = value.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _text(value: dict[str, JsonValue], key: str) -> str:
    return str(value.get(key) or "")


def _texts(value: dict[str, JsonValue], key: str) -> list[str]:
    found = value.get(key)
    return [str(each) for each in found] if isinstance(found, list) else []
