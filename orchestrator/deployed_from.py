"""Where deployments take their code from: the daemon's own clone."""

from __future__ import annotations

from pathlib import Path

from deployment import UnknownCommit
from git_ops import GitManager


class DeployedFrom:
    """Commits of the daemon's clone."""

    def __init__(self, git: GitManager) -> None:
        self._git = git

    def resolve(self, name: str) -> str:
        """The full hash of a commit, branch or tag; the tip of the landing branch for an empty name.

        Raises `UnknownCommit`.
        """
        repository = self._git.repository
        if not name:
            return self._git.branch.tip()
        for place in (name, f"refs/heads/{name}", f"refs/remotes/origin/{name}"):
            if found := repository.resolve(place):
                return found
        raise UnknownCommit(name)

    def archive(self, commit: str, file: Path) -> None:
        """Write the files of a commit as a tar archive: what git holds, so without submodules and large files."""
        self._git.repository.git("archive", "--format=tar", f"--output={file}", commit)
