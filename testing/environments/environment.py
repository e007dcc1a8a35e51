"""A project environment that is ready, as it is recorded in its folder, and the files its installation wrote.

Those that it writes among the sources (version modules, compiled extensions, catalogues) are not in git, so they are
kept with the environment and laid into each run folder where they are absent.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from testing.environments.toolchains import Language, require_toolchain
from testing.sandbox.confinement import Mount
from testing.sandbox.user import everything

VENV = "/env/venv"
MANAGER = "/env/manager"
"""Where pnpm or yarn is, for a project that is installed by one of them."""
PYTHON = f"{VENV}/bin/python"
_LEFT_OUT_FOLDERS = ("__pycache__", ".pytest_cache")
_LEFT_OUT_ENDINGS = (".pyc", ".pyo")


class Environment(BaseModel):
    """An environment that is ready; its record lies in it as `ready.json`."""

    model_config = ConfigDict(frozen=True)

    path: Path
    """Its folder on the host: `venv/` or `packages/`, `generated/`, `setup.log`, `ready.json`."""
    key: str
    python: str = PYTHON
    """The interpreter's path inside the sandbox."""
    framework: str
    """By name, as in `testing.framework`."""
    language: Language = "python"
    place: str = ""
    """The folder of the project, relative to the sources."""
    editable: bool
    """The project itself is installed, pointing to /work."""
    packages: list[str] = []
    """Folders of packages that belong below the sources: `node_modules`, `packages/a/node_modules`."""
    generated: list[str]
    """Files its installation wrote among the sources, relative to /work."""
    notes: list[str]
    """What the environment lacks and what was left out, for the owner."""
    seconds: float

    @property
    def work(self) -> str:
        """The project's folder inside the sandbox."""
        return f"/work/{self.place}".rstrip("/")

    @property
    def own_packages(self) -> str:
        """Where the packages of a JavaScript project lie, relative to the sources."""
        return f"{self.place}/node_modules".lstrip("/")

    @property
    def mount(self) -> Mount:
        """The virtual environment."""
        return Mount(self.path / "venv", VENV)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """All that a run sees of the environment, read-only."""
        if self.language == "python":
            return (self.mount,)
        if self.language != "node":
            downloads = Mount(self.path / "downloads", "/env/downloads")
            return (downloads, *require_toolchain(self.language).mounts)
        packages = (Mount(self.path / "packages" / folder, f"/work/{folder}") for folder in self.packages)
        manager = [Mount(self.path / "manager", MANAGER)] if (self.path / "manager").is_dir() else []
        return (*packages, *manager, *require_toolchain(self.language).mounts)

    def lay_generated(self, run_folder: Path) -> None:
        """Copy the generated files into `run_folder` where it has none of that name, never through a link."""
        root = run_folder.resolve()
        for name in self.generated:
            destination = root / name
            if os.path.lexists(destination) or not destination.parent.resolve().is_relative_to(root):
                continue
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.path / "generated" / name, destination, follow_symlinks=False)

    def link_packages(self, run_folder: Path) -> None:
        """Without a sandbox nothing is mounted: links to the packages stand where they would be."""
        for folder in self.packages:
            if (run_folder / folder).parent.is_dir() and not (run_folder / folder).exists():
                (run_folder / folder).symlink_to(self.path / "packages" / folder)

    def has_module(self, module: str) -> bool:
        """Whether a top-level package of that name is installed."""
        return has_module(self.path / "venv", module)

    def has_package(self, name: str) -> bool:
        """As `has_module`, also of JavaScript projects."""
        if self.language != "node":
            return self.has_module(name)
        return (self.path / "packages" / self.own_packages / name / "package.json").is_file()


def has_module(venv: Path, module: str) -> bool:
    """Whether `module`, a package or a file, lies in the site-packages of the environment at `venv`."""
    names = (f"{module}/__init__.py", f"{module}.py")
    return any(found for name in names for found in venv.glob(f"lib/python*/site-packages/{name}"))


def listing(folder: Path) -> set[str]:
    """Relative paths of all that is not a folder."""
    return {
        path.relative_to(folder).as_posix() for path in everything(folder) if path.is_symlink() or not path.is_dir()
    }


def move_generated(folder: Path, before: set[str], destination: Path) -> list[str]:
    """Move the regular files below `folder` that were not there `before` to the new folder `destination`; gives their
    relative paths, sorted."""
    destination.mkdir()
    new = sorted(
        name
        for path in everything(folder)
        if not path.is_symlink() and path.is_file()
        if (name := path.relative_to(folder).as_posix()) not in before and not _left_out(name)
    )
    for name in new:
        (destination / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).rename(destination / name)
    return new


def _left_out(name: str) -> bool:
    *folders, last = name.split("/")
    if last.endswith(_LEFT_OUT_ENDINGS) or any(part in _LEFT_OUT_FOLDERS for part in folders):
        return True
    # what setuptools compiles in, and metadata that the environment has in site-packages
    return name.startswith(("build/temp.", "build/bdist.")) or any(part.endswith(".egg-info") for part in folders)
