"""Content as git trees: records the files of a worktree, and exports a tree as plain files.

A verdict belongs to a tree hash; what a test run writes is never taken back.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from git_ops.command import Place, as_bytes, nul_ended
from git_ops.errors import GitCommandFailed, IgnoredPath, SecretFound, UnsafeContent
from git_ops.large_files import missing_large_files, put_large_files, uses_large_files
from git_ops.models import Export, Overlay, Worktree
from git_ops.repository import LINK, NO_COMMIT, Entry, Repository
from git_ops.submodules import LINK_TO_COMMIT, Source, Submodules, is_plain_folder
from git_ops.unsafe_content import (
    MAX_FILE_BYTES,
    MOST_CHARACTERS,
    added_characters,
    check_worktree,
    link_escapes,
    refused_name,
    secrets_in,
)
from git_ops.worktrees import Worktrees
from monitoring import AlertKind, alert, mask_known, redact

_DEEPEST_SUBMODULES = 4
_RAW = ("--raw", "-z", "--no-abbrev", "--no-renames", "--ignore-submodules=none")


class Trees:
    """Trees of one clone."""

    def __init__(
        self,
        repository: Repository,
        worktrees: Worktrees,
        submodules: Submodules,
        may_hold_secrets: Sequence[str] = (),
    ) -> None:
        """`may_hold_secrets`: patterns of paths that are not searched for secrets."""
        self._submodules = submodules
        self._may_hold_secrets = may_hold_secrets
        self._repository = repository
        self._git = repository.git
        self._worktrees = worktrees
        self._told_missing: set[str] = set()
        """Files of Git LFS that are missing and that the owner was told of."""

    def write(self, worktree: Worktree, overlay: Overlay | None = None, *, paths: Iterable[str] | None = None) -> str:
        """Record the worktree's files, or only `paths` of them over the last commit, and give the tree's hash. Paths
        of `overlay` are taken from its commit.

        Neither branch nor index nor files of the worktree change. Files that .gitignore excludes are left out; an
        excluded one among `paths` raises IgnoredPath. Raises UnsafeContent before git sees anything.
        """
        with self._worktrees.temporary_index(worktree) as place:
            self._check(worktree, place)
            self._git("read-tree", "--reset", "HEAD", place=place)
            self._add(place, paths)
            if overlay is not None:
                self._apply_overlay(place, overlay)
            changes = self._git("diff-index", *_RAW, "--cached", "HEAD", place=place).fields
            self._check_changes(changes)
            return self._git("write-tree", place=place).text

    def check(self, parent: str, tree: str) -> None:
        """Raise UnsafeContent for what a commit of `tree` on `parent` would record and must not."""
        self._check_changes(self._git("diff-tree", *_RAW, "-r", parent, tree).fields)

    def export(self, treeish: str, destination: Path) -> Export:
        """Write the files of a commit or tree into the empty or new folder `destination`, without any `.git`, with
        those of its submodules and of Git LFS as far as they can be had."""
        tree = self._repository.tree_of(treeish)
        destination.mkdir(parents=True, exist_ok=True)
        if any(destination.iterdir()):
            raise GitCommandFailed("export", 1, f"{destination} is not empty; give a new folder")
        outer = self._submodules.outermost()
        entries = self._repository.entries(tree)
        left_out, has_large_files = self._write(outer.place, tree, entries, destination)
        self._write_submodules(outer, tree, entries, destination)
        is_plain = not (left_out or has_large_files or any(entry.mode == LINK_TO_COMMIT for entry in entries))
        return Export(path=destination, tree=tree, left_out=tuple(left_out), files=len(entries), is_plain=is_plain)

    def _write_submodules(
        self, outer: Source, treeish: str, entries: Sequence[Entry], destination: Path, above: str = "", depth: int = 0
    ) -> None:
        """Write those of a tree that is written into `destination`, which itself lies in the submodule `above`."""
        if depth == _DEEPEST_SUBMODULES:
            return
        for path, commit, inner in self._submodules.of(outer, treeish, entries, above):
            if is_plain_folder(destination, path):
                inside = self._repository.entries(commit, inner.place)
                self._write(inner.place, commit, inside, destination / path)
                shown = f"{above}/{path}".lstrip("/")
                self._write_submodules(inner, commit, inside, destination / path, shown, depth + 1)

    def submodules(self, treeish: str, folder: Path) -> dict[str, Path]:
        """The submodules of a commit or tree: the path of each, and a folder below `folder` with its files, which is
        empty if they cannot be had. What was written there before is kept for the same commits."""
        entries = self._repository.entries(treeish)
        links = [entry for entry in entries if entry.mode == LINK_TO_COMMIT]
        if not links:
            return {}
        identity = hashlib.sha256("\0".join(f"{link.path}\0{link.name}" for link in links).encode()).hexdigest()[:16]
        kept = folder / identity
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)
            made = folder / f"{identity}.new"
            for link in links:
                (made / link.path).mkdir(parents=True)
            self._write_submodules(self._submodules.outermost(), treeish, entries, made)
            made.rename(kept)
        return {link.path: kept / link.path for link in links}

    def paths(self, treeish: str) -> list[str]:
        """The files of a commit or tree of the clone."""
        return [entry.path for entry in self._repository.entries(treeish)]

    def _write(
        self, source: Place, treeish: str, entries: Sequence[Entry], destination: Path
    ) -> tuple[list[str], bool]:
        """Write the files of a tree of the repository at `source`; which links were left out, and whether it has files
        of Git LFS."""
        links = self._links(entries, source)
        left_out = sorted(path for path, target in links.items() if link_escapes(path, target))
        with self._repository.own_index() as index:
            place = Place(source.git_dir, destination, index)
            self._git("read-tree", treeish, place=place)
            if left_out:
                self._git("update-index", "-z", "--force-remove", "--stdin", place=place, stdin=nul_ended(left_out))
            self._git("checkout-index", "--all", "--quiet", place=place)
        paths = [entry.path for entry in entries if entry.mode not in {LINK, LINK_TO_COMMIT}]
        attributes = [destination / path for path in paths if path.rpartition("/")[2] == ".gitattributes"]
        if has_large_files := uses_large_files(attributes):
            missing = put_large_files(destination, paths, self._repository.remote.git_folder())
            if not self._told_missing.issuperset(missing):
                alert(AlertKind.GIT, "large files", missing_large_files(missing))
            self._told_missing.update(missing)
        return left_out, has_large_files

    def _check(self, worktree: Worktree, place: Place) -> None:
        try:
            check_worktree(worktree.path, place.git_dir, {})
        except UnsafeContent:
            # The owner's own links and large files pass as long as they are unchanged.
            check_worktree(worktree.path, place.git_dir, self._recorded(worktree))

    def _recorded(self, worktree: Worktree) -> Mapping[str, tuple[str, int]]:
        commit = f"refs/heads/{worktree.branch}"
        links = self._links(self._repository.entries(commit), Place(self._repository.path))
        found = {path: (target, 0) for path, target in links.items()}
        listing = self._git("ls-tree", "-r", "-z", "--long", commit).fields
        for mode, size, path in _long_entries(listing):
            if mode not in {LINK, LINK_TO_COMMIT} and int(size) > MAX_FILE_BYTES:
                found[path] = ("", int(size))
        return found

    def _links(self, entries: Sequence[Entry], source: Place) -> dict[str, str]:
        """Links of a tree of the repository at `source`, with their targets."""
        targets = {
            entry.path: self._git("cat-file", "blob", entry.name, place=source).stdout
            for entry in entries
            if entry.mode == LINK
        }
        return {path: target.decode("utf-8", errors="surrogateescape") for path, target in targets.items()}

    def _add(self, place: Place, paths: Iterable[str] | None) -> None:
        if paths is None:
            self._git("add", "--all", place=place)
            return
        options = ["--pathspec-from-file=-", "--pathspec-file-nul"]
        output = self._git("add", "--all", *options, place=place, stdin=nul_ended(paths), allowed=(0, 1))
        if output.exit_code == 0:
            return
        if "ignored by one of your .gitignore" in output.stderr:
            raise IgnoredPath(" ".join(output.stderr.splitlines()[1:4]))
        raise GitCommandFailed("git add", output.exit_code, output.stderr)

    def _apply_overlay(self, place: Place, overlay: Overlay) -> None:
        """Replace `overlay.paths` in the index by what the source has there."""
        paths = list(overlay.paths)
        if not paths:
            return
        present = self._git("ls-files", "-z", "--", *paths, place=place).fields
        wanted = self._git("ls-tree", "-r", "-z", "--full-tree", overlay.source, "--", *paths).stdout
        removals = b"".join(b"0 %s\t%s\0" % (b"0" * 40, as_bytes(path)) for path in present)
        self._git("update-index", "--replace", "-z", "--index-info", place=place, stdin=removals + wanted)

    def _check_changes(self, changes: Sequence[str]) -> None:
        """Refuse secrets, and submodules that are new or moved (those of the owner may stay)."""
        texts: list[tuple[str, str, str]] = []
        for header, path in zip(changes[::2], changes[1::2], strict=True):
            _, mode, before, after, _ = header.split()
            if mode == LINK_TO_COMMIT:
                raise UnsafeContent("submodule", path, "agents do not add or move submodules; remove it")
            if after != NO_COMMIT and (why := refused_name(path, is_new=before == NO_COMMIT)):
                raise UnsafeContent("name", path, why)
            if after != NO_COMMIT:
                texts.append((path, NO_COMMIT if header[1:7] == LINK_TO_COMMIT else before, after))
        self._check_secrets(texts)

    def _check_secrets(self, changed: Sequence[tuple[str, str, str]]) -> None:
        """Search the files at these paths for secrets (path, blob before, blob after)."""
        room = MOST_CHARACTERS
        texts = self._texts({blob for _, *blobs in changed for blob in blobs if blob != NO_COMMIT})
        for path, old, new in changed:
            if mask_known(path) != path:
                raise SecretFound(mask_known(path), [(0, "a secret of this machine in the path")])
            if old == NO_COMMIT and (findings := secrets_in(path)):
                shown = redact(path)
                shown = shown if shown != path and not secrets_in(shown) else "a new file"
                raise SecretFound(shown, [(0, f"{finding.kind}, in its name") for finding in findings[:1]])
            if any(fnmatchcase(path, pattern) for pattern in self._may_hold_secrets):
                continue
            before, after = texts.get(old, ""), texts.get(new, "")
            room -= added_characters(after, before)
            if room < 0:
                raise UnsafeContent(
                    "huge file", path, f"over {MOST_CHARACTERS} added characters; make a smaller change"
                )
            if findings := secrets_in(after, before):
                raise SecretFound(path, [(finding.line, finding.kind) for finding in findings])

    def _texts(self, blobs: Iterable[str]) -> dict[str, str]:
        """The texts of blobs."""
        wanted = sorted(blobs)
        if not wanted:
            return {}
        output, texts = self._git("cat-file", "--batch", stdin="\n".join(wanted).encode()).stdout, {}
        while output:
            head, _, output = output.partition(b"\n")
            blob, _, size = head.decode().split()
            texts[blob], output = output[: int(size)].decode("utf-8", errors="replace"), output[int(size) + 1 :]
        return texts


def _long_entries(listing: Iterable[str]) -> Iterable[tuple[str, str, str]]:
    """Mode, size and path of the entries of `ls-tree --long`."""
    for entry in listing:
        head, _, path = entry.partition("\t")
        mode, _, _, size = head.split()
        yield mode, size, path
