"""The proof of a web page: it is served in the sandbox and asked for; a picture of it is kept for the owner."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs.proof import Work, holds, not_checked
from testing import Pages

_PAGE, _TEMPLATES = (".html", ".htm"), ("{{", "{%", "<%", "<?php")
_PORT = 8017
_MOST_PAGES = 3
_NO_BROWSER = "no picture was taken: this machine has no browser; install chromium for one (apt-get install chromium)"


class PagesAreSeen:
    """The page that QA names, or else changed pages that need no program, are served and looked at.

    QA's tests decide whether a page is right. A picture is evidence for the owner, and holds up nothing.
    """

    name = "page"

    def applies(self, work: Work) -> bool:
        return work.state.kind != TaskKind.TESTS and bool(work.state.page or _plain_pages(work))

    def examine(self, work: Work) -> ProofOutcome:
        if page := work.state.page:
            command, addresses = page.command, [page.address]
        else:
            command = f"python3 -m http.server {_PORT} --bind 127.0.0.1"
            addresses = [f"http://127.0.0.1:{_PORT}/{quote(path)}" for path in _plain_pages(work)[:_MOST_PAGES]]
        seen = work.suite.look_at_pages(work.after, command, addresses, work.label)
        if not seen.pages:
            return not_checked(self.name, f"it cannot be looked at with `{command}`: {seen.problem}")
        files = keep_pictures(work.ctx.services.paths.state, work.ctx.task.id, seen)
        told = [
            f"{each.address} answers {each.status}"
            + (f" with the title {each.title!r}" if each.title else "")
            + (f", picture in {file}" if file else "")
            for each, file in zip(seen.pages, files, strict=True)
        ]
        if not any(files):
            told.append("the browser took no picture" if seen.browser else _NO_BROWSER)
        if seen.problem:
            told.append(seen.problem)
        return holds(self.name, "; ".join(told))


def _plain_pages(work: Work) -> list[str]:
    """Changed pages that a browser shows as they are."""
    pages = {path: text for path, text in work.new_texts.items() if path.endswith(_PAGE) and text}
    return [path for path, text in pages.items() if not any(mark in text for mark in _TEMPLATES)]


def keep_pictures(state: Path, task_id: str, seen: Pages) -> list[Path | None]:
    """Write the pictures of a task's pages below the state folder, over those of an earlier attempt; where each is."""
    folder = _evidence(state) / task_id
    shutil.rmtree(folder, ignore_errors=True)
    files: list[Path | None] = []
    for number, picture in enumerate(seen.pictures, 1):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / f"page-{number}.png"
        if picture:
            file.write_bytes(picture)
        files.append(file if picture else None)
    return files


def forget_pictures(state: Path, before: datetime, kept: Collection[str]) -> int:
    """Delete pictures older than `before`, but for those of the tasks `kept`; of how many tasks."""
    folders = [folder for folder in _evidence(state).glob("*") if folder.name not in kept]
    old = [folder for folder in folders if folder.stat().st_mtime < before.timestamp()]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return len(old)


def _evidence(state: Path) -> Path:
    return state / "evidence"
