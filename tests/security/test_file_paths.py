"""Paths of a model's answer that would write where no agent may: through the answer's parser and FileManager."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from file_system import AnswerError, FileManager, FileSystemError, apply_edits, parse_answer

pytestmark = pytest.mark.probe("hostile")

PATHS = {
    "up": "../outside/target.py",
    "up in the middle": "src/../../outside/target.py",
    "up, many times": "../" * 30 + "etc/cron.d/x",
    "absolute": "/etc/cron.d/agents",
    "home": "~/.ssh/authorized_keys",
    "a drive": "C:/Windows/x.py",
    "a share": "//server/share/x.py",
    "backslashes": "..\\outside\\target.py",
    "a backslash in a name": "src\\..\\target.py",
    "a URL": "file:///etc/passwd",
    "git": ".git/hooks/post-checkout",
    "git in capitals": ".GIT/config",
    "git in mixed case": "src/.giT/config",
    "git with a dot": ".git./config",
    "git with a blank": ".git /config",
    "git by its short name": "GIT~1/config",
    "git as a stream": ".git::$INDEX_ALLOCATION/config",
    "git with a joiner": ".g\u200dit/config",
    "git with a mark of order": ".gi\u202et/config",
    "git in full width": "\uff0e\uff47\uff49\uff54/config",
    "git with a dotless i": ".g\u0131t\u0307/../.git/config",
    "git of a nested repository": "vendor/lib/.git/config",
    "git as a file": "vendor/lib/.git",
    "submodules": ".gitmodules",
    "submodules of a folder, in disguise": "src/.Git\u200dModules",
    "a mark of direction": "src/a\u202egpj.py",
    "a blank without width": "src/app\u200b.py",
    "a NUL": "src/app.py\0.txt",
    "a line end": "src/app.py\n.git/config",
    "a carriage return": "src/a\rpp.py",
    "an escape": "src/\x1b[2Japp.py",
    "half a pair": "src/\udcff.py",
    "a very long name": "x" * 5000 + ".py",
    "a very long path": "d/" * 3000 + "x.py",
    "a link": "link/target.py",
    "a linked file": "linked.py",
    "a chain of links": "chain/target.py",
    "a hard link": "hard.py",
    "a device": "null",
    "a pipe": "pipe.py",
    "a socket": "socket.py",
    "proc": "proc/self/environ",
    "a folder": "src",
    "a file as a folder": "src/app.py/inner.py",
    "CI": ".github/workflows/CI.yml",
    "CI in capitals": ".GITHUB/workflows/ci.yml",
    "secrets": "deploy/.ENV",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace with everything planted in it that the paths above go through."""
    root, outside = tmp_path / "work", tmp_path / "outside"
    for folder in (root / "src", root / ".git/hooks", root / "vendor/lib/.git", root / ".github/workflows", outside):
        folder.mkdir(parents=True)
    for file in (root / "src/app.py", outside / "target.py", root / ".git/config", root / "vendor/lib/.git/config"):
        file.write_text("kept = 1\n")
    (root / "link").symlink_to(outside)
    (root / "linked.py").symlink_to(outside / "target.py")
    (root / "second").symlink_to("link")
    (root / "chain").symlink_to("second")
    (root / "hard.py").hardlink_to(outside / "target.py")
    (root / "null").symlink_to("/dev/null")
    (root / "proc").symlink_to("/proc")
    os.mkfifo(root / "pipe.py")
    yield tmp_path


def outside_of_reach(base: Path) -> dict[str, bytes | str]:
    """Everything that no answer may change: what lies outside, git's own files, links."""
    found: dict[str, bytes | str] = {}
    for folder, folders, files in os.walk(base):
        for name in [*folders, *files]:
            path = Path(folder, name)
            shown = str(path.relative_to(base))
            inside_git = ".git" in shown.casefold()
            if path.is_symlink():
                found[shown] = f"-> {path.readlink()}"
            elif path.is_file() and (inside_git or not shown.startswith("work/")):
                found[shown] = path.read_bytes()
            elif inside_git or not shown.startswith("work"):
                found[shown] = "there"
    return found


Attempt = Callable[[FileManager, str], object]
ATTEMPTS: dict[str, Attempt] = {
    "written": lambda files, path: files.write_file(path, "x = 2\n"),
    "deleted": lambda files, path: files.delete_file(path),
    "a heading": lambda files, path: apply_edits(files, parse_answer(f"### {path}\n```python\nx = 2\n```\n")),
    "an info string": lambda files, path: apply_edits(files, parse_answer(f"```python {path}\nx = 2\n```\n")),
    "a title": lambda files, path: apply_edits(files, parse_answer(f'```python title="{path}"\nx = 2\n```\n')),
    "a comment": lambda files, path: apply_edits(files, parse_answer(f"```python\n# {path}\nx = 2\n```\n")),
    "a block": lambda files, path: apply_edits(
        files,
        parse_answer(f"{path}\n```python\n<<<<<<< SEARCH\nkept = 1\n=======\nx = 2\n>>>>>>> REPLACE\n```\n"),
    ),
}


@pytest.mark.parametrize("name", PATHS)
def test_no_form_of_an_answer_writes_there(workspace: Path, name: str) -> None:
    files = FileManager(workspace / "work", protected=[".github/**", "**/.env"])
    before = outside_of_reach(workspace)
    for attempt in ATTEMPTS.values():
        with suppress(AnswerError, FileSystemError):  # refused; or taken for another, harmless path
            attempt(files, PATHS[name])
        files.discard_backups()
        assert outside_of_reach(workspace) == before
    assert not any((workspace / "work/.github/workflows").iterdir())
    assert not list(workspace.rglob(".[eE][nN][vV]"))
