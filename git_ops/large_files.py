"""Files that Git LFS keeps outside of the history, put in the place of their pointers when a tree is written out.

They come from the owner's checkout alone; from elsewhere tests see the pointers, and the owner is told once.
Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:(?P<oid>[0-9a-f]{64})\nsize (?P<size>\d{1,15})\n"
)
_LONGEST_POINTER = 1024
_LARGEST = 1024**3


def put_large_files(folder: Path, paths: Iterable[str], git_folder: Path | None) -> list[str]:
    """Replace those files of `paths` in `folder` that are pointers by what they stand for, as far as the owner's
    `git_folder` has it; the rest is returned."""
    missing = []
    for path in paths:
        file = folder / path
        match = _POINTER.fullmatch(file.read_bytes()) if _may_be_pointer(file) else None
        if match is None:
            continue
        oid = match["oid"].decode()
        kept = git_folder / "lfs" / "objects" / oid[:2] / oid[2:4] / oid if git_folder else None
        if kept is None or not _is(kept, oid, int(match["size"])):
            missing.append(path)
            continue
        mode = file.stat().st_mode
        shutil.copyfile(kept, file)
        file.chmod(mode)
    return missing


def missing_large_files(paths: Sequence[str]) -> str:
    """What to tell the owner about files whose content is not there."""
    named = ", ".join(paths[:5]) + (" and others" if len(paths) > 5 else "")
    return (
        f"{len(paths)} files are kept by Git LFS and are pointers in tests ({named}): run `git lfs fetch --all` in the "
        "repository on this machine; from a server they are not fetched"
    )


def is_pointer(text: str) -> bool:
    """Whether a file's text is not its content, but says where Git LFS keeps that."""
    return len(text) <= _LONGEST_POINTER and _POINTER.fullmatch(text.encode("utf-8", "replace")) is not None


def uses_large_files(attributes: Iterable[Path]) -> bool:
    """Whether one of these `.gitattributes` hands files to Git LFS."""
    return any(file.is_file() and not file.is_symlink() and b"filter=lfs" in file.read_bytes() for file in attributes)


def _may_be_pointer(file: Path) -> bool:
    return file.is_file() and not file.is_symlink() and file.stat().st_size <= _LONGEST_POINTER


def _is(file: Path, oid: str, size: int) -> bool:
    """Whether a file of the owner's store has that content."""
    if file.is_symlink() or not file.is_file() or file.stat().st_size != size or size > _LARGEST:
        return False
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == oid
