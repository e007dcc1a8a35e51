"""What a flow is: the stages of one task type, each done by one agent, each a durable job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, JsonValue

from agents import BaseAgent, Review
from config import Autonomy, autonomy_of
from llm import CallContext, ModelProfile
from memory import Criterion, Task, Verdict
from orchestrator.engine.engine import Steps
from orchestrator.engine.failures import typed_failures
from orchestrator.services import Services
from orchestrator.workbench.commits import Commits
from orchestrator.workbench.context import Views
from orchestrator.workbench.workbench import Workbench

Result = TypeVar("Result")

PLAN_GATE, RUN_GATE, LAND_GATE = "plan", "run", "land"
"""Gates before work that the team wants to do, before the first run with `testing.auto_run: false`, and before the
landing of what is verified."""


class FlowState(BaseModel):
    """What the stages of one task pass on to each other; saved with the task at the end of each stage."""

    visit: int = 0
    """Number of stages done, so that a stage that is entered again is a new job."""
    behind: int = 0
    """How far back in its queue the next stage is placed among tasks of the same priority."""
    approved: list[str] = []
    """Gates the owner has opened."""
    waiting_for: str = ""
    """The gate the task waits at."""
    expires_at: str = ""
    """When the approval that it waits for expires (ISO 8601); empty: never."""
    suggested: bool = False
    """What waits is a suggestion: nobody is asked."""
    question: str = ""
    """What an agent asks the owner."""
    owners_answer: str = ""
    """What the owner says to it; the stage that asked takes it up."""
    asked_with: str = ""
    """The git tree with the work of the agent when it asked."""

    def take_answer(self) -> str:
        """The owner's answer as the agent that asked is told it, once; empty if there is none."""
        answer, self.owners_answer = self.owners_answer, ""
        return f"You asked the owner: {self.question}\n\nThe owner answers:\n\n{answer}" if answer else ""


class LandingState(FlowState):
    """The state of a flow whose work lands as a commit."""

    code_commit: str = ""
    landing_rounds: int = 0
    landed_commits: list[str] = []
    pushed: bool = False
    push_error: str = ""


@dataclass(frozen=True)
class Next:
    """The task goes on with another stage."""

    stage: str
    state: FlowState


@dataclass(frozen=True)
class Done:
    """The task is completed."""

    state: FlowState


@dataclass(frozen=True)
class Wait:
    """The task waits until the owner opens `gate`, then goes on with `stage`."""

    gate: str
    stage: str
    state: FlowState
    is_suggestion: bool = False
    """Nobody is pressed for an answer: there is no alert, and it does not expire."""


class OwnerAsked(Exception):  # no error: a way to end a stage from deep inside
    """An agent asks the owner: the task waits, and then the stage is entered again with their answer."""

    def __init__(self, state: FlowState, question: str, tree: str) -> None:
        super().__init__(question)
        state.question, state.asked_with = question, tree
        self.state = state


@dataclass(frozen=True)
class Anew:
    """The task starts again as a new run: reworded, or once `parts`, which are new tasks, are completed."""

    parts: Sequence[Task] = ()
    title: str = ""
    description: str = ""


Outcome = Next | Done | Wait | Anew


class StageContext:
    """What a stage works with: its task, the services and agents, and durable steps."""

    def __init__(self, task: Task, stage: str, services: Services, steps: Steps) -> None:
        self.task = task
        self.stage = stage
        self.services = services
        self.team = services.team
        self.developer = services.team.developer
        self.bench = Workbench(services, task)
        self.commits = Commits(services, task)
        self.views = Views(services, task)
        self._steps = steps
        self._profiles: dict[str, ModelProfile] = {}

    def use_model(self, model: str) -> None:
        """Make the developer call `model`; its own for an empty name. Every stage that calls it begins with this."""
        self.developer = self.team.developer.with_model(model)

    def profile_of(self, agent: BaseAgent) -> ModelProfile:
        """What an agent's model can do, read once per visit, as a step: what is known of a model may change."""
        name = f"profile of {agent.name} {agent.model or ''}".strip()
        if name not in self._profiles:
            self._profiles[name] = self.step(name, ModelProfile, lambda: agent.profile)
        return self._profiles[name]

    @property
    def agent(self) -> str:
        """Name of the agent whose queue this stage is on."""
        return self._steps.job.agent

    def step(self, name: str, returns: type[Result], action: Callable[[], Result]) -> Result:
        """One effect, done once; errors of the services become typed failures of the task."""
        return self._steps.step(name, returns, lambda: typed_failures(action))

    def ask(self, step: str, agent: str | None = None) -> CallContext:
        """The ledger's context for a model call of `agent` (default: this stage's) in the step of this name.

        A task that was placed further back in its queue lets others go first at the embedded model too: their first
        answers land more often than its later ones.
        """
        return CallContext(
            task_id=self.task.id,
            agent=agent or self.agent,
            workflow_id=self._steps.job.id,
            step=step,
            patient=FlowState.model_validate(self.task.result).behind > 0,
        )

    def autonomy(self, kind: str = "") -> Autonomy:
        """What the team may do in this task without asking the owner."""
        return autonomy_of(self.services.settings.orchestrator.autonomy, self.task.type, kind or self.task.kind)

    def waits_to_land(self, kind: str = "") -> bool:
        """Whether verified work lands only at the owner's word."""
        asks = self.autonomy(kind) in ("approve_landing", "suggest")
        return asks or not self.services.settings.git.auto_commit

    def only_suggests(self, kind: str = "") -> bool:
        """Whether the owner is not even asked: what is verified waits as a suggestion."""
        return self.autonomy(kind) == "suggest" and self.services.settings.git.auto_commit

    def record_review(self, review: Review, number: int) -> bool:
        """Store a review as the verdict of round `number`, from inside a step; True if it approves."""
        self.services.store.evidence.record_verdict(
            Verdict(
                task_id=self.task.id,
                run=self.task.run,
                stage=self.stage,
                agent=self.agent,
                number=number,
                approved=review.approved,
                score=review.score,
                criteria=[
                    Criterion(name=item.name, threshold=item.threshold, weight=item.weight, score=item.score)
                    for item in review.criteria
                ],
                issues=review.issues,
                reasoning=review.reasoning,
            )
        )
        self.note("verdict", approved=review.approved, score=review.score, issues=[*review.issues])
        return review.approved

    def note(self, activity: str, **details: JsonValue) -> None:
        """Write to the activity stream, from inside a step."""
        self.services.store.journal.log(self.agent, activity, self.task.id, **details)


@dataclass(frozen=True)
class Stage:
    """A part of a flow, done by one agent."""

    name: str
    agent: str | None
    """None: one of those that the task is assigned to."""
    run: Callable[[StageContext], Outcome]
    seat: int = 0
    """Which of them, from 0."""
    otherwise: str = "tech_lead"
    """Whose it is when the task is assigned to fewer."""


@dataclass(frozen=True)
class Flow:
    """The stages of one task type, in their normal order."""

    type: str
    stages: tuple[Stage, ...]
    lane: str = ""
    """The queue of an agent's on which they stand, if not its own: its work is not held up, nor do they wait for it."""

    def stage(self, name: str) -> Stage:
        """The stage of that name; the first one for an empty name."""
        return self.stages[self.position(name)]

    def has(self, name: str) -> bool:
        """Whether there is a stage of that name."""
        return any(stage.name == name for stage in self.stages)

    def position(self, name: str) -> int:
        """The position of a stage in the flow, from 0."""
        return next((index for index, stage in enumerate(self.stages) if stage.name == name), 0)

    def agent_for(self, stage: Stage, task: Task) -> str:
        """Whose queue a stage of `task` goes to."""
        named = task.assigned_agents
        return stage.agent or (named[stage.seat] if len(named) > stage.seat else stage.otherwise)
