"""The repository the work comes from: its address without secrets, its credentials, and what its errors mean."""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from git_ops.errors import (
    AuthenticationFailed,
    EmptyRepository,
    GitCommandFailed,
    GitError,
    NotARepository,
    RemoteUnreachable,
    UnsafeUrl,
    UnsupportedRepository,
)
from monitoring import register_secret

NETWORK_TIMEOUT = 600.0
"""Seconds for a fetch or a push; a first clone of a large repository is the longest."""
_SCHEMES = frozenset({"https", "http", "ssh", "git", "file"})
_SCP_STYLE = re.compile(r"^(?:[\w.-]+@)?[\w.-]+:(?!//)[^:]")
_USERNAME_OF_TOKENS = "x-access-token"
_SHORTEST_TOKEN = 20

_ASKPASS = """#!/bin/sh
# Answers git's questions from variables that only that git process has, and only for the host they belong to.
case "$1" in
  *"/$AI_AGENTS_GIT_HOST'"*|*"@$AI_AGENTS_GIT_HOST'"*) ;;
  *) exit 1 ;;
esac
case "$1" in
  Username*) printf '%s\\n' "$AI_AGENTS_GIT_USERNAME" ;;
  *) printf '%s\\n' "$AI_AGENTS_GIT_TOKEN" ;;
esac
"""

_DENIED = re.compile(
    r"Authentication failed|could not read (?:Username|Password)|Permission denied|Host key verification failed"
    r"|returned error: 40[13]|HTTP Basic: Access denied|unable to read askpass response|Invalid username or password"
)
_ABSENT = re.compile(
    r"does not appear to be a git repository|[Rr]epository .*not found|not a git repository|does not exist"
    r"|returned error: 404|Project not found"
)
_AWAY = re.compile(
    r"Could not resolve host|Could not resolve hostname|Connection (?:refused|timed out|reset)|Failed to connect"
    r"|Network is unreachable|No route to host|unable to connect|Operation timed out|Operation too slow"
    r"|The requested URL returned error: (?:429|5\d\d)|the remote end hung up|Empty reply from server|SSL"
    r"|Temporary failure in name resolution|early EOF|unexpected disconnect|RPC failed|Connection closed"
    r"|Could not read from remote repository"
)


class Remote:
    """An address without credentials, and the credentials, which git gets by GIT_ASKPASS."""

    def __init__(self, address: str, token: str | None = None) -> None:
        """`address` is a path, a URL (credentials in it are taken out) or `user@host:path`. Raises UnsafeUrl."""
        self._username = _USERNAME_OF_TOKENS
        self._token = token or ""
        self._host = ""
        self.local_path: Path | None = None
        self.url = self._parsed(address.strip())
        register_secret(self._token)

    @property
    def host(self) -> str:
        """Host and port of the address; empty for a path."""
        if self.local_path is not None:
            return ""
        place = urlsplit(self.url).netloc if "://" in self.url else self.url.partition(":")[0]
        return place.rpartition("@")[2].lower()

    def sibling(self, address: str) -> Remote:
        """Another repository, with this one's credentials if these may go to it: the same host by the same scheme.

        Raises UnsafeUrl.
        """
        other = Remote(address)
        if other._host and other._host == self._host and urlsplit(other.url).scheme == urlsplit(self.url).scheme:
            other._token, other._username = self._token, self._username
        return other

    def git_folder(self) -> Path | None:
        """The git folder of a repository on this machine: that of all its worktrees."""
        inside = self.local_path / ".git" if self.local_path else None
        if inside is None or not inside.exists():
            return self.local_path
        if inside.is_dir():
            return inside
        told = inside.read_text(errors="replace").partition("gitdir:")[2].strip()
        folder = (inside.parent / told).resolve()
        common = folder / "commondir"
        return (folder / common.read_text().strip()).resolve() if common.is_file() else folder

    def service_options(self, operation: str) -> list[str]:
        """Options of `fetch`, `ls-remote` or `push` that keep a repository on our disk from running its own commands.

        Its own hooks and configuration stay off, and when we are root its files keep belonging to its owner.
        """
        if self.local_path is None:
            return []
        service = "receive-pack" if operation == "push" else "upload-pack"
        drop = self._as_owner() if operation == "push" else []
        options = ["core.hooksPath=/dev/null", "core.fsmonitor=false", "safe.directory=*"]
        command = [*drop, "git", *(part for option in options for part in ("-c", option)), service]
        return [f"--{service}={shlex.join(command)}"]

    def credentials(self, folder: Path) -> Mapping[str, str]:
        """Variables with which one git process can log in; its GIT_ASKPASS script is put into `folder`."""
        if not self._token or not self._host:
            return {}
        script = folder / "askpass"
        if not script.exists() or script.read_text() != _ASKPASS:
            folder.mkdir(parents=True, exist_ok=True)
            fresh = folder / f"askpass.{os.getpid()}"
            fresh.write_text(_ASKPASS)
            fresh.chmod(stat.S_IRWXU)
            fresh.replace(script)
        return {
            "GIT_ASKPASS": str(script),
            "AI_AGENTS_GIT_HOST": self._host,
            "AI_AGENTS_GIT_USERNAME": self._username,
            "AI_AGENTS_GIT_TOKEN": self._token,
        }

    def check_local(self) -> None:
        """Raise NotARepository when the address is a path without a repository."""
        path = self.local_path
        if path is None:
            return
        if not path.exists():
            raise NotARepository(str(path), "there is no such folder", "check the path")
        if not path.is_dir():
            raise NotARepository(str(path), "it is a file", "give the folder of the repository")
        bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
        if not bare and not (path / ".git").exists():
            above = next((folder for folder in path.parents if (folder / ".git").exists()), None)
            advice = f"give {above} instead" if above else "run `git init` and make a first commit there"
            raise NotARepository(str(path), "it is no git repository", advice)

    def checked_out(self) -> str:
        """The branch that is checked out in the owner's repository, if that is a folder here which refuses a push to
        it; else empty."""
        folder = self.local_path / ".git" if self.local_path else None
        if folder is None or not (folder / "HEAD").is_file():
            return ""
        try:
            settings = (folder / "config").read_text(errors="replace")
            head = (folder / "HEAD").read_text(errors="replace").strip()
        except OSError:
            return ""
        allows = re.search(r"(?i)denyCurrentBranch\s*=\s*(?:updateInstead|ignore|warn|false)", settings)
        return "" if allows else head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else ""

    def typed_error(self, error: GitCommandFailed) -> GitError:
        """The typed error for a failed fetch, ls-remote or push."""
        stderr = error.stderr
        if _DENIED.search(stderr) and not (self.local_path and "unable to create" in stderr):
            return AuthenticationFailed(self.url, stderr)
        if "lazy fetching disabled" in stderr or "from promisor remote" in stderr:
            return UnsupportedRepository(
                f"{self.url}: it is a partial clone that lacks some of its objects; complete it there: "
                "git config --unset-all remote.origin.partialclonefilter, then git fetch --refetch origin"
            )
        if _ABSENT.search(stderr):
            return NotARepository(self.url, "git finds no repository there", "check the address and your rights")
        if _AWAY.search(stderr):
            return RemoteUnreachable(self.url, stderr)
        if "mismatched algorithms" in stderr:
            return UnsupportedRepository(
                f"{self.url}: its objects are named by another hash (SHA-256) than those of our clones; convert it to "
                "SHA-1: git init --object-format=sha1, then git fast-export --all | git fast-import"
            )
        if "couldn't find remote ref" in stderr:
            return EmptyRepository(self.url)
        return error

    def _parsed(self, address: str) -> str:
        if not address:
            raise UnsafeUrl(address, "it is empty")
        if address.startswith("-") or any(ord(character) < 32 for character in address):
            raise UnsafeUrl(address, "it begins with '-' or holds a control character")
        if re.match(r"^\w+::", address):
            raise UnsafeUrl(address, "transport helpers run commands")
        if "://" in address:
            return self._parsed_url(address)
        if _SCP_STYLE.match(address) and not Path(address).exists():
            return address
        return self._parsed_path(Path(address).expanduser())

    def _parsed_path(self, path: Path) -> str:
        self.local_path = path.resolve()
        return self.local_path.as_uri()

    def _parsed_url(self, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in _SCHEMES:
            raise UnsafeUrl(address, f"{parts.scheme}:// is not supported")
        if parts.scheme == "file":
            return self._parsed_path(Path(unquote(parts.path)))
        place = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
        if not parts.hostname or parts.hostname.startswith("-"):
            raise UnsafeUrl(address, "it names no host")
        if parts.scheme in {"https", "http"}:
            self._host = place
            self._take_credentials(unquote(parts.username or ""), unquote(parts.password or ""))
        elif parts.username:
            place = f"{parts.username}@{place}"
        return urlunsplit((parts.scheme, place, parts.path, parts.query, ""))

    def _take_credentials(self, username: str, password: str) -> None:
        """`https://user:token@host`, and `https://token@host` as some forges write it."""
        if password:
            self._token = self._token or password
            register_secret(password)
        elif len(username) >= _SHORTEST_TOKEN:
            self._token = self._token or username
            register_secret(username)
            username = ""
        if username:
            self._username = username

    def _as_owner(self) -> list[str]:
        """As root: a prefix that runs a command as the owner of the local repository, if they can reach it."""
        if os.geteuid() != 0 or self.local_path is None:
            return []
        owner = self.local_path.stat()
        if owner.st_uid == 0 or not all(_may_enter(folder, owner) for folder in self.local_path.parents):
            return []
        return ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", "--"]


def _may_enter(folder: Path, who: os.stat_result) -> bool:
    status = folder.stat()
    if status.st_uid == who.st_uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == who.st_gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
