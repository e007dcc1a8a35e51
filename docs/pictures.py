"""The pictures of the control room in `docs/images/`: `python -m docs.pictures` makes them anew.

A real daemon works on a real repository while chromium looks at its pages; only the model is one that answers from a
script, so that every picture shows the same story.
"""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import gettempdir
from typing import Literal

from playwright.sync_api import Browser

from memory import Person, Role, TaskStatus, utc_now
from owner import actions
from owner.way_in import announced
from tests.api.browser import browsing, link_to
from tests.orchestrator.house import House, git, make_repository
from tests.orchestrator.scripts import Held, team
from tests.support import Answer, Request, ScriptedModelServer

IMAGES = Path(__file__).with_name("images")
_DESK, _PHONE = (1280, 800), (390, 844)
_FILES = {
    "README.md": "# Pocket money\n\nWhat a small shop needs to reckon with.\n",
    "pocket/__init__.py": "",
    "pocket/money.py": '"""Sums of money, in cents."""\n\n\ndef euros(cents: int) -> str:\n'
    '    """`cents` as people write them."""\n    return f"{cents / 100:.2f} €"\n',
    "tests/test_money.py": "from pocket.money import euros\n\n\n"
    'def test_euros() -> None:\n    assert euros(250) == "2.50 €"\n',
}
_SPLIT = (
    "Add `split(cents: int, people: int) -> list[int]` to pocket/money.py. It shares a bill so that nobody pays more "
    "than one cent more than another, the first ones first.\n\n"
    "- `split(1000, 3)` returns `[334, 333, 333]`.\n"
    "- `split(10, 2)` returns `[5, 5]`.\n"
    "- `split(1, 0)` raises `ValueError`."
)
_TASKS = {
    "split": ("Share a bill fairly", _SPLIT),
    "slug": (
        "Turn names of products into addresses",
        "Add `slug(name: str) -> str` to pocket/text.py. `slug('Green Tea')` returns `'green-tea'`, and "
        "`slug('  Oat   Milk ')` returns `'oat-milk'`.",
    ),
    "discount": (
        "Discounts for regular customers",
        "Add `discount(cents: int, visits: int) -> int` to pocket/discount.py. `discount(1000, 10)` returns `900`.",
    ),
    "wrap": (
        "Receipts that fit the printer",
        "Add `wrap(text: str, width: int) -> list[str]` to pocket/receipt.py. `wrap('one two', 4)` returns "
        "`['one', 'two']`.",
    ),
    "parse": (
        "Read prices from the supplier's list",
        "Add `cents(text: str) -> int` to pocket/supplier.py. `cents('2.50')` returns `250`.",
    ),
    "vat": (
        "Show the tax on every receipt",
        "Add `vat(cents: int) -> int` to pocket/tax.py. `vat(1190)` returns `190`.",
    ),
}  # fmt: skip
_MONEY = _FILES["pocket/money.py"]
_WRONG_SPLIT = f'''### pocket/money.py
```python
{_MONEY}

def split(cents: int, people: int) -> list[int]:
    """Shares of a bill, the first ones first."""
    if people < 1:
        raise ValueError(f"nobody can pay: {{people}}")
    return [cents // people] * people
```
'''
_SPLIT_CODE = _WRONG_SPLIT.replace(
    "    return [cents // people] * people",
    "    share, left = divmod(cents, people)\n    return [share + 1] * left + [share] * (people - left)",
)
_SLUG = '''### pocket/text.py
```python
"""Words of the shop."""


def slug(name: str) -> str:
    """`name` as a part of an address."""
    return "-".join(name.lower().split())
```
'''
_DISCOUNT = '''### pocket/discount.py
```python
"""Discounts."""


def discount(cents: int, visits: int) -> int:
    """What a customer pays who has been here so often."""
    return cents - visits
```
'''
_ASKED = (
    "How much off is it per visit, and is there a most? One example does not say: it may be 1 % for each visit, or "
    "10 % from the tenth on."
)


def _code(request: Request) -> Answer:
    said = "\n".join(message.text for message in request.messages)
    if "def slug" in said or "slug(name" in said:
        return _SLUG
    if "discount(cents" in said:
        return _DISCOUNT
    return (
        _SPLIT_CODE if "[333, 333, 333]" in said or "334 != 333" in said or len(request.messages) > 1 else _WRONG_SPLIT
    )


def main(folder: Path = IMAGES) -> None:
    """Make all of them in `folder`."""
    with ExitStack() as stack:
        place = Path(gettempdir(), "shop")  # its name is in the pictures
        place.mkdir(mode=0o711)
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        script = Held(team(code=_code, escalations=[{"action": "give_up", "reason": _ASKED}]))
        server = stack.enter_context(ScriptedModelServer(script))
        repository = make_repository(place / "pocket-money", _FILES)
        git(repository, "rm", "-q", "calc.py", "tests/test_calc.py")
        git(repository, "commit", "-q", "-m", "A small shop")
        settings: dict[str, dict[str, object]] = {
            "api": {"enabled": True}, "git": {"auto_commit": False}, "budget": {"day_tokens": 200_000},
            "orchestrator": {"max_approaches": 1},
            "llm": {"model": "scripted", "timeout": 600, "prices": {"scripted": {"input": 1.1, "output": 4.4}}},
        }  # fmt: skip
        house = House(place, repository, server.url, place / "data", settings)
        stack.enter_context(house.daemon())
        browser = stack.enter_context(browsing())
        _work(house, script)
        _look(browser, house, folder)
        script.release()


def _work(house: House, script: Held) -> None:
    """A change that landed at the second try, one that waits for approval, a question, and work going on."""
    ids = dict.fromkeys(_TASKS, "")

    def submit(name: str, priority: int = 5) -> str:
        title, words = _TASKS[name]
        ids[name] = house.submit(words, title, priority=priority)
        return ids[name]

    house.wait_for(submit("split"), TaskStatus.WAITING_APPROVAL)
    with house.store() as store:
        actions.approve(store, store.tasks.get(ids["split"]))
    house.wait_for(ids["split"], TaskStatus.COMPLETED)
    house.wait_for(submit("slug"), TaskStatus.WAITING_APPROVAL)
    house.wait_for(submit("discount"), TaskStatus.BLOCKED)
    script.hold("code")
    submit("wrap", 3)
    house.wait(lambda store: store.budgets.calls_in_flight())
    submit("parse")
    submit("vat", 7)
    with house.store() as store:
        store.people.add(Person(name="ada", role=Role.OPERATOR, created_at=utc_now()))
        store.people.add(Person(name="vera", role=Role.VIEWER, created_at=utc_now()))


def _look(browser: Browser, house: House, folder: Path) -> None:
    first = browser.new_context()
    page = first.new_page()
    page.goto(link_to(house))
    page.get_by_role("heading", name="Inbox").wait_for()
    state, address = first.storage_state(), announced(house.paths.state)
    with house.store() as store:
        ids = {task.title: task.id for task in store.tasks.select()}
    landed = ids[_TASKS["split"][0]]
    paths = {
        "inbox": "/", "now": "/now", "tasks": "/tasks", "task": f"/tasks/{landed}", "activity": "/activity",
        "costs": "/costs", "team": "/team", "decisions": "/decisions", "repository": "/repository",
        "people": "/people", "settings": "/settings?edit=budget.day_tokens", "diff": f"/tasks/{landed}/diff",
        "new": "/tasks/new",
    }  # fmt: skip
    views: tuple[tuple[str, tuple[int, int], Literal["light", "dark"], tuple[str, ...]], ...] = (
        ("control", _DESK, "light", (*paths,)), ("dark", _DESK, "dark", ("task",)),
        ("phone", _PHONE, "light", ("inbox", "task")),
    )  # fmt: skip
    for prefix, size, scheme, names in views:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            storage_state=state,
            device_scale_factor=1 if prefix != "phone" else 2,
        )
        each = context.new_page()
        for name in names:
            each.goto(address + paths[name])
            if name == "task":
                each.get_by_role("region", name="pocket/money.py").wait_for()
            each.wait_for_timeout(300)  # what scripts draw, such as the chart
            each.screenshot(path=folder / f"{prefix}-{name}.png", full_page=prefix != "phone")
        if prefix != "control":
            continue
        each.goto(address + paths["task"])
        each.get_by_role("link", name=re.compile("Why is line .* of pocket.money.py")).last.click()
        each.get_by_role("heading", name="Why is this line here?").wait_for()
        each.screenshot(path=folder / f"{prefix}-why.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
