"""What single proofs find out, on real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.coding.proofs.behaviour import touched_statements
from orchestrator.workbench.sources import lost_names, surface_changes

PACKAGE = {
    "pkg/__init__.py": "from pkg.core import Box, f\n\n__all__ = ['Box', 'f']\n",
    "pkg/core.py": "LIMIT = 60\n\n\nclass _Base:\n    def m(self, a): ...\n\n\nclass Box(_Base):\n"
    "    def n(self, a, b=1) -> int: ...\n    def _p(self): ...\n\n\ndef f(a, b=2):\n    return a\n",
}


def folder_of(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        # moved, but importable from where it was; a base without a public name; a constant written otherwise
        ({"pkg/core.py": "from pkg._impl import f\nLIMIT = 6 * 10\n\n\nclass Box:\n    def m(self, a): ...\n"
          "    def n(self, a, b=1): ...\n", "pkg/_impl.py": "def f(a: int, b: int = 2) -> int:\n    return a\n"}, []),
        ({"pkg/core.py": PACKAGE["pkg/core.py"].replace("def f(a, b=2)", "def f(a, b=2, c=None)")},
         ["pkg.f(c): parameter was added", "pkg.core.f(c): parameter was added"]),
        ({"pkg/core.py": PACKAGE["pkg/core.py"].replace("a, b=1", "a, b=2")},
         ["pkg.core.Box.n(b): parameter default was changed"]),
        ({"pkg/core.py": PACKAGE["pkg/core.py"].replace("def m", "def k")}, ["pkg.core.Box.m is gone"]),
        ({"pkg/core.py": PACKAGE["pkg/core.py"].replace("LIMIT", "BOUND")}, ["pkg.core.LIMIT is gone"]),
    ],
)  # fmt: skip
def test_the_public_surface_of_two_trees(tmp_path: Path, changed: dict[str, str], told: list[str]) -> None:
    before, after = folder_of(tmp_path / "a", PACKAGE), folder_of(tmp_path / "b", PACKAGE | changed)
    found = surface_changes(before, after, ["pkg/core.py"])
    assert found.compared == ["pkg"] and not found.unread
    assert sorted(found.changes) == sorted(told)


def test_the_statements_that_a_change_touches() -> None:
    before = (
        "import os\n\n\ndef f(x):\n    '''Doc.'''\n    y: int\n    if x:\n        # a comment\n        return (x +\n"
        "            1)\n    return 0\n"
    )
    after = before.replace("Doc", "Doc it").replace("a comment", "words").replace("            1)", "            2)")
    assert touched_statements(before, after) == [range(9, 11)]
    assert touched_statements(before, before.replace("if x:", "if not x:")) == [range(7, 9)]
    assert touched_statements(before, before.replace("import os\n", "")) == [range(1, 2)]
    assert touched_statements(before, f"{before}\n\ndef g():\n    return 1\n") == []


def test_a_name_that_is_imported_from_elsewhere_now_is_not_lost(tmp_path: Path) -> None:
    moved = {"pkg/core.py": "from pkg._impl import Box\n", "pkg/_impl.py": PACKAGE["pkg/core.py"]}
    before, after = folder_of(tmp_path / "a", PACKAGE), folder_of(tmp_path / "b", PACKAGE | moved)
    assert lost_names(before, after, ["pkg/core.py", "pkg/_impl.py"]) == ["pkg/core.py:LIMIT", "pkg/core.py:f"]
