"""The CEO's rounds when the queues are empty: it looks for work, at longer intervals while there is none.

Stated work (the goal, the backlog files) goes first and costs nothing to find. A goal that does not state its work is
planned by a model with tools, as a task of its own (`orchestrator/flows/plan_flow.py`). When there is none left, code
looks for facts, such as failing tests. A model that is able to judge is then asked once what to make of them, and for
ideas if it has no tools to plan with. For other models code turns those facts into tasks that a test can decide; such a
model is asked for ideas only if there are no facts.
"""

from __future__ import annotations

import hashlib
import time
from functools import partial
from itertools import takewhile

from pydantic import BaseModel

from agents import DECIDABLE, BaseAgent, Fact, FactKind, PlannedTask, Situation, fact_kinds, ideas_of, is_decidable
from file_system import is_test_path
from llm import CallContext
from memory import ENDED, Task, TaskStatus, TaskType
from monitoring import get_logger
from monitoring.waits import is_ahead, is_recent
from orchestrator.engine.engine import Job, Steps
from orchestrator.engine.failures import typed_failures
from orchestrator.errors import StageFailed, StepsChanged
from orchestrator.flows.plan_flow import room_for_own_tasks
from orchestrator.flows.task_queue import TaskQueue
from orchestrator.idle.fact_finder import FactFinder
from orchestrator.idle.known_facts import KnownFacts
from orchestrator.services import Services

log = get_logger(__name__)

_KEY = "idle"
_PAST_TASKS = 40
_KNOWN_TASKS = 2000
"""Newest tasks that ideas are compared with; the model is shown fewer."""
_MOST_FACTS = 30
"""Shown to a model in one round; the others follow in later rounds."""
_MOST_KEPT = 60
_PLANS = 100
"""Newest plans that are looked at."""
_ASK_AGAIN = 3600.0
"""Seconds until a model that had no ideas is asked again while nothing has changed; doubled each time. Reading the
repository costs nothing and is done more often."""


class IdleState(BaseModel):
    """The CEO's memory of its idle rounds, kept in the database so that a restart does not ask again."""

    rounds: int = 0
    interval: float = 0.0
    """Seconds until the next round; doubled after each one that found nothing."""
    next_at: float = 0.0
    """Unix time before which no round begins, unless the situation changes."""
    situation: str = ""
    """Digest of goal, repository head and backlog at the last round."""
    found: int = 0
    """Tasks the last round created."""
    problem: str = ""
    """Why the last round could not look for work; empty if it could."""
    searched: str = ""
    """The commit and the kinds of facts that have all been handled; empty if some are left."""
    fruitless: str = ""
    """The situation in which a model was asked without result."""
    ask_interval: float = 0.0
    ask_at: float = 0.0
    """Unix time from which it may be asked again in that situation."""


class Outcome(BaseModel):
    """The result of a round: the number of new tasks, and what `IdleState` keeps."""

    found: int = 0
    problem: str = ""
    searched: str = ""
    asked: bool = False
    situation: str = ""
    """The situation that the round examined; a later change makes another round worthwhile."""


class Outlook(BaseModel):
    """What the CEO examines."""

    goal: str
    head: str
    outline: str
    situation: str = ""
    planned_from: str = ""
    """Digest of what a plan of the goal is made from: the repository, and what has ended beside plans."""


class CEOLoop:
    """Begins rounds when they are due, and handles the engine's jobs of the kind `ceo`."""

    def __init__(self, services: Services, *, until_idle: bool) -> None:
        self._services = services
        self._team = services.team
        self._queue = TaskQueue(services.store, services.wake)
        self._until_idle = until_idle
        self._known = KnownFacts(services.store)
        self._finder = FactFinder(services.suite, services.settings)

    def state(self) -> IdleState:
        """The last round's outcome."""
        stored = self._services.store.journal.recall("ceo", _KEY)
        return IdleState.model_validate(stored) if stored else IdleState()

    def due(self) -> Job | None:
        """The job of the next round, if one is due now."""
        if self._until_idle and self.exhausted():
            return None
        state = self.state()
        if is_ahead(state.next_at, state.interval) and state.situation == self._situation():
            return None
        number = state.rounds + 1
        return Job(id=_job_id(number), agent="ceo", kind="ceo", payload={"round": number}, priority=1)

    def give_up(self, job_id: str) -> None:
        """Record a round whose job the engine ended, so that it is not offered for ever; the next one may succeed."""
        number = self.state().rounds + 1
        if job_id == _job_id(number):
            self._remember(number, Outcome(problem=f"the job {job_id} ended without a result; see the log"))

    def exhausted(self) -> bool:
        """Whether the last round examined the present situation and found nothing to do."""
        state = self.state()
        return state.rounds > 0 and state.found == 0 and state.situation == self._situation()

    def __call__(self, steps: Steps) -> None:
        number = int(str(steps.job.payload["round"]))
        try:
            outcome = self._look_for_work(steps)
        except StageFailed as failure:
            # The repository or the provider is unavailable: the next round follows after the usual back-off.
            log.error("idle round failed", reason=failure.reason.value, detail=failure.detail)
            outcome = Outcome(problem=failure.detail)
        except StepsChanged:
            raise  # begun by another version: the job cannot continue, and the round is given up
        except Exception as error:  # outermost: a bug in one round must not end all rounds
            log.exception("idle round failed")
            outcome = Outcome(problem=f"{type(error).__name__}: {error}")
        steps.step("remember", bool, partial(self._remember, number, outcome))

    def _look_for_work(self, steps: Steps) -> Outcome:
        outlook = steps.step("look around", Outlook, partial(typed_failures, self._outlook))
        stated = steps.step("stated work", int, partial(typed_failures, partial(self._submit_stated, outlook.goal)))
        room = 0 if stated else steps.step("room", int, partial(room_for_own_tasks, self._services))
        if not room:
            return Outcome(found=stated, situation=outlook.situation)
        if steps.step("plan wanted", bool, partial(typed_failures, partial(self._may_plan, outlook))):
            plan = self._team.ceo.plan_for(outlook.goal, outlook.planned_from)
            begun = steps.step("submit plan", int, lambda: len(self._submit([plan])))
            return Outcome(found=begun, situation=outlook.situation)
        facts = steps.step("facts", list[Fact], partial(self._fresh_facts, outlook.head))
        # These may change meanwhile, also by this round's own tasks; as steps they are the same in a replay.
        by_code = steps.step("small model", bool, partial(typed_failures, lambda: not self._team.ceo.profile.judges))
        wanted = steps.step("ideas wanted", bool, partial(self._may_have_ideas, outlook))
        planned = self._team.ceo.tasks_from_facts(facts, room) if by_code else []
        shown: list[Fact] = []
        asked = not planned and (wanted or bool(facts and not by_code))
        if asked:
            shown = facts[:_MOST_FACTS]
            context = CallContext(task_id=None, agent="ceo", workflow_id=steps.job.id, step="ideas")
            ask = partial(self._ask, outlook, shown, wanted, room, context)
            planned = steps.step("ideas", list[PlannedTask], partial(typed_failures, ask))
        # A fact that a model left out although it had room is not worth a task; the others may be taken later.
        left_out = shown if len(planned) < room else []
        found = steps.step("submit ideas", int, partial(self._submit_planned, planned, facts, left_out))
        dealt = {digest for plan in planned for digest in plan.facts} | {fact.digest for fact in left_out}
        done = all(fact.digest in dealt for fact in facts)
        searched = self._search_key(outlook.head) if done else ""
        return Outcome(found=found, searched=searched, asked=asked, situation=outlook.situation)

    def _outlook(self) -> Outlook:
        services = self._services
        ended, goal, head = self._ended(), services.settings.project.goal, services.sync()
        outline = services.overview(ranked=self._team.ceo.profile.judges, about=goal)
        situation, planned_from = _digest(goal, head, ended), _digest(goal, head, self._ended(TaskType.PLAN))
        return Outlook(goal=goal, head=head, outline=outline, situation=situation, planned_from=planned_from)

    def _submit_stated(self, goal: str) -> int:
        project = self._services.settings.project
        texts = self._services.read(project.backlog_files) if "backlog" in project.tasks_from else {}
        items = [task for path, text in texts.items() for task in self._team.ceo.tasks_from_backlog(text, path)]
        return len(self._submit([*self._team.ceo.tasks_from_goal(goal), *items]))

    def _submit(self, tasks: list[Task]) -> list[Task]:
        """Those of `tasks` that are new. The most urgent is added first, since each of them may be begun at once."""
        urgent = sorted(tasks, key=lambda task: task.priority)
        added = [task for task in urgent if self._queue.submit_task(task, by="ceo")]
        for task in added:
            log.info("task added", task=task.id, title=task.title, source=task.source)
        return added

    def _submit_planned(self, planned: list[PlannedTask], facts: list[Fact], left_out: list[Fact]) -> int:
        by_digest = {fact.digest: fact for fact in facts}
        added = self._submit([plan.task for plan in planned])
        for plan in planned:
            used = [by_digest[digest] for digest in plan.facts if digest in by_digest]
            for fact in used:
                self._known.became(fact, plan.task.id)
            if plan.task in added:
                told = [f"{fact.kind.value} {fact.path} {fact.symbol}".strip() for fact in used]
                self._services.store.journal.record_decision(
                    "ceo",
                    "task",
                    {"task": plan.task.id, "title": plan.task.title, "facts": [*told], "reason": plan.reason},
                )
        self._known.left_out([fact for fact in left_out if not any(fact.digest in plan.facts for plan in planned)])
        return len(added)

    def _fresh_facts(self, head: str) -> list[Fact]:
        """Facts of the landing branch's tip that could become tasks and have not been handled."""
        if self.state().searched == self._search_key(head):
            return []
        found = self._finder.find(head, self._kinds())
        for note in found.notes:
            log.info("facts", note=note)
        judges = self._team.ceo.profile.judges
        useful = [fact for fact in found.facts if (self._can_be_done(fact) if judges else is_decidable(fact))]
        return self._known.fresh(useful)[:_MOST_KEPT]

    def _can_be_done(self, fact: Fact) -> bool:
        """Whether somebody on the team may do it: only QA with tools works on what tests leave undone."""
        in_tests = fact.kind is FactKind.TODO and is_test_path(fact.path)
        return not fact.beyond and (not in_tests or self._proves_more())

    def _kinds(self) -> list[FactKind]:
        """The kinds to look for: of those whose work no test can decide only what the team can prove otherwise."""
        wanted = fact_kinds(self._services.settings.project.tasks_from)
        return [kind for kind in wanted if kind in DECIDABLE or self._proves_more()]

    def _proves_more(self) -> bool:
        """Whether the team has other proofs of work than a failing test."""
        team = self._team
        return team.ceo.profile.judges and team.qa.profile.tools and team.developer.profile.tools

    def _search_key(self, head: str) -> str:
        return f"{head} {' '.join(sorted(self._kinds()))}"

    def _may_plan(self, outlook: Outlook) -> bool:
        """Whether the goal is to be planned in a conversation now.

        That takes a model with tools. A goal is planned once in a situation, with `--until-idle` only once, and not
        while a plan of it is open or waits for the owner. After plans that found nothing to do there are ever longer
        pauses, whatever changes.
        """
        if not self._is_vague(outlook.goal) or not self._team.ceo.profile.tools:
            return False
        every = self._services.store.tasks.select(type=TaskType.PLAN, limit=_PLANS)
        plans = [plan for plan in every if plan.description.startswith(outlook.goal.strip())]
        if not plans:
            return True
        now = self._team.ceo.plan_for(outlook.goal, outlook.planned_from).id
        settled = plans[0].status in (TaskStatus.COMPLETED, TaskStatus.CANCELLED)
        if self._until_idle or not settled or now in [plan.id for plan in plans]:
            return False
        fruitless = [*takewhile(lambda plan: not plan.result.get("parts"), plans)]
        if not fruitless:
            return True
        longest = self._services.settings.orchestrator.idle_backoff_max
        pause: float = min(_ASK_AGAIN * 2.0 ** (len(fruitless) - 1), longest)
        return not is_recent((fruitless[0].finished_at or fruitless[0].created_at).timestamp(), pause)

    def _is_vague(self, goal: str) -> bool:
        """Whether there is a goal that is no task by itself."""
        return bool(goal.strip()) and not self._team.ceo.tasks_from_goal(goal)

    def _may_have_ideas(self, outlook: Outlook) -> bool:
        """Ideas need a goal, and a model that does not plan it with tools; `--until-idle` asks once and then ends."""
        by_plan = self._team.ceo.profile.tools and not self._services.settings.project.ideas_need_decision
        if not self._is_vague(outlook.goal) or by_plan:
            return False
        state = self.state()
        if state.fruitless == (outlook.situation or self._situation()) and is_ahead(state.ask_at, state.ask_interval):
            return False
        return not (self._until_idle and self._services.store.tasks.select(source="ceo", limit=1))

    def _ask(
        self, outlook: Outlook, facts: list[Fact], ideas: bool, room: int, context: CallContext
    ) -> list[PlannedTask]:
        found = self._services.store.tasks.select(limit=_KNOWN_TASKS)
        every = [task for task in found if task.type != TaskType.MESSAGE]
        known = every[:_PAST_TASKS]
        about = f"{outlook.goal}\n{outlook.outline}"
        lessons = self._services.lessons(about) if self._team.ceo.profile.judges else ""
        situation = Situation(
            goal=outlook.goal,
            outline=outlook.outline,
            open_tasks=[task.title for task in known if task.status not in ENDED],
            past_tasks=[f"{task.title} ({task.status})" for task in known if task.status in ENDED],
            facts=facts,
            ideas=ideas,
            by_tests_alone=not self._proves_more(),
            known=[(task.title, task.description) for task in every],
            lessons=lessons,
            strategy=self._services.store.strategy.read().lines,
        )
        planned = ideas_of(self._asked(facts), situation, room, context)
        return [self._to_decide_on(plan) for plan in planned]

    def _asked(self, facts: list[Fact]) -> BaseAgent:
        """Who has ideas this time: where they are decided on, the product manager in every other round."""
        by_turns = self._services.settings.project.ideas_need_decision and not facts
        return self._team.product if by_turns and self.state().rounds % 2 else self._team.ceo

    def _to_decide_on(self, plan: PlannedTask) -> PlannedTask:
        """An idea becomes a decision first, where the owner wants that; work that facts ask for does not."""
        if plan.facts or not self._services.settings.project.ideas_need_decision:
            return plan
        words = f"{plan.task.description}\n\nWhy: {plan.reason}".strip()
        changes = {"type": TaskType.DECISION.value, "description": words, "kind": ""}
        return plan.model_copy(update={"task": plan.task.model_copy(update=changes)})

    def _remember(self, number: int, outcome: Outcome) -> bool:
        limits = self._services.settings.orchestrator
        before, found = self.state(), outcome.found
        interval = (
            limits.check_interval
            if found
            else min(max(before.interval * 2, limits.check_interval), limits.idle_backoff_max)
        )
        ask_interval, ask_at, fruitless = before.ask_interval, before.ask_at, before.fruitless
        situation = outcome.situation or self._situation()  # of a failed round, or one that an older version began
        if outcome.asked and not found:
            ask_interval = min(max(before.ask_interval * 2, _ASK_AGAIN), limits.idle_backoff_max)
            ask_at, fruitless = time.time() + ask_interval, situation
        state = IdleState(
            fruitless=fruitless,
            ask_interval=ask_interval if not found else 0.0,
            ask_at=ask_at,
            rounds=number,
            interval=interval,
            next_at=time.time() + interval,
            situation=situation,
            found=found,
            problem=outcome.problem,
            searched=outcome.searched,
        )
        self._services.store.journal.remember("ceo", _KEY, state.model_dump(mode="json"))
        log.info("idle round", found=found, next_in_seconds=round(interval))
        self._services.wake.set()
        return True

    def _situation(self) -> str:
        """Digest of what would make another round worthwhile: the goal, the repository, what has ended."""
        return _digest(self._services.settings.project.goal, self._services.git.branch.tip(), self._ended())

    def _ended(self, *without: str) -> int:
        """How many tasks are over: what is said to agents is no work."""
        counts = self._services.store.tasks.count_by_status(without=(TaskType.MESSAGE, *without))
        return counts[TaskStatus.COMPLETED] + counts[TaskStatus.FAILED] + counts[TaskStatus.CANCELLED]


def _digest(goal: str, head: str, ended: int) -> str:
    return hashlib.sha256(f"{goal}\n{head}\n{ended}".encode()).hexdigest()[:16]


def _job_id(number: int) -> str:
    return f"ceo.{number}"
