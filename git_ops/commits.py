"""Commits with trailers that say what they belong to; a repeated step finds the commit it has made by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from git_ops.errors import GitError, NothingToCommit
from git_ops.models import ChangedFile, Commit, Worktree
from git_ops.repository import Repository
from git_ops.trees import Trees
from git_ops.worktrees import Worktrees
from monitoring import redact

TASK_TRAILER = "Task-Id"
RUN_TRAILER = "Run"
_FORMAT = "%H%x1f%T%x1f%s%x1f%(trailers:only=true,unfold=true,separator=%x1d,key_value_separator=%x1c)%x1e"
_STATUS = {"A": "added", "M": "modified", "D": "deleted", "T": "modified", "R": "renamed"}
_LONGEST_SUBJECT = 100


class Commits:
    """Makes and finds the commits of tasks, and compares them."""

    def __init__(self, repository: Repository, worktrees: Worktrees, trees: Trees) -> None:
        self._repository = repository
        self._git = repository.git
        self._worktrees = worktrees
        self._trees = trees

    def commit(
        self,
        worktree: Worktree,
        message: str,
        trailers: Mapping[str, str],
        *,
        paths: Iterable[str] | None = None,
        tree: str | None = None,
    ) -> Commit:
        """Commit the whole worktree, only `paths`, or exactly `tree` (what was verified) on the task's branch.

        The commit has `trailers` and `Task-Id`. If the branch has a commit with all of them already, that one is
        returned and nothing is done. Afterwards the files of the worktree are those of `tree`, where one was given.
        Raises NothingToCommit, and UnsafeContent before anything is recorded.
        """
        wanted = {TASK_TRAILER: worktree.task_id, **trailers}
        branch = f"refs/heads/{worktree.branch}"
        for found in self.history(f"{worktree.base_commit}..{branch}"):
            if all(found.trailers.get(key) == value for key, value in wanted.items()):
                return found
        text = message_with_trailers(redact(message), wanted)
        parent = self._repository.commit_of(branch)
        content = self._trees.write(worktree, paths=paths) if tree is None else self._repository.tree_of(tree)
        self._trees.check(parent, content)
        if content == self._repository.tree_of(parent):
            raise NothingToCommit(worktree.task_id, trailers.get("Stage", "commit"))
        sha = self._repository.commit_tree(content, [parent], text)
        if not self._repository.update_ref(branch, sha, parent, "commit"):
            raise GitError(f"{worktree.branch} moved while task {worktree.task_id} was committed; try again")
        self._show_as_committed(worktree, sha, files=tree is not None)
        return self.get(sha)

    def get(self, revision: str) -> Commit:
        """One commit."""
        return self.history(revision, limit=1)[0]

    def history(self, revisions: str, *, limit: int = 0) -> list[Commit]:
        """Commits of a range such as `main..agents/integration`, newest first; `limit` 0 means all."""
        count = [f"--max-count={limit}"] if limit else []
        output = self._git("log", f"--format={_FORMAT}", *count, "--end-of-options", revisions, "--")
        return _parsed(output.stdout.decode("utf-8", errors="replace"))

    def of_task(self, task_id: str, revision: str) -> list[Commit]:
        """Commits of `revision`'s history with the task's trailer, oldest first."""
        pattern = f"--grep=^{TASK_TRAILER}: {re.escape(task_id)}$"
        output = self._git("log", "--reverse", "--extended-regexp", pattern, f"--format={_FORMAT}", revision, "--")
        found = _parsed(output.stdout.decode("utf-8", errors="replace"))
        return [commit for commit in found if commit.trailers.get(TASK_TRAILER) == task_id]

    def diff(self, old: str, new: str, *, paths: Iterable[str] = (), context: int = 3, limit: int = 0) -> str:
        """The change from `old` to `new` (commits or trees) as text, cut after `limit` characters (0: never)."""
        output = self._git(
            "diff", "--no-ext-diff", "--no-textconv", "--no-color", f"--unified={context}", "--find-renames",
            "--end-of-options", old, new, "--", *paths,
        )  # fmt: skip
        text = output.stdout.decode("utf-8", errors="replace")
        if limit and len(text) > limit:
            return f"{text[:limit]}\n[… {len(text) - limit} more characters]\n"
        return text

    def changed_files(self, old: str, new: str) -> list[ChangedFile]:
        """The paths that differ between two commits or trees."""
        options = ["--no-ext-diff", "--name-status", "-z", "--find-renames", "--ignore-submodules=none"]
        fields = iter(self._git("diff", *options, "--end-of-options", old, new, "--").fields)
        found = []
        for status in fields:
            first = next(fields)
            if status[0] in "RC":
                found.append(ChangedFile(path=next(fields), status="renamed", old_path=first))
            else:
                found.append(ChangedFile(path=first, status=_STATUS.get(status[0], "modified")))
        return found

    def _show_as_committed(self, worktree: Worktree, sha: str, *, files: bool) -> None:
        """Set the worktree's index, and if asked its files, to a commit; after a crash the next commit does it."""
        with self._worktrees.temporary_index(worktree) as place:
            self._git("read-tree", "--reset", *(["-u"] if files else []), sha, place=place)
            self._worktrees.adopt_index(worktree, place)


def message_with_trailers(message: str, trailers: Mapping[str, str]) -> str:
    """A commit message that ends in `trailers`. Lines of `message` that look like one of them are left out.

    The message may come from a model: without control characters, a subject of at most 100 characters.
    """
    keys = "|".join(re.escape(key) for key in {*trailers, TASK_TRAILER, RUN_TRAILER, "Stage"})
    clean = "".join(c if c == "\n" or (ord(c) >= 32 and ord(c) != 127) else " " for c in message)
    lines = [line.rstrip() for line in clean.strip().splitlines() if not re.match(rf"(?i)\s*({keys})\s*:", line)]
    subject, *body = lines or ["Change"]
    if len(subject) > _LONGEST_SUBJECT:
        body = ["", subject, *body]
        subject = subject[: _LONGEST_SUBJECT - 1] + "…"
    for key, value in trailers.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", key) or not value.strip() or "\n" in value:
            raise GitError(f"trailer {key!r}: {value!r} is not one line of 'Key: value'")
    block = "\n".join(f"{key}: {value}" for key, value in trailers.items())
    text = "\n".join([subject, *(["", *body] if body and body[0] else body)]).strip()
    return f"{text}\n\n{block}\n"


def _parsed(output: str) -> list[Commit]:
    found = []
    for record in output.split("\x1e"):
        if not record.strip():
            continue
        sha, tree, subject, block = record.lstrip("\n").split("\x1f")
        pairs = (line.partition("\x1c") for line in block.strip().split("\x1d") if line)
        trailers = {key: value.strip() for key, _, value in pairs}
        found.append(Commit(sha=sha, tree=tree, subject=subject, trailers=trailers))
    return found
