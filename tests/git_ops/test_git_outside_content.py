"""Submodules and files of Git LFS in exported trees: what can be had is there, what cannot is told once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ops import GitManager, UnsupportedRepository
from monitoring import Alert
from tests.git_ops.conftest import Owner, git, passes, work
from tests.git_ops.test_git_clone import TOKEN, git_server

OpenManager = Callable[..., GitManager]
FILES = ("-c", "protocol.file.allow=always")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A bare repository `library.git` with a submodule of its own, `inner.git`, both beside the owner's."""
    for name in ("inner", "library"):
        source = tmp_path / name
        git(tmp_path, "init", "-q", "-b", "main", name)
        (source / f"{name}.py").write_text(f"NAME = {name!r}\n")
        if name == "library":
            git(source, *FILES, "submodule", "--quiet", "add", str(tmp_path / "inner.git"), "deep/inner")
            git(source, "config", "-f", ".gitmodules", "submodule.deep/inner.url", "../inner.git")
        git(source, "add", "-A")
        git(source, "commit", "-q", "-m", name)
        git(tmp_path, "clone", "-q", "--bare", name, f"{name}.git")
    return tmp_path / "library.git"


def add_submodule(owner: Owner, library: Path, url: str = "../library.git", *, checked_out: bool = True) -> None:
    git(owner.checkout, *FILES, "submodule", "--quiet", "add", str(library), "vendor/library")
    if checked_out:
        inner = owner.checkout / "vendor" / "library"
        git(inner, *FILES, "submodule", "--quiet", "init")
        git(inner, "config", "submodule.deep/inner.url", str(library.with_name("inner.git")))
        git(inner, *FILES, "submodule", "--quiet", "update")
    git(owner.checkout, "config", "-f", ".gitmodules", "submodule.vendor/library.url", url)
    owner_commit(owner)


def owner_commit(owner: Owner) -> None:
    git(owner.checkout, "add", "-A")
    git(owner.checkout, "commit", "-q", "-m", "content from outside")
    git(owner.checkout, "push", "-q", "origin", "HEAD:main")


def exported(manager: GitManager, folder: Path) -> set[str]:
    manager.trees.export(manager.branch.tip(), folder)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


DEEP = {"vendor/library/library.py", "vendor/library/deep/inner/inner.py"}


def test_submodules_come_from_the_owners_checkout(
    owner: Owner, library: Path, open_manager: OpenManager, tmp_path: Path, alerts: list[Alert]
) -> None:
    add_submodule(owner, library)
    manager = open_manager(owner.checkout)
    assert exported(manager, tmp_path / "out") >= DEEP
    assert not alerts and not manager.submodules.away()
    # What was fetched once is not fetched again.
    library.rename(library.with_name("gone.git"))
    modules = owner.checkout / ".git" / "modules" / "vendor" / "library" / "objects"
    modules.rename(tmp_path / "elsewhere")
    assert exported(open_manager(owner.checkout, clone=False), tmp_path / "again") >= DEEP
    (tmp_path / "elsewhere").rename(modules)
    # What a kill in the middle of fetching leaves holds up nothing.
    kept = next((manager.repository.state / "submodules").glob("*/config"))
    (kept.parent / "config.lock").touch()
    shutil.rmtree(kept.parent / "objects")
    assert exported(open_manager(owner.checkout, clone=False), tmp_path / "anew") >= DEEP
    # The work of a task leaves it as it is.
    work(manager, "t1", {"src/new.py": "x = 1\n"})
    manager.landing.land("t1", verify=passes)
    tree = git(owner.checkout, "ls-tree", "-r", "agents/integration")
    assert "160000" in tree and "library.py" not in tree


def test_submodules_come_from_the_owners_host_with_the_owners_token(
    owner: Owner, library: Path, open_manager: OpenManager, tmp_path: Path
) -> None:
    add_submodule(owner, library)
    with git_server(owner.bare.parent, []) as host:
        manager = open_manager(f"http://{host}/owner.git", token=TOKEN)
        assert exported(manager, tmp_path / "out") >= DEEP
    for path in (tmp_path / "work").rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("../library.git", "is a folder of this machine"),
        ("{library}", "is a folder of this machine"),
        ("file://{library}", "is a folder of this machine"),
        ("http://127.0.0.1:1/library.git", "its host 127.0.0.1:1 is neither"),
        ("https://user:word@github.com/a/b.git", "holds a password"),
        ("ext::sh -c 'touch {marker}'", "transport helpers"),
        ("-u{marker}", "begins with '-'"),
    ],
)
def test_what_cannot_be_had_stays_empty_and_is_told_once(
    owner: Owner, library: Path, open_manager: OpenManager, tmp_path: Path, alerts: list[Alert], url: str, why: str
) -> None:
    marker = tmp_path / "marker"
    add_submodule(owner, library, url.format(library=library, marker=marker), checked_out=False)
    manager = open_manager(owner.bare)
    for number in range(2):
        files = exported(manager, tmp_path / f"out{number}")
        assert "src/app.py" in files and not any(path.startswith("vendor/") for path in files)
    (told,) = alerts
    assert why in told.message and "git submodule update --init" in told.message
    assert [why in line for line in manager.submodules.away()] == [True]
    assert not marker.exists()


def test_a_host_that_the_owner_names_is_asked_without_the_token(
    owner: Owner, library: Path, open_manager: OpenManager, tmp_path: Path, alerts: list[Alert]
) -> None:
    seen: list[str] = []
    with git_server(owner.bare.parent, seen) as host:
        add_submodule(owner, library, f"http://{host}/library.git", checked_out=False)
        manager = open_manager(owner.bare, token=TOKEN, submodule_hosts=["127.0.0.1"])
        files = exported(manager, tmp_path / "out")
    assert not any(path.startswith("vendor/") for path in files)
    assert any(path.startswith("/library.git") for path in seen), "it was asked, and refused for want of the token"
    assert "vendor/library" in alerts[0].message and TOKEN not in alerts[0].message


def test_a_name_or_path_that_leads_out_is_not_followed(
    owner: Owner, library: Path, open_manager: OpenManager, tmp_path: Path
) -> None:
    add_submodule(owner, library)
    modules = (owner.checkout / ".gitmodules").read_text()
    (owner.checkout / ".gitmodules").write_text(modules.replace('"vendor/library"', '"../../../library.git"'))
    owner_commit(owner)
    files = exported(open_manager(owner.checkout), tmp_path / "out")
    assert not any(path.startswith("vendor/") for path in files)


def test_files_of_lfs_are_those_of_the_owners_checkout(
    owner: Owner, open_manager: OpenManager, tmp_path: Path, alerts: list[Alert]
) -> None:
    content = b"x" * 4000
    oid = hashlib.sha256(content).hexdigest()

    def pointer(oid: str) -> str:
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"

    store = owner.checkout / ".git" / "lfs" / "objects"
    for name in (oid, "ab" * 32):  # the second is not what its name says
        file = store / name[:2] / name[2:4] / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (owner.checkout / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (owner.checkout / "data.bin").write_text(pointer(oid))
    (owner.checkout / "wrong.bin").write_text(pointer("ab" * 32))
    owner_commit(owner)
    manager = open_manager(owner.checkout)
    for name in ("out", "again"):
        manager.trees.export(manager.branch.tip(), tmp_path / name)
    assert len(alerts) == 1
    assert (tmp_path / "out" / "data.bin").read_bytes() == content
    assert (tmp_path / "out" / "wrong.bin").read_text() == pointer("ab" * 32)
    assert "wrong.bin" in alerts[0].message and "git lfs fetch" in alerts[0].message
    assert "data.bin" not in alerts[0].message


def test_a_partial_clone_is_refused_with_the_remedy(owner: Owner, open_manager: OpenManager, tmp_path: Path) -> None:
    git(owner.bare, "config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{owner.bare}", str(partial))
    owner.bare.rename(tmp_path / "gone.git")
    with pytest.raises(UnsupportedRepository, match=r"partial clone.*git fetch --refetch"):
        open_manager(partial)
