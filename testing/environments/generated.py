"""Files that a project's own installation writes among its sources: version modules, compiled extensions, catalogues.

They are not in git, so they are kept with the environment and laid into each run folder where they are absent.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from testing.sandbox.user import everything

_LEFT_OUT_FOLDERS = ("__pycache__", ".pytest_cache")
_LEFT_OUT_ENDINGS = (".pyc", ".pyo")


def listing(folder: Path) -> set[str]:
    """Relative paths of all that is not a folder."""
    return {
        path.relative_to(folder).as_posix() for path in everything(folder) if path.is_symlink() or not path.is_dir()
    }


def keep_generated(folder: Path, before: set[str]) -> list[str]:
    """Reduce `folder` to the regular files that were not there `before`; gives their relative paths, sorted."""
    kept = []
    paths = list(everything(folder))[1:]
    for path in reversed(paths):  # a folder's content before the folder
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.is_symlink() or not path.is_file() or name in before or _left_out(name):
            path.unlink()
        else:
            kept.append(name)
    return sorted(kept)


def _left_out(name: str) -> bool:
    *folders, last = name.split("/")
    if last.endswith(_LEFT_OUT_ENDINGS) or any(part in _LEFT_OUT_FOLDERS for part in folders):
        return True
    # what setuptools compiles in, and metadata that the environment has in site-packages
    return name.startswith(("build/temp.", "build/bdist.")) or any(part.endswith(".egg-info") for part in folders)


def lay_generated(generated: Path, names: list[str], target: Path) -> None:
    """Copy `names` from `generated` into the sources at `target` where nothing is there, never through a link."""
    root = target.resolve()
    for name in names:
        destination = root / name
        if os.path.lexists(destination) or not destination.parent.resolve().is_relative_to(root):
            continue
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(generated / name, destination, follow_symlinks=False)
