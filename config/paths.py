"""Where a project's files are: one daemon, one repository, one folder of state."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings


def cache_folder() -> Path:
    """The user's cache folder for large files shared by all projects (the embedded model)."""
    if chosen := os.environ.get("AI_AGENTS_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ai-agents"


@dataclass(frozen=True)
class ProjectPaths:
    """All folders and addresses of one project, absolute."""

    data: Path
    """State shared by all projects of this installation."""
    state: Path
    """This project's databases."""
    workspace: Path
    clone: Path
    logs: Path
    environments: Path
    database_url: str
    engine_url: str

    @classmethod
    def of(cls, settings: Settings, root: Path, logs_root: Path | None = None) -> ProjectPaths:
        """Paths for `settings`; relative ones start at `root`, that of the logs at `logs_root` if it is given.

        Each repository has a folder of its own, so `--repo` can name another one at any time.
        """
        files = settings.file_system
        key = project_key(settings.git.repository_url)
        data = (root / files.data_path).resolve()
        state = data / key
        workspace = (root / files.workspace_path).resolve() / key
        url = settings.database.url
        return cls(
            data=data,
            state=state,
            workspace=workspace,
            clone=(root / files.git_repo_path).resolve() if files.git_repo_path else workspace / "repo",
            logs=((logs_root or root) / settings.monitoring.logs_path).resolve(),
            environments=data / "environments",
            database_url=url or f"sqlite:///{state / 'agents.db'}",
            engine_url=url or f"sqlite:///{state / 'engine.db'}",
        )


def project_key(repository_url: str) -> str:
    """A folder name for a repository: its last path part and a short digest of the whole address."""
    address = repository_url.rstrip("/")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", re.split(r"[/:]", address)[-1].removesuffix(".git")) or "project"
    return f"{name}-{hashlib.sha256(address.encode()).hexdigest()[:8]}"
