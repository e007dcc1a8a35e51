"""A specification, an architecture and a plan in words: for prompts, and as the note below `docs/`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agents.project import Architecture, ProjectPlan, Specification, Stated


def described(found: Specification) -> str:
    """A specification for prompts, each thing with its label."""
    lines = [f"Title: {found.title}", f"Goal: {found.goal.says}"]
    for heading, stated in _parts(found):
        if stated:
            lines.append(f"{heading}:")
            lines += [f"- {_label(heading, number)}{_told(each)}" for number, each in enumerate(stated, 1)]
    if found.questions:
        lines.append("Left open:")
        lines += [f"- {each.question} Assumed: {each.assumption or 'nothing'}" for each in found.questions]
    return "\n".join(lines)


def designed(found: Architecture) -> str:
    """An architecture for the prompt of the plan."""
    lines = [found.overview, "", "Parts:"]
    lines += [f"- {each.name} ({', '.join(each.files) or 'no files named'}): {each.does}" for each in found.components]
    if found.settled:
        lines += ["", "Settled:", *(f"- {each.decision} {each.why}" for each in found.settled)]
    if found.answers:
        lines += ["", "Concerns, and how they are met:", *(f"- {each.answer}" for each in found.answers)]
    return "\n".join(lines)


def note_of(specification: Specification, architecture: Architecture, plan: ProjectPlan) -> str:
    """The architecture note, in Markdown."""
    return "\n\n".join(_note(specification, architecture, plan)) + "\n"


def _note(specification: Specification, architecture: Architecture, plan: ProjectPlan) -> Iterator[str]:
    yield f"# {_line(specification.title)}: architecture"
    yield _line(specification.goal.says)
    for heading, stated in _parts(specification):
        if stated:
            yield f"## {heading}"
            yield _items([_told(each) for each in stated])
    if specification.questions:
        yield "## What was left open, and is assumed"
        yield _items([f"{each.question} {each.assumption}" for each in specification.questions])
    yield "## How it is built"
    yield architecture.overview.strip()
    yield _items([
        f"**{_line(each.name)}**{f' ({_code(each.files)})' if each.files else ''}: {each.does}"
        for each in architecture.components
    ])  # fmt: skip
    if architecture.settled:
        yield "## What was settled"
        yield _items([f"{each.decision} {each.why}" for each in architecture.settled])
    if architecture.answers:
        yield "## Concerns, and what became of them"
        yield _items([f"{each.objection}: {each.answer}" for each in architecture.answers])
    yield "## The work"
    yield "\n".join(f"{number}. {_line(item.title)}" for number, item in enumerate(plan.tasks, 1))


def _parts(found: Specification) -> list[tuple[str, list[Stated]]]:
    return [
        ("Users", found.users), ("Features", found.features), ("Constraints", found.constraints),
        ("Acceptance criteria", found.acceptance),
    ]  # fmt: skip


def _label(heading: str, number: int) -> str:
    return "" if heading == "Users" else f"{heading[0]}{number}: "


def _told(stated: Stated) -> str:
    return stated.says + ("" if stated.quote.strip() else " (assumed)")


def _items(texts: Sequence[str]) -> str:
    return "\n".join(f"- {_line(text)}" for text in texts)


def _code(files: Sequence[str]) -> str:
    return ", ".join(f"`{_line(path)}`" for path in files)


def _line(text: str) -> str:
    return " ".join(text.split())
