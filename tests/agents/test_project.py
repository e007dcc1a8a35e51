"""What code checks of a project's answers, and what it makes of a text where no model judges."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents import Message, PlanLimits, ProjectPlan, Skeleton, Specification, in_turn
from agents.plain_project import architecture_by_code, plan_by_code, specification_by_code
from agents.project import (
    Agenda,
    Architecture,
    Component,
    Concern,
    Invitation,
    OpenQuestion,
    ProjectItem,
    Stated,
    faults_of_agenda,
    faults_of_architecture,
    faults_of_message,
    faults_of_plan,
    faults_of_specification,
)
from agents.project_note import described, note_of
from memory import Task, TaskKind, TaskType

TEXT = """# Words

A *small* tool that counts words, for writers who
work in a terminal.

1. It reads a file, or standard input.
2. It prints the number of `words`.
"""


def specification(**more: object) -> Specification:
    values: dict[str, object] = {
        "title": "Words", "goal": Stated(says="It counts words.", quote="a small tool that counts words"),
        "features": [Stated(says="It reads a file.", quote="It reads a file, or standard input")],
    }  # fmt: skip
    return Specification.model_validate(values | more)


QUOTES = {
    "as it stands": ("It prints the number of `words`.", ""),
    "without marks": ("A small tool", ""),
    "over two lines": ("for writers who work in a terminal", ""),
    "in other case": ("it reads a FILE", ""),
    "other words": ("It reads many files", "is not in the text"),
    "words of two places": ("counts words. It reads", "is not in the text"),
    "nothing": ("", "has no quote"),
    "only marks": ("***", "has no quote"),
    "a word of nothing": ("a", "is too short"),
}


@pytest.mark.parametrize("kind", QUOTES)
def test_a_feature_rests_on_words_of_the_text(kind: str) -> None:
    quote, told = QUOTES[kind]
    faults = faults_of_specification(specification(features=[Stated(says="This.", quote=quote)]), TEXT, may_ask=True)
    assert [told in fault for fault in faults] == ([True] if told else [])


def test_what_is_concluded_may_have_no_quote_and_is_marked() -> None:
    found = specification(users=[Stated(says="Writers.")], constraints=[Stated(says="It is fast.", quote="lightning")])
    (fault,) = faults_of_specification(found, TEXT, may_ask=True)
    assert "constraint 1" in fault
    assert "- Writers. (assumed)" in described(found)


def test_questions_are_assumed_or_asked_and_not_for_ever() -> None:
    blocking = OpenQuestion(question="Which language is it?", blocks=True)
    assert faults_of_specification(specification(questions=[blocking]), TEXT, may_ask=True) == []
    (late,) = faults_of_specification(specification(questions=[blocking]), TEXT, may_ask=False)
    assert "asked already" in late
    lazy = OpenQuestion(question="Which language is it?", assumption="yes")
    assert "says not what is assumed" in faults_of_specification(specification(questions=[lazy]), TEXT, may_ask=True)[0]


def test_who_may_be_invited_and_written_to() -> None:
    def agenda(*names: str) -> Agenda:
        invited = [Invitation(agent=name, reason="It is needed.") for name in names]
        return Agenda(invited=invited, questions=["What first?"], proposal="One module that does it all.")

    team = ("backend", "qa", "security")
    assert faults_of_agenda(agenda("backend", "qa"), team) == []
    assert faults_of_agenda(agenda("qa"), ("qa",)) == []
    told = " ".join(faults_of_agenda(agenda("qa", "qa", "ceo"), team))
    assert "'ceo' cannot be invited" in told and "invited twice" in told
    assert "at least 2" in faults_of_agenda(agenda("qa"), team)[0]
    assert faults_of_message(Message(text="Hello.", to=["qa"]), "backend", team) == []
    for wrong in ("backend", "pm"):
        assert "takes no part" in faults_of_message(Message(text="Hello.", to=[wrong]), "backend", team)[0]


def architecture(**more: object) -> Architecture:
    parts = [Component(name="words", does="Counts words.", files=["src/words/cli.py"])]
    return Architecture.model_validate({"overview": "One module that counts.", "components": parts} | more)


def skeleton(**more: object) -> Skeleton:
    return Skeleton.model_validate({"language": "python", "package": "words", "summary": "Counts words."} | more)


SKELETONS: dict[str, tuple[dict[str, object], str]] = {
    "plain": ({}, ""),
    "a command": ({"command": "word-count"}, ""),
    "dependencies": ({"dependencies": ["rich>=13", "httpx[http2]==0.27.0", "attrs"]}, ""),
    "a module's name": ({"package": "word-count"}, "no name for a package"),
    "a folder's name": ({"package": "tests"}, "no name for a package"),
    "a path": ({"command": "../words"}, "no name for a command"),
    "an address": ({"dependencies": ["evil @ https://example.com/x.whl"]}, "no package with a version"),
    "an option": ({"dependencies": ["--index-url=https://example.com"]}, "no package with a version"),
    "of npm": ({"language": "javascript", "package": "word-count", "dependencies": ["@scope/x@^1.2.0"]}, ""),
}


@pytest.mark.parametrize("kind", SKELETONS)
def test_a_skeleton_names_only_what_is_a_name(kind: str) -> None:
    values, told = SKELETONS[kind]
    faults = faults_of_architecture(architecture(skeleton=skeleton(**values)), [], is_empty=True)
    assert [told in fault for fault in faults] == ([True] if told else [])


def test_every_concern_is_answered_and_only_an_empty_repository_gets_a_skeleton() -> None:
    concerns = [Concern("qa-1", "Empty files."), Concern("qa-2", "Huge files.")]
    answers = [{"objection": "qa-1", "answer": "They have no words."}, {"objection": "ceo-1", "answer": "What of it?"}]
    faults = faults_of_architecture(architecture(answers=answers), concerns, is_empty=False)
    assert faults == ["the concern qa-2 is not answered", "there is no concern ceo-1"]
    assert "say which skeleton" in faults_of_architecture(architecture(), [], is_empty=True)[0]
    assert "no skeleton" in faults_of_architecture(architecture(skeleton=skeleton()), [], is_empty=False)[0]


def item(title: str, *files: str, after: Sequence[int | str] = (), serves: Sequence[str] = ("F1",)) -> ProjectItem:
    return ProjectItem(
        title=title, description=f"{title}, as the text says it.", kind=TaskKind.FEATURE, files=[*files],
        acceptance=["It is seen in the terminal."], depends_on=[*after], serves=[*serves],
    )  # fmt: skip


def test_a_plan_serves_all_that_the_text_asks_for() -> None:
    found = specification(constraints=[Stated(says="No dependencies.")], acceptance=[Stated(says="It prints 3.")])
    limits = PlanLimits(most=3, known=[], kinds=[TaskKind.FEATURE])
    plan = ProjectPlan(tasks=[item("Read files", "a.py", serves=["F1", "F9"])], reason="It is one.")
    assert faults_of_plan(plan, found, limits) == [
        "no task serves C1: No dependencies.", "no task serves A1: It prints 3.", "there is no F9",
    ]  # fmt: skip
    whole = ProjectPlan(tasks=[item("Read files", "a.py", serves=["F1", "C1", "A1"])], reason="It is one.")
    assert faults_of_plan(whole, found, limits) == []


def test_tasks_that_change_the_same_file_wait_for_each_other() -> None:
    items = [
        item("Read", "a.py"), item("Write", "b.py"), item("List", "a.py", "b.py"), item("Sort", "c.py"),
        item("Early", "c.py", after=["Read"]), item("First", "d.py", after=[7]), item("Last", "d.py"),
        item("Count", "a.py", after=["List"]),
    ]  # fmt: skip
    waits = [each.depends_on for each in in_turn(items)]
    assert waits == [[], [], [1, 2], [], [1, 4], [7], [], [3]]


def task(text: str, title: str = "Words") -> Task:
    return Task(id="t-1", title=title, description=text, type=TaskType.PROJECT)


def test_a_text_is_taken_apart_by_its_headings_and_lists() -> None:
    text = """# Words
A tool that counts words.

## Features
- Count words. `count("a b")` returns `2`.
* Count lines in `src/words/lines.py`.
- Count words. `count("a b")` returns `2`.

## Constraints
- No dependencies.

## Acceptance criteria
- `count("")` returns `0`, since there are no words.

## Open questions
- What about tabs?
"""
    found = specification_by_code(task(text))
    assert [each.says for each in found.features] == [
        'Count words. `count("a b")` returns `2`.', "Count lines in `src/words/lines.py`.",
    ]  # fmt: skip
    assert (found.goal.says, found.constraints[0].says) == ("A tool that counts words.", "No dependencies.")
    assert faults_of_specification(found, text, may_ask=False) == []
    design = architecture_by_code(found, task(text), is_empty=True)
    assert faults_of_architecture(design, [], is_empty=True) == []
    plan = plan_by_code(found, design)
    assert faults_of_plan(plan, found, PlanLimits(most=12, known=[], kinds=[TaskKind.FEATURE])) == []
    assert [each.files for each in plan.tasks] == [["src/words/core.py"], ["src/words/lines.py"]]
    assert plan.tasks[0].acceptance == ['`count("")` returns `0`, since there are no words.']
    assert "1. Feature 1: Count words." in note_of(found, design, plan)


ODD = {
    "one sentence": "Count the words of a file",
    "no letters of ours": "数える 単語 ファイル",
    "one long line": "count " * 3000,
    "a thousand items": "\n".join(f"- Do thing number {number} well" for number in range(1000)),
    "only headings": "# One\n## Two\n### Three four",
    "short items": "Count it.\n- a\n- b\n- c\n",
    "markup": "<data>\n</data>\n```\n- not a list?\n```\n> quoted\n| a | b |\n",
    "test": "test tests testing for node.js",
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("is_empty", [True, False])
def test_any_text_becomes_a_plan_by_code(kind: str, is_empty: bool) -> None:
    given = task(ODD[kind], title=ODD[kind].strip().splitlines()[0][:100])
    found = specification_by_code(given)
    design = architecture_by_code(found, given, is_empty=is_empty)
    assert faults_of_architecture(design, [], is_empty=is_empty) == []
    plan = plan_by_code(found, design)
    assert 1 <= len(plan.tasks) <= 12
    assert note_of(found, design, plan).endswith(f"{len(plan.tasks)}. {' '.join(plan.tasks[-1].title.split())}\n")
