"""A text becomes a project: a specification, a bounded discussion, a note that lands, and tasks; also from nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pydantic import JsonValue

from memory import Task, TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, Rule, asked, git, team
from tests.support import Answer, Request, ScriptedModelServer

__all__ = ["make_house"]

SPEC = """# Arithmetic for everybody

People who do their sums in a terminal need `calc.py` to add.

## Features
- Add two numbers. `add(1, 2)` returns `3` and `add(-1, 1)` returns `0`.

## Constraints
- No dependencies.
"""
Told = dict[str, JsonValue]
TEAM = ("backend", "frontend", "devops", "qa", "security")
TITLES = {
    "project manager": "pm", "backend developer": "backend", "frontend developer": "frontend",
    "DevOps engineer": "devops", "QA engineer": "qa", "security engineer": "security",
}  # fmt: skip


def specification(**more: JsonValue) -> Told:
    return {
        "title": "Arithmetic",
        "goal": {"says": "Sums in a terminal.", "quote": "need `calc.py` to add"},
        "features": [{"says": "Add two numbers.", "quote": "Add two numbers."}],
        "constraints": [{"says": "Nothing is installed.", "quote": "No dependencies"}],
        "acceptance": [{"says": "`add(1, 2)` returns `3`", "quote": "`add(1, 2)` returns `3`"}],
        "questions": [{"question": "What of floats?", "blocks": False, "assumption": "Integers are enough."}],
        **more,
    }  # fmt: skip


def agenda(*invited: str) -> Told:
    return {
        "invited": [{"agent": name, "reason": f"It needs {name}."} for name in invited or ("backend", "qa")],
        "questions": ["Where does it belong?"],
        "proposal": "A function add in calc.py, tested by its examples.",
    }


def message(text: str, *to: str, agreed: bool = False, concerns: Sequence[str] = ()) -> Told:
    return {"to": [*to], "text": text, "agreed": agreed, "concerns": [*concerns]}


def architecture(*answered: str, **more: JsonValue) -> Told:
    return {
        "overview": "One function in the module that is there.",
        "components": [{"name": "calc", "does": "Adds and doubles.", "files": ["calc.py"]}],
        "settled": [{"decision": "It takes integers.", "why": "The text has no others."}],
        "answers": [{"objection": label, "answer": "A test shows it."} for label in answered],
        **more,
    }


def item(title: str = "Add add", file: str = "calc.py", **more: JsonValue) -> Told:
    return {
        "title": title,
        "description": f"Add `add(a: int, b: int) -> int` to {file}.",
        "kind": "feature",
        "acceptance": ["`add(1, 2)` returns `3`", "`add(-1, 1)` returns `0`"],
        "files": [file],
        "serves": ["F1", "A1"],
        **more,
    }


def plan(*items: Told) -> Told:
    return {"tasks": [*(items or (item(),))], "reason": "It is one step."}


AGREE: Told = message("I agree with that.", agreed=True)
Say = Callable[[str, int], Told]


class Company:
    """Answers for everybody in a project: a list for each kind of question (the last answer is repeated), and what each
    agent says in a discussion, by its name and the number of its message."""

    def __init__(self, say: Say = lambda _name, _number: AGREE, others: Rule | None = None, **answers: Sequence[Told]):
        self._answers: Mapping[str, Sequence[Told]] = {
            "specification": [specification()], "agenda": [agenda()], "architecture": [architecture()],
            "project plan": [plan()],
        } | answers  # fmt: skip
        self._say, self._others = say, others or team()
        self._counts: Counter[str] = Counter()

    def __call__(self, request: Request) -> Answer:
        kind = asked(request)
        if kind not in (*self._answers, "message"):
            return self._others(request)
        key = speaker(request) if kind == "message" else kind
        self._counts[key] += 1
        if kind == "message":
            return self._say(key, self._counts[key])
        answers = self._answers[kind]
        return answers[min(self._counts[key], len(answers)) - 1]


def speaker(request: Request) -> str:
    """Who is to speak."""
    found = re.search(r"You are the (.+?) of a small software team", request.system)
    assert found, request.system
    return TITLES[found[1]]


def messages(server: ScriptedModelServer) -> list[str]:
    """Who was given the word, in order."""
    return [speaker(request) for request in server.requests if asked(request) == "message"]


def begin(house: House, text: str = SPEC, *options: str) -> str:
    """`project start` with a text; gives the id of the task."""
    file = house.folder / "spec.md"
    file.write_text(text, encoding="utf-8")
    done = house.cli("project", "start", str(file), "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(json.loads(done.stdout)["id"])


def ended(house: House, project: str) -> Task:
    house.run_until_idle()
    return house.task(project)


def parts_of(house: House, project: str) -> list[Task]:
    with house.store() as store:
        return store.tasks.select(parent_id=project)[::-1]


def test_a_text_becomes_a_specification_a_discussion_a_note_and_work_that_lands(make_house: MakeHouse) -> None:
    talk = {
        ("backend", 1): message("Which values?", "qa", concerns=["Negative numbers must work."]),
        ("qa", 1): message("Those of the text, and below zero.", "backend", agreed=True),
    }
    house, server = make_house(
        Company(lambda name, number: talk.get((name, number), AGREE), architecture=[architecture("backend-1")]),
        project={"goal": "", "tasks_from": []},
    )
    project = begin(house)
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    assert messages(server) == ["backend", "qa", "backend"]
    last = [request for request in server.requests if asked(request) == "message"][-1]
    assert "qa, to backend (agrees): Those of the text, and below zero." in last.prompt
    assert "These wrote to you since your last message: qa." in last.prompt
    (part,) = parts_of(house, project)
    assert (part.type, part.kind, part.source, part.status) == ("code", "feature", "pm", TaskStatus.COMPLETED)
    assert house.landed() == ["Add add", "Test: Add add", "Write down the architecture of Arithmetic"]
    note = git(house.repository, "show", "agents/integration:docs/architecture.md")
    for words in ("# Arithmetic: architecture", "What of floats? Integers are enough.", "backend-1: A test shows it.",
                  "1. Add add", "One function in the module"):  # fmt: skip
        assert words in note

    told = house.cli("task", "show", project).stdout
    assert "The backend developer to QA: Which values?" in told
    report = house.cli("task", "report", project).stdout
    assert "- QA to the backend developer (agrees): Those of the text, and below zero." in report
    assert "- A1: `add(1, 2)` returns `3`" in report
    shown = json.loads(house.cli("project", "show", "--json").stdout)["project"]
    assert (shown["task"], shown["status"], shown["note"]) == (project, "completed", "docs/architecture.md")
    assert [each["status"] for each in shown["tasks"]] == ["completed"]
    plain = house.cli("project", "show").stdout
    assert "What was said" in plain
    assert part.id in plain


def test_in_an_empty_repository_the_skeleton_lands_first(make_house: MakeHouse) -> None:
    skeleton: Told = {
        "language": "python", "package": "arith", "command": "arith", "summary": 'Sums in a "terminal" \\ here.',
        "dependencies": [],
    }  # fmt: skip
    good = "### src/arith/core.py\n```python\ndef add(a: int, b: int) -> int:\n    return a + b\n```\n"
    house, _ = make_house(
        Company(
            others=team(code=[good]),
            architecture=[architecture(), architecture(skeleton=skeleton)],
            **{"project plan": [plan(item(file="src/arith/core.py"))]},
        ),
        project={"goal": "", "tasks_from": []},
    )
    shutil.rmtree(house.repository)
    git(house.folder, "init", "-q", "-b", "main", str(house.repository))
    project = begin(house)
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    skeleton_task, part = parts_of(house, project)
    assert (skeleton_task.type, skeleton_task.status) == ("skeleton", TaskStatus.COMPLETED)
    assert (part.depends_on, part.status) == ([skeleton_task.id], TaskStatus.COMPLETED)
    subjects = git(house.repository, "log", "--format=%s", "agents/integration").splitlines()
    assert subjects == [
        "Add add", "Test: Add add", "Begin arith: package, tests, continuous integration",
        "Write down the architecture of Arithmetic", "Begin an empty repository",
    ]  # fmt: skip
    git(house.repository, "merge", "-q", "agents/integration")
    assert sorted(git(house.repository, "ls-files").splitlines()) == [
        ".github/workflows/tests.yml", ".gitignore", "README.md", "docs/architecture.md", "pyproject.toml",
        "src/arith/__init__.py", "src/arith/__main__.py", "src/arith/cli.py", "src/arith/core.py",
        "tests/test_add.py", "tests/test_command.py", "tests/test_package.py",
    ]  # fmt: skip
