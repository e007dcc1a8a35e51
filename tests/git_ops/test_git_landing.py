"""Landing: serial, verified, idempotent, and at peace with an owner who pushes meanwhile."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from git_ops import (
    GitManager,
    LandingConflict,
    LandingMode,
    LandingMoved,
    MergeConflict,
    NothingToLand,
    VerificationFailed,
)
from tests.git_ops.conftest import Owner, git, never, passes, work

OpenManager = Callable[..., GitManager]
BRANCH = "agents/integration"


def test_first_task_lands_as_it_was_verified(manager: GitManager, owner: Owner) -> None:
    worktree = work(manager, "t1", {"src/new.py": "x = 1\n"})
    tree = manager.trees.write(worktree)
    result = manager.landing.land("t1", verify=never, verified_tree=tree)
    assert (result.tree, result.pushed, result.already_landed) == (tree, True, False)
    assert owner.log(BRANCH) == ["t1: code", "t1: tests", "first"]
    assert owner.log("main") == ["first"]
    assert [c.trailers["Stage"] for c in manager.commits.of_task("t1", manager.branch.tip())][::-1] == ["code", "tests"]
    assert manager.landing.landed("t1")
    assert not manager.landing.landed("t1", run=1)
    assert not manager.landing.landed("t")


def test_second_task_is_rebased_and_the_result_verified(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/app.py": "ONE = 1\ntwo = 2\nthree = 3\nfour = 4\nfive = 5\n"})
    second = work(manager, "t2", {"src/app.py": "one = 1\ntwo = 2\nthree = 3\nfour = 4\nFIVE = 5\n"})
    before = git(second.path, "rev-parse", "HEAD")
    manager.landing.land("t1", verify=passes)
    verified: list[str] = []

    def verify(tree: str) -> bool:
        verified.append(tree)
        return True

    result = manager.landing.land("t2", verify=verify, verified_tree=manager.trees.write(second))
    assert verified == [result.tree]
    assert owner.show(f"{BRANCH}:src/app.py") == "ONE = 1\ntwo = 2\nthree = 3\nfour = 4\nFIVE = 5"
    assert owner.log(BRANCH) == ["t2: code", "t2: tests", "t1: code", "t1: tests", "first"]
    assert git(second.path, "rev-parse", "HEAD") == before
    assert git(second.path, "status", "--short") == ""


def test_landing_again_changes_nothing(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    first = manager.landing.land("t1", verify=passes)
    again = manager.landing.land("t1", verify=never)
    assert again == first.model_copy(update={"already_landed": True})
    manager.worktrees.remove("t1", branch=True)
    assert manager.landing.land("t1", verify=never) == again
    assert len(owner.log(BRANCH)) == 3
    assert "+x = 1" in manager.landing.task_diff("t1")


def test_red_result_is_not_landed(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    with pytest.raises(VerificationFailed, match="t1"):
        manager.landing.land("t1", verify=lambda tree: False)
    assert not manager.landing.landed("t1")
    assert "agents" not in git(owner.bare, "branch")


def test_conflict_names_the_files_and_disturbs_nothing(manager: GitManager) -> None:
    work(manager, "t1", {"src/app.py": "one = 'a'\n", "docs/ä b.md": "a"})
    second = work(manager, "t2", {"src/app.py": "one = 'b'\n", "docs/ä b.md": "b"})
    manager.landing.land("t1", verify=passes)
    tip = manager.branch.tip()
    with pytest.raises(LandingConflict, match=r"task t2 .* src/app\.py") as caught:
        manager.landing.land("t2", verify=never)
    assert caught.value.files == ("docs/ä b.md", "src/app.py")
    assert manager.branch.tip() == tip
    assert git(second.path, "status", "--short") == ""
    manager.worktrees.remove("t2", branch=True)
    work(manager, "t2", {"src/app.py": "one = 'b'\n"}, run=1)
    assert manager.landing.land("t2", verify=passes, run=1).pushed


def test_task_without_commits_has_nothing_to_land(manager: GitManager) -> None:
    manager.worktrees.create("t1")
    for task in ("t1", "unknown"):
        with pytest.raises(NothingToLand):
            manager.landing.land(task, verify=passes)


def test_landing_notices_that_somebody_moved_the_branch(manager: GitManager) -> None:
    work(manager, "t1", {"src/a.py": "a = 1\n"})
    work(manager, "t2", {"src/b.py": "b = 1\n"})
    manager.landing.land("t1", verify=passes)
    moved = manager.branch.tip()

    def verify(tree: str) -> bool:
        git(manager.repository.path, "update-ref", manager.branch.ref("t2"), f"{moved}^")
        return True

    with pytest.raises(LandingMoved):
        manager.landing.land("t2", verify=verify)
    assert manager.landing.land("t2", verify=passes).pushed
    assert manager.landing.publish(verify=never).pushed
    assert manager.landing.publish(verify=never).pushed


def test_many_threads_land_one_after_the_other(manager: GitManager, owner: Owner, open_manager: OpenManager) -> None:
    tasks = [f"t{number}" for number in range(6)]
    for task in tasks:
        work(manager, task, {f"src/{task}.py": f"{task} = 1\n"})
    running = threading.Semaphore(1)

    def verify(tree: str) -> bool:
        assert running.acquire(blocking=False), "two landings verified at once"
        git(owner.bare, "log")
        running.release()
        return True

    managers = [manager, open_manager(owner.bare, clone=False)]
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(managers[n % 2].landing.land, task, verify=verify) for n, task in enumerate(tasks)]
        results = [future.result() for future in futures]
    assert all(result.pushed for result in results)
    assert sorted(owner.log(BRANCH)) == sorted(["first", *(f"{t}: {s}" for t in tasks for s in ("tests", "code"))])
    assert {c.trailers.get("Task-Id", "") for c in manager.commits.history(manager.branch.tip())} - {""} == set(tasks)


# -- an owner at work -------------------------------------------------------------------------------------------------


def test_owner_pushes_to_base_are_taken_in(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    owner.commit("src/owner.py", "y = 1\n")
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    manager.landing.land("t2", verify=passes)
    assert "Merge main into agents/integration" in owner.log(BRANCH)
    for path in ("src/new.py", "src/owner.py", "src/two.py"):
        owner.show(f"{BRANCH}:{path}")


def test_sync_follows_the_owner_and_holds_mixtures_against_the_tests(manager: GitManager, owner: Owner) -> None:
    assert manager.branch.sync(never).tip == manager.branch.tip()
    pushed = owner.commit("src/owner.py", "y = 1\n")
    synced = manager.branch.sync(never)
    assert (synced.tip, synced.moved) == (pushed, True)
    assert not manager.branch.sync(never).moved
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    tip = manager.branch.tip()
    owner.commit("src/owner.py", "y = 2\n")
    red = manager.branch.sync(lambda tree: False)
    assert (red.tip, red.moved) == (tip, False)
    assert "tests fail" in red.problem
    green = manager.branch.sync(passes)
    assert green.moved
    assert manager.branch.tip() == green.tip != tip


def test_owner_merges_and_deletes_the_integration_branch(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    git(owner.bare, "update-ref", "refs/heads/main", f"refs/heads/{BRANCH}")
    owner.commit("src/owner.py", "y = 1\n")
    git(owner.bare, "branch", "-D", BRANCH)
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    assert manager.landing.land("t2", verify=passes).pushed
    assert owner.log(BRANCH)[:4] == ["t2: code", "t2: tests", "owner's change", "t1: code"]
    assert manager.landing.landed("t1")


def test_owner_squashes_the_work_into_base(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    owner.commit("src/new.py", "x = 1\n", "squashed")
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    assert manager.landing.land("t2", verify=passes).pushed


def test_conflict_with_the_owner_is_told_and_work_goes_on(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/app.py": "ours = 1\n"})
    manager.landing.land("t1", verify=passes)
    owner.commit("src/app.py", "theirs = 1\n")
    with pytest.raises(MergeConflict, match=r"agents/integration and main: conflict in src/app\.py"):
        manager.branch.sync()
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    assert manager.landing.land("t2", verify=passes).pushed
    assert owner.show(f"{BRANCH}:src/app.py") == "ours = 1"


def test_others_pushed_to_the_landing_branch_meanwhile(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    owner.commit("src/fix.py", "fix = 1\n", "owner's fix", branch=BRANCH)
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    manager.landing.land("t2", verify=passes)
    assert owner.log(BRANCH) == ["t2: code", "t2: tests", "owner's fix", "t1: code", "t1: tests", "first"]


def test_push_race_is_won_by_landing_on_top(manager: GitManager, owner: Owner) -> None:
    """Someone pushes between our fetch and our push."""
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    verified: list[str] = []

    def verify(tree: str) -> bool:
        if not verified:
            owner.commit("src/fix.py", "fix = 1\n", "owner's fix", branch=BRANCH)
        verified.append(tree)
        return True

    result = manager.landing.land("t2", verify=verify)
    assert result.pushed
    assert len(verified) == 2
    assert result.tip == git(owner.bare, "rev-parse", BRANCH)
    assert owner.log(BRANCH)[:3] == ["t2: code", "t2: tests", "owner's fix"]
    assert manager.landing.land("t2", verify=never).already_landed


def test_mixture_that_fails_is_not_pushed(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    verdicts = [True, False]

    def verify(tree: str) -> bool:
        if len(verdicts) == 2:
            owner.commit("src/fix.py", "fix = 1\n", "owner's fix", branch=BRANCH)
        return verdicts.pop(0)

    result = manager.landing.land("t2", verify=verify)
    assert not result.pushed
    assert "tests fail" in result.push_error
    assert manager.landing.landed("t2")
    assert owner.log(BRANCH)[0] == "owner's fix"


def test_owner_takes_back_a_landing_by_force(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    work(manager, "t2", {"src/two.py": "z = 1\n"})
    manager.landing.land("t1", verify=passes)
    good = git(owner.bare, "rev-parse", BRANCH)
    manager.landing.land("t2", verify=passes)
    git(owner.bare, "update-ref", f"refs/heads/{BRANCH}", good)
    work(manager, "t3", {"src/three.py": "y = 1\n"})
    assert manager.landing.land("t3", verify=passes).pushed
    assert owner.log(BRANCH) == ["t3: code", "t3: tests", "t1: code", "t1: tests", "first"]
    assert not manager.landing.landed("t2")


def test_remote_away_keeps_landings_and_pushes_them_later(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    away = owner.bare.with_name("away.git")
    owner.bare.rename(away)
    result = manager.landing.land("t1", verify=passes)
    assert not result.pushed
    assert "no such folder" in result.push_error
    assert manager.landing.landed("t1")
    assert not manager.branch.sync().fetched
    assert not manager.landing.publish(verify=passes).pushed
    away.rename(owner.bare)
    owner.commit("src/fix.py", "fix = 1\n")
    assert manager.landing.publish(verify=passes).pushed
    assert owner.log(BRANCH)[0] == "t1: code"
    assert manager.landing.land("t1", verify=never).pushed


def test_lost_clone_takes_up_the_remote_landing_branch(
    manager: GitManager, owner: Owner, open_manager: OpenManager, tmp_path: Path
) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    shutil.rmtree(tmp_path / "work")
    again = open_manager(owner.bare)
    again.branch.sync()
    assert again.landing.landed("t1")
    work(again, "t2", {"src/two.py": "z = 1\n"})
    assert again.landing.land("t2", verify=passes).pushed
    assert len(owner.log(BRANCH)) == 5


# -- modes ------------------------------------------------------------------------------------------------------------


def test_mode_main_lands_on_the_base_branch(owner: Owner, open_manager: OpenManager) -> None:
    manager = open_manager(owner.bare, landing="main")
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    owner.commit("src/owner.py", "y = 1\n")
    assert manager.landing.land("t1", verify=passes).branch == "main"
    assert owner.log("main") == ["t1: code", "t1: tests", "owner's change", "first"]
    assert git(owner.bare, "branch", "--format=%(refname:short)") == "main"


def test_mode_branch_pushes_each_task_by_itself(owner: Owner, open_manager: OpenManager) -> None:
    manager = open_manager(owner.bare, landing=LandingMode.BRANCH)
    for task in ("t1", "t2"):
        work(manager, task, {f"src/{task}.py": "x = 1\n"})
        owner.commit(f"src/owner_{task}.py", "y = 1\n")
        result = manager.landing.land(task, verify=passes)
        assert (result.branch, result.pushed) == (f"agents/task/{task}", True)
    assert owner.log("agents/task/t2") == ["t2: code", "t2: tests", "owner's change", "owner's change", "first"]
    assert manager.landing.land("t1", verify=never).already_landed
    manager.worktrees.remove("t1", branch=True)
    work(manager, "t1", {"src/t1.py": "x = 2\n"}, run=1)
    assert manager.landing.land("t1", verify=passes, run=1).pushed
    assert owner.show("agents/task/t1:src/t1.py") == "x = 2"


def test_mode_branch_never_overwrites_what_others_pushed(owner: Owner, open_manager: OpenManager) -> None:
    manager = open_manager(owner.bare, landing=LandingMode.BRANCH)
    work(manager, "t1", {"src/t1.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    owner.commit("src/fix.py", "y = 1\n", "owner's fix", branch="agents/task/t1")
    manager.worktrees.remove("t1", branch=True)
    work(manager, "t1", {"src/t1.py": "x = 2\n"}, run=1)
    result = manager.landing.land("t1", verify=passes, run=1)
    assert not result.pushed
    assert "someone else pushed" in result.push_error
    assert owner.log("agents/task/t1")[0] == "owner's fix"


def test_without_auto_push_nothing_leaves_the_clone(owner: Owner, open_manager: OpenManager) -> None:
    manager = open_manager(owner.bare, auto_push=False)
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    result = manager.landing.land("t1", verify=passes)
    assert (result.pushed, result.push_error) == (False, "")
    assert git(owner.bare, "branch", "--format=%(refname:short)") == "main"


def test_a_history_written_anew_from_its_root_has_a_remedy_that_works(manager: GitManager, owner: Owner) -> None:
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    before = manager.branch.tip()
    git(owner.checkout, "checkout", "-q", "--orphan", "fresh")
    git(owner.checkout, "commit", "-q", "-m", "first, rewritten")
    git(owner.checkout, "push", "-q", "--force", "origin", "HEAD:main")
    with pytest.raises(MergeConflict, match=r"main shares no history with it any more\. Rename it") as told:
        manager.branch.sync(passes)
    assert "fatal" not in str(told.value) and "conflict in" not in str(told.value)
    work(manager, "t2", {"src/other.py": "y = 1\n"})
    manager.landing.land("t2", verify=passes)  # work goes on where it is
    assert before in git(owner.bare, "rev-list", BRANCH)
    git(owner.bare, "branch", "-m", BRANCH, f"{BRANCH}-old")
    manager.branch.sync(passes)
    work(manager, "t3", {"src/third.py": "z = 1\n"})
    manager.landing.land("t3", verify=passes)
    assert owner.log(BRANCH) == ["t3: code", "t3: tests", "first, rewritten"]
    assert owner.log(f"{BRANCH}-old")[0] == "t2: code"
