"""The sample repository of `demo`: a copy of `examples/sample_project` under git, in a folder of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

DEMO_HOME = Path(".demo")
"""Below the folder in which the command is run."""
SAMPLE = Path(__file__).resolve().parent.parent / "examples" / "sample_project"


def prepare_demo(home: Path, *, fresh: bool, items: int) -> dict[str, dict[str, object]]:
    """Make the repository unless an unfinished demo is there; return the demo's settings."""
    home = home.resolve()
    repository = home / "sample_project"
    done = home / "done"
    if fresh or done.exists():
        shutil.rmtree(home, ignore_errors=True)
    if not (repository / ".git").is_dir():
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(SAMPLE, repository, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
        _keep_items(repository / "BACKLOG.md", items)
        for command in (
            ["init", "-q", "-b", "main"],
            ["add", "-A"],
            ["-c", "user.name=Owner", "-c", "user.email=owner@localhost", "commit", "-q", "-m", "The sample project"],
        ):
            subprocess.run(["git", "-C", str(repository), *command], check=True)
    return demo_settings(home)


def demo_settings(home: Path) -> dict[str, dict[str, object]]:
    """The settings that keep everything of a demo in `home`."""
    home = home.resolve()
    return {
        "git": {"repository_url": str(home / "sample_project"), "branch": "main"},
        "project": {"goal": "", "backlog_file": "BACKLOG.md"},
        "file_system": {"workspace_path": home / "workspace", "data_path": home / "data"},
        "monitoring": {"logs_path": home / "logs"},
        "database": {"url": ""},
    }


def _keep_items(backlog: Path, count: int) -> None:
    """Leave the first `count` items in the backlog file."""
    text = backlog.read_text(encoding="utf-8")
    starts = [match.start() for match in re.finditer(r"(?m)^## ", text)]
    if count < len(starts):
        backlog.write_text(text[: starts[count]], encoding="utf-8")
