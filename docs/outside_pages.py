"""Brings pages from outside of `docs/` into the site, a hook of MkDocs; links in them are those of the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "bench/NOTES.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add them at the place that they have in the repository, with `docs/` as the root of the site."""
    for name in OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Links between them and `docs/`, as they are in the site."""
    if page.file.src_uri in OUTSIDE:
        return markdown.replace("](docs/", "](").replace("](../docs/", "](../")
    return markdown.replace("](../", "](")
