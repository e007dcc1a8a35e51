"""The control room as it runs: its own uvicorn on loopback over a real database, clients that are signed in, and what
they look for in answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from api import ControlRoom, look
from config import ProjectPaths, Settings
from memory import AccessKind, MemoryStore, Person, Role, Task, TaskStatus, utc_now
from owner.way_in import digest_of, make_link

PAGES = (*(path for _, path, _ in look.PAGES), "/tasks/new")
"""What is in the navigation, and the form for a task."""


@dataclass
class Rooms:
    """A control room, its database, and whom the daemon was woken for."""

    room: ControlRoom
    store: MemoryStore
    paths: ProjectPaths
    clients: list[httpx2.Client] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.paths.data.parent / "config.yaml"

    @property
    def url(self) -> str:
        return self.room.address

    def anyone(self, **headers: str) -> httpx2.Client:
        """A client that is not signed in."""
        client = httpx2.Client(base_url=self.url, headers=headers, timeout=20)
        self.clients.append(client)
        return client

    def owner(self) -> httpx2.Client:
        """A browser that came by a link of `open`."""
        client = self.anyone()
        token = make_link(self.store, self.url).partition("#")[2]
        assert client.post("/sign-in", data={"token": token}).status_code == 303
        return client

    def program(self, *scopes: Role, person: str = "owner") -> httpx2.Client:
        """A program with a key of these scopes."""
        secret = f"aak_{person}-{'-'.join(scopes)}"
        found = self.store.people.owner() if person == "owner" else self.store.people.find(person)
        self.store.people.open(AccessKind.KEY, found, digest_of(secret), expires_at=None, scopes=scopes)
        return self.anyone(Authorization=f"Bearer {secret}")

    def add_person(self, name: str, role: Role) -> None:
        self.store.people.add(Person(name=name, role=role, created_at=utc_now()))

    def add_task(self, task_id: str = "t-1", title: str = "Add add", status: TaskStatus = TaskStatus.PENDING) -> Task:
        self.store.tasks.add(Task(id=task_id, title=title, description="Add `add` to calc.py."))
        if status is not TaskStatus.PENDING:
            self.store.tasks.transition(task_id, TaskStatus.IN_PROGRESS, stage="code")
        return self.store.tasks.get(task_id)


def problem(answer: httpx2.Response, status: int) -> str:
    """The name of the problem, which has to look as RFC 9457 says."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status and body["title"] and body["detail"] and body["instance"]
    return str(body["type"]).rpartition(":")[2]


def audited(rooms: Rooms) -> list[tuple[str, str]]:
    """What people did, as the audit trail has it."""
    lines = [line for line in rooms.store.journal.activity() if "by" in line.details]
    return [(line.activity, str(line.details["by"])) for line in lines]


def csrf_of(client: httpx2.Client, path: str = "/") -> str:
    """The token of this session, as its pages have it."""
    found = re.search(r'name="csrf-token" content="(\w+)"', client.get(path).text)
    assert found
    return found[1]


def lines_of(
    client: httpx2.Client, path: str, until: str, begun: Callable[[], object] = lambda: None, *, last: str = ""
) -> list[str]:
    """The lines of a stream up to the one with `until` in it; `begun` is called when the stream has begun."""
    found = []
    with client.stream("GET", path, headers={"Last-Event-ID": last} if last else {}) as stream:
        for line in stream.iter_lines():
            if line.startswith(": the stream begins"):
                begun()
            found.append(line)
            if until in line:
                break
    return found


@contextmanager
def open_rooms(folder: Path, changes: Mapping[str, object] | None = None, **api: object) -> Iterator[Rooms]:
    """A control room of a project in `folder`; `api` are settings of that section, `changes` those of others."""
    settings = Settings.model_validate(
        {
            "api": {"port": 0, **api},
            "git": {"repository_url": str(folder / "repository")},
            "budget": {"day_tokens": 1000},
            **(changes or {}),
        }
    )
    paths = ProjectPaths.of(settings, folder)
    store = MemoryStore(paths.database_url)
    store.migrate()
    room = ControlRoom(settings, paths, config=folder / "config.yaml")
    store.journal.on_line = room.hub.poke
    rooms = Rooms(room, store, paths)
    yield rooms
    for client in rooms.clients:
        client.close()
    room.close()
    store.close()


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    with open_rooms(tmp_path) as opened:
        yield opened
