"""How fast the control room is with 10,000 tasks and 200,000 lines of activity, while its daemon works.

    python -m bench.api                         a few minutes
    python -m bench.api --seconds 30 --listeners 500

A real daemon works on tasks with real git and the real sandbox; a scripted model server answers after half a second.
Its database was filled before: tasks in all states with attempts, verdicts and model calls. Measured from another
process: single requests, one after the other; 200 a second, each from the moment at which it was due; streams of
events, where every listener has to get every line, and when; the first page with all it loads, in chromium, too, if it
is there.
The exit code is 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil
from pydantic import BaseModel, JsonValue

from bench.endurance import answer_value, end, house_of, submit_value
from memory import AccessKind, MemoryStore, Role, TaskStatus, utc_now
from memory.database.columns import json_text
from memory.database.schema import activity_logs, attempts, audit_chain, model_calls, tasks, verdicts
from memory.tables.audit import link
from monitoring.errors import FailureReason
from owner.way_in import announced, digest_of, make_link
from tests.orchestrator.house import eventually
from tests.orchestrator.scripts import team
from tests.support import ScriptedModelServer, as_reply

AIMS = {
    "p50_ms": 3.0,
    "p99_at_rate_ms": 100.0,
    "delivery_p95_ms": 300.0,
    "page_ms": 200.0,
    "page_bytes": 300_000.0,
    "lost": 0.0,
    "errors": 0.0,
}
_KEY = "aak_" + "b" * 43
_ANSWER_SECONDS = 0.5
_ADDRESSES = (
    "/api/v1/tasks/{task}", "/api/v1/tasks?limit=50", "/api/v1/tasks?status=failed&limit=50", "/api/v1/status",
    "/api/v1/inbox", "/api/v1/agents", "/api/v1/activity", "/api/v1/activity?task={task}",
    "/api/v1/tasks/{task}/thread", "/api/v1/tasks/{task}/attempts", "/api/v1/tasks/{task}/calls", "/api/v1/limits",
    "/api/v1/me",
)  # fmt: skip
_HEAVY = ("/api/v1/usage", "/api/v1/tasks?search=value", "/api/v1/decisions", "/metrics", "/now", "/", "/costs")
"""Asked for one after the other only, and not among those whose median is told."""
_STATES = (
    *[(TaskStatus.COMPLETED, None)] * 90, *[(TaskStatus.FAILED, FailureReason.TESTS_FAILED)] * 4,
    *[(TaskStatus.BLOCKED, FailureReason.NEEDS_OWNER)] * 2, *[(TaskStatus.CANCELLED, None)] * 4,
)  # fmt: skip


class Figures(BaseModel):
    """What was measured; times in milliseconds, `load` is the machine's load average of the last minute."""

    tasks: int
    lines: int
    p50_ms: float
    p95_ms: float
    slowest: dict[str, float]
    """Median of each address."""
    rate: int
    p50_at_rate_ms: float
    p99_at_rate_ms: float
    errors: int
    listeners: int
    written: int
    lost: int
    """Lines that a listener did not get, got twice or out of order."""
    delivery_p50_ms: float
    delivery_p95_ms: float
    page_ms: float
    page_bytes: int
    browser_ms: float | None
    """Until the first page can be used; None without a browser."""
    landed_meanwhile: int
    daemon_mib: int
    load: float

    @property
    def missed(self) -> list[str]:
        """The aims that were not reached."""
        return [
            f"{name}: {getattr(self, name):g}, aim {aim:g}" for name, aim in AIMS.items() if getattr(self, name) > aim
        ]


def fill(store: MemoryStore, number: int, lines: int) -> list[str]:
    """`number` tasks that have ended, with what is recorded of them, and `lines` of activity; their ids."""
    chooser, begin = random.Random(1), utc_now() - timedelta(days=60)
    ids = [f"t-{place:012d}" for place in range(number)]
    rows: dict[str, list[dict[str, object]]] = {"tasks": [], "attempts": [], "verdicts": [], "calls": []}
    for place, task_id in enumerate(ids):
        (status, reason), at = chooser.choice(_STATES), begin + timedelta(minutes=8 * place)
        rows["tasks"].append({
            "id": task_id, "title": f"Set value {place} of part {place % 20}", "description": "It returns it. " * 20,
            "type": "code", "priority": 5, "assigned_agents": [], "status": status, "reason": reason,
            "reason_detail": "1 != 2" if reason else "", "stage": "land", "source": "owner", "run": 0,
            "result": {"landed_commits": ["a" * 40], "pushed": True}, "created_at": at, "updated_at": at,
            "started_at": at, "finished_at": at + timedelta(minutes=4),
        })  # fmt: skip
        common = {"task_id": task_id, "run": 0, "created_at": at}
        rows["attempts"] += [
            common | {"stage": "code", "approach": 1, "number": each, "strategy": "write", "outcome": "passed",
                      "answer_hash": "", "tree": "", "tests_passed": 9, "tests_failed": 0,
                      "evidence": "E   assert 1 == 2\n" * 20, "seconds": 2.0}
            for each in (1, 2)
        ]  # fmt: skip
        rows["verdicts"].append(
            common | {"stage": "review", "agent": "tech_lead", "number": 1, "approved": True, "score": 9.0,
                      "criteria": [], "issues": [], "reasoning": "It does what was asked."}
        )  # fmt: skip
        rows["calls"] += [
            {"workflow_id": task_id, "step": f"{each}", "request_hash": f"{each}", "task_id": task_id, "agent": agent,
             "provider": "openai", "model": "m", "prompt_hash": "", "prompt": "word " * 400, "response": "word " * 100,
             "input_tokens": 900, "output_tokens": 200, "cached_tokens": 0, "cost_usd": 0.01, "cached": False,
             "seconds": 2.0, "outcome": "ok", "created_at": at}
            for each, agent in enumerate(("qa", "developer", "tech_lead"))
        ]  # fmt: skip
    with store._database.write() as connection:
        for table, found in zip((tasks, attempts, verdicts, model_calls), rows.values(), strict=True):
            for first in range(0, len(found), 2_000):
                connection.execute(table.insert(), found[first : first + 2_000])
        previous, written = connection.execute(audit_chain.select()).mappings().one()["head_hash"], []
        for place in range(lines):
            task_id, at = ids[place * number // lines], begin + timedelta(seconds=24 * place)
            details: dict[str, JsonValue] = {"outcome": "passed", "approach": 1, "number": place % 3 + 1}
            previous = link(previous, "developer", "attempt", task_id, json_text(details), at)
            written.append({"agent_name": "developer", "activity": "attempt", "task_id": task_id, "details": details,
                            "timestamp": at, "hash": previous})  # fmt: skip
        for first in range(0, lines, 5_000):
            connection.execute(activity_logs.insert(), written[first : first + 5_000])
        last = connection.execute(activity_logs.select().order_by(activity_logs.c.id.desc()).limit(1)).mappings().one()
        connection.execute(audit_chain.update().values(head_id=last["id"], head_hash=previous))
    return ids


class Client:
    """A connection that is kept: HTTP/1.1 in few lines, so that what is measured is the server."""

    def __init__(self, address: str, **headers: str) -> None:
        place = urlsplit(address)
        self._host, self._port = place.hostname or "", place.port or 80
        self._headers = {"Host": place.netloc, **headers}

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """Status, head and body."""
        status, head = await self.begin(path, form)
        if "content-length" in head:
            return status, head, await self._reader.readexactly(int(head["content-length"]))
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return status, head, body

    async def begin(self, path: str, form: dict[str, str] | None = None) -> tuple[int, dict[str, str]]:
        """Status and head; the body has to be read from `lines`, or by `ask`."""
        body = urlencode(form or {}).encode()
        told = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": f"{len(body)}"} if form else {}
        head = "".join(f"{name}: {value}\r\n" for name, value in (self._headers | told).items())
        self._writer.write(f"{'POST' if form else 'GET'} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        status = int((await self._reader.readline()).split()[1])
        found = {}
        while (line := (await self._reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(": ")
            found[name.lower()] = value
        return status, found

    async def line(self) -> bytes:
        """The next line of a stream."""
        return await self._reader.readline()


def _program(address: str) -> Client:
    return Client(address, Authorization=f"Bearer {_KEY}")


def _at(values: Iterable[float], share: float) -> float:
    """The value below which this share of them lies."""
    found = sorted(values)
    return found[min(int(share * len(found)), len(found) - 1)] if found else float("nan")


async def _sequential(address: str, ids: Sequence[str], rounds: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {each: [] for each in (*_ADDRESSES, *_HEAVY)}
    chooser = random.Random(2)
    async with _program(address) as client:
        for each in took:  # what is made once
            await client.ask(each.format(task=ids[0]))
        for number in range(rounds):
            for each in _ADDRESSES if number % 10 else took:
                path, begun = each.format(task=chooser.choice(ids)), time.perf_counter()
                status, _, body = await client.ask(path)
                took[each].append(1000 * (time.perf_counter() - begun))
                assert status in (200, 303), (path, status, body[:300])
    return took


async def _at_rate(address: str, ids: Sequence[str], rate: int, seconds: float) -> tuple[list[float], int]:
    """Milliseconds from when each request was due until it was answered, and how many were not answered with 200."""
    took, errors, chooser = list[float](), 0, random.Random(3)
    due: asyncio.Queue[float | None] = asyncio.Queue()

    async def work() -> None:
        nonlocal errors
        async with _program(address) as client:
            while (at := await due.get()) is not None:
                status, _, _ = await client.ask(chooser.choice(_ADDRESSES).format(task=chooser.choice(ids)))
                took.append(1000 * (time.perf_counter() - at))
                errors += status != 200

    workers = [asyncio.create_task(work()) for _ in range(64)]
    begun = time.perf_counter()
    for number in range(int(rate * seconds)):
        at = begun + number / rate
        if (wait := at - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        due.put_nowait(at)
    for _ in workers:
        due.put_nowait(None)
    await asyncio.gather(*workers)
    return took, errors


async def _events(address: str, store: MemoryStore, listeners: int, lines: int) -> tuple[list[float], int]:
    """Milliseconds from the writing of a line until a listener has it (a tenth of them tell); how many were lost."""
    ready, last = asyncio.Semaphore(0), asyncio.Event()
    took, heard = list[float](), [list[int]() for _ in range(listeners)]
    final = 0

    async def listen(place: int) -> None:
        async with _program(address) as client:
            status, _ = await client.begin("/api/v1/events")
            assert status == 200
            while True:
                line = await client.line()
                if line.startswith(b": the stream"):
                    ready.release()
                elif line.startswith(b"id: "):
                    heard[place].append(int(line[4:]))
                elif line.startswith(b"data: ") and place % 10 == 0:
                    said = json.loads(line[6:])
                    took.append(1000 * (utc_now() - datetime.fromisoformat(said["timestamp"])).total_seconds())
                if last.is_set() and heard[place] and heard[place][-1] >= final:
                    return

    tasks_ = [asyncio.create_task(listen(place)) for place in range(listeners)]
    for _ in tasks_:
        await ready.acquire()
    first = await asyncio.to_thread(store.journal.log, "owner", "measured", None, number=-1)
    for number in range(lines):
        final = await asyncio.to_thread(store.journal.log, "owner", "measured", None, number=number)
        await asyncio.sleep(0.05)
    last.set()
    await asyncio.to_thread(store.journal.log, "owner", "measured", None, number=lines)  # so that each looks once more
    await asyncio.wait(tasks_, timeout=60)
    for task in tasks_:
        task.cancel()
    wanted = [line.id for line in store.journal.activity(first - 1, limit=100_000) if line.id <= final]
    lost = sum(len(wanted) - sum(map(int.__eq__, wanted, found)) for each in heard
               if (found := [number for number in each if first <= number <= final]) != wanted)  # fmt: skip
    return took, lost


async def _page(address: str, token: str) -> tuple[list[float], int]:
    """Milliseconds until the first page and all it names are there, eleven times, and its bytes."""
    async with Client(address) as client:
        _, head, _ = await client.ask("/sign-in", {"token": token})
    cookie, took = head["set-cookie"].partition(";")[0], list[float]()
    for _ in range(11):
        begun = time.perf_counter()
        async with Client(address, Cookie=cookie) as client:
            _, _, markup = await client.ask("/")
            named = sorted(set(re.findall(r'(?:href|src)="(/static/[^"#]+)', markup.decode())))
            sizes = [len((await client.ask(path))[2]) for path in named]
        took.append(1000 * (time.perf_counter() - begun))
    return took, len(markup) + sum(sizes)


def _in_browser(link_: str, address: str) -> float | None:
    """Milliseconds from asking for the first page until it can be used, in a browser that has been there before."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(link_)
        page.wait_for_url(f"{address}/")
        took = []
        for _ in range(7):
            page.goto(f"{address}/")
            took.append(float(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")))
        browser.close()
    return statistics.median(took)


def measure(folder: Path, chosen: argparse.Namespace) -> Figures:
    """All of it, in an empty folder."""
    answer = team(code=answer_value)
    with ScriptedModelServer(lambda request: as_reply(answer(request)).after(_ANSWER_SECONDS)) as server:
        house = house_of(folder, server.url, api={"enabled": True})
        with house.store() as store:
            ids = fill(store, chosen.tasks, chosen.lines)
            store.people.open(
                AccessKind.KEY, store.people.owner(), digest_of(_KEY), expires_at=None, scopes=[Role.ADMIN]
            )
            working = [submit_value(house, number) for number in range(1, 400)]
            with house.daemon() as daemon:
                eventually(lambda: announced(house.paths.state), "the control room opens")
                address = announced(house.paths.state)
                house.wait(lambda store: store.tasks.get(working[0]).status is TaskStatus.COMPLETED)
                took = asyncio.run(_sequential(address, ids, chosen.rounds))
                print("one after the other: done", file=sys.stderr)
                at_rate, errors = asyncio.run(_at_rate(address, ids, chosen.rate, chosen.seconds))
                print("at the rate: done", file=sys.stderr)
                delivery, lost = asyncio.run(_events(address, store, chosen.listeners, chosen.events))
                print("events: done", file=sys.stderr)
                pages, size = asyncio.run(_page(address, make_link(store, address).partition("#")[2]))
                in_browser = _in_browser(make_link(store, address), address)
                memory = psutil.Process(daemon.pid).memory_full_info().uss
                landed = sum(store.tasks.get(one).status is TaskStatus.COMPLETED for one in working)
                end(daemon)
    light = [value for each in _ADDRESSES for value in took[each]]
    return Figures(
        tasks=chosen.tasks, lines=chosen.lines, p50_ms=round(_at(light, 0.5), 2), p95_ms=round(_at(light, 0.95), 2),
        slowest={each: round(statistics.median(values), 2) for each, values in
                 sorted(took.items(), key=lambda item: -statistics.median(item[1]))},
        rate=chosen.rate, p50_at_rate_ms=round(_at(at_rate, 0.5), 2), p99_at_rate_ms=round(_at(at_rate, 0.99), 2),
        errors=errors, listeners=chosen.listeners, written=chosen.events, lost=lost,
        delivery_p50_ms=round(_at(delivery, 0.5), 1), delivery_p95_ms=round(_at(delivery, 0.95), 1),
        page_ms=round(statistics.median(pages), 1), page_bytes=size,
        browser_ms=None if in_browser is None else round(in_browser, 1), landed_meanwhile=landed,
        daemon_mib=round(memory / 2**20), load=round(psutil.getloadavg()[0], 2),
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--listeners", type=int, default=500)
    parser.add_argument("--events", type=int, default=200)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        result = measure(Path(name), chosen)
    print(json.dumps(result.model_dump(), indent=2))
    for missed in result.missed:
        print(f"missed: {missed}", file=sys.stderr)
    return 1 if result.missed else 0


if __name__ == "__main__":
    sys.exit(main())
