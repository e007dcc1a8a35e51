"""What can go wrong with git. Every message says what was tried, what git answered, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from monitoring import redact
from monitoring.alerting import AlertKind
from monitoring.errors import FailureReason, KnownError

_MOST_STDERR = 1500


class GitError(KnownError):
    """Base of everything this folder raises."""

    reason = FailureReason.INTERNAL_ERROR
    alert: ClassVar[AlertKind | None] = AlertKind.GIT


class GitCommandFailed(GitError):
    """A git command ended with an exit code that nobody expected."""

    def __init__(self, command: str, exit_code: int, stderr: str) -> None:
        self.command = command
        self.exit_code = exit_code
        self.stderr = redact(stderr.strip())[-_MOST_STDERR:]
        super().__init__(f"{command} ended with {exit_code}: {self.stderr or '(nothing on stderr)'}")


class GitTimeout(GitError):
    """A git command took longer than it may and was stopped."""

    def __init__(self, command: str, seconds: float) -> None:
        super().__init__(f"{command} was stopped after {seconds:g} s; check the disk and the network, then try again")


class GitUnusable(GitError):
    """git is missing or too old."""

    exits_with = 2


class DiskFull(GitError):
    """There is no space for git to write to."""

    passes = True

    def __init__(self, command: str, where: str) -> None:
        super().__init__(
            f"{command}: no space left on the disk of {where}; free some space, then work continues by itself"
        )


class LockBusy(GitError):
    """Another thread or process holds a lock for longer than we wait."""

    passes = True

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(f"the {name} lock was not free within {seconds:g} s; another landing may hang: see the log")


class RemoteError(GitError):
    """A problem of the repository that the work comes from."""

    reason = FailureReason.CONFLICT
    blocks = True


class UnsafeUrl(RemoteError):
    """An address that must not be passed to git."""

    exits_with = 2

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            f"git.repository_url = {redact(url)[:200]!r}: {why}; give a path, or an https://, ssh:// or file:// address"
        )


class NotARepository(RemoteError):
    """There is no git repository at the address."""

    exits_with = 2

    def __init__(self, address: str, detail: str, advice: str) -> None:
        super().__init__(f"git.repository_url = {address!r}: {detail}; {advice}")


class EmptyRepository(RemoteError):
    """The repository has no commit yet."""

    exits_with = 2

    def __init__(self, address: str) -> None:
        super().__init__(f"{address}: the repository is empty; make (and push) a first commit, then start again")


class BranchMissing(RemoteError):
    """A branch that is needed does not exist."""

    exits_with = 2

    def __init__(self, branch: str, present: Sequence[str]) -> None:
        known = ", ".join(present[:8]) or "none"
        super().__init__(f"git.branch = {branch!r}: there is no such branch, and no default branch; there are: {known}")


class BranchTaken(RemoteError):
    """The owner's branches leave no room for the one that work is to land on."""

    exits_with = 2


class UnsupportedRepository(RemoteError):
    """A kind of repository that the clone cannot work with."""

    exits_with = 2


class RemoteUnreachable(RemoteError):
    """The server does not answer."""

    passes = True

    def __init__(self, address: str, stderr: str) -> None:
        super().__init__(
            f"{address}: cannot be reached ({_last_line(stderr)}); check the address and the network, then try again"
        )


class AuthenticationFailed(RemoteError):
    """The server refuses the credentials."""

    def __init__(self, address: str, stderr: str) -> None:
        super().__init__(
            f"{address}: access denied ({_last_line(stderr)}); set GIT_TOKEN to a token that may read and push, "
            "or for ssh load a key into the agent and the host into known_hosts"
        )


class CloneTaken(GitError):
    """The folder for our clone contains something else."""

    exits_with = 2

    def __init__(self, path: str, found: str) -> None:
        super().__init__(f"file_system.git_repo_path = {path}: it holds {found}; move it away or choose another folder")


class WorktreeMissing(GitError):
    """There is no worktree for the task."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"task {task_id} has no worktree; retry the task")


class UnsafeContent(GitError):
    """A worktree contains something that must not be recorded. `kind` is one of
    `nested repository`, `link`, `special file`, `huge file`, `submodule`, `tampered worktree`, `secret`, `name`."""

    def __init__(self, kind: str, path: str, advice: str) -> None:
        self.kind = kind
        self.path = path
        super().__init__(f"{path[:200]!r} is not recorded: {kind}; {advice}")


class SecretFound(UnsafeContent):
    """A change adds a secret. `findings` are lines and kinds in the file at `path`, never the values."""

    def __init__(self, path: str, findings: Sequence[tuple[int, str]]) -> None:
        self.findings = tuple(findings)
        lines = "; ".join(f"line {line}: {kind}" for line, kind in self.findings[:8])
        super().__init__(
            "secret",
            path,
            f"{lines}; take it out, read it from the environment at run time, or leave the line as it was",
        )


class NothingToCommit(GitError):
    """The worktree has not changed since its last commit."""

    def __init__(self, task_id: str, stage: str) -> None:
        super().__init__(f"task {task_id}, {stage}: nothing changed since the last commit; change something first")


class IgnoredPath(GitError):
    """A path to be committed is excluded by the repository's .gitignore."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the repository's .gitignore excludes a file that is to be committed: {detail}; rename it")


class MergeConflict(GitError):
    """Two lines of work changed the same places. `files` are the paths in conflict."""

    def __init__(self, what: str, files: Sequence[str], advice: str) -> None:
        self.files = tuple(files)
        where = f"conflict in {', '.join(self.files[:8])}; " if self.files else ""
        super().__init__(f"{what}: {where}{advice}")


class LandingWithdrawn(GitError):
    """The task was ended while it waited to land; nothing moved."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"task {task_id} was ended before it landed")


class LandingConflict(MergeConflict):
    """A task's commits conflict with the landing branch."""

    reason = FailureReason.CONFLICT
    alert = None

    def __init__(self, task_id: str, branch: str, files: Sequence[str]) -> None:
        self.task_id = task_id
        super().__init__(
            f"task {task_id} cannot be rebased onto {branch}", files, "do the work again on a fresh worktree"
        )


class NothingToLand(GitError):
    """The task has no commit beyond its base."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"task {task_id} has no commits to land; commit its work first")


class VerificationFailed(GitError):
    """The landing branch would not pass its tests. `tree` is the content that was verified."""

    def __init__(self, task_id: str, tree: str) -> None:
        self.tree = tree
        super().__init__(
            f"task {task_id}: the tests fail together with what landed before it (tree {tree[:12]}); "
            "nothing was landed, do the work again on a fresh worktree"
        )


class LandingMoved(GitError):
    """Someone else moved the landing branch while a landing was verified."""

    def __init__(self, branch: str) -> None:
        super().__init__(f"{branch} was moved by someone else while a landing was verified; land it again")


def _last_line(stderr: str) -> str:
    lines = [line.strip() for line in redact(stderr).splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:", "remote:"))]
    return (telling or lines or ["no reason given"])[0][:200]
