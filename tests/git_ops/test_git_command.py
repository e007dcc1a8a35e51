"""What a git process gets to see, how long it may run, and what a full disk looks like."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from git_ops import DiskFull, GitError, GitManager, GitTimeout, Identity
from git_ops.command import MARKER, GitCommand
from tests.git_ops.conftest import Owner, passes, work


@pytest.fixture
def command(tmp_path: Path) -> GitCommand:
    made = GitCommand(tmp_path / "repo", Identity("A", "a@b"))
    (tmp_path / "repo").mkdir()
    made("init", "--quiet", "--bare", str(tmp_path / "repo"))
    return made


def test_secrets_and_git_variables_of_our_environment_stay_out(
    command: GitCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "GIT_TOKEN", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "BASH_FUNC_x%%"):
        monkeypatch.setenv(name, "1")
    seen = command("-c", "alias.show=!env", "show-env", "-c", "x", allowed=range(256))
    assert seen.exit_code != 0  # no alias of that name
    names = {line.partition("=")[0] for line in command("-c", "alias.list-all=!env", "list-all").text.splitlines()}
    assert {"PATH", "GIT_CONFIG_NOSYSTEM", MARKER} <= names
    assert not names & {"OPENAI_API_KEY", "GIT_TOKEN", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "BASH_FUNC_x%%"}


def test_time_limit_ends_the_whole_process_group(command: GitCommand, tmp_path: Path) -> None:
    with pytest.raises(GitTimeout, match=r"0\.3 s"):
        command("-c", "alias.hang=!trap '' TERM; sleep 300 & echo $! > pid; wait", "hang", timeout=0.3)
    status = Path("/proc", (tmp_path / "repo/pid").read_text().strip(), "stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("NOT RUN: a disk of its own needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("NOT RUN: this machine does not let root mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk_is_one_clear_error_and_nothing_is_lost(
    owner: Owner, small_disk: Path, open_manager: Callable[..., GitManager], tmp_path: Path
) -> None:
    manager = GitManager(str(owner.bare), small_disk / "repo", workspace_path=tmp_path / "work")
    manager.clone()
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(os.urandom(4096))
    with pytest.raises(DiskFull, match="free some"):
        work(manager, "t2", {"src/big.py": "x = 1\n" * 1000})
    with pytest.raises(DiskFull, match="free some"):
        manager.trees.write(manager.worktrees.get("t1"))
    ballast.unlink()
    manager.recover()
    work(manager, "t2", {"src/big.py": "x = 1\n" * 1000})
    for task in ("t1", "t2"):
        assert manager.landing.land(task, verify=passes).pushed


def test_git_that_is_too_old_or_missing_is_told(
    command: GitCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.34.1\n")
    (tmp_path / "git").chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        with pytest.raises(GitError, match=r"2\.34\.1 is too old"):
            command.check_version()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(GitError, match="not installed"):
        command.check_version()
