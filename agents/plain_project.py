"""A project where no model judges: code takes the parts of a text as they stand, and each feature becomes a task."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.project import (
    Architecture,
    Component,
    OpenQuestion,
    ProjectItem,
    ProjectPlan,
    Skeleton,
    Specification,
    Stated,
    plain_words,
)
from memory import Task, TaskKind

_HEADING = re.compile(r"^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"^\s{0,8}(?:[-*+]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(.+)$")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
_SECTIONS = (
    ("users", re.compile(r"user|audience|who\b|for whom", re.IGNORECASE)),
    ("constraints", re.compile(r"constraint|limit|non-?functional|rules|must not|technical", re.IGNORECASE)),
    ("acceptance", re.compile(r"accept|criteria|example|done when|definition of done|tests?\b", re.IGNORECASE)),
    ("questions", re.compile(r"question|unclear|open", re.IGNORECASE)),
)
"""What a section is about, by its heading; any other states features."""
_JAVASCRIPT = re.compile(r"\b(?:javascript|typescript|node(?:\.js)?|npm)\b", re.IGNORECASE)
_PYTHON = re.compile(r"\bpython\b", re.IGNORECASE)
_COMMAND = re.compile(r"\b(?:command[- ]line|command|cli|terminal)\b", re.IGNORECASE)
_PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*\.(?:py|js|mjs|ts|tsx|go|rs))`")
_MOST = {"users": 8, "features": 12, "constraints": 12, "acceptance": 20, "questions": 8}
_LONGEST, _LONGEST_TITLE = 400, 100
_IDLE = {"a", "an", "the", "for", "of", "to", "and", "with", "in", "small", "simple", "tool", "command", "line"}


def specification_by_code(task: Task) -> Specification:
    """The parts of a text: its lists by the headings they stand under, or its sentences."""
    found: dict[str, list[str]] = {name: [] for name in _MOST}
    prose: list[str] = []
    section = "features"
    for line in task.description.splitlines():
        if heading := _HEADING.match(line):
            section = next((name for name, words in _SECTIONS if words.search(heading[1])), "features")
        elif item := _ITEM.match(line):
            found[section].append(item[1].strip())
        elif line.strip():
            prose.append(line.strip())
    sentences = [each for each in _SENTENCE.split(" ".join(prose)) if each.strip()] or [task.title]
    features = found["features"] or sentences[1:] or sentences
    return Specification(
        title=_short(task.title, _LONGEST_TITLE),
        goal=_stated(sentences[0]),
        users=_all("users", found["users"]),
        features=_all("features", features) or [_stated(sentences[0])],
        constraints=_all("constraints", found["constraints"]),
        acceptance=_all("acceptance", found["acceptance"]),
        questions=[
            OpenQuestion(question=_short(f"Open: {text}", _LONGEST), assumption="The simplest reading counts.")
            for text in found["questions"][: _MOST["questions"]]
        ],
    )


def architecture_by_code(found: Specification, task: Task, *, is_empty: bool) -> Architecture:
    """One package with what the text asks for; in an empty repository its skeleton."""
    words = f"{task.title}\n{task.description}"
    goal = found.goal.says
    overview = f"Nobody discussed it: the features stand as the text has them. {goal}"
    if not is_empty:
        return Architecture(
            overview=overview, components=[Component(name="what is there", does=_short(f"It does: {goal}", 600))]
        )
    is_javascript = bool(_JAVASCRIPT.search(words)) and not _PYTHON.search(words)
    names = [word for word in re.findall(r"[a-z][a-z0-9]*", found.title.lower()) if word not in _IDLE][:3] or ["tool"]
    skeleton = Skeleton(
        language="javascript" if is_javascript else "python",
        package=("-" if is_javascript else "_").join(["app", *names] if names[0] in ("test", "tests") else names)[:50],
        command="-".join(names)[:50] if _COMMAND.search(words) else "",
        summary=_short(goal if len(goal) > 5 else f"{goal} tool", 120),  # what a summary needs
    )
    component = Component(name=skeleton.package, does=_short(f"It does: {goal}", 600), files=[_file_of(skeleton)])
    return Architecture(overview=overview, components=[component], skeleton=skeleton)


def plan_by_code(found: Specification, architecture: Architecture) -> ProjectPlan:
    """A task for each feature, each after the one before it; an acceptance criterion goes with the feature that shares
    the most words with it."""
    seen: dict[int, list[int]] = {number: [] for number in range(len(found.features))}
    for number, criterion in enumerate(found.acceptance):
        seen[_nearest(criterion.says, [each.says for each in found.features])].append(number)
    constraints = [label for label in found.labelled if label.startswith("C")]
    items = []
    for number, feature in enumerate(found.features):
        criteria = [found.acceptance[each].says for each in seen[number]]
        named = list(dict.fromkeys(_PATH.findall("\n".join([feature.says, *criteria]))))
        if not named:
            named = [_file_of(architecture.skeleton)] if architecture.skeleton else ["to be found"]
        items.append(
            ProjectItem(
                title=_short(f"Feature {number + 1}: {_SENTENCE.split(feature.says)[0]}", _LONGEST_TITLE),
                description=_short(f"{feature.says}\n\nIt is part of this: {found.goal.says}", 3000),
                kind=TaskKind.FEATURE,
                acceptance=[_short(each, _LONGEST) for each in criteria if len(each) >= 8][:12]
                or [_short(f"It does this: {feature.says}", _LONGEST)],
                files=named[:20],
                depends_on=[number] if number else [],
                serves=[f"F{number + 1}", *(f"A{each + 1}" for each in seen[number]), *constraints][:40],
            )
        )
    return ProjectPlan(tasks=items, reason="Each feature of the text is a task, in the order of the text.")


def _file_of(skeleton: Skeleton) -> str:
    if skeleton.language == "javascript":
        return "src/index.js"
    return f"src/{skeleton.package}/{'cli' if skeleton.command else 'core'}.py"


def _nearest(text: str, others: Sequence[str]) -> int:
    words = {*plain_words(text).split()}
    shared = [len(words & {*plain_words(other).split()}) for other in others]
    return shared.index(max(shared))


def _all(name: str, texts: Sequence[str]) -> list[Stated]:
    different: dict[str, str] = {}
    for text in texts:
        different.setdefault(plain_words(text), text)
    return [_stated(text) for words, text in different.items() if words and len(text) > 2][: _MOST[name]]


def _stated(text: str) -> Stated:
    says = _short(text.strip(), 600)
    return Stated(says=says if len(says) > 2 else f"{says}: asked for", quote=text.strip()[:_LONGEST])


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
