"""Rebasing and merging without a work tree: nothing is disturbed, and nothing half done can be left behind.

A cherry-pick is a three-way merge whose base is the picked commit's parent. `git merge-tree` finds the base by
history, so the target's content is first put into a commit of its own on that parent.
The same input always gives the same commits: a step repeated after a crash makes nothing new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from git_ops.errors import MergeConflict
from git_ops.repository import Repository

Conflict = Callable[[list[str]], MergeConflict]


def replayed(repository: Repository, commits: Iterable[str], onto: str, conflict: Conflict) -> list[str]:
    """`commits` (oldest first) applied one after the other on top of `onto`: the new commits, oldest first.

    A commit that stands there already is kept as it is. Raises what `conflict` makes of the paths in conflict.
    """
    made: list[str] = []
    for commit in commits:
        onto = _picked(repository, commit, onto, conflict)
        made.append(onto)
    return made


def merged(repository: Repository, ours: str, theirs: str, message: str, conflict: Conflict) -> str:
    """`theirs` taken into `ours`: one of the two if it holds the other, else a merge commit."""
    if repository.is_ancestor(theirs, ours):
        return ours
    if repository.is_ancestor(ours, theirs):
        return theirs
    tree = repository.merged_tree(ours, theirs, conflict)
    return repository.commit_tree(tree, [ours, theirs], message)


def _picked(repository: Repository, commit: str, onto: str, conflict: Conflict) -> str:
    parent = repository.commit_of(f"{commit}^")
    if parent == onto:
        return commit
    target = repository.commit_tree(repository.tree_of(onto), [parent], "target of a pick\n", like=onto)
    tree = repository.merged_tree(target, commit, conflict)
    message = repository.message_of(commit)
    return repository.commit_tree(tree, [onto], message, like=commit, not_before=repository.committed_at(onto))
