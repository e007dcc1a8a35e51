"""Where deployments take their code from: the daemon's own clone."""

from __future__ import annotations

import re
from pathlib import Path

from deployment import UnknownCommit
from git_ops import GitError, GitManager
from monitoring import get_logger

log = get_logger(__name__)

_HASH = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


class DeployedFrom:
    """Commits of the daemon's clone."""

    def __init__(self, git: GitManager) -> None:
        self._git = git

    def resolve(self, name: str) -> str:
        """The full hash of a commit, branch or tag, as it is in the owner's repository now if that can be reached; the
        tip of the landing branch for an empty name.

        Raises `UnknownCommit`.
        """
        repository = self._git.repository
        if not name:
            return self._git.branch.tip()
        if not _HASH.fullmatch(name):
            try:
                repository.fetch()
            except GitError as problem:
                log.warning("a name is read as it was when the repository was last reached", problem=str(problem))
        for place in (name, f"refs/heads/{name}", f"refs/remotes/origin/{name}"):
            if found := repository.resolve(place):
                return found
        raise UnknownCommit(name)

    def archive(self, commit: str, file: Path) -> None:
        """Write the files of a commit as a tar archive: what git holds, so without submodules and large files."""
        self._git.repository.git("archive", "--format=tar", f"--output={file}", commit)

    def bring(self, commit: str, branch: str) -> str:
        """Push the files of a commit to a branch of the owner's repository; its tip then. Moves it forward to the
        commit where that can be, else by a new commit on top with the same files. Repeating it pushes nothing."""
        repository = self._git.repository
        repository.fetch()
        tip = repository.remote_tip(branch)
        if tip is None or (tip != commit and repository.is_ancestor(tip, commit)):
            repository.push(commit, branch)
            return commit
        wanted = repository.tree_of(commit)
        if tip == commit or repository.tree_of(tip) == wanted:
            return tip
        told = f"The files are those of {commit}; what came after it on {branch} is reverted."
        made = repository.commit_tree(wanted, [tip], f"Return to {commit[:12]}\n\n{told}")
        repository.push(made, branch)
        return made
