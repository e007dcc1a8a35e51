"""Worktrees, the trees recorded from them, and commits: repeatable, and deaf to what lies in them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ops import (
    GitCommandFailed,
    GitError,
    GitManager,
    IgnoredPath,
    NothingToCommit,
    Overlay,
    UnsafeContent,
    WorktreeMissing,
)
from tests.git_ops.conftest import Owner, git, stage, work


def listed(clone: Path, tree: str) -> list[str]:
    return git(clone, "ls-tree", "-r", "--name-only", tree).splitlines()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return tmp_path / "work/repo"


def test_create_gives_the_same_worktree_again_with_its_work(manager: GitManager) -> None:
    first = manager.worktrees.create("t1")
    (first.path / "src/app.py").write_text("changed\n")
    assert manager.worktrees.create("t1") == first == manager.worktrees.get("t1")
    assert (first.path / "src/app.py").read_text() == "changed\n"
    assert first.branch == "agents/task/t1"
    assert first.base_commit == manager.branch.tip()
    assert [worktree.task_id for worktree in manager.worktrees.all()] == ["t1"]


def test_half_made_worktrees_are_made_anew(manager: GitManager, clone: Path) -> None:
    breakages: dict[str, Callable[[Path, Path], object]] = {
        "locked": lambda path, admin: (admin / "locked").write_text("initializing"),
        "index": lambda path, admin: (admin / "index").unlink(),
        "pointer": lambda path, admin: (path / ".git").unlink(),
        "folder": lambda path, admin: shutil.rmtree(path),
        "admin": lambda path, admin: shutil.rmtree(admin),
    }
    for name, breakage in breakages.items():
        worktree = manager.worktrees.create(name)
        breakage(worktree.path, clone / "worktrees" / name)
        with pytest.raises(WorktreeMissing):
            manager.worktrees.get(name)
        again = manager.worktrees.create(name)
        assert again == worktree
        assert (again.path / "src/app.py").read_text().startswith("one")
        assert git(again.path, "status", "--short") == ""


def test_a_branch_outlives_its_worktree(manager: GitManager) -> None:
    worktree = work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.worktrees.remove("t1")
    manager.worktrees.remove("t1")
    assert not worktree.path.exists()
    again = manager.worktrees.create("t1")
    assert again.base_commit == worktree.base_commit
    assert (again.path / "src/new.py").exists()
    manager.worktrees.remove("t1", branch=True)
    assert not (manager.worktrees.create("t1").path / "src/new.py").exists()


def test_recover_clears_locks_indexes_and_half_made_worktrees(manager: GitManager, clone: Path) -> None:
    kept = work(manager, "kept", {"src/new.py": "x = 1\n"})
    broken = manager.worktrees.create("broken")
    (clone / "worktrees/broken/locked").write_text("initializing")
    stray = broken.path.with_name("stray")
    stray.mkdir()
    leftovers = ["index.lock", "packed-refs.lock", "refs/heads/agents/x.lock", "worktrees/kept/index.lock"]
    leftovers += ["agents/index-1", "objects/pack/tmp_pack_1"]
    for name in leftovers:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("")
    cleared = manager.recover()
    assert {*leftovers, "worktree broken", "worktree stray"} <= set(cleared)
    assert not any((clone / name).exists() for name in leftovers)
    assert not stray.exists()
    assert [worktree.task_id for worktree in manager.worktrees.all()] == ["kept"]
    assert manager.worktrees.get("kept") == kept
    assert manager.recover() == []


def test_reset_brings_back_files_and_removes_everything_else(manager: GitManager) -> None:
    worktree = work(manager, "t1", {"src/new.py": "x = 1\n"})
    (worktree.path / "src/app.py").write_text("broken\n")
    (worktree.path / "tests/test_app.py").unlink()
    (worktree.path / "build").mkdir()
    (worktree.path / "build/ignored.txt").write_text("x")
    shutil.copytree(worktree.path / "src", worktree.path / "nested/.git/deep")
    manager.worktrees.reset(worktree)
    assert git(worktree.path, "status", "--short", "--ignored") == ""
    assert (worktree.path / "src/new.py").exists()
    manager.worktrees.reset(worktree, worktree.base_commit)
    assert not (worktree.path / "src/new.py").exists()
    assert git(worktree.path, "log", "--format=%s", "-1") == "first"


@pytest.mark.probe("hostile")
@pytest.mark.parametrize("task_id", ["", "../x", "a/b", "-x", "a b", "a.lock", "x" * 101])
def test_hostile_task_ids_are_refused(manager: GitManager, task_id: str) -> None:
    with pytest.raises(GitError):
        manager.worktrees.create(task_id)


# -- trees ------------------------------------------------------------------------------------------------------------


def test_a_change_of_the_same_size_in_the_same_moment_is_seen(manager: GitManager, clone: Path) -> None:
    """Within the second that git counts in; only by the time of the index does it know to look into the file."""
    git(clone, "config", "core.trustCTime", "false")
    file = manager.worktrees.create("t1").path / "src/app.py"
    written = file.stat().st_mtime_ns
    os.utime(clone / "worktrees/t1/index", ns=(written, written))
    text = file.read_text()
    file.write_text(text.swapcase())
    os.utime(file, ns=(written, written))
    time.sleep(1.1)
    tree = manager.trees.write(manager.worktrees.get("t1"))
    assert git(clone, "show", f"{tree}:src/app.py") == text.swapcase().rstrip()


def test_tree_holds_what_the_worktree_holds_and_nothing_moves(manager: GitManager, clone: Path) -> None:
    worktree = manager.worktrees.create("t1")
    before = (clone / "worktrees/t1/index").read_bytes()
    (worktree.path / "src/new.py").write_text("x = 1\n")
    (worktree.path / "tests/test_app.py").unlink()
    (worktree.path / "debug.log").write_text("ignored")
    tree = manager.trees.write(worktree)
    assert listed(clone, tree) == [".gitignore", "src/app.py", "src/new.py"]
    assert (clone / "worktrees/t1/index").read_bytes() == before
    assert manager.trees.write(worktree) == tree
    assert list((clone / "agents").glob("index-*")) == []


def test_overlay_takes_paths_from_a_commit_whatever_the_worktree_did_to_them(manager: GitManager, clone: Path) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "tests/test_new.py").write_text("def test_new(): assert True\n")
    tests = stage(manager, worktree, "tests")
    (worktree.path / "src/app.py").write_text("code = 1\n")
    (worktree.path / "tests/test_new.py").write_text("def test_new(): pass\n")
    (worktree.path / "tests/conftest.py").write_text("raise SystemExit\n")
    overlay = Overlay(source=tests.sha, paths=("tests",))
    tree = manager.trees.write(worktree, overlay)
    assert git(clone, "show", f"{tree}:tests/test_new.py").endswith("assert True")
    assert "tests/conftest.py" not in listed(clone, tree)
    assert git(clone, "show", f"{tree}:src/app.py") == "code = 1"

    shutil.rmtree(worktree.path / "tests")
    (worktree.path / "tests").write_text("a file now\n")
    assert manager.trees.write(worktree, overlay) == tree
    (worktree.path / "tests").unlink()
    (worktree.path / "tests/test_new.py/deep").mkdir(parents=True)
    (worktree.path / "tests/test_new.py/deep/x").write_text("a folder now\n")
    file_only = Overlay(source=tests.sha, paths=("tests/test_new.py",))
    assert "tests/test_new.py" in listed(clone, manager.trees.write(worktree, file_only))


@pytest.mark.probe("hostile")
def test_nothing_in_a_worktree_makes_git_run_anything(manager: GitManager, tmp_path: Path, clone: Path) -> None:
    """Hooks, monitors and filters planted wherever a test run or a model could plant them."""
    worktree = manager.worktrees.create("t1")
    marker = tmp_path / "pwned"
    script = f"#!/bin/sh\ntouch {marker}\ncat\n"
    (tmp_path / "evil.sh").write_text(script)
    (tmp_path / "evil.sh").chmod(0o755)
    (worktree.path / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    (worktree.path / ".gitconfig").write_text(f'[filter "evil"]\nclean = {tmp_path}/evil.sh\n')
    (worktree.path / ".lfsconfig").write_text(f'[filter "evil"]\nclean = {tmp_path}/evil.sh\n')
    for hook in ("pre-commit", "post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        target = clone / "hooks" / hook
        target.parent.mkdir(exist_ok=True)
        target.write_text(script)
        target.chmod(0o755)
    home = {"HOME": str(worktree.path), "GIT_DIR": str(tmp_path), "GIT_EXTERNAL_DIFF": str(tmp_path / "evil.sh")}
    old = {name: os.environ.get(name) for name in home}
    os.environ.update(home)
    try:
        manager.trees.write(worktree)
        stage(manager, worktree, "code")
        manager.worktrees.reset(worktree)
        manager.trees.export(worktree.branch, tmp_path / "out")
        assert "+* filter=evil" in manager.landing.task_diff("t1")
        manager.landing.land("t1", verify=lambda tree: True)
        manager.worktrees.create("t2")
    finally:
        for name, value in old.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    assert not marker.exists()


@pytest.mark.probe("hostile")
@pytest.mark.parametrize("name", [".git", ".GIT", ".git.", "git~1", ".g\u200cit"])
def test_nested_repositories_are_refused_before_git_sees_them(manager: GitManager, tmp_path: Path, name: str) -> None:
    worktree = manager.worktrees.create("t1")
    marker = tmp_path / "pwned"
    nested = worktree.path / "vendor"
    nested.mkdir()
    git(nested, "init", "-q")
    monitor, filter = f'fsmonitor = "touch {marker}; false"', f'[filter "x"]\nclean = "touch {marker}; cat"'
    (nested / ".git/config").write_text(f"[core]\nrepositoryformatversion = 0\n{monitor}\n{filter}\n")
    (nested / ".gitattributes").write_text("* filter=x\n")
    (nested / ".git").rename(nested / name)
    with pytest.raises(UnsafeContent, match="nested repository") as caught:
        manager.trees.write(worktree)
    assert caught.value.path == f"vendor/{name}"
    assert not marker.exists()


@pytest.mark.probe("hostile")
def test_tampered_pointer_links_out_pipes_and_huge_files_are_refused(manager: GitManager, tmp_path: Path) -> None:
    worktree = manager.worktrees.create("t1")
    plants: dict[str, tuple[str, Callable[[Path], object]]] = {
        "absolute": ("link", lambda path: path.symlink_to("/etc/passwd")),
        "up": ("link", lambda path: path.symlink_to("../../outside")),
        "through": ("link", lambda path: path.symlink_to("src/../../outside")),
        "to-git": ("link", lambda path: path.symlink_to(".git/config")),
        "pipe": ("special file", os.mkfifo),
        "huge": ("huge file", lambda path: path.write_bytes(b"x" * (11 * 1024 * 1024))),
    }
    for name, (kind, plant) in plants.items():
        plant(worktree.path / name)
        with pytest.raises(UnsafeContent) as caught:
            manager.trees.write(worktree)
        assert caught.value.kind == kind
        (worktree.path / name).unlink()
    (worktree.path / "inside").symlink_to("src/app.py")
    manager.trees.write(worktree)
    pointer = worktree.path / ".git"
    pointer.write_text(f"gitdir: {tmp_path}\n")
    with pytest.raises(UnsafeContent, match="tampered"):
        manager.trees.write(worktree)
    pointer.unlink()
    pointer.symlink_to(tmp_path)
    with pytest.raises(UnsafeContent, match="tampered"):
        manager.trees.write(worktree)


def test_links_and_large_files_that_the_owner_has_do_not_stop_work(
    owner: Owner, open_manager: Callable[..., GitManager]
) -> None:
    (owner.checkout / "abs").symlink_to("/etc/hostname")
    (owner.checkout / "data.bin").write_bytes(b"x" * (11 * 1024 * 1024))
    owner.commit("note.txt", "x")
    manager = open_manager(owner.bare)
    worktree = manager.worktrees.create("t1")
    (worktree.path / "src/new.py").write_text("x = 1\n")
    manager.trees.write(worktree)
    (worktree.path / "abs").unlink()
    (worktree.path / "abs").symlink_to("/etc/shadow")
    with pytest.raises(UnsafeContent, match="link"):
        manager.trees.write(worktree)


@pytest.mark.probe("hostile")
def test_submodules_of_the_owner_stay_and_new_ones_are_refused(
    owner: Owner, open_manager: Callable[..., GitManager], tmp_path: Path
) -> None:
    git(owner.checkout, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(owner.bare), "lib")
    owner.commit("note.txt", "x")
    manager = open_manager(owner.bare)
    worktree = work(manager, "t1", {"src/new.py": "x = 1\n"})
    assert manager.landing.land("t1", verify=lambda tree: True).pushed
    assert [f.path for f in manager.commits.changed_files(worktree.base_commit, worktree.branch)] == [
        "src/new.py",
        "tests/test_t1.py",
    ]
    out = manager.trees.export(worktree.branch, tmp_path / "out")
    assert not any(out.path.joinpath("lib").iterdir())
    source = git(owner.checkout, "rev-parse", "HEAD~1")
    clone = tmp_path / "work/repo"
    git(
        clone,
        "update-index",
        "--add",
        "--cacheinfo",
        f"160000,{source},extra",
        env={"GIT_INDEX_FILE": str(tmp_path / "i")},
    )
    evil = git(clone, "write-tree", env={"GIT_INDEX_FILE": str(tmp_path / "i")})
    with pytest.raises(UnsafeContent, match="submodule"):
        manager.trees.write(worktree, Overlay(source=evil, paths=("extra",)))


@pytest.mark.probe("hostile")
def test_export_writes_plain_files_and_leaves_out_links_that_escape(
    owner: Owner, open_manager: Callable[..., GitManager], tmp_path: Path
) -> None:
    for name, target in {
        "abs": "/etc",
        "up": "../x",
        "climb": "src/../../x",
        "ok": "src/app.py",
        "d/ok": "../src",
    }.items():
        (owner.checkout / name).parent.mkdir(exist_ok=True)
        (owner.checkout / name).symlink_to(target)
    (owner.checkout / "run.sh").write_text("x")
    (owner.checkout / "run.sh").chmod(0o755)
    owner.commit("note.txt", "x")
    manager = open_manager(owner.bare)
    out = manager.trees.export(manager.branch.tip(), tmp_path / "run")
    assert out.left_out == ("abs", "climb", "up")
    assert not (tmp_path / "run/.git").exists()
    assert (tmp_path / "run/ok").read_text().startswith("one")
    assert (tmp_path / "run/d/ok/app.py").exists()
    assert not os.path.lexists(tmp_path / "run/abs")
    assert (tmp_path / "run/run.sh").stat().st_mode & 0o111
    with pytest.raises(GitCommandFailed, match="not empty"):
        manager.trees.export(manager.branch.tip(), tmp_path / "run")


# -- commits ----------------------------------------------------------------------------------------------------------


def test_commit_is_found_again_by_its_trailers(manager: GitManager) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "src/new.py").write_text("x = 1\n")
    first = stage(manager, worktree, "code")
    assert first.trailers == {"Task-Id": "t1", "Stage": "code", "Run": "0"}
    (worktree.path / "src/new.py").write_text("x = 2\n")
    assert stage(manager, worktree, "code") == first
    assert stage(manager, worktree, "code", run=1) != first
    assert git(worktree.path, "status", "--short") == ""
    assert git(worktree.path, "log", "-1", "--format=%an <%ae>") == "AI Agents <agents@localhost>"
    with pytest.raises(NothingToCommit):
        stage(manager, worktree, "other")


def test_commit_of_some_paths_leaves_the_rest(manager: GitManager, clone: Path) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "tests/test_new.py").write_text("x")
    (worktree.path / "src/app.py").write_text("x")
    commit = manager.commits.commit(worktree, "tests", {"Stage": "tests"}, paths=["tests/test_new.py"])
    assert [f.path for f in manager.commits.changed_files(worktree.base_commit, commit.sha)] == ["tests/test_new.py"]
    assert git(worktree.path, "status", "--short") == " M src/app.py"
    (worktree.path / "out.log").write_text("x")
    with pytest.raises(IgnoredPath, match=r"out\.log"):
        manager.commits.commit(worktree, "log", {"Stage": "log"}, paths=["out.log"])


def test_commit_of_a_verified_tree_brings_the_files_to_it(manager: GitManager) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "tests/test_new.py").write_text("real\n")
    tests = stage(manager, worktree, "tests")
    (worktree.path / "tests/test_new.py").write_text("weakened\n")
    (worktree.path / "src/app.py").write_text("code\n")
    tree = manager.trees.write(worktree, Overlay(source=tests.sha, paths=("tests",)))
    commit = manager.commits.commit(worktree, "code", {"Stage": "code"}, tree=tree)
    assert commit.tree == tree
    assert (worktree.path / "tests/test_new.py").read_text() == "real\n"
    assert [f.path for f in manager.commits.changed_files(tests.sha, commit.sha)] == ["src/app.py"]


@pytest.mark.probe("hostile")
def test_messages_of_models_cannot_forge_trailers(manager: GitManager) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "a.txt").write_text("x")
    message = "Add a\x1b[31m\x00 thing" + "g" * 200 + "\n\nTask-Id: other\nstage : tests\nBecause.\n\nRun: 9\n"
    commit = manager.commits.commit(worktree, message, {"Stage": "code"})
    assert commit.trailers == {"Task-Id": "t1", "Stage": "code"}
    assert len(commit.subject) == 100
    assert "\x1b" not in git(worktree.path, "log", "-1", "--format=%B")
    with pytest.raises(GitError, match="trailer"):
        manager.commits.commit(worktree, "x", {"Stage": "a\nTask-Id: other"})


def test_diffs_and_changed_files(manager: GitManager) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "src/app.py").rename(worktree.path / "src/äpp.py")
    (worktree.path / "tests/test_app.py").unlink()
    (worktree.path / "blob.bin").write_bytes(b"\0\xff" * 50)
    commit = stage(manager, worktree, "code")
    changes = {f.path: (f.status, f.old_path) for f in manager.commits.changed_files(worktree.base_commit, commit.sha)}
    assert changes == {
        "blob.bin": ("added", None),
        "src/äpp.py": ("renamed", "src/app.py"),
        "tests/test_app.py": ("deleted", None),
    }
    assert "Binary files" in manager.landing.task_diff("t1")
    assert "rename to src/äpp.py" in manager.commits.diff(worktree.base_commit, commit.sha, paths=["src"])
    assert manager.landing.task_diff("t1", limit=40).endswith("more characters]\n")
    assert manager.landing.task_diff("unknown") == ""
