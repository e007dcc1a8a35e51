"""A project environment that is ready, as it is recorded in its folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from testing.environments.generated import lay_generated
from testing.environments.setup_plan import PYTHON, VENV, Framework, has_module
from testing.environments.toolchains import Language, require_toolchain
from testing.sandbox.mounts import Mount


class Environment(BaseModel):
    """An environment that is ready; its record lies in it as `ready.json`."""

    model_config = ConfigDict(frozen=True)

    path: Path
    """Its folder on the host: `venv/` or `packages/`, `generated/`, `setup.log`, `ready.json`."""
    key: str
    python: str = PYTHON
    """The interpreter's path inside the sandbox."""
    framework: Framework
    language: Language = "python"
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
        return (*packages, *require_toolchain(self.language).mounts)

    def lay_generated(self, run_folder: Path) -> None:
        """Copy the generated files into `run_folder` where it has none of that name."""
        lay_generated(self.path / "generated", self.generated, run_folder)

    def link_packages(self, run_folder: Path) -> None:
        """Without a sandbox nothing is mounted: links to the packages stand where they would be."""
        for folder in self.packages:
            if (run_folder / folder).parent.is_dir() and not (run_folder / folder).exists():
                (run_folder / folder).symlink_to(self.path / "packages" / folder)

    def has_module(self, module: str) -> bool:
        """Whether a top-level package of that name is installed."""
        return has_module(self.path / "venv", module)
