"""The change of a task as a diff, for people."""

from __future__ import annotations

from config import ProjectPaths, Settings
from memory import Task
from orchestrator.services import make_git


def task_diff(settings: Settings, paths: ProjectPaths, task: Task) -> str:
    """Unified diff of what `task` landed, or of its branch while it is at work; empty when there is nothing yet."""
    return make_git(settings, paths).landing.task_diff(task.id)
