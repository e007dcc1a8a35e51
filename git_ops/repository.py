"""The daemon's own clone: a bare repository that only the daemon writes to.

It has no checkout that could be dirty and no index that could be locked; work happens in worktrees, and commits are
made from trees. `origin` holds the owner's branches as of the last fetch.
"""

from __future__ import annotations

import fcntl
import re
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from git_ops.command import GitCommand, GitOutput, Place
from git_ops.errors import (
    BranchMissing,
    CloneTaken,
    EmptyRepository,
    GitCommandFailed,
    GitTimeout,
    LockBusy,
    MergeConflict,
    RemoteUnreachable,
)
from git_ops.remote import NETWORK_TIMEOUT, Remote
from monitoring import get_logger

log = get_logger(__name__)

NO_COMMIT = "0" * 40
LOCK_TIMEOUT = 3600.0
"""Seconds to wait for another landing, which may be running a whole test suite."""
_LONGEST_PAUSE = 0.1
TRACKING = "refs/remotes/origin/"
SEEN_REF = "refs/agents/seen/"
ROOT_REF = "refs/agents/root"
"""The empty commit that work starts from where the owner's repository has none."""
_KEPT_KEYS = frozenset(
    {f"core.{name}" for name in ("repositoryformatversion", "filemode", "bare", "ignorecase", "precomposeunicode",
                                 "symlinks", "logallrefupdates")} | {"extensions.objectformat", "extensions.refstorage"}
)  # fmt: skip
"""What git itself writes into the configuration of a new repository, besides its remote."""


_RELEASE = re.compile(
    r"(?:(?P<part>(?!v\d|(?:release|version|rel)[-_/]?v?\d)[\w.]+(?:-[A-Za-z][\w.]*)*)[-_/@])?"
    r"(?:release[-_/]?|version[-_/]?|rel[-_/]?)?v?(?P<version>\d+(?:\.\d+)+)(?:\.?post\d+)?"
)
"""A tag of a release; those of pre-releases are none."""


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


_ROOT_DATE = "1735689600 +0000"
LINK = "120000"
"""The mode of a link in a tree."""
PROGRAM = "100755"
"""The mode of a file that can be executed."""


class Entry(NamedTuple):
    """A file, link or submodule of a tree."""

    mode: str
    """As git writes it, in octal digits."""
    name: str
    """The hash of its blob, or of the submodule's commit."""
    path: str


class Repository:
    """Commits, trees and refs of the clone at `path`, and its connection to the owner's repository."""

    def __init__(self, path: Path, remote: Remote, branch: str, git: GitCommand) -> None:
        self.path = path
        self.remote = remote
        self.git = git
        self.state = path / "agents"
        """Our own files inside the clone: locks, temporary indexes, the askpass script."""
        self._branch = branch
        self._fell_back_to = ""

    # -- the clone and its remote ------------------------------------------------------------------------------

    def open(self, *, shallow: bool = False) -> None:
        """Create the clone if there is none, and fetch; repeatable after a crash at any point.

        `shallow`: only the newest commits are fetched.

        Raises NotARepository, EmptyRepository, BranchMissing, RemoteUnreachable, AuthenticationFailed, CloneTaken.
        EmptyRepository is raised for one that had commits: in a new one work starts from an empty commit.
        """
        self.git.check_version()
        if not self.is_clone():
            self.remote.check_local()  # before a folder is created for nothing
        self.make()
        self.fetch("--depth=1") if shallow else self.fetch()
        if not self.branches("origin") and self.resolve(ROOT_REF) is None:
            self._make_root()
        self.base_branch()

    def make(self) -> None:
        """Create an empty clone with its remote; an existing one is left as it is. Raises CloneTaken."""
        self._check_free()
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.lock("clone"):
            self._check_ours()
            self.git("init", "--quiet", "--bare", "--initial-branch=main", str(self.path), place=Place(self.path))
            self.git("config", "remote.origin.url", self.remote.url)
            self.git("config", "remote.origin.fetch", f"+refs/heads/*:{TRACKING}*")

    def _make_root(self) -> None:
        """The empty commit, which is the same in every clone: one made anew can go on with what was pushed."""
        if self.branches():
            raise EmptyRepository(self.remote.url)
        tree = self.git("hash-object", "-t", "tree", "-w", "--stdin", stdin=b"").text
        who = {
            f"GIT_{part}_{key}": value
            for part in ("AUTHOR", "COMMITTER")
            for key, value in {"NAME": "agents", "EMAIL": "agents@localhost", "DATE": _ROOT_DATE}.items()
        }
        root = self.git("commit-tree", tree, stdin=b"Begin an empty repository\n", environment=who).text
        self.update_ref(ROOT_REF, root, NO_COMMIT)

    def is_clone(self) -> bool:
        """Whether there is a clone with commits: work can go on in it without the owner's repository."""
        if not self.state.is_dir():
            return False
        # 128: an interrupted clone is no repository yet
        found = self.git("for-each-ref", "--count=1", "--format=%(refname)", "refs/heads/", TRACKING, allowed=(0, 128))
        return bool(found.text)

    def fetch(self, *options: str) -> None:
        """Bring the owner's branches up to date; raises the errors of `Remote.typed_error`."""
        with self.lock("fetch"):
            self._over_network(
                "fetch", "--quiet", "--prune", "--update-shallow", "--no-write-fetch-head", *options, "origin"
            )

    def base_branch(self) -> str:
        """The owner's branch that work starts from: the configured one, else the remote's default (logged once)."""
        if self.resolve(TRACKING + self._branch) is not None:
            return self._branch
        there = self.branches("origin")
        if self.resolve(ROOT_REF) is not None:  # what we pushed is no branch of the owner's
            there = [name for name in there if self.resolve(SEEN_REF + name) is None]
            if not there:
                return self._branch
        if not self._fell_back_to:
            default = self._remote_default()
            if default not in there:
                default = there[0] if len(there) == 1 else None  # a checkout of another branch, or of none
            if default is None:
                raise BranchMissing(self._branch, there)
            log.warning("base branch is missing, the repository's default is used", missing=self._branch, used=default)
            self._fell_back_to = default
        return self._fell_back_to

    def base_tip(self) -> str:
        """The commit of the base branch as last fetched; an empty one while the owner's repository has none."""
        branch = self.base_branch()
        return self.resolve(TRACKING + branch) or self.resolve(ROOT_REF) or self.commit_of(TRACKING + branch)

    def remote_tip(self, branch: str) -> str | None:
        """The commit of a branch of the owner's repository as last fetched."""
        return self.resolve(TRACKING + branch)

    def push(self, source: str, branch: str, *, replacing: str | None = None) -> None:
        """Push the commit `source` to `branch` of the owner's repository.

        Only fast-forward, unless `replacing` gives the commit that may be overwritten there. Raises GitCommandFailed
        with git's porcelain report when the branch moved, and the errors of `Remote.typed_error`.
        """
        lease = [] if replacing is None else [f"--force-with-lease=refs/heads/{branch}:{replacing}"]
        self._over_network(
            "push", "--porcelain", "--no-verify", *lease, "origin", f"{source}:refs/heads/{branch}", report=True
        )

    def branches(self, where: str = "") -> list[str]:
        """Names of our branches, or with `origin` of the owner's."""
        prefix = TRACKING if where == "origin" else "refs/heads/"
        names = self.git("for-each-ref", "--format=%(refname)", prefix).text.split()
        return [name.removeprefix(prefix) for name in names if not name.endswith("/HEAD")]

    def bundle(self, file: Path) -> None:
        """Write all refs and their history into one new file."""
        self.git("bundle", "create", "--quiet", str(file), "--all", timeout=NETWORK_TIMEOUT)

    def unbundle(self, file: Path) -> None:
        """Create the clone from a bundle, without the owner's repository. It has no worktrees.

        Raises CloneTaken.
        """
        self.make()
        self.git("bundle", "verify", "--quiet", str(file), timeout=NETWORK_TIMEOUT)
        self.git("fetch", "--quiet", "--no-write-fetch-head", str(file), "+refs/*:refs/*", timeout=NETWORK_TIMEOUT)

    def collect_garbage(self) -> None:
        """Run `git gc --auto`. Trees that stored steps refer to are kept for 90 days."""
        prune = ["-c", "gc.pruneExpire=90.days.ago", "-c", "gc.worktreePruneExpire=never"]
        self.git(*prune, "gc", "--auto", "--quiet", timeout=NETWORK_TIMEOUT)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold one of the clone's locks against other threads and processes."""
        with locked(self.state, name, LOCK_TIMEOUT):
            yield

    @contextmanager
    def own_index(self) -> Iterator[Path]:
        """The place of an index of our own, so that no `index.lock` is left behind; what is there is deleted in the
        end."""
        index = self.state / f"index-{uuid.uuid4().hex}"
        try:
            yield index
        finally:
            index.unlink(missing_ok=True)
            index.with_suffix(".lock").unlink(missing_ok=True)

    def _check_free(self) -> None:
        """Refuse a folder with other files than a clone of ours, complete or not."""
        if self.path.exists() and any(self.path.iterdir()) and not self.state.is_dir():
            raise CloneTaken(str(self.path), "other files")

    def _check_ours(self) -> None:
        """Refuse a clone of another repository."""
        output = self.git("config", "--get", "remote.origin.url", allowed=(0, 1, 128))
        if output.exit_code == 0 and output.text != self.remote.url:
            raise CloneTaken(str(self.path), f"a clone of {output.text}")

    def _keep_config(self) -> None:
        """Undo foreign changes of the clone's configuration: they could send pushes, and tokens, elsewhere."""
        wanted = {"remote.origin.url": self.remote.url, "remote.origin.fetch": f"+refs/heads/*:{TRACKING}*"}
        listed = [
            entry.partition("\n") for entry in self.git("config", "--local", "--no-includes", "-z", "--list").fields
        ]
        found = [(key, value) for key, _, value in listed if key not in _KEPT_KEYS]
        if sorted(found) == sorted(wanted.items()):
            return
        for key in {key for key, value in found if wanted.get(key) != value or found.count((key, value)) > 1}:
            log.warning("the clone's configuration was changed by somebody else; it is restored", key=key)
            self.git("config", "--local", "--unset-all", key)
        for key, value in wanted.items():
            self.git("config", "--local", "--replace-all", key, value)

    def _remote_default(self) -> str | None:
        lines = self._over_network("ls-remote", "--symref", "origin", "HEAD").splitlines()
        found = (re.match(r"ref: refs/heads/(\S+)\s+HEAD", line) for line in lines)
        return next((match[1] for match in found if match), None)

    def _over_network(self, operation: str, *arguments: str, report: bool = False) -> str:
        self.remote.check_local()
        self._keep_config()
        environment = self.remote.credentials(self.state)
        options = self.remote.service_options(operation)
        try:
            output = self.git(
                operation, *options, *arguments, timeout=NETWORK_TIMEOUT, environment=environment, allowed=range(256)
            )
        except GitTimeout as error:
            raise RemoteUnreachable(self.remote.url, str(error)) from error
        if output.exit_code == 0:
            return output.text
        said = f"{output.text}\n{output.stderr}" if report else output.stderr
        failure = self.git.failure(f"git {operation}", GitOutput(output.exit_code, b"", said))
        raise self.remote.typed_error(failure) if isinstance(failure, GitCommandFailed) else failure

    # -- commits, trees, refs ----------------------------------------------------------------------------------

    def resolve(self, revision: str) -> str | None:
        """The commit that `revision` names, None when there is none."""
        output = self.git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}", allowed=(0, 1, 128)
        )
        return output.text if output.exit_code == 0 else None

    def commit_of(self, revision: str) -> str:
        """The commit that `revision` names; raises GitCommandFailed when there is none."""
        return self.git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}").text

    def tree_of(self, revision: str) -> str:
        """The tree of a commit or tree."""
        return self.git("rev-parse", "--verify", "--end-of-options", f"{revision}^{{tree}}").text

    def entries(self, treeish: str, place: Place | None = None) -> list[Entry]:
        """What a commit or tree holds, in all its folders; by default one of the clone."""
        listed = [line.partition("\t") for line in self.git("ls-tree", "-r", "-z", treeish, place=place).fields]
        return [Entry(head.split()[0], head.split()[2], path) for head, _, path in listed]

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `older` is `newer` or one of its ancestors."""
        return self.git("merge-base", "--is-ancestor", older, newer, allowed=(0, 1)).exit_code == 0

    def newest_release(self, revision: str) -> str:
        """The highest version that a tag in the history of `revision` names, such as `2.10.1` of `v2.10.1`; tags of
        parts of the repository (`part-1.0`) only count where there are no others. Empty if there is none.
        """
        names = self.git("tag", "--merged", revision).text.split()
        found = [match for name in names if (match := _RELEASE.fullmatch(name))]
        whole = [match for match in found if not match["part"]] or found
        return max((match["version"] for match in whole), key=_order, default="")

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, None for unrelated histories."""
        output = self.git("merge-base", one, other, allowed=(0, 1))
        return output.text.split()[0] if output.exit_code == 0 else None

    def commits_between(self, older: str, newer: str) -> list[str]:
        """Commits of `newer`'s first-parent line that `older` lacks, merges left out, oldest first."""
        line = self.git("rev-list", "--reverse", "--first-parent", "--no-merges", f"{older}..{newer}")
        return line.text.split()

    def update_ref(self, ref: str, new: str, old: str | None = None, why: str = "agents") -> bool:
        """Move a ref; with `old` only if it stands there (NO_COMMIT: does not exist). False when it stood elsewhere."""
        expected = [] if old is None else [old]
        output = self.git("update-ref", "-m", why, "--create-reflog", ref, new, *expected, allowed=(0, 128))
        if output.exit_code == 0:
            return True
        if old is not None and re.search(r"but expected|reference already exists|unable to resolve", output.stderr):
            return False
        raise self.git.failure("git update-ref", output)

    def delete_ref(self, ref: str) -> None:
        """Remove a ref; nothing happens when there is none."""
        self.git("update-ref", "-d", ref)

    def commit_tree(
        self, tree: str, parents: Sequence[str], message: str, *, like: str | None = None, not_before: int = 0
    ) -> str:
        """A commit object; no branch moves.

        `like` names a commit whose author and dates are taken over, so that the same input gives the same commit;
        its committer date is at least `not_before` (seconds since 1970).
        """
        environment = {}
        if like is not None:
            form = "--format=%an%x00%ae%x00%ad%x00%ct"
            name, email, date, committed = self.git("log", "-1", "--date=raw", form, like).text.split("\0")
            environment = {
                "GIT_AUTHOR_NAME": name,
                "GIT_AUTHOR_EMAIL": email,
                "GIT_AUTHOR_DATE": date,
                "GIT_COMMITTER_DATE": f"{max(int(committed), not_before)} +0000",
            }
        parent_options = [part for parent in parents for part in ("-p", parent)]
        output = self.git("commit-tree", tree, *parent_options, stdin=message.encode(), environment=environment)
        return output.text

    def merged_tree(
        self, ours: str, theirs: str, conflict: Callable[[list[str]], MergeConflict], *, unrelated: bool = False
    ) -> str:
        """The tree of a three-way merge of two commits, made without any work tree. `unrelated`: they may share no
        history.

        Raises what `conflict` makes of the paths in conflict.
        """
        options = ["--write-tree", "-z", "--name-only", "--no-messages"]
        options += ["--allow-unrelated-histories"] if unrelated else []
        output = self.git("merge-tree", *options, ours, theirs, allowed=(0, 1))
        tree, *files = output.fields
        if output.exit_code == 1:
            raise conflict(sorted(set(files)))
        return tree

    def message_of(self, commit: str) -> str:
        """The whole message of a commit."""
        return self.git("log", "-1", "--format=%B", commit).text.strip("\n") + "\n"

    def committed_at(self, commit: str) -> int:
        """Committer date in seconds since 1970."""
        return int(self.git("log", "-1", "--format=%ct", commit).text)


@contextmanager
def locked(folder: Path, name: str, timeout: float) -> Iterator[None]:
    """Hold the lock `name` against other threads and processes; the kernel frees it when its holder dies.

    Raises LockBusy when it is not free within `timeout` seconds. Not reentrant.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout
    pause = 0.002
    with (folder / f"{name}.lock").open("a") as file:
        while True:
            try:
                # An open file of its own for each holder: so threads exclude one another too.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LockBusy(name, timeout) from None
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
        yield
