"""Owners with real repositories, and managers that work for them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from git_ops import Commit, GitManager, Worktree

Verdicts = list[str]


def git(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run git as an owner would, with an identity and nothing of this machine's configuration."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": "Owner",
        "GIT_AUTHOR_EMAIL": "owner@example.org",
        "GIT_COMMITTER_NAME": "Owner",
        "GIT_COMMITTER_EMAIL": "owner@example.org",
        **(env or {}),
    }
    command = ["git", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout.rstrip("\n")


@dataclass
class Owner:
    """An owner with a working copy and, unless he has none, a bare repository that it pushes to."""

    checkout: Path
    bare: Path

    def commit(self, path: str, text: str, message: str = "owner's change", branch: str = "main") -> str:
        """Commit a file on `branch` and push it."""
        git(self.checkout, "fetch", "-q", "origin")
        git(self.checkout, "checkout", "-q", branch)
        if f"origin/{branch}" in git(self.checkout, "branch", "-r"):
            git(self.checkout, "reset", "-q", "--hard", f"origin/{branch}")
        (self.checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (self.checkout / path).write_text(text)
        git(self.checkout, "add", "-A")
        git(self.checkout, "commit", "-q", "-m", message)
        git(self.checkout, "push", "-q", "origin", f"HEAD:{branch}")
        return git(self.checkout, "rev-parse", "HEAD")

    def show(self, revision: str) -> str:
        """What the bare repository holds, such as `agents/integration:src/app.py`."""
        return git(self.bare, "show", revision)

    def log(self, revision: str) -> list[str]:
        """Subjects, newest first."""
        return git(self.bare, "log", "--format=%s", revision).splitlines()


@pytest.fixture
def owner(tmp_path: Path, template: Owner) -> Owner:
    """A repository with `src/app.py` and `tests/test_app.py` on branch main, with its own bare one."""
    mine = Owner(tmp_path / "owner", tmp_path / "owner.git")
    shutil.copytree(template.checkout, mine.checkout)
    shutil.copytree(template.bare, mine.bare)
    git(mine.checkout, "remote", "set-url", "origin", str(mine.bare))
    return mine


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Owner:
    """What every `owner` starts as."""
    folder = tmp_path_factory.mktemp("template")
    checkout, bare = folder / "owner", folder / "owner.git"
    checkout.mkdir()
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    git(checkout, "init", "-q", "-b", "main")
    git(checkout, "remote", "add", "origin", str(bare))
    for path, text in {
        "src/app.py": "one = 1\ntwo = 2\nthree = 3\nfour = 4\nfive = 5\n",
        "tests/test_app.py": "def test_one():\n    assert True\n",
        ".gitignore": "build/\n*.log\n",
    }.items():
        (checkout / path).parent.mkdir(exist_ok=True)
        (checkout / path).write_text(text)
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "first")
    git(checkout, "push", "-q", "origin", "main")
    return Owner(checkout, bare)


@pytest.fixture
def open_manager(tmp_path: Path) -> Callable[..., GitManager]:
    """Makes a manager whose files lie in `tmp_path/work`; `clone` True also clones."""

    def opened(repository: Path | str, *, clone: bool = True, folder: str = "work", **settings: object) -> GitManager:
        work = tmp_path / folder
        manager = GitManager(str(repository), work / "repo", workspace_path=work, **settings)  # type: ignore[arg-type]  # settings of many types
        if clone:
            manager.clone()
        return manager

    return opened


@pytest.fixture
def manager(owner: Owner, open_manager: Callable[..., GitManager]) -> GitManager:
    """A manager on the owner's bare repository."""
    return open_manager(owner.bare)


def work(manager: GitManager, task_id: str, files: dict[str, str], *, run: int = 0) -> Worktree:
    """Do a task: a test commit and a code commit in its worktree."""
    worktree = manager.worktrees.create(task_id)
    test = worktree.path / "tests" / f"test_{task_id}.py"
    test.write_text(f"def test_{task_id}():\n    assert True\n")
    stage(manager, worktree, "tests", run)
    for path, text in files.items():
        (worktree.path / path).parent.mkdir(parents=True, exist_ok=True)
        (worktree.path / path).write_text(text)
    stage(manager, worktree, "code", run)
    return worktree


def stage(manager: GitManager, worktree: Worktree, name: str, run: int = 0) -> Commit:
    """Commit what is in the worktree as one stage of its task."""
    return manager.commits.commit(worktree, f"{worktree.task_id}: {name}", {"Stage": name, "Run": str(run)})


def passes(tree: str) -> bool:
    """A test run that is green."""
    return True


def never(tree: str) -> bool:
    """A test run that must not happen."""
    raise AssertionError(f"tree {tree} was verified again")
