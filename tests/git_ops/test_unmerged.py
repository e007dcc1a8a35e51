"""What has landed and waits to be merged: how much it is, what merges it, and that it goes away."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ops import GitManager, LandingMode
from git_ops.command import GitCommand
from tests.git_ops.conftest import Owner, git, passes, work

Open = Callable[..., GitManager]


def landed(manager: GitManager, *tasks: str) -> None:
    for task in tasks:
        work(manager, task, {f"src/{task}.py": f"{task} = 1\n"})
        manager.landing.land(task, verify=passes)
        manager.worktrees.remove(task)


def typed(command: str, folder: Path) -> None:
    """What an owner types, in this folder."""
    done = subprocess.run(
        ["sh", "-c", f"git() {{ command git -c user.name=Owner -c user.email=o@localhost \"$@\"; }}; {command}"],
        capture_output=True, text=True, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("pushes", [True, False])
def test_landed_work_waits_until_the_command_that_it_names_has_merged_it(
    owner: Owner, open_manager: Open, pushes: bool
) -> None:
    manager = open_manager(owner.checkout, auto_push=pushes)
    assert manager.unmerged.now() is None
    landed(manager, "a", "b")
    found = manager.unmerged.now()
    assert found is not None
    told = (found.tasks, found.commits, found.files, found.added, found.removed, found.branch, found.base)
    assert told == (2, 4, 4, 6, 0, "agents/integration", "main") and not found.conflicts
    typed(found.command, owner.checkout.parent)
    assert manager.unmerged.now() is None and (owner.checkout / "src/b.py").is_file()
    landed(manager, "c")
    assert (again := manager.unmerged.now()) and (again.tasks, again.commits) == (1, 2)


def test_it_is_merged_from_a_clone_of_a_repository_elsewhere(owner: Owner, open_manager: Open) -> None:
    manager = open_manager(f"file://{owner.bare}")
    landed(manager, "a")
    found = manager.unmerged.now()
    assert found and found.tasks == 1
    typed(found.command + " && git push -q origin main", owner.checkout)
    manager.branch.sync()  # as the team does when it looks for work
    assert manager.unmerged.now() is None


def test_what_was_merged_as_other_commits_waits_no_more(owner: Owner, open_manager: Open) -> None:
    manager = open_manager(owner.checkout)
    landed(manager, "a", "b")
    git(owner.checkout, "merge", "-q", "--squash", "agents/integration")
    git(owner.checkout, "commit", "-q", "-m", "all of it")
    assert manager.unmerged.now() is None


def test_a_merge_that_would_stop_is_told(owner: Owner, open_manager: Open) -> None:
    manager = open_manager(owner.checkout)
    landed(manager, "a")
    (owner.checkout / "src/a.py").write_text("mine = 1\n")
    git(owner.checkout, "add", "-A")
    git(owner.checkout, "commit", "-q", "-m", "mine")
    found = manager.unmerged.now()
    assert found and found.conflicts and found.tasks == 1 and found.added == 3


@pytest.mark.parametrize("mode", [LandingMode.MAIN, LandingMode.BRANCH])
def test_nothing_waits_where_work_lands_otherwise(owner: Owner, open_manager: Open, mode: LandingMode) -> None:
    manager = open_manager(owner.bare, landing=mode)
    landed(manager, "a")
    assert manager.unmerged.now() is None


def test_git_is_asked_only_when_a_ref_has_moved(
    owner: Owner, open_manager: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = open_manager(owner.checkout)
    landed(manager, "a")
    asked, ask = list[str](), GitCommand.__call__

    def counted(self: GitCommand, *arguments: str, **options: object) -> object:
        asked.append(arguments[0])
        return ask(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(GitCommand, "__call__", counted)
    first = manager.unmerged.now()
    assert asked and first
    asked.clear()
    assert manager.unmerged.now() == first and not asked
    git(owner.checkout, "pack-refs", "--all")
    git(owner.checkout, "merge", "-q", "agents/integration")
    assert manager.unmerged.now() is None and asked


def test_a_clone_that_is_not_there_yet_is_no_error(owner: Owner, open_manager: Open) -> None:
    assert open_manager(owner.bare, clone=False).unmerged.now() is None
