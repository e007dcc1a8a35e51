"""Debian's chromium, driven by Playwright: pages at a desk and on a phone, and what goes wrong on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from owner.way_in import announced, make_link
from tests.orchestrator.house import House, eventually

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="NO BROWSER: the pages were not tried; apt-get install chromium"
)
_BEYOND = """[...document.querySelectorAll("body *")]
  .filter(each => each.getBoundingClientRect().right > innerWidth && !each.closest(".scroll"))
  .map(each => each.outerHTML.slice(0, 120)).slice(-3)"""
"""What stands beyond the right edge of the window."""
SIZES = {"desk": (1280, 800), "phone": (360, 740)}


class Seen:
    """A page of the browser, and what went wrong on it."""

    def __init__(self, page: Page, problems: list[str]) -> None:
        self.page, self.problems = page, problems
        page.on("console", self._told)
        page.on("pageerror", lambda error: self._wrong(str(error)))
        page.on("dialog", self._asked)

    def _told(self, told: ConsoleMessage) -> None:
        if told.type in ("error", "warning"):
            self._wrong(told.text)

    def _asked(self, dialog: Dialog) -> None:
        self._wrong("a script ran")
        dialog.dismiss()

    def _wrong(self, problem: str) -> None:
        self.problems.append(f"{self.page.url}: {problem}")

    def look_over(self, place: str) -> None:
        """Nothing serious for people with a screen reader, and nothing wider than the window."""
        self.page.evaluate(AXE)
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        self.problems += [f"{place}: {each['id']}: {each['nodes'][0]['html'][:300]}" for each in serious]
        wide = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        if wide[0] > wide[1]:
            beyond = self.page.evaluate(_BEYOND)
            self.problems.append(f"{place}: {wide[0]} pixels wide, of {wide[1]}: {beyond}")


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def link_to(house: House) -> str:
    """A link that signs the owner in, as soon as the daemon serves the control room."""
    eventually(lambda: announced(house.paths.state), "the control room is open")
    with house.store() as store:
        return make_link(store, announced(house.paths.state))
