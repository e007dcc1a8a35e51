"""Reading and replacing a file through the descriptor of its folder, so that a crash leaves the old or the new text."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from file_system.errors import FileExists, FileMissing, FileTooLarge, PathRefused

_NEW_FILE_MODE = 0o644
_TEMPORARY = ".agents-writing-"


def read_bytes(parent: int, name: str, path: str, limit: int) -> bytes:
    """The content of a regular file; raises FileMissing, PathRefused (link, folder, device) or FileTooLarge."""
    try:
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    except FileNotFoundError:
        raise FileMissing(path) from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _link_refused(path) from None
        if error.errno in {errno.ENXIO, errno.ENODEV}:
            raise _special_refused(path) from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _special_refused(path)
    with os.fdopen(descriptor, "rb") as file:
        if status.st_size > limit:
            raise FileTooLarge(path, status.st_size, limit)
        return file.read(limit + 1)


def mode_of(parent: int, name: str, path: str) -> int | None:
    """Permission bits of the file, None when there is none; raises PathRefused when it is not a regular file."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise _link_refused(path)
    if not stat.S_ISREG(mode):
        raise _special_refused(path)
    return stat.S_IMODE(mode) & 0o777


def replace_bytes(parent: int, name: str, data: bytes, mode: int | None) -> None:
    """Put `data` in the place of `name`; `mode` None means a new file."""
    temporary = _written(parent, data, _NEW_FILE_MODE if mode is None else mode)
    try:
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        os.unlink(temporary, dir_fd=parent)
        raise
    os.fsync(parent)


def create_bytes(parent: int, name: str, data: bytes, path: str) -> None:
    """Make `name` with `data`; raises FileExists when something is there already, also in a race."""
    temporary = _written(parent, data, _NEW_FILE_MODE)
    try:
        os.link(temporary, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
    except FileExistsError:
        raise FileExists(path) from None
    finally:
        os.unlink(temporary, dir_fd=parent)
    os.fsync(parent)


def sweep(parent: int) -> None:
    """Remove what writes of processes that have died left in a folder."""
    for name in os.listdir(parent):
        if name.startswith(_TEMPORARY):
            writer = name.removeprefix(_TEMPORARY).partition("-")[0]
            if not Path("/proc", writer).exists():
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=parent)


def _written(parent: int, data: bytes, mode: int) -> str:
    name = f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name, dir_fd=parent)
        raise
    return name


def _link_refused(path: str) -> PathRefused:
    return PathRefused(path, "link", "it is a link", "name the file it points to")


def _special_refused(path: str) -> PathRefused:
    return PathRefused(path, "special", "it is not a regular file", "agents read and write regular files only")
