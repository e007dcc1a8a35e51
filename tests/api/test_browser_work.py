"""What people do to a daemon at work in a real browser, Debian's chromium: at a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from api.access import hash_of
from memory import Person, Role, TaskStatus, utc_now
from owner.way_in import announced
from tests.api.browser import SIZES, Seen, browsing, link_to, needs_browser
from tests.orchestrator.house import House, eventually, make_repository
from tests.orchestrator.scripts import CALC, Held, team
from tests.support import Answer, Request, ScriptedModelServer

pytestmark = [pytest.mark.timeout(600), pytest.mark.long, needs_browser]
PASSWORD = "correct horse battery"
PEOPLE = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "ada": Role.ADMIN}
LONG = 240_000
"""Milliseconds in which a task lands, on a busy machine that makes the environment of the tests first."""
WORDS = "Plus, not minus."


@dataclass
class Place:
    """A daemon at work, the script of its model, and a browser."""

    house: House
    script: Held
    browser: Browser
    owner: StorageState
    """The cookies of the owner's session."""

    @property
    def address(self) -> str:
        return announced(self.house.paths.state)

    @contextmanager
    def seen(self, size: str, *, owner: bool = True) -> Iterator[Seen]:
        """A window of this size, in which nothing may go wrong."""
        width, height = SIZES[size]
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            base_url=self.address,
            storage_state=self.owner if owner else None,
        )
        seen = Seen(context.new_page(), problems := list[str]())
        try:
            yield seen
        finally:
            context.close()
        assert not problems, "\n".join(problems)

    def told(self, activity: str, **details: object) -> bool:
        """Whether the audit trail has such a line."""
        with self.house.store() as store:
            return any(
                line.activity == activity and details.items() <= line.details.items()
                for line in store.journal.latest(200)
            )


def _code(request: Request) -> Answer:
    """The module that the task names; right only when the owner has said how, where it asks."""
    said = "\n".join(message.text for message in request.messages)
    name = re.findall(r"`(\w+)\(1, 2\)` returns", said)[-1]
    sign = "-" if name.startswith("asks") and WORDS not in said else "+"
    code = f'"""A sum."""\n\n\ndef {name}(a: int, b: int) -> int:\n    """Both."""\n    return a {sign} b\n'
    return f"### {name}.py\n```python\n{code}```\n"


def words_for(name: str) -> str:
    return f"Add `{name}(a: int, b: int) -> int` to {name}.py. `{name}(1, 2)` returns `3`."


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("room")
    with ExitStack() as stack:
        script = Held(team(code=_code))
        server = stack.enter_context(ScriptedModelServer(script))
        once: dict[str, object] = {
            "max_task_attempts": 1,
            "max_approaches": 1,
            "check_interval": 1,
            "shutdown_grace": 1,
        }
        house = House(
            folder,
            make_repository(folder / "repository", {"calc.py": CALC}),
            server.url,
            shared_data,
            {"api": {"enabled": True}, "orchestrator": once, "llm": {"timeout": 250}},
        )
        text = house.config.read_text("utf-8")
        house.config.write_text(f"# how we work\n{text}budget:\n  day_tokens: 900000  # enough for us\n", "utf-8")
        with house.store() as store:
            for name, role in PEOPLE.items():
                person = Person(name=name, role=role, password=hash_of(PASSWORD), created_at=utc_now())
                store.people.add(person)
        stack.enter_context(house.daemon())
        browser = stack.enter_context(browsing())
        context = browser.new_context()
        page = context.new_page()
        page.goto(link_to(house))
        expect(page.get_by_role("heading", name="Inbox")).to_be_visible()
        state = context.storage_state()
        context.close()
        yield Place(house, script, browser, state)
        script.release()


@pytest.mark.parametrize("size", SIZES)
def test_a_task_is_given_cancelled_tried_again_and_followed_until_it_lands(place: Place, size: str) -> None:
    name = f"sum_{size}"
    place.script.hold("code")
    with place.seen(size) as seen:
        page = seen.page
        page.goto("/tasks")
        page.get_by_role("link", name="Give the team a task").click()
        page.get_by_label("Title").fill(f"Add {name}")
        page.get_by_label("What is to be done").fill(words_for(name))
        page.get_by_role("button", name="Add it").click()
        chip = page.locator("main .head .chip")
        expect(chip).to_have_text("in progress", timeout=LONG)
        expect(page.locator(".steps .now")).to_contain_text("code", timeout=LONG)
        seen.look_over("a task at work")
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("status").first).to_contain_text("What has landed stays")
        expect(chip).to_have_text("cancelled", timeout=LONG)
        place.script.release()
        again = page.get_by_role("button", name="Try again").first
        expect(again).to_be_visible(timeout=LONG)
        seen.look_over("a cancelled task")
        again.click()
        expect(chip).to_have_text("completed", timeout=LONG)  # live, without a reload
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
        expect(page.get_by_role("region", name=f"{name}.py", exact=True)).to_be_visible(timeout=LONG)
        task_id = page.url.split("?")[0].rpartition("/")[2]
    assert place.told("told the daemon", command="cancel", by="owner", title=f"Add {name}")
    assert place.told("told the daemon", command="retry", by="owner", title=f"Add {name}")
    task = place.house.task(task_id)
    assert (task.status, task.run, bool(task.result["landed_commits"])) == (TaskStatus.COMPLETED, 1, True)


@pytest.mark.parametrize("size", SIZES)
def test_one_task_is_answered_and_another_rejected_with_a_note(place: Place, size: str) -> None:
    names = [f"asks_{size}", f"asks_never_{size}"]
    first, second = [place.house.submit(words_for(name), f"Add {name}") for name in names]
    for task_id in (first, second):
        place.house.wait_for(task_id, TaskStatus.BLOCKED)
    with place.seen(size) as seen:
        page = seen.page
        page.goto("/")
        card = page.get_by_role("article", name=f"Add {names[0]}", exact=True)
        other = page.get_by_role("article", name=f"Add {names[1]}", exact=True)
        expect(card).to_contain_text("Say what add is to do.")
        seen.look_over("the inbox")
        other.get_by_label("Your words to the team").fill("Nobody needs it.")
        other.get_by_role("button", name="Reject").click()
        expect(page.get_by_role("status").first).to_contain_text("It is put aside")
        expect(other).to_be_hidden(timeout=LONG)
        card.get_by_label("Your words to the team").fill(WORDS)
        card.get_by_role("button", name="Answer and go on").click()
        expect(page.get_by_role("status").first).to_contain_text("Your word is with the daemon")
        expect(card).to_be_hidden(timeout=LONG)
    assert place.house.wait_for(first, TaskStatus.COMPLETED).description.endswith(WORDS)
    assert place.house.task(second).status is TaskStatus.CANCELLED
    assert place.told("told the daemon", command="cancel", by="owner", note="Nobody needs it.", title=f"Add {names[1]}")


@pytest.mark.parametrize("size", SIZES)
def test_a_setting_is_edited_and_the_file_keeps_its_comments(place: Place, size: str) -> None:
    limit = 700_000 + len(size)
    with place.seen(size) as seen:
        page = seen.page
        page.goto("/settings")
        page.locator("#section-budget summary").click()
        page.get_by_role("link", name="Edit budget.day_tokens", exact=True).click()
        page.get_by_label("Value").fill("plenty")
        page.get_by_role("button", name="Show what changes").click()
        expect(page.get_by_role("alert")).to_contain_text("It was not changed")
        refused = [each for each in seen.problems if "422" in each]
        assert len(refused) == 1, "what a browser says of an answer with an error is all that it says"
        seen.problems.remove(refused[0])
        page.get_by_label("Value").fill(str(limit))
        page.get_by_role("button", name="Show what changes").click()
        expect(page.locator(".patch .plus")).to_contain_text(f"day_tokens: {limit}")
        assert f"day_tokens: {limit}" not in place.house.config.read_text("utf-8"), "it was only shown"
        seen.look_over("a setting, before it is written")
        page.get_by_role("button", name="Write it").click()
        expect(page.get_by_role("status")).to_contain_text("Saved")
    text = place.house.config.read_text("utf-8")
    assert f"day_tokens: {limit}  # enough for us" in text and text.startswith("# how we work\n")
    assert yaml.safe_load(text)["budget"]["day_tokens"] == limit
    assert place.told("configuration edited", keys="budget.day_tokens", by="owner")


@pytest.fixture(scope="module")
def blocked(place: Place) -> str:
    """A task that waits for somebody's word."""
    task_id = place.house.submit(words_for("asks_not"), "Add something")
    place.house.wait_for(task_id, TaskStatus.BLOCKED)
    return task_id


def _signed_in(page: Page, name: str) -> None:
    page.goto("/")
    expect(page).to_have_title("Sign in · Control room")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Inbox")).to_be_visible()


def _refused(context: BrowserContext, page: Page, path: str, **form: str) -> int:
    """The status of what a page of theirs could send, past the buttons that it has."""
    token = page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    return context.request.post(path, form={"csrf": token, **form}, max_redirects=0).status


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PEOPLE)
def test_each_role_sees_what_it_may_do_and_the_server_refuses_the_rest(
    place: Place, blocked: str, name: str, size: str
) -> None:
    role, task_id = PEOPLE[name], blocked
    with place.seen(size, owner=False) as seen:
        page, context = seen.page, seen.page.context
        _signed_in(page, name)
        answers = ["Answer and go on", "Try again", "Reject"] if role.includes(Role.OPERATOR) else []
        expect(page.locator(f"#item-{task_id}").get_by_role("button")).to_have_text(answers)
        seen.look_over(f"the inbox for the role {role}")
        page.goto(f"/tasks/{task_id}")
        expect(page.locator("section.blocked").get_by_role("button")).to_have_count(len(answers))
        may = {
            "/tasks": ("Give the team a task", Role.OPERATOR),
            "/now": ("Pause the developer", Role.OPERATOR),
            "/settings": ("Edit project.goal", Role.ADMIN),
            "/people": ("Let somebody in", Role.ADMIN),
        }
        for path, (label, needed) in may.items():
            page.goto(path)
            found = page.get_by_role("link", name=label, exact=True).or_(
                page.get_by_role("button", name=label, exact=True)
            )
            expect(found).to_have_count(1 if role.includes(needed) else 0)
        statuses = {
            Role.OPERATOR: [
                _refused(context, page, f"/tasks/{task_id}/dance"),
                _refused(context, page, f"/tasks/{task_id}/change", priority="2"),
                _refused(context, page, "/agents/developer/resume"),
            ],
            Role.ADMIN: [
                _refused(context, page, "/settings", key="budget.day_tokens", value="1", really="yes"),
                _refused(context, page, "/people", name="eve", role="admin"),
                _refused(context, page, "/people/owner/role", role="viewer"),
            ],
        }
        for needed, told in statuses.items():
            assert (set(told) == {403}) is not role.includes(needed), (role, needed, told)
        if role is Role.ADMIN:
            assert _refused(context, page, "/people/eve/remove") == 303
        more = page.locator("#more > summary")
        if size == "phone":
            more.click()
            seen.look_over("the menu of a phone")
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title("Sign in · Control room")
        assert context.request.get("/api/v1/me").status == 401
    eventually(lambda: place.told("signed in", by=name), "the audit trail says who came in", 5)
