"""A flow, a tool and a method are added and used for real: each takes its own code and one line in a registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from agents import Requirements, TestCase
from file_system import FileManager
from llm import ModelProfile
from memory import OWNER, Task, TaskStatus
from orchestrator import TaskOrchestrator, TaskQueue, UnknownFlow
from orchestrator.coding.attempts import make_tests_pass
from orchestrator.coding.method import Answer, Method, Progress, Standing, Try
from orchestrator.coding.state import CodeState, MethodState
from orchestrator.coding.tests_first import settle_tests
from orchestrator.errors import StageFailed
from orchestrator.flow import Done, Flow, FlowState, Next, Outcome, Stage, StageContext
from orchestrator.flows import FLOWS
from orchestrator.methods import METHODS
from orchestrator.workbench.file_tools import LookingTool
from orchestrator.workbench.tools import TOOLS
from orchestrator.workbench.trial import Trial
from tests.agents.scripted import scripted_llm
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House, git
from tests.orchestrator.in_process import end_engine, services_of
from tests.orchestrator.players import WITH_TOOLS, Call, Script, players
from tests.orchestrator.scripts import ADD_TASK, CALC, FROM_CODE, asked, team


def work_off(house: House, task: Task) -> Task:
    """Submit a task, run an orchestrator in this process until no work is left, and return the task."""
    with services_of(house) as services:
        orchestrator = TaskOrchestrator(services, until_idle=True)
        assert TaskQueue(services.store).submit_task(task, by=OWNER)
        orchestrator.start()
        try:
            assert orchestrator.run()
        finally:
            orchestrator.stop()
            end_engine()
        return services.store.tasks.get(task.id)


# -- a flow: two stages of two agents ---------------------------------------------------------------------------------


class LinesState(FlowState):
    """The state of the flow."""

    lines: int = 0


def count(ctx: StageContext) -> Outcome:
    """[developer] Counts the lines of a file on the landing branch."""
    text = ctx.step("count", str, lambda: ctx.services.read(["calc.py"])["calc.py"])
    return Next("report", LinesState(lines=len(text.splitlines())))


def report(ctx: StageContext) -> Outcome:
    """[product] Writes the number to the activity log."""
    state = LinesState.model_validate(ctx.task.result)
    ctx.step("note", bool, lambda: note(ctx, state.lines))
    return Done(state)


def note(ctx: StageContext, lines: int) -> bool:
    """The step of the second stage."""
    ctx.note("lines counted", lines=lines)
    return True


def test_a_flow_is_its_stages_and_one_line(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    house, server = make_house(team())
    task = Task(id="t-lines", title="Count the lines", type="lines")
    with house.store() as store, pytest.raises(UnknownFlow, match="no flow handles tasks of type lines; there are: an"):
        TaskQueue(store).submit_task(task, by=OWNER)
    monkeypatch.setitem(
        FLOWS, "lines", Flow("lines", (Stage("count", "developer", count), Stage("report", "product", report)))
    )
    done = work_off(house, task)
    assert (done.status, done.stage) == (TaskStatus.COMPLETED, "report")
    assert done.result["lines"] == len(CALC.splitlines())
    assert not server.requests
    with house.store() as store:
        said = [(line.agent_name, line.activity) for line in store.journal.activity(task_id=task.id)]
    assert said == [("owner", "task added"), ("product", "lines counted"), ("orchestrator", "task completed")]


# -- a tool of the developer ------------------------------------------------------------------------------------------


class CountLines(LookingTool):
    """Count the lines of a file."""

    tool = "count_lines"
    path: str

    def look(self, files: FileManager) -> str:
        return f"{self.path} has {len(files.read_file(self.path).splitlines())} lines"


@pytest.mark.long
def test_a_tool_is_one_class_and_one_line(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOLS, CountLines.tool, CountLines)
    edit: Call = ("edit_file", {"path": "calc.py", "edits": [{"old": "    return 2 * x", "new": DOUBLE_AND_ADD}]})
    script: Script = ((("count_lines", {"path": "calc.py"}),), (edit, ("finish", {})))
    house, server = make_house(players(developer=script), llm=WITH_TOOLS)
    done = work_off(
        house, Task(id="t-add", title="Add add", description="Add `add(a, b)` to calc.py, the sum of two numbers.")
    )
    assert done.status is TaskStatus.COMPLETED, done.reason_detail
    assert done.result["strategy"] == "tools"
    first, second = [request for request in server.requests if "finish" in request.tools]
    assert "count_lines" in first.tools
    assert f"calc.py has {len(CALC.splitlines())} lines" in second.results[0][1]


DOUBLE_AND_ADD = "    return 2 * x\n\n\ndef add(a: int, b: int) -> int:\n    return a + b"


# -- a method ---------------------------------------------------------------------------------------------------------


class Patience(MethodState):
    """The state of the method below."""

    failed: int = 0


@dataclass(frozen=True)
class Dictating:
    """Takes the answer as a whole module, without fences."""

    name = "dictated"
    goes_on = False

    def answer(self, ctx: StageContext, state: CodeState, attempt: Try, standing: Standing) -> Answer:
        """One model call with the present files."""
        step = f"dictate {attempt.label}"
        view = ctx.views.wide_view(standing.tree, state.settled, state.lessons)
        return Answer(text=ctx.step(step, str, lambda: ctx.developer.write_files(ctx.task, view, ctx.ask(step), 1)))


class Dictation:
    """A method that uses the developer's answer as the target file."""

    approaches = 1
    chooses_file = True
    takes_test_issues = False
    runs_tests_often = False

    def __init__(self) -> None:
        self.known: list[MethodState] = []

    def suits(self, profile: ModelProfile) -> bool:
        """Scripted models."""
        return profile.model == "scripted"

    def settle_tests(self, ctx: StageContext, state: CodeState, qa_method: Method) -> bool:
        """As for other models without tools."""
        return settle_tests(ctx, state, self, qa_method)

    def write_code(self, ctx: StageContext, state: CodeState) -> Progress:
        """As for other models without tools."""
        return make_tests_pass(ctx, state, self)

    def prepare(self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase]) -> None:
        """Set the count to zero."""
        state.own = Patience()

    def further_cases(
        self, ctx: StageContext, state: CodeState, stated: Sequence[TestCase], *, fast: bool
    ) -> list[TestCase]:
        """None: the stated examples are enough."""
        return []

    def seen_red(self, ctx: StageContext, state: CodeState, red: int) -> None:
        """Nothing to remember."""

    def attempts(self, ctx: StageContext, state: CodeState, seen: set[str]) -> Iterator[Try]:
        """At most three."""
        for number in range(1, 4):
            yield Try(1, number, Dictating())

    def apply(self, root: Path, protected: list[str], *, requirements: Requirements, answer: str) -> str:
        """The answer is the file."""
        FileManager(root, protected=protected).write_file(requirements.target_file, answer)
        return ""

    def counts_again(self, state: CodeState, answer: Answer) -> bool:
        """No."""
        return False

    def accepts(self, ctx: StageContext, state: CodeState, attempt: Try, answer: Answer, trial: Trial) -> bool:
        """The tests decide; failures are counted."""
        own = Patience.model_validate(state.own.model_dump())
        state.own = Patience(failed=own.failed + (not trial.green))
        self.known.append(state.own)
        return trial.green

    def is_far(self, state: CodeState) -> bool:
        """Not known."""
        return False

    def is_hopeless(self, state: CodeState) -> bool:
        """Never."""
        return False

    def open_question(self, state: CodeState) -> StageFailed | None:
        """None."""
        return None

    def other_solutions(self, ctx: StageContext, state: CodeState) -> list[str]:
        """None."""
        return []


@pytest.mark.long
def test_a_method_is_one_class_and_one_line(make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Dictation()
    monkeypatch.setattr("orchestrator.methods.METHODS", [method, *METHODS])
    good = CALC + "\n\ndef add(a: int, b: int) -> int:\n    return a + b\n"
    house, server = make_house(team(code=[good.replace("a + b", "a - b"), good]))
    done = work_off(house, Task(id="t-add", title="Add add", description=ADD_TASK))
    assert done.status is TaskStatus.COMPLETED, done.reason_detail
    assert (done.result["strategy"], done.result["attempts"]) == ("dictated", 2)
    assert method.known == [Patience(failed=1), Patience(failed=1)]
    assert git(house.repository, "show", "agents/integration:calc.py") == good.strip()
    assert [asked(request) for request in server.requests] == ["code", *FROM_CODE]


# -- a role: its questions ---------------------------------------------------------------------------------------------


class Weather(BaseModel):
    """The shape of an answer that only a new role wants."""

    sunny: bool


def test_a_question_of_a_new_role_is_not_taken_for_one_of_another() -> None:
    with scripted_llm(["It is.", {"sunny": True}]) as llm:
        llm.generate("Is it sunny?", system="You are the forecaster of a team.", context=llm.context("1", "qa"))
        llm.generate_structured("Is it sunny?", Weather, context=llm.context("2", "qa"))
        for request, told in zip(llm.server.requests, ("forecaster", "sunny"), strict=True):
            with pytest.raises(AssertionError, match=f"does not know.*{told}"):
                asked(request)
