"""What a person sees while the daemon works in the foreground.

On a terminal what has happened scrolls by as sentences, and a block below them tells what happens now, drawn anew every
second. In a pipe, or on a terminal that can do no more than write, there are the sentences alone, and when nothing
was said for a while another one about what is being done. In the log of a service that one is a line of the log.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from rich.cells import cell_len
from rich.console import Group
from rich.live import Live
from rich.text import Text

from cli.activity import show_activity
from cli.options import caller, folds, out
from config import BudgetSettings, QuietHours
from memory import CallInFlight, LimitState, MemoryStore, MemoryStoreError, Task, TaskStatus, utc_now
from monitoring import get_logger, redact
from owner.stopped import stopped_count
from owner.stream import Titles, seconds_awaited, waiting_lines
from owner.words import agent_at, agent_name, at_work_on, count, one_line, quoted, rest_words, span

log = get_logger(__name__)

_POLL, _LOOK = 0.5, 1.0
"""Seconds between two looks at the journal, and two at the state."""
_FIRST_SIGN, _LONGEST = 9.0, 60.0
_LOGGED = 60.0
"""Seconds between two signs of life in the log."""
_MOST_STEPS, _MOST_NEXT = 6, 3
_UNLIMITED_TOKENS, _UNLIMITED_USD = 10**15, 1e9
_LEAST_SHOWN = 0.005
"""Dollars that two decimals show."""


@dataclass(frozen=True)
class Step:
    """Something that is being done, and for how many seconds. `awaits` are the models it waits for, also in seconds."""

    text: str
    seconds: float
    in_turn: bool = True
    """False: it waits for its turn, because its agent works on another task."""
    awaits: tuple[tuple[str, float], ...] = ()
    held: bool = False
    """It goes no further, because its agent is paused."""

    def __str__(self) -> str:
        if self.held and not self.in_turn:
            return f"{self.text}, when it is resumed"
        if not self.in_turn:
            return f"{self.text}, when it is its turn"
        models = "".join(f", and has waited {span(seconds)} for {model}" for model, seconds in self.awaits[:1])
        return f"{self.text} ({span(self.seconds)}{models})"


@dataclass(frozen=True)
class Scene:
    """The present state of the work, read at once."""

    steps: list[Step] = field(default_factory=list)
    paused: list[str] = field(default_factory=list)
    """Why model calls wait."""
    following: list[str] = field(default_factory=list)
    """Titles of the tasks that come next."""
    pending: int = 0
    """How many tasks have not begun."""
    stopped: int = 0
    """How many wait for the owner."""
    spent: list[str] = field(default_factory=list)


class Silence:
    """In a pipe: how long nothing was said. The first sign of life comes soon, since it may be a person's `tee`; each
    further one takes twice as long, up to a minute, so that an hour of silent work is about sixty lines."""

    def __init__(self) -> None:
        self.broken()

    def broken(self) -> None:
        """Something new was said."""
        self._since, self._patience = time.monotonic(), _FIRST_SIGN

    def is_long(self) -> bool:
        """Whether it is time for a sign of life."""
        return time.monotonic() - self._since >= self._patience

    def sign_given(self) -> None:
        """What is being done was said again."""
        self._since, self._patience = time.monotonic(), min(2 * self._patience, _LONGEST)


class Watch:
    """Reads the state of a daemon in this process."""

    def __init__(
        self,
        store: MemoryStore,
        budget: BudgetSettings,
        running: Callable[[], Collection[str]] | None = None,
        quiet: QuietHours | None = None,
    ) -> None:
        """`running`: gives the ids of the tasks whose step runs; the others in progress wait for their turn."""
        self._store, self._budget, self._running, self._quiet = store, budget, running, quiet
        self._since: dict[tuple[object, ...], datetime] = {}
        self._began = utc_now()

    def look(self) -> Scene:
        """The scene of now. Raises `MemoryStoreError`."""
        store = self._store
        active = store.tasks.select([TaskStatus.IN_PROGRESS], limit=_MOST_STEPS * 4)[::-1]
        calls = store.budgets.calls_in_flight()
        counts, held = store.tasks.count_by_status(), store.paused.since()
        rest = store.paused.rest(self._quiet, utc_now())
        running = {task.id for task in active} if self._running is None else set(self._running())
        keys = {task.id: (task.id, task.run, task.stage, task.result.get("visit"), task.id in running)
                for task in active}  # fmt: skip
        # A step that an earlier process began was not worked on while nothing ran.
        began = {keys[task.id]: max(task.updated_at or self._began, self._began) for task in active}
        self._since = {key: self._since.get(key, since) for key, since in began.items()}
        steps = [
            Step(
                at_work_on(task),
                max((utc_now() - self._since[keys[task.id]]).total_seconds(), 0.0),
                task.id in running,
                _awaited(calls, task),
                bool(task.stage) and (rest is not None or agent_at(task) in held),
            )
            for task in active
        ]
        known = {task.id for task in active}
        steps += [
            Step(f"{agent_name(call.agent, first=True)} {'thinks' if call.task_id else 'looks for work'}",
                 seconds_awaited(call), True, _awaited([call]))
            for call in calls if call.task_id not in known
        ]  # fmt: skip
        return Scene(
            steps=sorted(steps, key=lambda step: not step.in_turn),
            paused=[
                *([rest_words(rest, self._quiet.zone if self._quiet else None)] if rest else []),
                *(redact(line) for line in waiting_lines(store.budgets.waiting_calls())),
            ],
            following=[task.title for task in store.tasks.ready(_MOST_NEXT)],
            pending=counts[TaskStatus.PENDING],
            stopped=stopped_count(counts),
            spent=spent_today(store, self._budget),
        )


def _awaited(calls: list[CallInFlight], task: Task | None = None) -> tuple[tuple[str, float], ...]:
    return tuple(
        (call.model.partition(":")[2] or call.model or "its model", seconds_awaited(call))
        for call in calls
        if task is None or call.task_id == task.id
    )


def spent_today(store: MemoryStore, budget: BudgetSettings) -> list[str]:
    """Tokens and money of this day (UTC), of which limits; money only where there is some, or a limit on it."""
    asked = {"day_tokens": budget.day_tokens or _UNLIMITED_TOKENS, "day_usd": budget.day_usd or _UNLIMITED_USD}
    states = store.budgets.limit_states(BudgetSettings(task_tokens=None, month_usd=budget.month_usd, **asked))
    found = {state.name: state for state in states}
    told = [f"spent today: {_used(found['day_tokens'])} tokens"]
    if budget.day_usd or found["day_usd"].used:
        told.append(_used(found["day_usd"]))
    if "month_usd" in found:
        told.append(f"this month {_used(found['month_usd'])}")
    return told + _reserved(found["day_tokens"], found["day_usd"])


def _used(state: LimitState) -> str:
    """What is used, as `costs` says it."""
    if state.unit == "tokens":
        return f"{state.used:,.0f}" + (f" of {state.limit:,.0f}" if state.limit < _UNLIMITED_TOKENS else "")
    return f"${state.used:,.2f}" + (f" of ${state.limit:,.2f}" if state.limit < _UNLIMITED_USD else "")


def _reserved(tokens: LimitState, usd: LimitState) -> list[str]:
    """What calls under way may add at worst, where a limit leaves no room for it."""
    if usd.limit < _UNLIMITED_USD and usd.reserved >= _LEAST_SHOWN:
        return [f"${usd.reserved:,.2f} reserved"]
    return [f"{tokens.reserved:,.0f} tokens reserved"] if tokens.limit < _UNLIMITED_TOKENS and tokens.reserved else []


def block(scene: Scene, width: int, height: int, command: str) -> list[Text]:
    """The live block: lines of at most `width` characters, of which times at the right are never cut."""
    lines = []
    room = max(min(_MOST_STEPS, height // 2 - 4), 1)
    for step in scene.steps[:room]:
        mark, style = ("> ", "cyan") if step.in_turn else ("- ", "dim")
        lines.append(
            _line(
                mark + step.text,
                span(step.seconds) if step.in_turn else "paused" if step.held else "waits its turn",
                width,
                style,
            )
        )
        for model, seconds in step.awaits[:2] if step.in_turn else ():
            lines.append(_line(f"    waits for {model}", span(seconds), width, "dim"))
    if left := len(scene.steps) - room:
        lines += [_line(f"  and {left} more", "", width, "dim")] if left > 0 else []
    lines += [_line(f"  paused: {reason}", "", width, "yellow") for reason in scene.paused[:2]]
    if not scene.steps and not scene.paused:
        lines.append(_line("  Nothing to do now. The team looks for work by itself.", "", width, "dim"))
    if scene.following:
        shown = ", ".join(map(quoted, scene.following))
        more = scene.pending - len(scene.following)
        lines.append(_line(f"  next: {shown}", f"and {more} more" if more > 0 else "", width))
    if scene.stopped:
        what = f"{count(scene.stopped, 'task')} {'waits' if scene.stopped == 1 else 'wait'} for you"
        whole = f"  {what}: {command} approvals list"
        lines.append(_line(whole if len(whole) <= width else f"  {what} (approvals list)", "", width, "yellow"))
    spent = [""]
    for part in scene.spent:
        both = f"{spent[-1]}, {part}" if spent[-1] else f"  {part}"
        if len(both) <= width or not spent[-1]:
            spent[-1] = both
        else:  # a figure is never cut: the rest goes to a line of its own
            spent.append(f"  {part}")
    return lines + [Text(line) for line in spent if line]


def _line(left: str, right: str, width: int, style: str = "") -> Text:
    """One line: the left side gives way."""
    room = max(width - (cell_len(right) + 2 if right else 0), 1)
    text = Text(one_line(left.strip(), 1000), style=style, no_wrap=True, end="")
    text = Text(" " * (len(left) - len(left.lstrip()))).append_text(text)
    text.truncate(room, overflow="ellipsis", pad=bool(right))
    return text.append(f"  {right}", style="bold") if right else text


class Follower:
    """Tells what happens from a thread of its own, until `stop`."""

    def __init__(self) -> None:
        self._live: Live | None = None
        if folds():
            self._live = Live(console=out, auto_refresh=False, transient=True)
        self._doing, self._since = "The daemon starts", time.monotonic()
        self._watch: Watch | None = None
        self._store: MemoryStore | None = None
        self._titles: Titles | None = None
        self._last = 0
        self._scene = Scene()
        self._looked = time.monotonic()
        self._silence, self._told = Silence(), ""
        self._command = caller()
        self._ended = threading.Event()
        if self._live:
            self._live.start()
        work = contextvars.copy_context()  # what `caller` says is of this command
        self._thread = threading.Thread(target=lambda: work.run(self._tell), name="follower", daemon=True)
        self._thread.start()

    def follow(self, store: MemoryStore, watch: Watch) -> None:
        """From now on tell what stands in the journal of `store`, the lines of this start included."""
        latest = store.journal.latest(1)
        self._last = latest[-1].id if latest else 0
        self._titles, self._watch = Titles(store), watch
        self._store = store

    def begin(self) -> None:
        """The start is over: there are steps to tell of."""
        self._doing = ""

    def end(self, doing: str) -> None:
        """Tell that the daemon is about to stop."""
        self._doing, self._since = doing, time.monotonic()

    def stop(self) -> None:
        """Say what is left to be said and leave the terminal as it was."""
        self._ended.set()
        self._thread.join(timeout=2)
        self.restore()

    def restore(self) -> None:
        """Give the terminal back; also from a signal handler, before the process ends at once."""
        if self._live:
            live, self._live = self._live, None
            live.stop()

    def _tell(self) -> None:
        while not self._ended.wait(_POLL):
            self._round()
        self._round()

    def _round(self) -> None:
        try:
            self._print_new()
            now = time.monotonic()
            if self._watch and not self._doing and now - self._looked >= _LOOK:
                self._looked = now
                self._scene = self._watch.look()
        except MemoryStoreError as problem:
            log.warning("cannot follow the activity", problem=str(problem))
        if live := self._live:  # `restore` may take it away meanwhile
            live.update(Group(*self._block()), refresh=True)
        else:
            self._give_sign()

    def _print_new(self) -> None:
        if self._store is None or self._titles is None:
            return
        for activity in self._store.journal.activity(self._last):
            show_activity(activity, self._titles[activity.task_id])
            self._last = activity.id
            self._silence.broken()

    def _block(self) -> list[Text]:
        width = max(out.width - 1, 10)
        if self._doing:
            return [_line(f"> {self._doing}", span(time.monotonic() - self._since), width, "cyan")]
        return block(self._scene, width, out.height, self._command)

    def _give_sign(self) -> None:
        """Where nothing can be drawn anew: say what is being done, if nothing was said for a while.

        An idle daemon says nothing.
        """
        told = f"{self._doing} ({span(time.monotonic() - self._since)})" if self._doing else what_is_done(self._scene)
        if told and told != self._told and self._silence.is_long():
            self._told = told
            line = Text(f"{datetime.now().astimezone():%H:%M:%S}  ", style="dim")
            out.print(line.append(told, style="dim"), soft_wrap=True)
            self._silence.sign_given()


def what_is_done(scene: Scene) -> str:
    """What is being done now, in one sentence; empty if nothing is."""
    if scene.paused and not any(step.awaits for step in scene.steps):  # the same until it goes on: it is told once
        return f"Paused: {'; '.join(scene.paused)}"
    return "; ".join([str(step) for step in scene.steps if step.in_turn][:_MOST_STEPS])


class LogFollower:
    """For a service: a line of the log every minute while something is being done."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        self._thread.join(timeout=2)

    def _tell(self) -> None:
        before = ""
        while not self._ended.wait(_LOGGED):
            try:
                told = what_is_done(self._watch.look())
                if told and told != before:
                    log.info(f"at work: {told}")
                before = told
            except MemoryStoreError as problem:
                log.warning("cannot follow the activity", problem=str(problem))
