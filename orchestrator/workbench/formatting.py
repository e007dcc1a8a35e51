"""Changed files as the project's own formatter writes them."""

from __future__ import annotations

from git_ops import GitManager
from orchestrator.suite import Suite

_MOST_FORMATTED = 20
"""Files."""


def as_project_formats(suite: Suite, git: GitManager, before: str, tree: str, label: str) -> dict[str, str]:
    """The formatted texts, by path, of the files changed from commit `before` to `tree` that formatting would alter.

    A modified file is formatted only if the formatter would have left it unchanged before.
    """
    changed = [
        change for change in git.commits.changed_files(before, tree)
        if change.path.endswith(".py") and change.status != "deleted"
    ][:_MOST_FORMATTED]  # fmt: skip
    texts = suite.format(tree, [change.path for change in changed], label)
    old = [change.path for change in changed if change.status == "modified" and change.path in texts]
    kept = suite.format(before, old, label) if old else {}
    return {
        path: text for path, text in texts.items()
        if text != suite.text_of(tree, path) and (path not in old or kept.get(path) == suite.text_of(before, path))
    }  # fmt: skip
