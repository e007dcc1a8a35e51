"""What the documents name is there: files of the repository, and tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "bench" / "NOTES.md"])
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"([a-z_]+/[\w./-]+\.[a-z]+)(?:::.*)?")
_TEST = re.compile(r"(test_\w+)(…?)")
_SETTINGS = {"test_command", "test_paths"}


def quoted(document: Path) -> list[str]:
    return _QUOTED.findall(_FENCED.sub("", document.read_text()))


def named_files(document: Path) -> list[str]:
    """Paths from the root, of files that stand in one of its folders."""
    found = [match[1] for text in quoted(document) if (match := _FILE.fullmatch(text))]
    return [name for name in found if (ROOT / name.partition("/")[0]).is_dir()]


def named_tests(document: Path) -> list[tuple[str, bool]]:
    """Names of tests and test files, and whether only the beginning is given (`test_so_…`)."""
    found = [(name, bool(cut)) for text in quoted(document) for name, cut in _TEST.findall(text)]
    return [(name, cut) for name, cut in found if name not in _SETTINGS]


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_files_that_a_document_names_exist(document: Path) -> None:
    assert [name for name in named_files(document) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_tests_that_a_document_names_exist(document: Path) -> None:
    sources = list((ROOT / "tests").rglob("test_*.py"))
    there = {name for path in sources for name in re.findall(r"def (test_\w+)", path.read_text())}
    there |= {path.stem for path in sources}
    missing = [
        name
        for name, cut in named_tests(document)
        if name not in there and not (cut and any(known.startswith(name) for known in there))
    ]
    assert missing == []


def test_the_documents_are_read_at_all() -> None:
    assert sum(len(named_files(document)) for document in DOCUMENTS) > 30
    assert sum(len(named_tests(document)) for document in DOCUMENTS) > 90
