"""The pages in a real browser, Debian's chromium, while a daemon works: at a desk and on a phone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright

from memory import TaskStatus
from owner.way_in import announced, make_link
from tests.api.conftest import PAGES
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import BAD_ADD, GOOD_ADD, House, eventually, team
from tests.support import Answer, Request

__all__ = ["make_house"]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.long,
    pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER: the pages were not tried; apt-get install chromium"),
]
SIZES = {"desk": (1280, 800), "phone": (360, 740)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WORDS = "Sum the two numbers, please."
HOSTILE = "Add add <img src=x onerror=alert(1)>"
LONG = 240_000
"""Milliseconds in which a task lands, on a busy machine."""


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
            self.problems.append(f"{place}: {wide[0]} pixels wide, of {wide[1]}")


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def link_to(house: House) -> str:
    eventually(lambda: announced(house.paths.state), "the control room is open")
    with house.store() as store:
        return make_link(store, announced(house.paths.state))


def test_an_owner_answers_a_blocked_task_and_sees_it_land(make_house: MakeHouse) -> None:
    def code(request: Request) -> Answer:
        return GOOD_ADD if WORDS in request.prompt else BAD_ADD

    house, _ = make_house(team(code=code), api={"enabled": True})
    task_id, problems = house.submit(title=HOSTILE), list[str]()
    with house.daemon(), browsing() as browser:
        house.wait_for(task_id, TaskStatus.BLOCKED)
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        seen = Seen(context.new_page(), problems)
        page = seen.page
        page.goto(link_to(house))
        expect(page).to_have_title("(1) Inbox · Control room")
        expect(page.get_by_role("heading", name=HOSTILE)).to_be_visible()
        page.get_by_label("Your words to the team").fill(WORDS)
        page.evaluate(
            "swapped = new Promise(done => addEventListener('htmx:after:swap', () => done(true), {once: true})); 0"
        )
        with house.store() as store, page.expect_response(lambda answer: "part=live" in answer.url):
            store.journal.log("qa", "something happened", task_id)
        assert page.evaluate("swapped")
        expect(page.get_by_label("Your words to the team")).to_have_value(WORDS)  # news does not take it away
        page.get_by_role("button", name="Answer and go on").click()
        expect(page.get_by_text("Your word is with the daemon")).to_be_visible()
        page.goto(page.url.split("?")[0] + f"tasks/{task_id}")
        expect(page.locator("main .head .chip")).to_have_text("completed", timeout=LONG)  # live, without a reload
        expect(page).to_have_title(f"{HOSTILE} · Control room")
        expect(page.get_by_text("The owner answers").or_(page.get_by_text("The owner adds"))).to_be_visible()

        page.reload()
        page.get_by_role("link", name="Why is line 10 of calc.py here?").click()
        panel = page.get_by_role("complementary", name="Details")
        expect(panel.get_by_role("heading", name="Why is this line here?")).to_be_visible()
        expect(panel).to_contain_text("`add(1, 2)` returns `3`")
        expect(panel).to_contain_text("passed")
        panel.get_by_role("link", name="read what was asked and answered").click()
        expect(panel).to_contain_text(WORDS)
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()

        page.keyboard.press("g")
        page.keyboard.press("i")
        expect(page.get_by_text("Nothing waits for you.")).to_be_visible()
        state = context.storage_state()
        address = page.url.rstrip("/")
        for name, (width, height) in SIZES.items():
            for scheme in SCHEMES:
                each = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, storage_state=state
                )
                looked = Seen(each.new_page(), problems)
                for path in (*PAGES, f"/tasks/{task_id}", f"/tasks/{task_id}/diff"):
                    looked.page.goto(address + path)
                    if path == f"/tasks/{task_id}":
                        expect(looked.page.get_by_role("region", name="calc.py", exact=True)).to_be_visible()
                    looked.look_over(f"{path} ({name}, {scheme})")
                each.close()
    assert not problems, "\n".join(problems)
