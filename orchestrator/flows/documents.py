"""What a task without code has come to, as a file of the repository, where the owner wants that."""

from __future__ import annotations

import re
from functools import partial

from file_system import FileManager
from memory import Task, TaskKind, TaskType
from orchestrator.flow import FlowState, StageContext
from orchestrator.workbench.commits import Landed
from orchestrator.workbench.workbench import Opened

_BESIDE = (TaskType.CODE, TaskType.OPINION, TaskType.MESSAGE, TaskType.PROJECT, TaskType.SKELETON)
"""What has no file of its own, or lands one itself."""
_MOST_NAME = 60


def commit_document(ctx: StageContext, state: FlowState) -> None:
    """Land the result of the task as a Markdown file in `git.reports_path`, if there is one and landing needs nobody.

    If it does not fit, the result is kept in the database as always, and the history says so.
    """
    settings = ctx.services.settings
    if not settings.git.reports_path or ctx.task.type in _BESIDE or not settings.testing.auto_run:
        return
    if ctx.waits_to_land(TaskKind.DOCUMENTATION):
        return
    task = ctx.task.model_copy(update={"result": state.model_dump(mode="json")})
    text = ctx.services.document(task)
    if not text:
        return
    path = f"{settings.git.reports_path}/{_name(task)}"
    opened = ctx.step("open worktree of the document", Opened, ctx.bench.open)
    landed = ctx.step("land the document", Landed, partial(_land, ctx, path, text, opened.base))
    ctx.step("document landed", bool, partial(_note, ctx, path, landed))


def _land(ctx: StageContext, path: str, text: str, base: str) -> Landed:
    git, task = ctx.services.git, ctx.task
    worktree = git.worktrees.get(task.id)
    git.worktrees.reset(worktree, base)
    if not FileManager(worktree.path).write_file(path, text):
        return Landed(problem="the file is there already")
    trailers = {"Stage": "document", "Run": str(task.run)}
    commit = git.commits.commit(worktree, f"Report: {' '.join(task.title.split())[:80]}", trailers, paths=[path]).sha
    return ctx.commits.land(commit, [])


def _note(ctx: StageContext, path: str, landed: Landed) -> bool:
    if landed.commit:
        ctx.bench.close(landed)
    else:
        ctx.bench.discard()
        ctx.note("document not landed", path=path, problem=landed.problem)
    return bool(landed.commit)


def _name(task: Task) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", task.title.casefold()).strip("-")[:_MOST_NAME].strip("-")
    return f"{task.created_at:%Y-%m-%d}-{words or task.type}-{task.id[-6:]}.md"
