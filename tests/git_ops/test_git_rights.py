"""Where pushes go and who gets the token is settled at the start; nothing in the clone changes it."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ops import GitManager
from git_ops.remote import Remote
from tests.git_ops.conftest import Owner, git, passes, work
from tests.support.rounds import one_in

CHANGES = {
    "another url": ("remote.origin.url", "{evil}"),
    "a second url": ("--add", "remote.origin.url", "{evil}"),
    "a url for pushing": ("remote.origin.pushurl", "{evil}"),
    "a rewritten url": ("url.{evil}.insteadOf", "{owner}"),
    "a rewritten url for pushing": ("url.{evil}.pushInsteadOf", "{owner}"),
    "another place for what is pushed": ("--add", "remote.origin.push", "refs/heads/*:refs/heads/stolen/*"),
    "a program for the other end": ("remote.origin.receivepack", "touch {trap}; git-receive-pack"),
    "a helper that gets the token": ("credential.helper", "!touch {trap}"),
    "a shell for ssh": ("core.sshCommand", "touch {trap}; ssh"),
    "a file that is included": ("include.path", "{included}"),
    "a proxy": ("http.proxy", "http://127.0.0.1:9"),
}


@pytest.mark.parametrize("change", one_in(2, CHANGES))
def test_a_changed_configuration_of_the_clone_is_put_back(
    owner: Owner, open_manager: Callable[..., GitManager], tmp_path: Path, change: str
) -> None:
    manager = open_manager(owner.bare, auto_push=False)
    evil, trap, included, clone = (tmp_path / name for name in ("evil.git", "trap", "included", "work/repo"))
    git(tmp_path, "init", "-q", "--bare", str(evil))
    included.write_text(f'[remote "origin"]\n\tpushurl = {evil}\n')
    before = (clone / "config").read_text()
    words = [word.format(evil=evil.as_uri(), owner=owner.bare.as_uri(), trap=trap, included=included)
             for word in CHANGES[change]]  # fmt: skip
    git(clone, "config", *words)
    assert (clone / "config").read_text() != before
    work(manager, "t1", {"src/app.py": "one = 2\n"})
    manager.landing.land("t1", verify=passes)
    manager.repository.push(manager.branch.tip(), "agents/integration")
    assert owner.show("agents/integration:src/app.py") == "one = 2"
    assert git(evil, "for-each-ref") == ""
    assert not [name for name in git(owner.bare, "for-each-ref", "--format=%(refname)").split() if "stolen" in name]
    assert not trap.exists()
    kept = git(clone, "config", "--local", "--list")
    assert kept.count("remote.") == 2
    assert str(evil) not in kept
    assert "touch" not in kept


def test_the_token_goes_to_its_host_only(tmp_path: Path) -> None:
    remote = Remote("https://git.example.org/team/project.git", "token-of-the-owner-1")
    variables = remote.credentials(tmp_path)

    def answer(prompt: str) -> str:
        done = subprocess.run([variables["GIT_ASKPASS"], prompt], capture_output=True, text=True, env=dict(variables))
        return done.stdout.strip()

    assert answer("Password for 'https://x-access-token@git.example.org': ") == "token-of-the-owner-1"
    for other in (
        "evil.org",
        "git.example.org.evil.org",
        "evil-git.example.org",
        "git.example.org:8443",
        "example.org",
    ):
        assert answer(f"Password for 'https://x-access-token@{other}': ") == "", other
    assert Remote("ssh://git.example.org/p.git", "token-of-the-owner-1").credentials(tmp_path) == {}
    assert Remote(str(tmp_path), "token-of-the-owner-1").credentials(tmp_path) == {}
    assert "token" not in Path(variables["GIT_ASKPASS"]).read_text().lower().replace("ai_agents_git_token", "")
    assert stat.S_IMODE(Path(variables["GIT_ASKPASS"]).stat().st_mode) == 0o700
