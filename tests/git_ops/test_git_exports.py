"""Exported trees that stay: they become other trees in place, and hold nothing of what code did in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from git_ops import GitManager
from tests.git_ops.conftest import Owner, git

Change = Callable[[Path], None]


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Text or target, and permissions, of everything below a folder but folders."""
    return {
        path.relative_to(folder).as_posix(): (
            (f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes().decode("latin-1")),
            path.lstat().st_mode & 0o777,
        )
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def committed(owner: Owner, change: Change) -> str:
    change(owner.checkout)
    git(owner.checkout, "add", "-A")
    git(owner.checkout, "commit", "-q", "--allow-empty", "-m", "another tree")
    git(owner.checkout, "push", "-q", "origin", "HEAD:main")
    return git(owner.checkout, "rev-parse", "HEAD")


def _edited(root: Path) -> None:
    (root / "src/app.py").write_text("CHANGED = True\n")
    (root / "new/deep").mkdir(parents=True)
    (root / "new/deep/file.txt").write_bytes(b"line\r\n\xff")


def _moved(root: Path) -> None:
    git(root, "mv", "src", "lib")


def _folder_for_a_file(root: Path) -> None:
    (root / "tests/test_app.py").unlink()
    (root / "tests/test_app.py").mkdir()
    (root / "tests/test_app.py/inner.txt").write_text("inside\n")


def _link_for_a_file(root: Path) -> None:
    (root / "src/app.py").unlink()
    (root / "src/app.py").symlink_to("../tests/test_app.py")


def _program(root: Path) -> None:
    (root / "src/app.py").chmod(0o755)


@pytest.mark.parametrize("change", [_edited, _moved, _folder_for_a_file, _link_for_a_file, _program])
def test_an_export_becomes_another_tree_and_comes_back(
    change: Change, owner: Owner, manager: GitManager, tmp_path: Path
) -> None:
    before = manager.repository.base_tip()
    after = committed(owner, change)
    manager.repository.fetch()
    first = manager.trees.export(before, tmp_path / "first")
    original = contents(first.path)
    turned = manager.exports.turned_into(first, after)
    assert turned is not None
    fresh = manager.trees.export(after, tmp_path / "fresh")
    assert contents(turned.path) == contents(fresh.path)
    assert (turned.tree, turned.files) == (fresh.tree, fresh.files)
    back = manager.exports.turned_into(turned, before)
    assert back is not None
    assert back == first
    assert contents(back.path) == original
    assert not [path for path in back.path.rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_a_changed_file_is_not_known_by_its_time(owner: Owner, manager: GitManager, tmp_path: Path) -> None:
    before = manager.repository.base_tip()
    after = committed(owner, _edited)
    manager.repository.fetch()
    export = manager.trees.export(before, tmp_path / "export")
    for path in [export.path, *export.path.rglob("*")]:
        os.utime(path, ns=(10**18, 10**18))
    assert manager.exports.turned_into(export, after)
    assert {path.stat().st_mtime_ns for path in [export.path, *export.path.rglob("*")]} == {10**18}


def _attributes(root: Path) -> None:
    (root / ".gitattributes").write_text("*.py text eol=crlf\n")


def _link_outside(root: Path) -> None:
    (root / "out").symlink_to("/etc/passwd")


@pytest.mark.parametrize("change", [_attributes, _link_outside])
def test_what_is_written_in_its_own_way_is_written_anew(
    change: Change, owner: Owner, manager: GitManager, tmp_path: Path
) -> None:
    export = manager.trees.export(manager.repository.base_tip(), tmp_path / "export")
    after = committed(owner, change)
    manager.repository.fetch()
    assert manager.exports.turned_into(export, after) is None
    left_out = manager.trees.export(after, tmp_path / "after")
    assert left_out.is_plain == (change is _attributes)


def _leaves_files(root: Path) -> None:
    (root / ".pytest_cache/v").mkdir(parents=True)
    (root / ".pytest_cache/v/cache").write_text("lastfailed")
    (root / "src/extra.py").write_text("x = 1\n")
    (root / ".git").mkdir()
    (root / ".git/config").write_text("[core]\n")
    os.mkfifo(root / "src/pipe")
    (root / "loop").symlink_to(".")


def _changes_text(root: Path) -> None:
    (root / "src/app.py").write_text("CHEAT = True\n")


def _changes_text_unseen(root: Path) -> None:
    file = root / "src/app.py"
    told = file.stat()
    file.write_bytes(bytes(reversed(file.read_bytes())))
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))


def _removes(root: Path) -> None:
    shutil.rmtree(root / "src")


def _swaps_folder_for_link(root: Path) -> None:
    (root / "src").rename(root / "moved")
    (root / "src").symlink_to("moved")


def _swaps_file_for_folder(root: Path) -> None:
    (root / "src/app.py").unlink()
    (root / "src/app.py").mkdir()


def _second_names(root: Path) -> None:
    os.link(root / "src/app.py", root / "kept")
    (root / "tests/test_app.py").unlink()
    os.link(root / "src/app.py", root / "tests/test_app.py")


def _rights_and_times(root: Path) -> None:
    (root / "src/app.py").chmod(0o600)
    (root / "src").chmod(0o700)
    os.utime(root / "tests/test_app.py", ns=(123, 456))
    os.utime(root, ns=(1, 2))


@pytest.mark.parametrize(
    "change",
    [
        _leaves_files, _changes_text, _changes_text_unseen, _removes, _swaps_folder_for_link, _swaps_file_for_folder,
        _second_names, _rights_and_times,
    ],
)  # fmt: skip
def test_after_code_had_it_everything_is_as_it_was(change: Change, manager: GitManager, tmp_path: Path) -> None:
    export = manager.trees.export(manager.repository.base_tip(), tmp_path / "export")
    original = contents(export.path)
    change(export.path)
    assert manager.exports.restored(export)
    assert contents(export.path) == original
    assert {path.lstat().st_nlink for path in export.path.rglob("*") if not path.is_dir()} == {1}
    told = [path.lstat() for path in [export.path, *export.path.rglob("*")]]
    assert len({details.st_mtime_ns for details in told}) == 1
    assert {details.st_uid for details in told} == {os.geteuid()}
    assert {path.stat().st_mode & 0o777 for path in export.path.rglob("*") if path.is_dir()} == {0o755}


def _attribute_of_a_file(root: Path) -> None:
    os.setxattr(root / "src/app.py", "user.seen", b"1")


def _attribute_of_a_folder(root: Path) -> None:
    os.setxattr(root / "src", "user.seen", b"1")


@pytest.mark.parametrize("change", [_attribute_of_a_file, _attribute_of_a_folder])
def test_a_folder_that_could_tell_the_next_run_something_is_not_used_again(
    change: Change, manager: GitManager, tmp_path: Path
) -> None:
    export = manager.trees.export(manager.repository.base_tip(), tmp_path / "export")
    try:
        change(export.path)
    except OSError as problem:  # some file systems have no attributes of users
        pytest.skip(f"the file system of temporary files cannot do it: {problem}")
    assert not manager.exports.restored(export)
