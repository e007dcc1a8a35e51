"""The model hub: what it states of a file, and how the file is downloaded. It speaks the API of huggingface.co.

As with the hub's own library, `HF_ENDPOINT` names another hub and `HF_TOKEN` is sent to it. That library
(huggingface_hub) is not used: over HTTP it compares a download's size, not its digest, which is what pinning needs; it
would bring five packages for the forty lines of resuming that are here.
"""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from llm.embedded.download import BLOCK, Progress, SourceUnreachable, size_of
from llm.errors import ModelFetchFailed
from monitoring import register_secret

T = TypeVar("T")

_TIMEOUT = 5.0
"""Seconds without a byte before the hub counts as unreachable; a hub that answered is asked for the rest."""
_TRIES = 5
"""Tries in a row that bring less than a block."""
_PAUSE = 1.0
"""Seconds before the hub is asked again when it gave nothing; longer each time."""
_BRANCH = "main"


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
        return f"{endpoint()}/{self.repository}/resolve/{self.revision}/{quote(self.file)}"


class _Revision(BaseModel):
    sha: str


class _LargeFile(BaseModel):
    oid: str
    """SHA-256, hexadecimal."""
    size: int


class _Entry(BaseModel):
    path: str
    lfs: _LargeFile | None = None


def endpoint() -> str:
    """The hub's address, without a slash at its end."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def page(repository: str) -> str:
    """The address of a repository for people."""
    return f"{endpoint()}/{repository}"


def stated(repository: str, file: str) -> HubFile:
    """What the hub states now of a file: commit, digest and size.

    Raises SourceUnreachable, or ModelFetchFailed when the hub answers and has no such file or states no digest.
    """
    api = f"{endpoint()}/api/models/{repository}"
    revision = _asked(f"{api}/revision/{_BRANCH}", repository, TypeAdapter(_Revision)).sha
    folder = PurePosixPath(file).parent
    tree = f"{api}/tree/{revision}" + ("" if folder == PurePosixPath(".") else f"/{quote(str(folder))}")
    entries = _asked(tree, repository, TypeAdapter(list[_Entry]))
    entry = next((entry for entry in entries if entry.path == file), None)
    if entry is None:
        others = sorted(entry.path for entry in entries if entry.path.endswith(".gguf"))
        raise ModelFetchFailed(
            f"{page(repository)} has no file {file}; its GGUF files there: {', '.join(others) or 'none'}. Set "
            f"llm.local_model to one of them, written hf:{repository}/FILE"
        )
    if entry.lfs is None:
        raise ModelFetchFailed(
            f"the hub states no digest for {file} of {page(repository)}, so the file could not be checked; download it "
            "yourself and set llm.local_model to its path"
        )
    return HubFile(repository=repository, file=file, revision=revision, sha256=entry.lfs.oid, size=entry.lfs.size)


def download(found: HubFile, partial: Path, progress: Progress, *, patient: bool) -> None:
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
            tries = _TRIES if got >= BLOCK else tries - 1
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
            while block := response.read(BLOCK):
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
                f"{page(repository)} is not there, or not for everybody (HTTP {error.code}); correct llm.local_model, "
                "or set HF_TOKEN to a token that may read it"
            ) from None
        raise SourceUnreachable(_words(error)) from error
    except ValidationError as error:
        raise SourceUnreachable(f"{url} gives no answer of a model hub") from error
    except (urllib.error.URLError, HTTPException, OSError) as error:
        raise SourceUnreachable(_words(error)) from error


def _request(url: str, begun: int | None = None) -> urllib.request.Request:
    """A request for `url`, from byte `begun` on. The token is not sent on when the hub redirects to another server."""
    if not url.startswith(("https://", "http://")):
        raise ModelFetchFailed(f"HF_ENDPOINT is {endpoint()!r}; set it to an address such as https://huggingface.co")
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
