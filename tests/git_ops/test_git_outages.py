"""The owner's repository away, its base branch deleted, and a clone that comes back from a backup."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ops import GitManager, NotARepository
from tests.git_ops.conftest import Owner, git, passes, work

OpenManager = Callable[..., GitManager]


def finished(manager: GitManager, task_id: str) -> None:
    work(manager, task_id, {f"src/{task_id}.py": "x = 1\n"})


def test_a_clone_that_is_there_does_without_the_remote(
    manager: GitManager, owner: Owner, open_manager: OpenManager
) -> None:
    finished(manager, "t1")
    manager.landing.land("t1", verify=passes)
    away = owner.bare.rename(owner.bare.with_name("away.git"))

    again = open_manager(owner.bare, clone=False)
    assert "there is no such folder" in again.clone(allow_offline=True)
    with pytest.raises(NotARepository):
        again.clone()
    finished(again, "t2")
    assert not again.landing.land("t2", verify=passes).pushed
    assert again.landing.unpushed() == [None]
    assert again.landing.publish(verify=passes).pushed is False

    away.rename(owner.bare)
    assert again.clone(allow_offline=True) == ""
    assert again.landing.publish(verify=passes).pushed
    assert again.landing.unpushed() == []
    assert (landed := again.landing.landed("t2")) is not None and landed.pushed


def test_a_branch_that_the_owner_deleted_is_not_pushed_again(manager: GitManager, owner: Owner) -> None:
    finished(manager, "t1")
    manager.landing.land("t1", verify=passes)
    git(owner.bare, "branch", "-D", "agents/integration")
    manager.repository.fetch()
    assert manager.landing.unpushed() == []


def test_work_goes_on_while_the_base_branch_is_gone(manager: GitManager, owner: Owner) -> None:
    finished(manager, "t1")
    manager.landing.land("t1", verify=passes)
    git(owner.bare, "branch", "-m", "main", "elsewhere")
    git(owner.bare, "symbolic-ref", "HEAD", "refs/heads/nowhere")
    assert manager.branch.sync(passes).tip == manager.branch.tip()
    finished(manager, "t2")
    assert manager.landing.land("t2", verify=passes).pushed
    assert "no such branch" in manager.clone(allow_offline=True)


@pytest.mark.parametrize("mode", ["integration", "branch"])
def test_a_clone_from_a_backup_lands_nothing_twice(
    mode: str, owner: Owner, open_manager: OpenManager, tmp_path: Path
) -> None:
    manager = open_manager(owner.bare, landing=mode)
    finished(manager, "t1")
    manager.landing.land("t1", verify=passes)
    finished(manager, "t2")
    manager.repository.bundle(tmp_path / "clone.bundle")
    manager.landing.land("t2", verify=passes)  # after the backup: only the remote knows of it
    branch = "agents/integration" if mode == "integration" else "agents/task/t2"
    before = git(owner.bare, "rev-parse", branch)
    shutil.rmtree(tmp_path / "work")

    restored = open_manager(owner.bare, clone=False, landing=mode)
    restored.repository.unbundle(tmp_path / "clone.bundle")
    assert restored.landing.landed("t1")
    assert not restored.landing.landed("t2")
    restored.recover()
    restored.clone()
    restored.worktrees.create("t2")
    assert restored.landing.land("t2", verify=passes).pushed
    subjects = git(owner.bare, "log", "--format=%s", f"main..{branch}").splitlines()
    assert sorted(subjects) == sorted(set(subjects))
    if mode == "integration":
        assert git(owner.bare, "rev-parse", branch) == before
