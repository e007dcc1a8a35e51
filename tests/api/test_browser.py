"""The pages in a real browser, Debian's chromium, while a daemon works: at a desk and on a phone."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import expect

from memory import TaskStatus
from tests.api.browser import SIZES, Seen, browsing, link_to, needs_browser
from tests.api.conftest import PAGES
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import git
from tests.orchestrator.scripts import BAD_ADD, GOOD_ADD, team
from tests.support import Answer, Request

__all__ = ["make_house"]

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.long,
    needs_browser,
]
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WORDS = "Sum the two numbers, please."
HOSTILE = "Add add <img src=x onerror=alert(1)>"
LONG = 240_000
"""Milliseconds in which a task lands, on a busy machine."""


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
        expect(page.get_by_role("article", name="1 landed task waits to be merged into main")).to_be_visible()
        git(house.repository, "merge", "-q", "agents/integration")
        page.reload()
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
