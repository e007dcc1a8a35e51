"""The documentation as a site: its pages of reference are current, its links lead somewhere, it needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from docs.reference import FOLDER, PAGES
from orchestrator.coding.proofs.documents import broken_links

ROOT = Path(__file__).parents[2]
_LOADED = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""")

_CODE = re.compile(r"<(pre|code)\b.*?</\1>", re.DOTALL)
_UNREAD = re.compile(r"^ *(?:[-*|] |\d+\. |```|#+ ).*", re.MULTILINE)
"""Markdown that was not taken for a list, table, block or heading: nested lists need four blanks before them."""


@pytest.mark.parametrize(("page", "made"), PAGES.items(), ids=PAGES)
def test_the_reference_is_current(page: str, made: Callable[[], str]) -> None:
    assert (FOLDER / page).read_text(encoding="utf-8") == made(), "run: make docs"


def test_every_link_within_the_repository_leads_somewhere() -> None:
    broken, number = broken_links(ROOT)
    assert broken == []
    assert number > 40


def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    site = tmp_path / "site"
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(site)]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    pages = list(site.rglob("*.html"))
    assert {page.stem for page in pages} >= {"index", "QUICKSTART", "CONFIGURATION", "COMMANDS", "CHANGELOG", "NOTES"}
    texts = {page.name: page.read_text(encoding="utf-8") for page in pages}
    assert {name: found for name, text in texts.items() if (found := _LOADED.findall(text))} == {}
    shown = {name: _CODE.sub("", text[text.find("<article") : text.find("</article>")]) for name, text in texts.items()}
    assert {name: found for name, text in shown.items() if (found := _UNREAD.findall(text))} == {}
