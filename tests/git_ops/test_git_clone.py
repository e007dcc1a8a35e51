"""Getting at the owner's repository: what works, what each failure says, and what is never done."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from git_ops import (
    AuthenticationFailed,
    BranchMissing,
    BranchTaken,
    CloneTaken,
    EmptyRepository,
    GitError,
    GitManager,
    LandingMode,
    NotARepository,
    RemoteUnreachable,
    UnsafeUrl,
    UnsupportedRepository,
)
from tests.git_ops.conftest import Owner, git, passes, stage, work
from tests.support.loopback import LoopbackServer

OpenManager = Callable[..., GitManager]


def test_clone_is_repeatable_and_fetch_brings_news(owner: Owner, open_manager: OpenManager) -> None:
    manager = open_manager(owner.checkout)
    manager.clone()
    before = manager.branch.tip()
    owner.commit("new.txt", "x")
    manager.repository.fetch()
    assert manager.branch.tip() != before
    assert manager.repository.base_branch() == "main"


@pytest.mark.parametrize("name", ["with space 'and quote'.git", "ünï-%20.git", "a:b.git", "$(touch x).git"])
def test_odd_folder_names(owner: Owner, open_manager: OpenManager, name: str) -> None:
    odd = owner.bare.with_name(name)
    owner.bare.rename(odd)
    manager = open_manager(odd)
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    result = manager.landing.land("t1", verify=passes)
    assert result.pushed, result.push_error


def test_owner_checkout_is_never_touched(owner: Owner, open_manager: OpenManager, tmp_path: Path) -> None:
    def state() -> list[tuple[str, int, int]]:
        return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_ino) for p in owner.checkout.rglob("*"))

    (owner.checkout / "dirty.txt").write_text("mine")
    before = state()
    manager = open_manager(owner.checkout, auto_push=False)
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    assert manager.landing.land("t1", verify=passes).push_error == ""
    assert state() == before
    objects = {p.stat().st_ino for p in (owner.checkout / ".git/objects").rglob("*") if p.is_file()}
    ours = {p.stat().st_ino for p in (tmp_path / "work/repo/objects").rglob("*") if p.is_file()}
    assert not objects & ours  # no hard links


def test_missing_base_branch_falls_back_to_the_default(owner: Owner, open_manager: OpenManager) -> None:
    git(owner.bare, "branch", "-m", "main", "trunk")
    manager = open_manager(owner.bare)
    assert manager.repository.base_branch() == "trunk"
    assert open_manager(owner.bare, branch="trunk", clone=False).repository.base_branch() == "trunk"


def test_no_branch_to_fall_back_to(owner: Owner, open_manager: OpenManager) -> None:
    git(owner.bare, "branch", "-m", "main", "trunk")
    git(owner.bare, "symbolic-ref", "HEAD", "refs/heads/nowhere")
    git(owner.bare, "branch", "other", "trunk")
    with pytest.raises(BranchMissing, match=r"'main'.*other, trunk"):
        open_manager(owner.bare)


def test_the_only_branch_is_taken_where_nothing_names_one(owner: Owner, open_manager: OpenManager) -> None:
    git(owner.bare, "branch", "-m", "main", "trunk")
    git(owner.bare, "symbolic-ref", "HEAD", "refs/heads/nowhere")
    assert open_manager(owner.bare).repository.base_branch() == "trunk"


def test_a_missing_branch_is_an_error_though_there_is_a_clone(owner: Owner, open_manager: OpenManager) -> None:
    manager = open_manager(owner.bare)
    git(owner.bare, "branch", "-m", "main", "trunk")
    git(owner.bare, "branch", "other", "trunk")
    git(owner.bare, "symbolic-ref", "HEAD", "refs/heads/nowhere")
    with pytest.raises(BranchMissing):
        manager.clone(allow_offline=True)


@pytest.mark.parametrize("taken", ["agents", "agents/integration/mine"])
def test_a_branch_that_leaves_no_room_is_told_at_the_start(owner: Owner, open_manager: OpenManager, taken: str) -> None:
    git(owner.bare, "branch", taken, "main")
    with pytest.raises(BranchTaken, match=r"git\.integration_branch"):
        open_manager(owner.bare)
    open_manager(owner.bare, auto_push=False)


def test_a_repository_with_other_hashes_is_told(tmp_path: Path, open_manager: OpenManager) -> None:
    made = tmp_path / "sha256"
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", str(made))
    git(made, "commit", "-q", "--allow-empty", "-m", "first")
    with pytest.raises(UnsupportedRepository, match="SHA-256"):
        open_manager(made)


def test_each_wrong_address_has_its_error(tmp_path: Path, owner: Owner, open_manager: OpenManager) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    cases: list[tuple[Path | str, type[GitError], str]] = [
        (plain, NotARepository, "git init"),
        (tmp_path / "missing", NotARepository, "no such folder"),
        (owner.checkout / "src", NotARepository, f"give {owner.checkout}"),
        ("http://127.0.0.1:9/x.git", RemoteUnreachable, "check the address"),
        ("https://does-not-exist.invalid/x.git", RemoteUnreachable, "network"),
    ]
    for number, (address, error, words) in enumerate(cases):
        with pytest.raises(error, match=words):
            open_manager(address, folder=f"work{number}")


def test_in_an_empty_repository_work_starts_from_an_empty_commit(tmp_path: Path, open_manager: OpenManager) -> None:
    empty = tmp_path / "empty"
    git(tmp_path, "init", "-q", "-b", "main", str(empty))
    first = open_manager(empty)
    assert first.repository.base_branch() == "main"
    tip = first.branch.sync().tip
    assert git(first.repository.path, "ls-tree", tip) == ""
    assert open_manager(empty, folder="another").repository.base_tip() == tip, "another clone can go on with it"
    worktree = first.worktrees.create("t1")
    (worktree.path / "a.txt").write_text("ours\n")
    stage(first, worktree, "code")
    assert first.landing.land("t1", verify=passes).pushed
    assert git(empty, "branch", "--list").split() == ["agents/integration"]
    assert first.repository.base_branch() == "main", "what was pushed is no branch of the owner's"

    (empty / "README.md").write_text("mine\n")
    git(empty, "add", "-A")
    git(empty, "commit", "-q", "-m", "first")
    git(empty, "branch", "-q", "-M", "trunk")
    assert first.branch.sync(passes).moved
    assert first.repository.base_branch() == "trunk"
    assert sorted(git(first.repository.path, "ls-tree", "--name-only", first.branch.tip()).split()) == [
        "README.md", "a.txt",
    ]  # fmt: skip


def test_a_repository_whose_commits_are_gone_is_told(tmp_path: Path, owner: Owner, open_manager: OpenManager) -> None:
    manager = open_manager(owner.bare)
    manager.branch.sync()
    git(owner.bare, "update-ref", "-d", "refs/heads/main")
    with pytest.raises(EmptyRepository, match="first commit"):
        manager.clone()


@pytest.mark.parametrize(
    "address",
    ["", "ext::sh -c touch% /tmp/x", "--upload-pack=touch /tmp/x", "ftp://x/y", "https://-oProxy/x", "fd::3", "a\nb"],
)
def test_addresses_that_steer_git_are_refused(address: str, open_manager: OpenManager) -> None:
    with pytest.raises(UnsafeUrl):
        open_manager(address)


def test_clone_folder_with_something_else_is_left_alone(
    tmp_path: Path, owner: Owner, open_manager: OpenManager
) -> None:
    (tmp_path / "work/repo").mkdir(parents=True)
    (tmp_path / "work/repo/thesis.txt").write_text("x")
    with pytest.raises(CloneTaken, match="other files"):
        open_manager(owner.bare)
    open_manager(owner.bare, folder="second")
    with pytest.raises(CloneTaken, match="a clone of"):
        open_manager(owner.checkout, folder="second")


def test_interrupted_clone_is_finished(tmp_path: Path, owner: Owner, open_manager: OpenManager) -> None:
    (tmp_path / "work/repo/agents").mkdir(parents=True)  # killed after taking the lock
    open_manager(owner.bare).clone()
    clone = tmp_path / "work/repo"
    (clone / "config").write_text("[core]\n\tbare = true\n\trepositoryformatversion = 0\n")  # before the address
    (clone / "config.lock").write_text("")
    manager = open_manager(owner.bare, clone=False)
    manager.recover()
    manager.clone()
    assert manager.branch.tip()


def test_hooks_and_configuration_of_a_local_repository_never_run(
    tmp_path: Path, owner: Owner, open_manager: OpenManager
) -> None:
    marker = tmp_path / "pwned"
    for hook in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction", "push-to-checkout"):
        (owner.bare / "hooks" / hook).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (owner.bare / "hooks" / hook).chmod(0o755)
    git(owner.bare, "config", "core.hooksPath", str(owner.bare / "hooks"))
    git(owner.bare, "config", "core.fsmonitor", f"touch {marker}; false")
    git(owner.bare, "config", "uploadpack.packObjectsHook", f"touch {marker}; exec")
    manager = open_manager(owner.bare)
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    assert manager.landing.land("t1", verify=passes).pushed
    assert not marker.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT RUN: giving a repository to another user needs root")
def test_repository_of_another_user_stays_his(owner: Owner, open_manager: OpenManager, tmp_path: Path) -> None:
    nobody = 65534
    for path in [owner.bare, *owner.bare.rglob("*")]:
        os.chown(path, nobody, nobody)
    for folder in [tmp_path, *tmp_path.parents]:  # Every folder on the way must let him in, mktemp's 0700 too.
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    manager = open_manager(owner.bare)
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    result = manager.landing.land("t1", verify=passes)
    assert result.pushed, result.push_error
    assert {path.stat().st_uid for path in owner.bare.rglob("*")} == {nobody}


def test_landing_on_a_checked_out_branch_says_what_to_do(owner: Owner, open_manager: OpenManager) -> None:
    with pytest.raises(BranchTaken, match="is checked out"):  # before anything is paid for
        open_manager(owner.checkout, landing=LandingMode.MAIN)
    git(owner.checkout, "config", "receive.denyCurrentBranch", "warn")
    manager = open_manager(owner.checkout, landing=LandingMode.MAIN)
    git(owner.checkout, "config", "receive.denyCurrentBranch", "refuse")
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    result = manager.landing.land("t1", verify=passes)
    assert not result.pushed
    assert "checked out" in result.push_error
    assert manager.landing.landed("t1")
    assert not (owner.checkout / "src/new.py").exists()


# -- a real server with a password ------------------------------------------------------------------------------------

TOKEN = "secret-token-of-the-owner-1234"


@contextmanager
def git_server(root: Path, seen: list[str]) -> Iterator[str]:
    """git's own HTTP backend behind basic authentication; gives its host and port."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

        def _answer(self) -> None:
            seen.append(self.path)
            given = self.headers.get("Authorization", "")
            if base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")[2] != TOKEN:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length", 0))
            variables = {
                **{"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1"},
                **{"REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_USER": "owner"},
                **{"CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(length)},
                **{"HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", "")},
            }
            body = self.rfile.read(length)
            backend = ["git", "-c", "safe.directory=*", "-c", "http.receivepack=true", "http-backend"]
            done = subprocess.run(backend, input=body, capture_output=True, env=variables, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().splitlines()]
            status = next((value for name, value in lines if name == "Status"), "200 OK")
            self.send_response(int(status.split()[0]))
            for name, value in lines:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

    with LoopbackServer(Handler) as server:
        yield f"127.0.0.1:{server.port}"


@pytest.mark.parametrize(
    ("address", "token"),
    [
        ("http://{host}/owner.git", TOKEN),
        (f"http://bob:{TOKEN}@{{host}}/owner.git", None),
        (f"http://{TOKEN}@{{host}}/owner.git", None),
    ],
)
def test_token_reaches_git_by_askpass_and_stands_nowhere(
    owner: Owner, open_manager: OpenManager, tmp_path: Path, address: str, token: str | None
) -> None:
    seen: list[str] = []
    with git_server(owner.bare.parent, seen) as host:
        manager = open_manager(address.format(host=host), token=token)
        work(manager, "t1", {"src/new.py": "x = 1\n"})
        result = manager.landing.land("t1", verify=passes)
        assert result.pushed, result.push_error
        assert manager.url == f"http://{host}/owner.git"
    assert owner.show("agents/integration:src/new.py") == "x = 1"
    assert not any(TOKEN in path for path in seen)
    for path in (tmp_path / "work").rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path


def test_wrong_token_says_so_without_telling_it(owner: Owner, open_manager: OpenManager) -> None:
    with git_server(owner.bare.parent, []) as host:
        for token in ("wrong-token-wrong-token", None):
            with pytest.raises(AuthenticationFailed, match="GIT_TOKEN") as caught:
                open_manager(f"http://{host}/owner.git", token=token, folder=f"w{token}")
            assert "wrong-token" not in str(caught.value)
        with pytest.raises(NotARepository):
            open_manager(f"http://{host}/nothing.git", token=TOKEN, folder="w3")


@pytest.mark.parametrize(
    ("tags", "release"),
    [
        (["v2.9.0", "v2.10.1", "v2.11.0rc1", "nightly", "2024"], "2.10.1"),
        (["release-1.2", "part-a-9.0"], "1.2"),
        (["pkg/v1.4.0", "pkg@1.5.0"], "1.5.0"),
        (["nightly"], ""),
    ],
)
def test_the_newest_release_is_that_of_the_highest_reachable_tag(
    owner: Owner, open_manager: OpenManager, tags: list[str], release: str
) -> None:
    for tag in tags:
        git(owner.checkout, "tag", tag)
    owner.commit("new.txt", "x")
    manager = open_manager(owner.checkout)
    manager.clone()
    git(owner.checkout, "tag", "v99.0", git(owner.checkout, "commit-tree", "-m", "elsewhere", "HEAD^{tree}"))
    manager.repository.fetch()
    assert manager.repository.newest_release(manager.branch.tip()) == release
