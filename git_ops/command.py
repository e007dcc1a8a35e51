"""Runs git so that only our own options control it.

Hooks, file-system monitors, filters and all configuration outside of our clone are off, the environment is reduced to
what git needs, and each command has a time limit.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from git.cmd import Git
from git.exc import GitCommandNotFound

from git_ops.errors import DiskFull, GitCommandFailed, GitError, GitTimeout, GitUnusable

LOCAL_TIMEOUT = 120.0
"""Seconds for a command on our own disk; checking out a large repository is the longest."""
_TERM_GRACE = 2.0
_ALMOST_FULL = 128 * 1024
MARKER, OWNER = "AI_AGENTS_GIT_CLONE", "AI_AGENTS_GIT_OWNER"
"""Every git process we start has the path of our clone and our process id, so that a crash's orphans are recognised."""

SAFE_OPTIONS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.protectHFS=true",
    "core.quotePath=false",
    "core.fsync=committed,reference",
    "core.filesRefLockTimeout=10000",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=no",
    "push.recurseSubmodules=no",
    "diff.ignoreSubmodules=all",
    "commit.gpgSign=false",
    "credential.helper=",
    "safe.directory=*",
    "gc.autoDetach=false",
    "advice.detachedHead=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
)

_KEPT_VARIABLES = frozenset(
    {"PATH", "TMPDIR", "LD_LIBRARY_PATH", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"}
    | {"http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
)

_FIXED_VARIABLES = {
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_EDITOR": "/bin/false",
    "GIT_PAGER": "cat",
}


@dataclass(frozen=True)
class Identity:
    """The author of our commits."""

    name: str = "AI Agents"
    email: str = "agents@localhost"


@dataclass(frozen=True)
class GitOutput:
    """The result of a command."""

    exit_code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output without the last line end."""
        return self.stdout.decode("utf-8", errors="replace").rstrip("\n")

    @property
    def fields(self) -> list[str]:
        """Standard output of a `-z` command, split at its NULs."""
        return [part.decode("utf-8", errors="surrogateescape") for part in self.stdout.split(b"\0") if part]


@dataclass(frozen=True)
class Place:
    """Where a command works: a git directory, and for commands that touch files a work tree and an index."""

    git_dir: Path
    work_tree: Path | None = None
    index: Path | None = None

    def variables(self) -> dict[str, str]:
        """The variables for git; nothing is discovered from the current folder."""
        variables = {"GIT_DIR": str(self.git_dir)}
        if self.work_tree is not None:
            variables["GIT_WORK_TREE"] = str(self.work_tree)
        if self.index is not None:
            variables["GIT_INDEX_FILE"] = str(self.index)
        return variables


@dataclass(frozen=True)
class GitCommand:
    """Runs git in the daemon's own clone at `clone`."""

    clone: Path
    identity: Identity = field(default_factory=Identity)

    def __call__(
        self,
        *arguments: str,
        place: Place | None = None,
        stdin: bytes = b"",
        timeout: float = LOCAL_TIMEOUT,
        environment: Mapping[str, str] | None = None,
        allowed: Sequence[int] = (0,),
    ) -> GitOutput:
        """Run `git <arguments>` and wait for it.

        `environment` is added for this process alone (a token for GIT_ASKPASS). Raises GitCommandFailed for an exit
        code that is not in `allowed`, GitTimeout, DiskFull, GitUnusable.
        """
        shown = "git " + " ".join(arguments[:2])
        variables = {
            **_FIXED_VARIABLES,
            **self._identity_variables(),
            **(place or Place(self.clone)).variables(),
            MARKER: str(self.clone),
            OWNER: str(os.getpid()),
            **(environment or {}),
        }
        # GitPython adds to our environment, it cannot take from it; `env -u` does. Only names show on its command line.
        dropped = [f"--unset={name}" for name in os.environ if name not in variables.keys() | _KEPT_VARIABLES]
        options = [part for option in SAFE_OPTIONS for part in ("-c", option)]
        command = ["env", *dropped, "git", *options, *arguments]
        running = self._started(command, variables)
        process = cast("subprocess.Popen[bytes]", running.proc)
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout)
        except subprocess.TimeoutExpired:
            _stop(process)
            raise GitTimeout(shown, timeout) from None
        except BaseException:
            _stop(process)
            raise
        output = GitOutput(process.returncode, stdout, stderr.decode("utf-8", errors="replace"))
        if output.exit_code not in allowed:
            raise self.failure(shown, output, place)
        return output

    def failure(self, shown: str, output: GitOutput, place: Place | None = None) -> GitError:
        """The error for a command that failed. git often does not say that the disk is full, so we check."""
        if output.exit_code == 127:
            return GitUnusable("git is not installed; install git 2.38 or later")
        for folder in (self.clone, place.work_tree if place else None):
            if folder is not None and folder.is_dir() and shutil.disk_usage(folder).free < _ALMOST_FULL:
                return DiskFull(shown, str(folder))
        return GitCommandFailed(shown, output.exit_code, output.stderr)

    def check_version(self) -> str:
        """The version of git; raises GitUnusable below 2.38, which added merges without a work tree."""
        words = self("version", place=Place(Path("/nonexistent"))).text.split()
        numbers = tuple(int(part) for part in words[2].split(".")[:2])
        if numbers < (2, 38):
            raise GitUnusable(f"git {words[2]} is too old, 2.38 or later is needed; install a newer git")
        return words[2]

    def _started(self, command: list[str], variables: Mapping[str, str]) -> Git.AutoInterrupt:
        # As a process: GitPython's own time limit needs pgrep or ps, which slim images lack.
        # The process ends when the result is dropped, so the caller holds on to it.
        where = self.clone if self.clone.is_dir() else Path("/")
        try:
            return Git(str(where)).execute(
                command, istream=subprocess.PIPE, as_process=True, env=dict(variables), start_new_session=True
            )
        except GitCommandNotFound:
            raise GitUnusable("no programs are on the PATH, not even env; correct PATH, and install git") from None

    def _identity_variables(self) -> dict[str, str]:
        name, email = self.identity.name, self.identity.email
        return {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": name,
            "GIT_COMMITTER_EMAIL": email,
        }


def nul_ended(paths: Iterable[str]) -> bytes:
    """Paths as git reads and writes them with `-z`: names need not be UTF-8."""
    return b"".join(as_bytes(path) + b"\0" for path in paths)


def as_bytes(path: str) -> bytes:
    """A path as git has it."""
    return path.encode("utf-8", errors="surrogateescape")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a git process and its children; SIGTERM first, so that git removes its lock files."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_TERM_GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
