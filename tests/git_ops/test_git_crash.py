"""kill -9 at random moments: afterwards everything is there exactly once, and nothing is left over."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from git_ops import GitManager
from git_ops.command import MARKER, GitCommand
from tests.git_ops.conftest import Owner, git, stage

TASKS = [f"t{number}" for number in range(5)]
KILLS = 15


def daemon(repository: Path, work: Path) -> None:
    """What a daemon does with git from its start: every step may have happened already, wholly or in part."""
    manager = GitManager(str(repository), work / "repo", workspace_path=work)
    manager.recover()
    manager.clone()
    manager.branch.sync(lambda tree: True)
    for task in TASKS:
        if manager.landing.landed(task):
            manager.landing.land(task, verify=lambda tree: True)
            manager.worktrees.remove(task, branch=True)
            continue
        worktree = manager.worktrees.create(task)
        manager.worktrees.reset(worktree)
        if not (worktree.path / f"tests/test_{task}.py").exists():
            (worktree.path / f"tests/test_{task}.py").write_text("def test(): pass\n")
        stage(manager, worktree, "tests")
        (worktree.path / f"src/{task}.py").write_text(f"name = {task!r}\n")
        stage(manager, worktree, "code")
        manager.trees.export(worktree.branch, work / "runs" / f"{task}-{os.getpid()}")
        manager.landing.land(task, verify=lambda tree: True)
        manager.worktrees.remove(task, branch=True)


def git_processes(clone: Path) -> list[int]:
    """Processes of git that belong to the clone."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{MARKER}={clone}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("seed", [7])
def test_killed_again_and_again_every_task_lands_exactly_once(owner: Owner, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    work = tmp_path / "work"
    processes = multiprocessing.get_context("fork")
    kills = finished = 0
    while not finished:
        child = processes.Process(target=daemon, args=(owner.bare, work))
        child.start()
        assert child.pid is not None
        if kills < KILLS:
            child.join(chance.uniform(0.02, 0.7))  # a random moment is the point: there is no event to await
            if child.exitcode is None:
                os.kill(child.pid, signal.SIGKILL)
                kills += 1
                if kills % 5 == 0:
                    owner.commit(f"src/owner{kills}.py", "x = 1\n", branch="main")
        child.join(60)  # the daemon's own end, or that of the kill
        assert child.exitcode in {0, -signal.SIGKILL}
        finished = child.exitcode == 0

    manager = GitManager(str(owner.bare), work / "repo", workspace_path=work)
    assert manager.recover() == []
    for where in (owner.bare, work / "repo"):
        subjects = Counter(git(where, "log", "--format=%s", "agents/integration").splitlines())
        assert {s: n for s, n in subjects.items() if s[0] == "t"} == {
            f"{t}: {s}": 1 for t in TASKS for s in ("tests", "code")
        }
        git(where, "fsck", "--strict", "--no-dangling")
    for task in TASKS:
        assert owner.show(f"agents/integration:src/{task}.py") == f"name = {task!r}"
    assert manager.worktrees.all() == []
    assert git(work / "repo", "branch", "--format=%(refname:short)").splitlines() == ["agents/integration"]
    assert list((work / "worktrees").iterdir()) == []
    assert list((work / "repo/worktrees").glob("*")) == []
    assert git_processes(work / "repo") == []
    assert kills >= 5
    print(f"{kills} kills")


def test_orphaned_git_process_is_ended_and_a_living_daemons_is_not(owner: Owner, tmp_path: Path) -> None:
    work = tmp_path / "work"
    manager = GitManager(str(owner.bare), work / "repo", workspace_path=work)
    manager.clone()

    def hang() -> None:
        GitCommand(work / "repo")("-c", "alias.hang=!sleep 600", "hang", timeout=600)

    child = multiprocessing.get_context("fork").Process(target=hang)
    child.start()
    assert child.pid is not None
    deadline = time.monotonic() + 120
    while not git_processes(work / "repo"):
        assert time.monotonic() < deadline
    assert not any(name.startswith("process") for name in manager.recover())
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    cleared = manager.recover()
    assert any(name.startswith("process") for name in cleared)
    while git_processes(work / "repo"):
        assert time.monotonic() < deadline
