"""Which paths an agent may use, and how a path is opened without following a link out of the workspace.

Paths are checked as text first, then each folder is opened relative to its parent (`openat`, `O_NOFOLLOW`), so a link
that appears between the check and the use is not followed either.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from file_system.errors import FileMissing, PathRefused, ProtectedPath
from monitoring import is_deceptive, is_git_name, lists_submodules

MAX_PATH = 1000
"""Characters of a relative path."""
MAX_NAME = 255
"""Bytes of one path component: the limit of ext4, xfs and most others."""
_MAX_LINKS = 16
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def checked_parts(path: str) -> tuple[str, ...]:
    """The components of a relative path such as `src/app.py`; raises PathRefused for a name no agent may use."""
    if not path or path in {".", "./"}:
        raise PathRefused(path, "name", "it names no file", "give a path such as src/module.py")
    if len(path) > MAX_PATH:
        raise PathRefused(path, "length", f"it has {len(path)} characters", f"the limit is {MAX_PATH}")
    if path.startswith(("/", "~")) or (len(path) > 1 and path[1] == ":"):
        raise PathRefused(path, "outside", "it is not relative", "give it relative to the root of the repository")
    if "\\" in path:
        raise PathRefused(path, "name", "it holds a backslash", "separate folders by /")
    parts = tuple(part for part in path.split("/") if part not in {"", "."})
    if path.endswith("/") or not parts:
        raise PathRefused(path, "name", "it names a folder", "give the path of a file")
    for part in parts:
        _check_name(path, part)
    return parts


def _check_name(path: str, name: str) -> None:
    if name == "..":
        raise PathRefused(path, "outside", "it goes up with ..", "give it relative to the root of the repository")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise PathRefused(path, "name", "it holds a control character", "use letters, digits, '_', '-' and '.'")
    if is_git_name(name):
        raise PathRefused(path, "git", f"{name!r} is git's own", "git is driven by the daemon only")
    if len(os.fsencode(name)) > MAX_NAME:
        raise PathRefused(path, "length", f"{name[:20]!r}… has over {MAX_NAME} bytes", "use a shorter name")


def matching_pattern(path: str, patterns: Sequence[str]) -> str | None:
    """The first pattern that `path` matches, else None.

    Patterns are those of fnmatch over the whole path, in any case; `**/` also stands for no folder at all, a pattern
    without `/` is matched against every component, and `folder/` or `folder/**` covers all that lies in the folder.
    """
    lowered = path.casefold()
    components = lowered.split("/")
    for pattern in patterns:
        wanted = pattern.casefold()
        if wanted.endswith("/"):
            wanted += "**"
        if "/" not in wanted:
            if any(fnmatchcase(component, wanted) for component in components):
                return pattern
            continue
        if fnmatchcase(lowered, wanted):
            return pattern
        if wanted.startswith("**/") and any(
            fnmatchcase("/".join(components[start:]), wanted[3:]) for start in range(len(components))
        ):
            return pattern
    return None


def check_writable(path: str, protected: Sequence[str]) -> None:
    """Raise PathRefused for a name that no agent may give a file, and ProtectedPath when `path` matches one of the
    owner's protected patterns. Git refuses the same names at a commit (`git_ops/unsafe_content.py`)."""
    if is_deceptive(path):
        why = "it holds characters that are not shown, or change the direction of writing"
        raise PathRefused(path, "name", why, "choose a plain name")
    if lists_submodules(path):
        raise PathRefused(path, "git", "agents do not add or move submodules", "leave it as it is")
    pattern = matching_pattern(path, protected)
    if pattern is not None:
        raise ProtectedPath(path, pattern)


@contextmanager
def opened_parent(root: Path, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """A descriptor of the folder that holds the last component; links on the way are refused.

    `create` makes missing folders. Raises FileMissing when a folder is missing, PathRefused for a link, a file in
    the place of a folder, or a nested repository.
    """
    path = "/".join(parts)
    descriptor = os.open(root, _FOLDER)
    try:
        for depth, name in enumerate(parts[:-1]):
            following = _enter(descriptor, name, path, create)
            os.close(descriptor)
            descriptor = following
            if _holds(descriptor, ".git"):
                nested = "/".join(parts[: depth + 1])
                raise PathRefused(path, "nested", f"{nested} is a repository of its own", "stay in the main repository")
        yield descriptor
    finally:
        os.close(descriptor)


def _enter(descriptor: int, name: str, path: str, create: bool) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=descriptor)
    except FileNotFoundError:
        if not create:
            raise FileMissing(path) from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise _not_a_folder(descriptor, name, path) from None
        raise
    # Another thread may create the same folder first.
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=descriptor)
    return os.open(name, _FOLDER, dir_fd=descriptor)


def _not_a_folder(descriptor: int, name: str, path: str) -> PathRefused:
    if stat.S_ISLNK(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
        return PathRefused(path, "link", f"{name!r} is a link", "name the file by the path it really has")
    return PathRefused(path, "name", f"{name!r} is not a folder", "choose another path")


def _holds(descriptor: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def without_links(root: Path, parts: Sequence[str]) -> tuple[str, ...]:
    """`parts` with links that stay inside the workspace replaced by what they point to.

    Only for reading. Raises PathRefused for a link that is absolute or leaves the workspace, or for a cycle of links.
    """
    path = "/".join(parts)
    resolved: list[str] = []
    waiting = list(parts)
    followed = 0
    while waiting:
        name = waiting.pop(0)
        if name == "..":
            if not resolved:
                raise PathRefused(path, "link", "a link on the way leaves the workspace", "only its own files count")
            resolved.pop()
            continue
        _check_name(path, name)
        target = _link_target(root, [*resolved, name])
        if target is None:
            resolved.append(name)
            continue
        followed += 1
        if target.startswith("/") or followed > _MAX_LINKS:
            raise PathRefused(path, "link", f"{name!r} is a link to {target!r}", "only links inside are followed")
        waiting = [part for part in target.split("/") if part not in {"", "."}] + waiting
    return checked_parts("/".join(resolved))


def _link_target(root: Path, parts: Sequence[str]) -> str | None:
    with opened_parent(root, parts) as parent:
        try:
            return os.readlink(parts[-1], dir_fd=parent)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise
