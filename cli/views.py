"""How tasks and activities look on a terminal, and the stream of what happens."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.options import caller, out
from cli.tables import Cell, Column, FittedTable
from cli.timeline import timeline
from memory import (
    ENDED,
    Dependency,
    LimitState,
    MemoryStore,
    ProofOutcome,
    SuiteQuality,
    Task,
    TaskStatus,
    TaskType,
    UsageRow,
)
from owner.artifacts import artifact_of
from owner.stream import Clock, waiting_lines
from owner.thread import thread_of
from owner.words import NEARLY_USED_UP, one_line, span, status_word

_COLOURS = {
    TaskStatus.COMPLETED: "green",
    TaskStatus.IN_PROGRESS: "cyan",
    TaskStatus.FAILED: "red",
    TaskStatus.BLOCKED: "yellow",
    TaskStatus.WAITING_APPROVAL: "magenta",
    TaskStatus.CANCELLED: "dim",
    TaskStatus.PENDING: "",
}
_MOST_PENDING = 1000
_AT_ONCE = 500
"""Tasks that are named in one query."""
_TITLE_WIDTH, _STATUS_WIDTH = 12, 16
"""Characters that a title and a status keep where the terminal is narrow."""
_MOST_TITLE = 500


def status_text(task: Task, clock: Clock) -> Text:
    """The status of a task in words, and where it is or why it is there."""
    if task.status is TaskStatus.IN_PROGRESS and not clock.runs:
        text = Text("paused, the daemon is stopped", style="yellow")
    else:
        text = Text(status_word(task.status), style=_COLOURS[task.status])
    gate = str(task.result.get("waiting_for") or "") if task.status is TaskStatus.WAITING_APPROVAL else ""
    if word := task.reason or gate or (task.stage if task.status is not TaskStatus.COMPLETED else ""):
        text.append(f": {word.replace('_', ' ')}", style="dim")
    return text


def task_table(store: MemoryStore, tasks: list[Task], clock: Clock) -> RenderableType:
    """One line per task: where it is, what it took."""
    usage: dict[str, UsageRow] = {}
    attempts: dict[str, int] = {}
    for first in range(0, len(tasks), _AT_ONCE):
        some = tasks[first : first + _AT_ONCE]
        usage |= {row.key: row for row in store.ledger.usage("task", task_ids=[task.id for task in some])}
        attempts |= store.evidence.attempt_counts({task.id: task.run for task in some})
    unmet = store.tasks.unmet([task.id for task in tasks if task.status is TaskStatus.PENDING])
    rows: list[list[Cell]] = []
    for task in tasks:
        used = usage.get(task.id)
        status = status_text(task, clock)
        if needed := unmet.get(task.id):
            status.append(f", waits for {awaited_tasks(needed)}", style="dim")
        tokens = f"{used.input_tokens + used.output_tokens:,}" if used else ""
        tests = str(len(_list(task, "tests_ids")) or "")
        tried = str(attempts.get(task.id, ""))
        rows.append([task.id, one_line(task.title), status, tried, tests, tokens, clock.took(task)])
    columns = [
        Column("task"),
        Column("title", least=_TITLE_WIDTH),
        Column("status", least=_STATUS_WIDTH),
        Column("attempts", rank=4, right=True),
        Column("tests", rank=3, right=True),
        Column("tokens", rank=2, right=True),
        Column("took", rank=1, right=True),
    ]
    return FittedTable(columns, rows)


def awaited_tasks(needed: list[Dependency]) -> str:
    """The tasks that another one waits for, each with its state."""
    return ", ".join(f"{task.id} ({status_word(task.status)})" for task in needed)


def dependent_lines(store: MemoryStore, most: int) -> list[str]:
    """The pending tasks that wait for others, a line each, and what gets those going again that stand still."""
    pending = store.tasks.select([TaskStatus.PENDING], limit=_MOST_PENDING)
    unmet = store.tasks.unmet([task.id for task in pending])
    waiting = [task for task in reversed(pending) if task.id in unmet]
    lines = []
    for task in waiting[:most]:
        still = [needed.id for needed in unmet[task.id] if needed.status in ENDED]
        what = f"; it goes on when you decide about {', '.join(still)} ({caller()} approvals list)" if still else ""
        lines.append(f"{task.id}  {task.title}: waits for {awaited_tasks(unmet[task.id])}{what}")
    if len(waiting) > most:
        lines.append(f"… and {len(waiting) - most} more: {caller()} task list -s pending")
    return lines


def task_details(store: MemoryStore, task: Task, clock: Clock) -> RenderableType:
    """All about one task."""
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("id", task.id)
    facts.add_row("status", status_text(task, clock))
    for name, value in (_facts(task) | {"took": clock.took(task)}).items():
        if value:
            facts.add_row(name, escape(value))
    for line in waiting_lines([call for call in store.budgets.waiting_calls() if call.task_id == task.id]):
        facts.add_row("paused", escape(line))
    if needed := store.tasks.unmet([task.id]).get(task.id):
        facts.add_row("waits for", escape(awaited_tasks(needed)))
    parts: list[RenderableType] = [Text(one_line(task.title, _MOST_TITLE), style="bold"), facts]
    if task.description:
        parts.append(Padding(Text(task.description), (1, 0, 0, 2)))
    for section in artifact_of(task):
        parts.append(Padding(Text(section.heading, style="bold"), (1, 0, 0, 0)))
        parts += [Padding(Text(section.text), (0, 0, 0, 2))] if section.text else []
        parts += [Padding(Text(f"- {' '.join(item.split())}"), (0, 0, 0, 2)) for item in section.items]
    if entries := thread_of(store, task):
        parts.append(Padding(timeline(task, entries), (1, 0, 0, 0)))
    split = list(reversed(store.tasks.select(parent_id=task.id)))
    if task.type == TaskType.DECISION and (given := [part for part in split if part.type == TaskType.OPINION]):
        parts.append(Padding(_opinions(given), (1, 0, 0, 0)))
        split = [part for part in split if part.type != TaskType.OPINION]
    if split and task.type in (TaskType.PLAN, TaskType.DECISION, TaskType.PROJECT):
        parts.append(Padding(_plan(split), (1, 0, 0, 0)))
    elif split:
        parts.append(Text(f"split into {', '.join(f'{part.id} ({part.status})' for part in split)}"))
    if usage := store.ledger.usage("model", task_ids=[task.id]):
        parts.append(Padding(usage_table(usage, "model"), (1, 0, 0, 0)))
    return Group(*parts)


def _opinions(tasks: list[Task]) -> RenderableType:
    """What each of the V-team thinks; `task show` of it has the criteria."""
    columns = [
        Column("task", rank=1), Column("opinion", least=_TITLE_WIDTH), Column("verdict", least=_STATUS_WIDTH),
        Column("objections", right=True),
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for task in tasks:
        given = task.result.get("opinion")
        opinion = given if isinstance(given, dict) else {}
        objections = opinion.get("objections")
        rows.append([
            task.id, one_line(task.title), str(opinion.get("verdict") or status_word(task.status)),
            f"{len(objections)}" if isinstance(objections, list) else "",
        ])  # fmt: skip
    return FittedTable(columns, rows, title="opinions")


def _plan(tasks: list[Task]) -> RenderableType:
    """The tasks of a plan, and what each of them waits for."""
    columns = [
        Column("task"), Column("title", least=_TITLE_WIDTH), Column("kind", rank=2),
        Column("status", least=_STATUS_WIDTH), Column("after", least=_TITLE_WIDTH, rank=1),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [task.id, one_line(task.title), task.kind, Text(status_word(task.status), style=_COLOURS[task.status]),
         ", ".join(task.depends_on)]
        for task in tasks
    ]  # fmt: skip
    return FittedTable(columns, rows, title="plan")


def usage_table(rows: list[UsageRow], key: str) -> RenderableType:
    """Model calls by task, agent, model or day. `known` are the input tokens that the provider had in its own cache."""
    columns = [
        Column(key), Column("calls", right=True), Column("from cache", rank=3, right=True),
        Column("tokens in", rank=1, right=True), Column("known", rank=4, right=True),
        Column("tokens out", rank=1, right=True), Column("cost USD", right=True), Column("took", rank=2, right=True),
    ]  # fmt: skip
    return FittedTable(
        columns,
        [
            [
                row.key or "-", f"{row.calls:,}", f"{row.cached_calls:,}", f"{row.input_tokens:,}",
                f"{row.cached_tokens:,}", f"{row.output_tokens:,}",
                "no price" if row.cost_usd is None else f"{row.cost_usd:,.4f}", span(row.seconds),
            ]
            for row in rows
        ],
    )  # fmt: skip


def limit_table(states: list[LimitState]) -> RenderableType:
    """The limits of the budget and how much of each is gone."""
    columns = [
        Column("limit"), Column("of"), Column("used", right=True, rank=1), Column("reserved", right=True, rank=2),
        Column("at most", right=True, rank=1), Column("share", right=True),
    ]  # fmt: skip
    return FittedTable(
        columns,
        [
            [
                f"budget.{state.name}", state.subject, amount(state, state.used), amount(state, state.reserved),
                f"{state.limit:,.2f} USD" if state.unit == "usd" else f"{state.limit:,.0f} tokens",
                Text(f"{state.share:.0%}", style="red" if state.share >= NEARLY_USED_UP else ""),
            ]
            for state in states
        ],
    )  # fmt: skip


def amount(state: LimitState, value: float) -> str:
    """Dollars or tokens of a limit, without the unit."""
    return f"{value:,.4f}" if state.unit == "usd" else f"{value:,.0f}"


def _facts(task: Task) -> dict[str, str]:
    commits = ", ".join(str(commit)[:12] for commit in _list(task, "landed_commits"))
    pushed = (
        ""
        if not commits
        else "pushed"
        if task.result.get("pushed")
        else str(task.result.get("push_error") or "not pushed")
    )
    return {
        "why": task.reason_detail,
        "stage": task.stage,
        "kind": task.kind,
        "priority": f"{task.priority}" + (f", due {task.deadline:%Y-%m-%d %H:%M} UTC" if task.deadline else ""),
        "source": task.source,
        "part of": task.parent_id or "",
        "depends on": "" if task.type == TaskType.DECISION else ", ".join(task.depends_on),
        "created": f"{task.created_at:%Y-%m-%d %H:%M:%S} UTC",
        "took": "",
        "tests": _tests(task),
        "strength": str(SuiteQuality.model_validate(quality)) if (quality := task.result.get("quality")) else "",
        "proofs": "\n".join(str(ProofOutcome.model_validate(proof)) for proof in _list(task, "proofs")),
        "commits": commits,
        "landed": pushed,
        "deployment": str(task.result.get("deployment") or ""),
    }


def _tests(task: Task) -> str:
    ids = [str(each) for each in _list(task, "tests_ids")]
    files = sorted({name for name, _, rest in (each.partition("::") for each in ids) if rest})
    where = ", ".join(files) or str(task.result.get("tests_file") or "")
    return f"{len(ids)} in {where}{', given' if task.tests else ''}" if ids else ""


def _list(task: Task, key: str) -> list[object]:
    value = task.result.get(key)
    return list(value) if isinstance(value, list) else []


def show_diff(text: str) -> None:
    """Print a diff; no line of it is cut or folded."""
    from rich.syntax import Syntax

    coloured = Syntax(text, "diff", theme="ansi_dark", background_color="default").highlight(text)
    out.print(coloured if out.is_terminal else Text(text), soft_wrap=True, end="")
