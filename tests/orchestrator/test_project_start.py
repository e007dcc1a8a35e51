"""A text becomes a project: a specification, a bounded discussion, a note that lands, and tasks; also from nothing."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import pytest
from pydantic import JsonValue

from memory import FailureReason, Task, TaskStatus
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import House, eventually, git
from tests.orchestrator.scripts import Rule, asked, team
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
QUIET: dict[str, object] = {"goal": "", "tasks_from": []}
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
        "serves": ["F1", "C1", "A1"],
        **more,
    }


def plan(*items: Told) -> Told:
    return {"tasks": [*(items or (item(),))], "reason": "It is one step."}


AGREE: Told = message("I agree with that.", agreed=True)
Say = Callable[[str, int], Told]


class Company:
    """Answers for everybody in a project: a list for each kind of question (the last answer is repeated), and what each
    agent says in a discussion, by its name and the number of its message."""

    def __init__(
        self,
        say: Say = lambda _name, _number: AGREE,
        others: Rule | None = None,
        answers: Mapping[str, Sequence[Told]] = MappingProxyType({}),
    ) -> None:
        self._answers: Mapping[str, Sequence[Told]] = {
            "specification": [specification()], "agenda": [agenda()], "architecture": [architecture()],
            "project plan": [plan()], **answers,
        }  # fmt: skip
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
        Company(
            lambda name, number: talk.get((name, number), AGREE), answers={"architecture": [architecture("backend-1")]}
        ),
        project=QUIET,
        agents={"qa": {"model": "another"}},
    )
    project = begin(house)
    done = house.run_until_idle()
    assert done.returncode == 0, done.stdout + done.stderr
    assert messages(server) == ["backend", "qa", "backend"]
    models = {speaker(request): request.model for request in server.requests if asked(request) == "message"}
    assert models == {"backend": "scripted", "qa": "another"}, "each by its own model"
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


@pytest.mark.long
def test_a_discussion_goes_on_without_whom_the_owner_has_paused(make_house: MakeHouse) -> None:
    """Before it began, and while it goes on."""
    at: list[House] = []

    def say(name: str, _number: int) -> Told:
        if name == "backend":
            assert at[0].cli("agents", "pause", "frontend").returncode == 0
        return AGREE

    house, server = make_house(Company(say, answers={"agenda": [agenda("backend", "frontend")]}), project=QUIET)
    at.append(house)
    assert house.cli("agents", "pause", "security").returncode == 0
    project = begin(house)
    ended(house, project)
    assert messages(server) == ["backend"]
    told = house.cli("task", "show", project).stdout
    assert "The frontend developer has no further word in the discussion" in told
    with house.store() as store:
        lines = {line.activity: line.details for line in store.journal.latest(200, task_id=project)}
    not_invited = "the project manager did not invite it"
    expected = {"security": "you have paused it", "devops": not_invited, "qa": not_invited}
    assert lines["discussion begins"]["absent"] == expected
    assert lines["lost the word"]["reason"] == "you have paused it"


@pytest.mark.long
def test_in_an_empty_repository_the_skeleton_lands_first(make_house: MakeHouse) -> None:
    skeleton: Told = {
        "language": "python", "package": "arith", "command": "arith", "summary": 'Sums in a "terminal" \\ here.',
        "dependencies": [],
    }  # fmt: skip
    good = "### src/arith/core.py\n```python\ndef add(a: int, b: int) -> int:\n    return a + b\n```\n"
    house, _ = make_house(
        Company(
            others=team(code=[good]),
            answers={
                "architecture": [architecture(), architecture(skeleton=skeleton)],
                "project plan": [plan(item(file="src/arith/core.py"))],
            },
        ),
        project=QUIET,
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


@pytest.mark.long
def test_packages_wait_for_the_owner_and_other_languages_for_models_with_tools(make_house: MakeHouse) -> None:
    wanted: Told = {"language": "other", "package": "arith", "command": "", "summary": "Sums.", "dependencies": []}
    with_packages: Told = {**wanted, "language": "python", "dependencies": ["attrs>=23"]}
    house, _ = make_house(
        Company(answers={"architecture": [architecture(skeleton=wanted), architecture(skeleton=with_packages)]}),
        project=QUIET, files={},
    )  # fmt: skip
    git(house.repository, "rm", "-rq", ".")
    git(house.repository, "commit", "-q", "-m", "only a licence is left", "--allow-empty")
    project = begin(house)
    task = ended(house, project)
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.NEEDS_OWNER)
    assert "agents.developer.model" in task.reason_detail
    assert house.cli("task", "retry", project).returncode == 0
    ended(house, project)
    first, part = parts_of(house, project)
    assert (first.status, first.result["waiting_for"]) == (TaskStatus.WAITING_APPROVAL, "land")
    assert "attrs>=23" in house.cli("task", "diff", first.id).stdout
    assert part.status is TaskStatus.PENDING
    assert house.landed() == ["Write down the architecture of Arithmetic"]


@pytest.mark.long
def test_an_agent_that_never_agrees_has_as_many_messages_as_rounds(make_house: MakeHouse) -> None:
    def say(name: str, number: int) -> Told:
        words = ("Nothing here is right yet.", "And the tests come too late.", "What about floats, then?")
        return message(words[number - 1]) if name == "qa" else AGREE

    house, server = make_house(Company(say), orchestrator={"discussion_rounds": 3}, project=QUIET)
    project = begin(house)
    with house.daemon():
        task = house.wait_for(project, TaskStatus.COMPLETED)
    assert messages(server) == ["backend", "qa", "qa", "qa"]
    discussion = task.result["discussion"]
    assert isinstance(discussion, dict)
    assert discussion["ended"] == "after 3 rounds; not agreed: qa"
    final = [request for request in server.requests if asked(request) == "message"][-1]
    assert "This is your last message." in final.prompt


TOPICS = ("tests first", "names of files", "exit codes", "colours", "speed", "encodings", "paths", "dates", "links")


@pytest.mark.long
def test_two_that_write_to_nobody_but_each_other_lose_the_word(make_house: MakeHouse) -> None:
    def say(name: str, number: int) -> Told:
        other = {"backend": "qa", "qa": "backend"}.get(name)
        return message(
            f"{name} asks about {TOPICS[number]}: what of it?", *([other] if other else []), agreed=not other
        )

    house, server = make_house(
        Company(say, answers={"agenda": [agenda("devops", "backend", "qa")]}),
        orchestrator={"discussion_rounds": 8}, project=QUIET,
    )  # fmt: skip
    project = begin(house)
    with house.daemon():
        task = house.wait_for(project, TaskStatus.COMPLETED)
    assert messages(server) == ["devops", "backend", "qa", "backend", "qa"]
    assert "lost the word: it wrote to nobody but one other" in house.cli("task", "report", project).stdout
    assert task.result["discussion"]["ended"] == "everybody agreed after 2 of 8 rounds"  # type: ignore[index, call-overload]


FRUITLESS = {
    "it said again": (message("I do not like this, and I say so *again*."), ["backend", "qa", "qa"]),
    "nothing it wrote could be used": (message("What does the owner say?", "ceo"), ["backend", "qa", "qa", "qa"]),
}


@pytest.mark.long
@pytest.mark.parametrize("told", FRUITLESS)
def test_whose_messages_lead_nowhere_loses_the_word(told: str, make_house: MakeHouse) -> None:
    same, asked_in_turn = FRUITLESS[told]
    house, server = make_house(
        Company(lambda name, _: same if name == "qa" else AGREE), orchestrator={"discussion_rounds": 6}, project=QUIET
    )
    project = begin(house)
    with house.daemon():
        house.wait_for(project, TaskStatus.COMPLETED)
    assert messages(server) == asked_in_turn
    shown = " ".join(house.cli("task", "show", project).stdout.split())
    assert f"has no further word in the discussion: {told}" in shown


def test_a_kill_in_the_middle_of_the_discussion_asks_nobody_twice(make_house: MakeHouse) -> None:
    words = ["Let us begin with the names.", "Then the errors have to be settled.", "And the last thing is speed."]
    script = Company(lambda name, number: message(f"{name}: {words[number - 1]}"), answers={"agenda": [agenda(*TEAM)]})
    house, server = make_house(script, orchestrator={"discussion_rounds": 2}, project=QUIET)
    project = begin(house)
    for wanted in (5, 9):
        with house.daemon() as daemon:
            server.wait_for(wanted)
            eventually(lambda: len(said(house, project)) >= wanted - 3, "a message is kept")  # noqa: B023
            daemon.kill()
            daemon.wait(60)
    with house.daemon():
        house.wait_for(project, TaskStatus.COMPLETED)
    kept = said(house, project)
    assert [each["number"] for each in kept] == [*range(1, 11)], "each is kept once, in order"
    asked_for = Counter(messages(server))
    again = sum(asked_for.values()) - 10
    assert again <= 2, "only a call whose answer had not arrived is made again"
    assert set(asked_for) == set(TEAM)


def said(house: House, project: str) -> list[Told]:
    """The messages in the task's thread."""
    with house.store() as store:
        return [line.details for line in store.journal.activity(task_id=project) if line.activity == "message"]


@pytest.mark.long
def test_only_a_question_that_blocks_is_put_to_the_owner(make_house: MakeHouse) -> None:
    blocking: Told = {"question": "Which of the two currencies is meant?", "blocks": True, "assumption": ""}
    answered = specification(
        questions=[], features=[{"says": "Add two amounts in euros.", "quote": "Euros, of course."}]
    )
    house, server = make_house(
        Company(answers={"specification": [specification(questions=[blocking]), answered]}), project=QUIET
    )
    project = begin(house)
    task = ended(house, project)
    assert (task.status, task.question) == (TaskStatus.WAITING_APPROVAL, "Which of the two currencies is meant?")
    assert messages(server) == []
    assert house.cli("inbox", "answer", project, "Euros, of course.").returncode == 0
    with house.daemon():
        task = house.wait_for(project, TaskStatus.COMPLETED)
    assert "Euros, of course." in task.description
    assert task.result["specification"]["features"][0]["quote"] == "Euros, of course."  # type: ignore[index, call-overload]


def test_a_specification_that_makes_things_up_comes_back_and_ends_blocked(make_house: MakeHouse) -> None:
    wrong = specification(features=[{"says": "A web page.", "quote": "a page in the browser"}])
    house, server = make_house(Company(answers={"specification": [wrong]}), project=QUIET)
    task = ended(house, begin(house))
    assert (task.status, task.reason) == (TaskStatus.BLOCKED, FailureReason.INVALID_OUTPUT)
    assert "the quote of feature 1 is not in the text" in task.reason_detail
    first, second, _ = server.requests
    assert "a page in the browser" not in first.prompt
    assert second.prompt.count("a page in the browser") == 2, "what is wrong, and what was said"


@pytest.mark.long
def test_a_model_that_does_not_judge_gets_a_plan_by_code(make_house: MakeHouse) -> None:
    house, server = make_house(team(), llm={"profile": "small"}, project=QUIET)
    project = begin(house)
    with house.daemon():
        task = house.wait_for(project, TaskStatus.COMPLETED)
        (part,) = parts_of(house, project)
    assert not any(asked(request) in ("specification", "agenda", "message") for request in server.requests)
    assert task.result["by"] == "code"
    assert "`add(1, 2)` returns `3`" in part.description
    assert "docs/architecture.md" in git(house.repository, "ls-tree", "-r", "--name-only", "agents/integration")


@pytest.mark.long
def test_with_nobody_who_may_write_docs_the_note_stays_an_artifact(make_house: MakeHouse) -> None:
    house, _ = make_house(Company(), project=QUIET, file_system={"protected": ["docs/**"]})
    project = begin(house)
    with house.daemon():
        task = house.wait_for(project, TaskStatus.COMPLETED)
    assert task.result["note"] == ""
    assert "There is no note: it would be docs/architecture.md" in house.cli("task", "report", project).stdout
