"""The agents' tools: those that run something or end the work, and the register of all.

To add one, write its class, here, in `file_tools.py` or in a file of its own, and register it in `TOOLS`. Its fields
are the arguments, its docstring is the description that models are shown, `agents` says which roles are given it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict, Field

from agents import CEOAgent, DeveloperAgent, ProductAgent, QAAgent, TechLeadAgent
from agents.answers import Choice, PlanItem, ReviewCriterion, WebPage
from agents.tools import tools
from llm import Tool
from memory import TaskKind
from orchestrator.workbench.file_tools import (
    WRITERS,
    CreateFile,
    DeleteFile,
    EditFile,
    ListFiles,
    MoveFile,
    Outline,
    ReadFile,
    Search,
)
from orchestrator.workbench.tool_bench import BenchTool, ToolBench

SETUP = "setup"
"""The role of whoever finds out how a project is set up."""


class RunTests(BenchTool):
    """Run the tests named, the whole suite, or else the task's own."""

    tool = "run_tests"
    agents = (*WRITERS, TechLeadAgent.name, CEOAgent.name, ProductAgent.name)
    tests: list[str] = Field(default_factory=list, max_length=20, description="Files or ids.")
    whole_suite: bool = False

    def use(self, bench: ToolBench) -> str:
        return bench.test_suite() if self.whole_suite else bench.test(self.tests)


class Run(BenchTool):
    """Run a shell command on a copy of the files, without network; nothing it writes is kept. `python -c …` can try the
    code."""

    tool = "run"
    command: str = Field(min_length=1, max_length=20_000)
    seconds: float = Field(30, gt=0, le=300, description="At most 300.")

    def use(self, bench: ToolBench) -> str:
        return bench.run(self.command, self.seconds)


class ConcludingTool(BenchTool):
    """A tool that ends the agent's work, if that is allowed."""

    concludes = True

    def use(self, bench: ToolBench) -> str:
        return bench.conclude(self)


class AskOwner(ConcludingTool):
    """Ask the owner what neither task nor code can answer. The task waits."""

    tool = "ask_owner"
    concluded = "sent to the owner; the task waits for the answer"
    agents = (*WRITERS, CEOAgent.name, ProductAgent.name)
    question: str = Field(min_length=10, max_length=2000)


class ChangedTest(BaseModel):
    """An existing test that the task makes untrue."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: str = Field(max_length=500, description="Its id.")
    reason: str = Field(max_length=500)


class FinishTests(ConcludingTool):
    """End: the tests are done. They are run, and must fail for the right reason if failing tests prove the work."""

    tool = "finish_tests"
    agents = (QAAgent.name,)
    kind: TaskKind = Field(TaskKind.FEATURE, description="Of the work.")
    brief: str = Field("", max_length=4000, description="For the developer: what matters, what to watch.")
    places: list[str] = Field(
        default_factory=list,
        max_length=8,
        description="All that the developer has to see and change, as path:first-last.",
    )
    changed_tests: list[ChangedTest] = Field(
        default_factory=list, max_length=30, description="Existing tests that the task makes untrue."
    )
    benchmark: str = Field(
        "",
        max_length=8000,
        description="For performance: a program that prepares its data and defines benchmark(), which calls the slow "
        "code for 1 ms to 1 s and returns what it gives. It is timed before and after the work.",
    )
    page: WebPage | None = Field(
        None, description="Of work on a web page: what serves it, of which a picture is taken."
    )


class AlreadyDone(ConcludingTool):
    """End: the work is there already, as tests of yours show that pass."""

    tool = "already_done"
    agents = (QAAgent.name,)
    reason: str = Field(min_length=4, max_length=1000, description="Where the code does it.")


class KeepTest(ConcludingTool):
    """Answer a dispute: the test is right."""

    tool = "keep_test"
    agents = (QAAgent.name,)
    reason: str = Field(min_length=1, max_length=2000)


class DisputeTest(ConcludingTool):
    """Say that a test of the task is wrong. It ends your message: QA answers first, and what it keeps stays."""

    tool = "dispute_test"
    concluded = "sent to QA; you go on after its answer"
    agents = (DeveloperAgent.name,)
    test: str = Field(max_length=500, description="Its id.")
    reason: str = Field(min_length=10, max_length=2000, description="Why, from the words of the task.")


class Finish(ConcludingTool):
    """End: the work is done. The task's tests are run."""

    tool = "finish"
    agents = (DeveloperAgent.name,)
    summary: str = Field("", max_length=2000, description="For the reviewer.")
    commit_message: str = Field(
        "", max_length=2000, description="Subject of at most 72 characters, then why; in the project's style."
    )


class TrySetup(BenchTool):
    """Set the project up by a shell command, run in a fresh environment at the root of its sources, with network and
    its own Python (or node) first on PATH; then run its whole suite there, without network. Takes minutes."""

    tool = "try_setup"
    agents = (SETUP,)
    command: str = Field(
        min_length=1, max_length=4000, description="Such as pip install -e . -r tests/requirements.txt"
    )

    def use(self, bench: ToolBench) -> str:
        return bench.bench.try_setup(bench.rights.base, self.command)[1]


class FinishSetup(ConcludingTool):
    """Say which command sets the project up. It is tried once more, unless it was tried before: more tests must pass
    than without it."""

    tool = "finish_setup"
    agents = (SETUP,)
    command: str = Field(min_length=1, max_length=4000)
    incomplete: bool = Field(
        False, description="Whether it is the best that can be done, though files stay uncollected."
    )


class CannotSetUp(ConcludingTool):
    """Say that the project cannot be set up here, and what the owner has to do."""

    tool = "cannot_set_up"
    agents = (SETUP,)
    remedy: str = Field(min_length=10, max_length=2000, description="What is missing, and what to do about it.")


class FinishRequirements(ConcludingTool):
    """End: where the work belongs."""

    tool = "finish_requirements"
    agents = (ProductAgent.name,)
    file: str = Field(max_length=1000, description="A file of the project's code, or a new one.")
    symbols: list[str] = Field(
        default_factory=list, max_length=12, description="Functions, `Class.method`s or classes to add or change."
    )


class FinishPlan(ConcludingTool):
    """End: the plan. It is checked; what is known already, waits in a circle or cannot be done here comes back."""

    tool = "finish_plan"
    agents = (CEOAgent.name,)
    tasks: list[PlanItem] = Field(max_length=30, description="In the order of their worth.")
    reason: str = Field(min_length=4, max_length=1000, description="How they bring the goal nearer.")
    choices: list[Choice] = Field(
        default_factory=list, max_length=8, description="What the goal leaves open, and what you chose."
    )


class GoalReached(ConcludingTool):
    """End: nothing is left to do for the goal, or nothing that is worth its cost."""

    tool = "goal_reached"
    agents = (CEOAgent.name,)
    reason: str = Field(min_length=4, max_length=1000, description="What you saw that shows it.")


class MoreTools(BenchTool):
    """Get tools that read, search and run, for a doubt that matters."""

    tool = "more_tools"
    agents = (TechLeadAgent.name,)

    def use(self, bench: ToolBench) -> str:
        return "you have them from now on"


class VerdictTool(ConcludingTool):
    """Give your verdict on the change."""

    tool = "verdict"
    agents = (TechLeadAgent.name,)
    criteria: list[ReviewCriterion] = Field(default_factory=list, max_length=8)
    approved: bool
    score: float = Field(ge=0, le=10)
    issues: list[str] = Field(default_factory=list, max_length=10, description="What the developer must change.")
    test_issues: list[str] = Field(default_factory=list, max_length=10, description="What QA must change in the tests.")
    reasoning: str = Field("", max_length=2000)


TOOLS: dict[str, type[BenchTool]] = {
    tool.tool: tool
    for tool in (
        ListFiles, ReadFile, Search, Outline, EditFile, CreateFile, MoveFile, DeleteFile, RunTests, Run, AskOwner,
        FinishTests, AlreadyDone, KeepTest, DisputeTest, Finish, MoreTools, VerdictTool, TrySetup, FinishSetup,
        CannotSetUp, FinishPlan, GoalReached, FinishRequirements,
    )
}  # fmt: skip
"""Name -> class, in the order in which models are shown them."""


def tools_of(agent: str) -> dict[str, type[BenchTool]]:
    """The tools that an agent is given."""
    return {name: tool for name, tool in TOOLS.items() if not tool.agents or agent in tool.agents}


def offered(
    actions: Mapping[str, type[BenchTool]], first: Collection[str], called: Collection[str]
) -> tuple[Tool, ...]:
    """What a model is told of its tools `actions`: all, or only those of them to begin with, `first`, until it has
    asked for the others; `called`: those it has used."""
    if first and set(called) <= set(first) - {MoreTools.tool}:
        return tools({name: actions[name] for name in actions if name in first})
    return tools({name: tool for name, tool in actions.items() if name != MoreTools.tool})
