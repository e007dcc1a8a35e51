"""The contents of submodules, fetched into repositories of their own when a tree with them is written out.

Where they come from is what a repository says, so it is bounded: the clone that the owner's checkout has of them, an
address on the owner's own host, public forges, and the hosts of `git.submodule_hosts`. What cannot be had stays an
empty folder, as it does for git, and is told once.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from git_ops.command import Place
from git_ops.errors import GitError, UnsafeUrl
from git_ops.remote import Remote
from git_ops.repository import Entry, Repository, locked
from monitoring import AlertKind, alert, get_logger
from monitoring.waits import is_recent

log = get_logger(__name__)

LINK_TO_COMMIT = "160000"
"""The mode of a submodule in a tree."""
_FORGES = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"})
_FETCH_SECONDS = 120.0
_AGAIN_SECONDS = 3600.0
"""Time after which what could not be fetched is tried again."""
_TOLD_SECONDS = 7 * 86_400.0
_REMEDY = (
    "check it out in your repository (git submodule update --init --recursive), or allow its host in "
    "git.submodule_hosts"
)


@dataclass(frozen=True)
class Submodule:
    """A commit of another repository that a tree has in a folder."""

    path: str
    commit: str
    name: str
    """By which `.gitmodules` and the checkout's git folder know it; empty if the tree's `.gitmodules` does not."""
    url: str


@dataclass(frozen=True)
class Source:
    """The repository that a tree with submodules comes from."""

    place: Place
    url: str
    checkout: Path | None
    """Its git folder in the owner's checkout, in which the clones of its submodules are."""


class Submodules:
    """Finds and fetches the submodules of one clone's trees."""

    def __init__(self, repository: Repository, hosts: Sequence[str] = ()) -> None:
        """`hosts` are those that may be asked besides the owner's own and the public forges."""
        self._repository = repository
        self._git = repository.git
        self._hosts = _FORGES | {host.lower() for host in hosts}

    def outermost(self) -> Source:
        """The clone itself."""
        remote = self._repository.remote
        return Source(Place(self._repository.path), remote.url, remote.git_folder())

    def of(
        self, source: Source, treeish: str, entries: Sequence[Entry], above: str = ""
    ) -> Iterator[tuple[str, str, Source]]:
        """The submodules of a tree with these `entries`, as far as they can be had: their path, their commit, and the
        repository that has it. `above` is the path of the submodule that the tree itself is."""
        links = [entry for entry in entries if entry.mode == LINK_TO_COMMIT]
        named = self._named(source, treeish) if links else {}
        for link in links:
            name, url = named.get(link.path, ("", ""))
            inner = self._fetched(source, Submodule(link.path, link.name, name, url), posixpath.join(above, link.path))
            if inner is not None:
                yield link.path, link.name, inner

    def _named(self, source: Source, treeish: str) -> dict[str, tuple[str, str]]:
        """Name and address of what a tree's `.gitmodules` lists, by path."""
        options = ["--blob", f"{treeish}:.gitmodules", "--no-includes", "-z", "--list"]
        settings = self._git("config", *options, place=source.place, allowed=range(256))
        values: dict[str, dict[str, str]] = {}
        for entry in settings.fields if settings.exit_code == 0 else []:
            key, _, value = entry.partition("\n")
            if match := re.fullmatch(r"submodule\.(?P<name>.+)\.(?P<key>path|url)", key, re.DOTALL):
                values.setdefault(match["name"], {})[match["key"]] = value
        return {value.get("path", ""): (name, value.get("url", "")) for name, value in values.items()}

    def _fetched(self, source: Source, submodule: Submodule, shown: str) -> Source | None:
        """The repository that has the submodule's commit now; None if it cannot be had."""
        checkout = _module_folder(source.checkout, submodule.name)
        problem = ""
        url = _absolute(submodule.url, source.url)
        identity = hashlib.sha256(f"{checkout}\0{url}".encode(errors="surrogateescape")).hexdigest()[:24]
        folder = self._repository.state / "submodules" / identity
        inner = Source(Place(folder), url, checkout)
        if self._has(inner.place, submodule.commit):
            return inner
        record = folder.with_name(f"{identity}-{submodule.commit[:12]}.away")
        if record.is_file() and is_recent(record.stat().st_mtime, _AGAIN_SECONDS):
            return None
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.parent, identity, _FETCH_SECONDS * 4):
            for remote in self._remotes(source, submodule, checkout, url):
                if isinstance(remote, str):
                    problem = remote
                    continue
                problem = self._fetch(remote, inner.place, submodule.commit)
                if not problem:
                    log.info("fetched a submodule", path=shown, commit=submodule.commit, source=remote.url)
                    record.unlink(missing_ok=True)
                    return inner
        alert(
            AlertKind.GIT,
            f"submodule {shown}",
            f"the submodule {shown} is an empty folder in tests: {problem or 'nothing says where it is'}; {_REMEDY}",
        )
        record.write_text(f"{shown}: {problem}\n", encoding="utf-8", errors="replace")
        return None

    def away(self) -> list[str]:
        """The submodules that could not be had when they were last tried, this week, with why."""
        records = (self._repository.state / "submodules").glob("*.away")
        recent = [record for record in records if is_recent(record.stat().st_mtime, _TOLD_SECONDS)]
        return sorted({record.read_text(encoding="utf-8").strip() for record in recent})

    def _remotes(self, source: Source, submodule: Submodule, checkout: Path | None, url: str) -> Iterator[Remote | str]:
        """Where the submodule may be had from, or why not from where it says."""
        if checkout is not None:
            yield Remote(str(checkout))
        if not submodule.url:
            yield "the tree's .gitmodules does not name it"
            return
        if "://" in url and "@" in urlsplit(url).netloc and ":" in urlsplit(url).netloc.rpartition("@")[0]:
            yield "its url holds a password"
            return
        try:
            remote = Remote(url)
        except UnsafeUrl as error:
            yield str(error).partition("; ")[0].replace("git.repository_url", "its url")
            return
        owners = self._repository.remote
        if remote.local_path is not None:
            yield f"its url {submodule.url} is a folder of this machine, which only your own checkout may name"
        elif owners.host and remote.host == owners.host:
            yield owners.sibling(url)
        elif remote.host.partition(":")[0] in self._hosts:
            yield remote
        else:
            yield f"its host {remote.host} is neither that of your repository nor among git.submodule_hosts"

    def _fetch(self, remote: Remote, place: Place, commit: str) -> str:
        """Fetch a commit; why it could not be, or nothing."""
        options = [*remote.service_options("fetch"), "--quiet", "--no-write-fetch-head", "--no-tags"]
        said = ""
        for left in place.git_dir.rglob("*.lock"):  # by a kill: nobody else is at work here
            left.unlink(missing_ok=True)
        try:
            self._git("init", "--quiet", "--bare", str(place.git_dir), place=place)
            for what in ([commit], ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]):
                output = self._git(
                    "fetch", *options, "--", remote.url, *what, place=place, allowed=range(256), timeout=_FETCH_SECONDS,
                    environment=remote.credentials(self._repository.state),
                )  # fmt: skip
                said = output.stderr.strip().splitlines()[-1] if output.stderr.strip() else ""
                if self._has(place, commit):
                    self._git("update-ref", f"refs/kept/{commit}", commit, place=place)  # or it would be cleaned away
                    return ""
        except GitError as error:
            shutil.rmtree(place.git_dir, ignore_errors=True)  # whatever is wrong with it, the next try begins anew
            return str(error)
        return said or f"{remote.url} does not have its commit {commit[:12]}"

    def _has(self, place: Place, commit: str) -> bool:
        if not (place.git_dir / "HEAD").is_file():
            return False
        return self._git("cat-file", "-e", f"{commit}^{{tree}}", place=place, allowed=(0, 1, 128)).exit_code == 0


def _module_folder(git_folder: Path | None, name: str) -> Path | None:
    """The clone of a submodule in a git folder. Its name is what a repository says."""
    parts = PurePosixPath(name).parts
    if git_folder is None or not parts or PurePosixPath(name).is_absolute() or ".." in parts:
        return None
    folder = git_folder / "modules" / name
    inside = folder.resolve().is_relative_to((git_folder / "modules").resolve())
    return folder if inside and (folder / "HEAD").is_file() else None


def _absolute(url: str, base: str) -> str:
    """The address that a relative one (`../other.git`) means for a repository at `base`."""
    if not url.startswith(("./", "../")):
        return url
    if "://" in base:
        parts = urlsplit(base)
        path = posixpath.normpath(posixpath.join(parts.path or "/", url))
        return f"{parts.scheme}://{parts.netloc}{path}"
    host, _, path = base.partition(":")
    return f"{host}:{posixpath.normpath(posixpath.join(path, url))}"


def is_plain_folder(root: Path, path: str) -> bool:
    """Whether a folder is there without a link on the way."""
    folder = root
    for part in PurePosixPath(path).parts:
        folder /= part
        if folder.is_symlink():
            return False
    return folder.is_dir()
