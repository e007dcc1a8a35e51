"""Proofs of documentation: links, examples, the project's own linters and type checkers, and the build of its docs."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from file_system import FileManager, readable_text
from file_system.syntax import is_javascript
from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs.proof import Work, holds, lacks, listed, not_checked
from testing import CHECKERS, Checked

_KINDS = (TaskKind.DOCUMENTATION, TaskKind.CHORE)
_TEXTS = (".md", ".markdown", ".rst", ".txt", ".adoc")
_MOST_FILES = 500
_MOST_CHARACTERS = 500_000
_MOST_TOLD = 6


def _is_documentation(path: str) -> bool:
    return path.endswith((*_TEXTS, ".py", ".pyi")) or is_javascript(path) or path.startswith(("docs/", "doc/"))


class LinksHold:
    """What Markdown and reStructuredText of the repository link to in it is there, as far as it was."""

    name = "links"

    def applies(self, work: Work) -> bool:
        return work.state.kind in _KINDS and any(
            path.endswith(_TEXTS) or path.startswith(("docs/", "doc/")) for path in work.paths
        )

    def examine(self, work: Work) -> ProofOutcome:
        with work.ctx.bench.exported(work.before) as before, work.ctx.bench.exported(work.after) as after:
            broken, (now, number) = broken_links(before)[0], broken_links(after)
        new = sorted((Counter(now) - Counter(broken)).elements())
        if new:
            return lacks(self.name, f"these links lead nowhere: {listed(new)}")
        return holds(self.name, f"{number} links within the repository, none newly broken")


class ExamplesHold:
    """The examples (doctests) of changed files give what they say, as far as they did."""

    name = "examples"

    def applies(self, work: Work) -> bool:
        return work.state.kind in _KINDS and any(path.endswith((".py", *_TEXTS)) for path in work.paths)

    def examine(self, work: Work) -> ProofOutcome:
        paths = [path for path, text in work.new_texts.items() if ">>> " in text and path.endswith((".py", *_TEXTS))]
        if not paths:
            return holds(self.name, "the changed files have no doctests")
        if not work.ctx.bench.is_python(work.after):
            return not_checked(self.name, "doctests are run in Python projects only")
        now = work.suite.examples(work.after, paths, work.label)
        if not (now.failures or now.unread):
            return holds(self.name, f"{now.tried} examples in {listed(paths)}")
        before = work.suite.examples(work.before, paths, work.label)
        new = sorted((Counter([*now.failures, *now.unread]) - Counter([*before.failures, *before.unread])).elements())
        if new and all("NameError" in failure for failure in new):
            return not_checked(self.name, f"these lean on names that their file does not define: {listed(new)}")
        if new:
            return lacks(self.name, f"these examples do not hold: {'; '.join(new[:_MOST_TOLD])}")
        return holds(self.name, f"{now.tried} examples in {listed(paths)}; those that fail failed before the work, too")


class CheckersSayNothingNew:
    """The project's own checkers find nothing that they did not find before."""

    def __init__(self, name: str, *finds: Literal["lint", "types", "documents"]) -> None:
        self.name = name
        self._finds = finds

    def applies(self, work: Work) -> bool:
        return work.state.kind in _KINDS and any(map(_is_documentation, work.paths))

    def examine(self, work: Work) -> ProofOutcome:
        checkers = [checker.name for checker in CHECKERS.values() if checker.finds in self._finds]
        said: list[str] = []
        skipped: list[str] = []
        new: list[str] = []
        for checker in checkers:
            after = work.suite.check(work.after, checker, work.label)
            if after is None:
                continue
            before = work.suite.check(work.before, checker, work.label) or Checked()
            if after.problem and before.problem:
                skipped.append(before.problem)
                continue
            said.append(f"{checker} ({len(after.findings)} findings, {len(before.findings)} before)")
            new += [f"{checker}: {after.problem}"] if after.problem else _new_findings(checker, before, after)
        if new:
            return lacks(self.name, f"these were not said before the work: {'; '.join(new[:_MOST_TOLD])}")
        if said:
            return holds(self.name, listed([*said, *skipped]))
        none = f"the project configures none of {listed(checkers)} that its environment has"
        return not_checked(self.name, "; ".join(skipped) or none)


def _new_findings(checker: str, before: Checked, after: Checked) -> list[str]:
    """What is said now and was not before, wherever it stands: lines move."""
    known = Counter((found.path, found.rule, found.message) for found in before.findings)
    told = []
    for found in after.findings:
        key = (found.path, found.rule, found.message)
        known[key] -= 1
        if known[key] < 0:
            place = f"{found.path}:{found.line}: " if found.path else ""
            told.append(f"{checker}: {place}{found.rule} {found.message}")
    return told


# -- links -----------------------------------------------------------------------------------------------------------

_ELSEWHERE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//|/|.*[{}<>$*]")
"""What begins like this is on another site, or its root is not known, or it is a template."""
_ANCHOR = re.compile(r"""<[^>]*\b(?:id|name)\s*=\s*["']?([^"'\s>]+)""")
_OWN_ANCHOR = re.compile(r"\s*\{[^}]*#([\w-]+)[^}]*\}\s*$")
_RST_LINKS = (
    re.compile(r"`[^`<]*<([^`>]+)>`__?(?!_)"),
    re.compile(r"^\s*\.\. (?:image|figure|include|literalinclude):: (\S+)", re.MULTILINE),
    re.compile(r"^\s*\.\. _[^:\n]+: (\S+)$", re.MULTILINE),
)


def broken_links(root: Path) -> tuple[list[str], int]:
    """The relative links of the Markdown and reStructuredText below `root` that lead nowhere, a line each, and how many
    there are in all."""
    files = FileManager(root)
    found = [path.as_posix() for pattern in ("*.md", "*.markdown", "*.rst") for path in files.find_files(pattern)]
    texts = {path: readable_text(files, path)[:_MOST_CHARACTERS] for path in sorted(found)[:_MOST_FILES]}
    anchors: dict[str, set[str]] = {}
    broken: list[str] = []
    number = 0
    for path, text in texts.items():
        for link in _links(path, text):
            if _ELSEWHERE.match(link):
                continue
            number += 1
            name, _, anchor = link.partition("#")
            target = _target(root, path, unquote(name.partition("?")[0]))
            if target is None:
                continue
            if not target:
                broken.append(f"{path}: {link}")
            elif anchor and target.endswith((".md", ".markdown")) and target in texts:
                known = anchors.setdefault(target, set(_anchors(texts[target])))
                if unquote(anchor).lower() not in known:
                    broken.append(f"{path}: {link} (no such heading)")
    return broken, number


def _links(path: str, text: str) -> Iterator[str]:
    if path.endswith(".rst"):
        for pattern in _RST_LINKS:
            for link in pattern.findall(text):
                if re.search(r"[./]", link) and not link.endswith("_"):
                    yield link
        return
    for token in _tokens(text):
        link = token.attrGet("href") if token.type == "link_open" else token.attrGet("src")
        if token.type in ("link_open", "image") and link:
            yield str(link)


def _tokens(text: str) -> Iterator[Token]:
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        yield block
        yield from block.children or ()


def _target(root: Path, path: str, name: str) -> str | None:
    """The file or folder that a link of the file at `path` leads to; empty if there is none, None if it is outside."""
    if not name:
        return path
    place = os.path.normpath(PurePosixPath(path).parent / name)
    if place.startswith(".."):
        return None
    stem = place.removesuffix(".html").removesuffix("/")
    tries = (place, *(f"{stem}{end}" for end in (".md", ".rst", "/index.md", "/README.md", "/index.rst")))
    return next((each for each in tries if os.path.lexists(root / each)), "")


def _anchors(text: str) -> Iterator[str]:
    """What can be linked to in a Markdown text: its headings as GitHub and MkDocs name them, and HTML anchors."""
    seen: Counter[str] = Counter()
    in_heading = False
    for token in _tokens(text):
        if token.type in ("heading_open", "heading_close"):
            in_heading = token.type == "heading_open"
        if token.type in ("html_inline", "html_block"):
            yield from (name.lower() for name in _ANCHOR.findall(token.content))
        if in_heading and token.type == "inline":
            if own := _OWN_ANCHOR.search(token.content):
                yield own[1].lower()
            words = "".join(child.content for child in token.children or () if child.type != "html_inline")
            slug = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
            count = seen[slug]
            seen[slug] += 1
            for name in (slug, re.sub(r"-+", "-", slug)):
                yield f"{name}-{count}" if count else name
                yield f"{name}_{count}" if count else name
