"""What single proofs find out, on real files."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from memory import utc_now
from orchestrator.coding.proofs.behaviour import touched_statements
from orchestrator.coding.proofs.documents import broken_links
from orchestrator.coding.proofs.pages import forget_pictures, keep_pictures
from orchestrator.coding.proofs.settings import problems_of
from orchestrator.coding.proofs.strength import faults_in
from orchestrator.workbench.sources import lost_names, surface_changes
from testing.pages import Page, Pages

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


WIDE = (
    "__all__ = ['f']\nLIMIT: int = 3\n\n\nasync def f(x): ...\n\n\nclass E(ValueError):\n    size = (1, 2)\n\n\n"
    "class F(E): ...\n\n\nclass _G(KeyError): ...\n"
)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("['f']", "['f', 'E']", ["wide: __all__ was changed"]),
        ("__all__ = ['f']\n", "", ["wide: __all__ was changed"]),
        ("async def f", "def f", ["wide.f: is no coroutine any more"]),
        ("= 3", "= 4", []),  # __all__ says what is public
        ("__all__ = ['f']\nLIMIT: int = 3", "LIMIT: int = 4", ["wide: __all__ was changed"]),
        ("class E(ValueError)", "class E(Exception)", []),
        ("x): ...", "x):\n    return x", []),
    ],
)
def test_more_of_the_public_surface(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    assert old in WIDE
    before = folder_of(tmp_path / "a", {"wide.py": WIDE})
    after = folder_of(tmp_path / "b", {"wide.py": WIDE.replace(old, new)})
    assert surface_changes(before, after, ["wide.py"]).changes == told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("= 3", "= 4", ["wide.LIMIT: value was changed"]),
        ("= 3", "= 1 + 2", []),
        ("(1, 2)", "(1, 3)", ["wide.E.size: value was changed", "wide.F.size: value was changed"]),
        ("E(ValueError)", "E(Exception)", ["wide.E is no ValueError any more"]),
        ("E(ValueError)", "E(_H)", []),  # by way of a new one
        ("F(E)", "F(ValueError)", ["wide.F.size is gone", "wide.F is no E any more"]),
        ("_G(KeyError)", "_G(Exception)", []),
    ],
)
def test_without_all_every_name_is_public_that_does_not_say_otherwise(
    tmp_path: Path, old: str, new: str, told: list[str]
) -> None:
    wide = WIDE.partition("\n")[2]
    assert old in wide
    further = "class _H(ValueError): ...\n\n\n" if "_H" in new else ""
    before = folder_of(tmp_path / "a", {"wide.py": wide})
    after = folder_of(tmp_path / "b", {"wide.py": further + wide.replace(old, new)})
    assert surface_changes(before, after, ["wide.py"]).changes == told


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


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    readme = (
        "# The Shop\n\n## What's *new*?\n\n[a](docs/a.md) [top](#the-shop) [new](#whats-new) [gone](docs/gone.md) "
        "[none](docs/a.md#none) [part](docs/a.md#part) [own](docs/a.md#mine) [out](../../issues) [x](https://x.y/z.md) "
        "![p](docs/p.png) [ref][r] `[code](no.md)`\n\n[r]: docs/missing.md\n\n```\n[fenced](no.md)\n```\n"
    )
    rst = "`a <a.md>`_ and `b <b.rst>`__, `doc <https://x.y>`_\n\n.. image:: q.png\n.. _ref: a.md\n"
    folder_of(tmp_path, {"README.md": readme, "docs/a.md": "# A\n\n<a name='mine'></a>\n\n## Part {#part}\n"})
    folder_of(tmp_path, {"docs/index.rst": rst})
    broken, number = broken_links(tmp_path)
    assert broken == [
        "README.md: docs/gone.md", "README.md: docs/a.md#none (no such heading)", "README.md: docs/p.png",
        "README.md: docs/missing.md", "docs/index.rst: b.rst", "docs/index.rst: q.png",
    ]  # fmt: skip
    assert number == 14


RUFF, LINT = "[tool.ruff]\nline-length = 100\n", "[tool.ruff.lint]\n"


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    step: []\n", "'step' was unexpected"),
        (".github/workflows/ci.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    steps: [{run: make}]\n", ""),
        (".github/dependabot.yml", "version: 2\nupdates:\n- package-ecosystem: pip\n", "is a required property"),
        (".pre-commit-config.yaml", "repos:\n- repo: https://x.y/z\n  hooks: []\n", "Missing required key: rev"),
        (".pre-commit-config.yaml", "repos:\n- repo: https://x.y/z\n  rev: v1\n  hooks: [{id: a}]\n", ""),
        ("pyproject.toml", "[project]\nname = 'x y'\nversion = '1'\n", "`project.name` must be pep508-identifier"),
        ("pyproject.toml", "[project]\nname = 'x'\nversion = '1'\nclassifiers = ['No :: Such']\n", ""),
        ("pyproject.toml", "[project]\nname = '{{ cookiecutter.name }}'\n", ""),
        ("pyproject.toml", "[tool.setuptools.packages.find]\nwheres = ['src']\n", "must be valid exactly by one"),
        ("pyproject.toml", f"{RUFF}{LINT}selct = ['E']\n", "knows no 'selct' (should it be 'select'?)"),
        ("pyproject.toml", f"{RUFF}{LINT}select = ['E', 'NEW1']\ncharm = true\n", ""),  # a newer ruff may know them
        ("pyproject.toml", "[tool.black]\nline-length = 'a'\n", "$['line-length']: 'a' is not of type 'integer'"),
        ("pyrightconfig.json", '{\n  // "a"\n  "include": "b",\n}\n', "$.include: 'b' is not of type 'array'"),
        ("tsconfig.json", '{\n  /* "a//" */ "files": ["b//c"], // d\n}\n', ""),
        ("tsconfig.json", '{\n  "files": ["a",, ]\n}\n', "Expecting value"),
        ("setup.cfg", "[flake8]\nmax-line-length = 100\n  more\nexclude\n", ""),
        ("tox.ini", "envlist = py311\n", "no section headers"),
        ("data/x.json", "{,}\n", "Expecting property name"),
        ("chart/templates/a.yaml", "{{- if .Values.on }}\na: b\n{{- end }}\n", ""),
        ("notes.md", "anything\n", ""),
        (".gitlab-ci.yml", f"a: &a [1]\nb: [{', '.join(['*a'] * 60)}]\n", "more than 50 aliases"),
    ],
)  # fmt: skip
def test_what_reads_a_file_of_settings_says(path: str, text: str, told: str) -> None:
    problems = problems_of(path, text)
    assert told in "\n".join(problems) if told else problems == []


def test_faults_are_put_where_code_is_called_and_not_just_defined() -> None:
    text = "def f(x, y=1):\n    return x + y\n\n\ndef g(x):\n    if x > 0:\n        return 1\n    return x\n"
    assert list(faults_in("a.py", text, {1, 5})) == []
    told = [fault.told for fault in faults_in("a.py", text, {1, 5, 6, 8})]
    assert "a.py:6 `if x > 0:` becomes `if x >= 0:`" in told
    assert all(place.startswith(("a.py:5 ", "a.py:6 ", "a.py:8 ")) for place in told)


def test_pictures_of_pages_are_kept_for_a_time(tmp_path: Path) -> None:
    page = Page(address="http://127.0.0.1/", status=200)
    seen = Pages(pages=[page, page], pictures=[b"", b"a picture"])
    assert keep_pictures(tmp_path, "t-1", seen) == [None, tmp_path / "evidence/t-1/page-2.png"]
    assert keep_pictures(tmp_path, "t-1", Pages(pages=[page], pictures=[b"another"]))[0]
    assert [file.read_bytes() for file in tmp_path.rglob("*.png")] == [b"another"]
    keep_pictures(tmp_path, "t-2", seen)
    soon = utc_now() + timedelta(seconds=10)
    assert forget_pictures(tmp_path, utc_now() - timedelta(days=1), []) == 0
    assert forget_pictures(tmp_path, soon, ["t-2"]) == 1
    assert [file.parent.name for file in tmp_path.rglob("*.png")] == ["t-2"]


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        (".gitlab-ci.yml", f"a: {'[' * 100_000}", "nested too deeply"),
        ("pyproject.toml", f"[tool.black]\nline-length = {'9' * 5000}\n", "4300 digits"),
        ("tsconfig.json", f"[{'9' * 5000}]", "4300 digits"),
        ("compose.yaml", "a: 1\n" * 100_000, ""),
    ],
)
def test_hostile_files_of_settings_take_no_time(path: str, text: str, told: str) -> None:
    begun = time.process_time()
    assert re.search(told, "\n".join(problems_of(path, text)))
    assert time.process_time() - begun < 5
