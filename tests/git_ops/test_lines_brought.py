"""Which lines a change has brought, whatever stands in them."""

from __future__ import annotations

import pytest

from git_ops import GitManager
from orchestrator.workbench.brought import lines_brought
from tests.git_ops.conftest import stage


def brought(manager: GitManager, files: dict[str, str]) -> dict[str, list[int]]:
    worktree = manager.worktrees.create("t1")
    for path, text in files.items():
        (worktree.path / path).write_text(text, newline="")
    return lines_brought(manager, worktree.base_commit, stage(manager, worktree, "code").sha)


@pytest.mark.parametrize("heading", ["++ b/other.py", "++ /dev/null", "@@ -1 +900,5 @@", "-- a/src/app.py"])
def test_no_line_passes_for_a_heading(manager: GitManager, heading: str) -> None:
    text = f'one = 1\ntwo = """\n{heading}\n"""\nthree = 3\nfour = 4\nfive = 5\nsix = 6\n'
    assert brought(manager, {"src/app.py": text, "other.py": "new = 1\n"}) == {
        "src/app.py": [2, 3, 4, 8],
        "other.py": [1],
    }


def test_tests_other_files_and_what_was_taken_away_bring_nothing(manager: GitManager) -> None:
    assert (
        brought(manager, {"src/app.py": "one = 1\nfive = 5\n", "tests/test_b.py": "x = 1\n", "notes.md": "a\n"}) == {}
    )


def test_of_a_file_whose_lines_python_counts_otherwise_all_count(manager: GitManager) -> None:
    assert brought(
        manager, {"a.py": "a = 1\rb = 2\n", "b.py": "a = 1\r\nb = 2\r\n", "c.py": "a = 1\x0c\nb = 2\u2028\n"}
    ) == {
        "a.py": [],
        "b.py": [1, 2],
        "c.py": [1, 2],
    }


def test_a_file_of_another_name_brings_what_was_changed_in_it(manager: GitManager) -> None:
    worktree = manager.worktrees.create("t1")
    (worktree.path / "src/app.py").rename(worktree.path / "src/b.py")
    (worktree.path / "src/b.py").write_text("one = 1\ntwo = 2\nthree = 3\nfour = 4\nfive = 50\n")
    tree = stage(manager, worktree, "code").sha
    assert lines_brought(manager, worktree.base_commit, tree) == {"src/b.py": [5]}
