"""The CEO: decides what is next.

Code reads stated work and facts; a model orders, merges and words facts, and adds ideas. A small model is not asked
about facts: code words those that a test can decide. Whether two pieces of work are the same in other words, code
decides, too: no model can argue with it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from agents.answers import TaskIdea
from agents.answers import TaskIdeas as Ideas
from agents.backlog import backlog_items
from agents.base import BaseAgent
from agents.decisions import Hearing, IdeaDecision
from agents.facts import FACTS, WORK, Fact, FactKind, PlannedTask
from agents.prompts import render
from agents.stated.examples import stated_examples
from agents.strategy import Outlook, StrategyReview
from file_system import is_test_path
from llm import CallContext
from memory import OWNER, Priority, Task, TaskType

_FIRST_SENTENCE = re.compile(r"(?:`[^`\n]+`|[^`\n])+?(?=[.!?:](?:\s|$)|\n|$)")
"""Without its full stop; one inside code does not end it."""
PRIORITIES = {"high": Priority.HIGH, "medium": Priority.MEDIUM, "low": Priority.LOW}
_FOUND = Priority.MEDIUM + 1
"""Priority of what nobody asked for: behind what the owner wants."""
_TITLE_LENGTH = 80
_SHOWN = 500
"""Characters of a fact in a prompt."""
_WORD = re.compile(r"[a-z0-9_]+")
_NAME = re.compile(r"`\s*([A-Za-z_][\w.]*)|\b([A-Za-z_]\w*)\(|\b(\w*[a-z0-9]_\w+)\b|\b([a-z]+[A-Z]\w*)\b")
_IDLE = frozenset(
    re.findall(
        r"\w+",
        """a an the to of in for and with that it its this on by as is be so new function method class support task
        add adds create implement write make introduce provide define build let""",
    )
)
_SAME_TITLES, _SAME_TEXTS = 0.85, 0.9
"""How alike titles alone, or titles with descriptions, must be."""
_COMPARED = 600
"""Characters of a description that are compared: what is wanted stands at its beginning."""


@dataclass(frozen=True)
class Situation:
    """What the CEO knows when it is asked what is next."""

    goal: str
    outline: str
    open_tasks: Sequence[str]
    past_tasks: Sequence[str]
    facts: Sequence[Fact] = ()
    ideas: bool = True
    """Whether tasks of other things than the facts are wanted."""
    by_tests_alone: bool = True
    """Whether a failing test is the only proof of work that this team has."""
    known: Sequence[tuple[str, str]] = ()
    """Title and description of all work that was ever asked for: open, landed or rejected."""
    lessons: str = ""
    strategy: Sequence[str] = ()
    """What the CEO goes by, line by line."""


class CEOAgent(BaseAgent):
    name = "ceo"
    role = "CEO"
    duty = "You decide what the team does next so that the owner's goal comes nearer at little cost."
    working = (
        "Look until you know what the goal means in this code base: where it stands today, what it touches, what fails "
        "or is missing; run what tells you. Then call finish_plan once with the tasks that bring the goal nearer. Each "
        "task is one change that is worth landing by itself, may span files, and is understood by colleagues who have "
        "not seen your conversation (its changelog and documentation go with it, as tasks of their own only where "
        "nothing else changes): what is wanted and why, acceptance criteria that can be checked, the files "
        "concerned. Plan what the goal asks for and nothing beside it; let a task depend on another only where it "
        "cannot begin before. What the goal leaves open you choose as its owner most likely would, and say so in "
        "choices; ask the owner only what would make all of the work wrong. If nothing is left to do, call "
        "goal_reached."
    )
    opening = "plan_with_tools"

    def decide(self, idea: Task, given: Hearing, faults: Sequence[str], context: CallContext) -> IdeaDecision:
        """What to do with an idea, knowing all opinions. `faults`: of its last answer."""
        return self.structured(self._prompt("decide", idea, given=given, faults=faults), IdeaDecision, context)

    def review_strategy(self, given: Outlook, context: CallContext) -> StrategyReview:
        """The strategy in its new words, and priorities that are no longer right."""
        prompt = render("review_strategy", given=given)
        return self.structured(prompt, StrategyReview, context)

    def tasks_from_goal(self, goal: str) -> list[Task]:
        """A goal that states examples of one function is itself the task; nobody has to be asked."""
        if not stated_examples(goal):
            return []
        return [_task("goal", _first_words(goal), goal.strip(), Priority.HIGH, OWNER)]

    def plan_for(self, goal: str, situation: str) -> Task:
        """The task of planning a goal that does not state its own work; one for each `situation`, a digest of what
        there is to plan from."""
        digest = hashlib.sha256(f"{goal}\n{situation}".encode()).hexdigest()[:10]
        title = f"Plan: {_first_words(goal)}"
        return Task(id=f"plan-{digest}", title=title, description=goal.strip(), type=TaskType.PLAN, source="ceo")

    def tasks_from_backlog(self, text: str, path: str = "BACKLOG.md") -> list[Task]:
        """The open items of a backlog file in its order; see `backlog_items`."""
        return [_task("backlog", item.title, item.body, item.priority, "backlog") for item in backlog_items(path, text)]

    def tasks_from_facts(self, facts: Sequence[Fact], limit: int) -> list[PlannedTask]:
        """At most `limit` tasks, worded by code, of those facts that a test can decide; one fact a task, in order of
        their kinds."""
        order = list(FactKind)
        decidable = sorted((fact for fact in facts if is_decidable(fact)), key=lambda fact: order.index(fact.kind))
        return [_fact_task(fact) for fact in decidable[:limit]]

    def generate_tasks(self, situation: Situation, limit: int, context: CallContext) -> list[PlannedTask]:
        """See `ideas_of`."""
        return ideas_of(self, situation, limit, context)


def ideas_of(asked: BaseAgent, situation: Situation, limit: int, context: CallContext) -> list[PlannedTask]:
    """At most `limit` tasks that the model of `asked` makes of the facts or has ideas for, none of which is known
    work.

    A fact is used once, and one that was not shown is none. An idea of its own needs a reason.
    """
    own = bool(situation.goal) and situation.ideas
    prompt = render(
        "plan_goal",
        goal=situation.goal or "Keep this code base healthy and useful.",
        outline=situation.outline,
        facts="\n".join(_shown(fact) for fact in situation.facts),
        open_tasks="\n".join(f"- {title}" for title in situation.open_tasks) or "none",
        past_tasks="\n".join(f"- {title}" for title in situation.past_tasks) or "none",
        limit=limit,
        ideas=own,
        by_tests_alone=situation.by_tests_alone,
        lessons=situation.lessons,
        strategy=situation.strategy,
    )
    ideas = asked.structured(prompt, Ideas, context).tasks[:limit]
    known = list(situation.known)
    unused = {fact.digest: fact for fact in situation.facts}
    planned: list[PlannedTask] = []
    for idea in ideas:
        facts = [unused.pop(digest) for digest in dict.fromkeys(idea.facts) if digest in unused]
        wanted = own and idea.reason.strip() and not is_same_work(idea.title, idea.description, known)
        if facts or wanted:
            planned += _of_idea(idea, facts)
            known.append((idea.title, idea.description))
    return planned[:limit]


def is_decidable(fact: Fact) -> bool:
    """Whether code alone can tell that the work is done: a test fails now, or the comment states examples."""
    if fact.beyond:
        return False
    if fact.kind is FactKind.FAILING_TESTS:
        return bool(fact.tests)
    # A comment in a test asks for work that the developer may not do.
    written = fact.kind is FactKind.TODO and bool(fact.symbol) and not is_test_path(fact.path)
    return written and bool(stated_examples(fact.text))


def _of_idea(idea: TaskIdea, facts: Sequence[Fact]) -> list[PlannedTask]:
    """The model's task; failing tests beyond the first ones it is made of are tasks of their own, worded by code."""
    tested = [fact for fact in facts if fact.tests]
    others = [fact for fact in facts if not fact.tests]
    priority, description = PRIORITIES[idea.priority], idea.description
    if others:
        description += "\n\nFound in the code:\n" + "\n".join(_place(fact) for fact in others)
    if not facts:
        task = _task("idea", idea.title, description, priority, "ceo")
    elif tested:
        worded = _fact_task(tested[0]).task
        # Where the work belongs is read from the words: those of code name the tested file first.
        title = worded.title if ".py" in idea.title else idea.title
        text = f"{worded.description}\n\n{description}"
        task = worded.model_copy(update={"title": title, "description": text, "priority": int(priority)})
    else:
        task = _task("fact", idea.title, description, priority, FACTS, others[0].digest)
        kinds = {WORK.get(fact.kind) for fact in others}
        if len(kinds) == 1 and (kind := kinds.pop()):
            task = task.model_copy(update={"kind": kind.value})
    first = PlannedTask(task=task, facts=[fact.digest for fact in [*tested[:1], *others]], reason=idea.reason)
    return [first, *(_fact_task(fact) for fact in tested[1:])]


def _fact_task(fact: Fact) -> PlannedTask:
    """A task of one fact that code can decide, in code's words."""
    owner, _, method = fact.symbol.rpartition(".")
    about = f"the method {method} of the class `{owner}`" if owner else f"`{fact.symbol}(...)`"
    if fact.kind is FactKind.FAILING_TESTS:
        first, *more = _test_names(fact)
        title = f"Make {first} pass" + (f" and {len(more)} more" if more else "")
        place = f"In `{fact.path}`, {about} does" if fact.symbol else "The code does"
        description = (
            f"{place} not what tests of the repository ask of it.\n\nWhat they say:\n\n{fact.text}\n\n"
            "Change the code so that they pass; the tests stay as they are."
        )
        reason = "tests of the repository fail"
    else:
        title = f"{fact.symbol}: {fact.text.partition(':')[2].strip() or fact.text}"[:_TITLE_LENGTH]
        description = f"In `{fact.path}`, {about}: {fact.text.partition(':')[2].strip()}"
        reason = "a comment in the code asks for it and states examples"
    task = _task("fact", title, description, _FOUND, FACTS, fact.digest)
    given = {"tests_file": fact.tests_file, "tests": fact.tests} if fact.tests else {}
    return PlannedTask(task=task.model_copy(update=given), facts=[fact.digest], reason=reason)


def _test_names(fact: Fact) -> list[str]:
    return [name.strip().rpartition("::")[2] for name in fact.text.partition("\n")[0].split(",")]


def _shown(fact: Fact) -> str:
    """A fact as a model sees it: one that could end the block it stands in cannot."""
    line = f"- {fact.digest} [{fact.kind.value}] {_place(fact)}"[:_SHOWN]
    return re.sub(r"<(?=\s*/?\s*data\b)", "‹", line, flags=re.IGNORECASE)


def _place(fact: Fact) -> str:
    where = f"{fact.path}:{fact.line}" if fact.line else fact.path
    return " ".join(f"{where} {fact.symbol} {fact.text}".split())


def _task(kind: str, title: str, description: str, priority: int, source: str, digest: str = "") -> Task:
    """A task whose id follows from its words, or from the fact it is made of, so that the same thing read twice is one
    task."""
    digest = digest or hashlib.sha256(f"{normal(title)}\n{description.strip()}".encode()).hexdigest()[:10]
    return Task(
        id=f"{kind}-{digest}",
        title=title,
        description=description,
        type=TaskType.CODE,
        priority=int(priority),
        source=source,
    )


def _first_words(text: str) -> str:
    """Its first sentence, at most as long as a title."""
    first = match[0] if (match := _FIRST_SENTENCE.match(text.strip())) else text.strip().splitlines()[0]
    return first if len(first) <= _TITLE_LENGTH else first[: _TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def normal(title: str) -> str:
    """A title without case, marks and blanks."""
    return re.sub(r"\W+", " ", title).strip().lower()


def is_same_work(title: str, description: str, known: Iterable[tuple[str, str]]) -> bool:
    """Whether one of the `known` (title, description) asks for the same.

    Its title is the same, or it names the same code and says nearly the same. Work that names no code is compared
    by its title alone, since "export" and "import" tasks say nearly the same.
    """
    return any(_is_same((title, description), other) for other in known)


def _is_same(one: tuple[str, str], other: tuple[str, str]) -> bool:
    if normal(one[0]) == normal(other[0]):
        return True
    names = _names(one)
    if names != _names(other):
        return False
    if _alike(_words(one[0]), _words(other[0])) >= _SAME_TITLES:
        return True
    if not names:
        return False
    first, second = (_words(f"{title} {description[:_COMPARED]}") for title, description in (one, other))
    return _alike(first, second) >= _SAME_TEXTS


def _words(text: str) -> list[str]:
    """The words that mean something, sorted: their order does not matter."""
    return sorted({word for word in _WORD.findall(text.lower()) if word not in _IDLE})


def _alike(one: list[str], other: list[str]) -> float:
    """0 to 1 by the characters the two have in common."""
    if not one or not other:
        return 0.0
    return SequenceMatcher(None, " ".join(one), " ".join(other), autojunk=False).ratio()


def _names(work: tuple[str, str]) -> set[str]:
    """Names of code in the title, or the first one of the description where the title has none."""
    found = [next(group for group in match.groups() if group).lower() for match in _NAME.finditer(work[0])]
    if not found and (match := _NAME.search(work[1])):
        found = [next(group for group in match.groups() if group).lower()]
    return set(found)
