"""The typed client against the running API, awaited and not; what it knows of the API is what that says of itself."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx2
import pytest
from pydantic import ValidationError

from ai_agents_client import (
    AsyncClient,
    Client,
    Conflict,
    Dropped,
    Invalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    TooMany,
    models,
)
from ai_agents_client.calls import AsyncCalls, Calls
from ai_agents_client.sending import read
from api import ControlRoom
from config import Settings
from docs.client_code import FILES, FOLDER
from memory import FailureReason, Role, Task, TaskStatus
from tests.api.conftest import Rooms
from tests.orchestrator.house import eventually


@pytest.fixture
def client(rooms: Rooms) -> Iterator[Client]:
    with Client(rooms.url, key_of(rooms, Role.ADMIN)) as client:
        yield client


def key_of(rooms: Rooms, role: Role) -> str:
    return str(rooms.program(role).headers["authorization"]).removeprefix("Bearer ")


@pytest.mark.parametrize(("file", "made"), FILES.items(), ids=FILES)
def test_what_it_knows_of_the_api_is_current(file: str, made: Callable[[], str]) -> None:
    told = "the API has changed: run `python -m docs.client_code`"
    assert (FOLDER / file).read_text(encoding="utf-8") == made(), told


def test_both_clients_have_the_same_methods() -> None:
    def named(kind: type) -> dict[str, str]:
        return {name: str(inspect.signature(found)) for name, found in vars(kind).items() if name[0] != "_"}

    assert named(Calls) == named(AsyncCalls) and len(named(Calls)) > 30


def test_an_answer_without_a_word_is_none_only_where_nothing_is_told() -> None:
    assert read(httpx2.Response(204), type(None)) is None
    assert read(httpx2.Response(200, text="a 1"), str) == "a 1"
    with pytest.raises(ValidationError):
        read(httpx2.Response(200), models.Health)


def test_a_program_gives_work_and_reads_everything_about_it(rooms: Rooms, client: Client) -> None:
    added = client.add_task(models.NewTask(title="Add add", description="Words", priority=3))
    task_id = added.task.id
    changed = client.change_task(task_id, models.Change(priority=1)).task
    assert (changed.priority, changed.deadline, changed.status) == (1, None, models.TaskStatus.PENDING)
    assert changed.created_at.tzinfo is not None and changed.title == "Add add"
    read = []
    for name in (name for name in vars(Calls) if name[0] != "_" and not name.endswith(("_task", "_forge_sync"))):
        method = getattr(client, name)
        needed = {each.name for each in inspect.signature(method).parameters.values() if each.default is each.empty}
        if needed <= {"task_id"}:
            assert method(*[task_id for _ in needed]) is not None, name
            read.append(name)
    assert len(read) > 20
    assert client.inbox().items == [] and "aiagents_tasks" in client.metrics() and client.task_diff(task_id) == ""
    assert client.add_person(models.NewPerson(name="ada", role=models.Role.OPERATOR)).role is models.Role.OPERATOR
    assert client.change_person("ada", models.PersonChange(active=False)).active is False
    assert client.cancel_task(task_id) == models.Told(command="cancel", task=task_id)


def test_what_is_left_out_stays_and_none_takes_away(client: Client) -> None:
    given = models.NewTask.model_validate({"title": "Due", "deadline": "2999-01-01T00:00:00Z"})
    task_id = client.add_task(given).task.id
    assert client.change_task(task_id, models.Change(priority=2)).task.deadline == given.deadline
    assert client.change_task(task_id, models.Change(deadline=None)).task.deadline is None


def test_problems_are_typed(rooms: Rooms, client: Client) -> None:
    with pytest.raises(NotFound) as missing:
        client.task("t-none")
    assert (missing.value.kind, missing.value.problem.instance) == ("unknown-task", "/api/v1/tasks/t-none")
    with pytest.raises(NotFound):
        client.task("../people")  # an id is never more than a part of the address
    task_id = client.add_task(models.NewTask(title="Open")).task.id
    with pytest.raises(Conflict) as early:
        client.approve_task(task_id, models.Note(note="so"))
    assert (early.value.kind, early.value.problem.command) == ("not-now", "approvals list")
    with pytest.raises(Invalid) as wrong:
        client.add_task(models.NewTask(title="x", priority=11))
    assert [error.place for error in wrong.value.problem.errors] == ["body.priority"]
    with Client(rooms.url, key_of(rooms, Role.VIEWER)) as viewer, pytest.raises(NotAllowed):
        viewer.cancel_task(task_id)
    with Client(rooms.url, "aak_wrong") as nobody:
        with pytest.raises(NotSignedIn):
            nobody.status()
        with pytest.raises(NotSignedIn):
            next(nobody.events(after=0))
    with pytest.raises(TooMany) as often:
        for _ in range(300):
            with suppress(Conflict):
                client.retry_task(task_id)
    assert often.value.retry_after
    with Client("http://127.0.0.1:1", "aak_x") as away, pytest.raises(httpx2.ConnectError):
        next(away.events(after=0, patience=0))


def test_lists_are_read_to_their_end(rooms: Rooms, client: Client) -> None:
    for number in range(7):
        rooms.store.tasks.add(Task(id=f"t-{number}", title=f"Task {number}"))
    rooms.store.tasks.transition("t-3", TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which?")
    assert [task.id for task in client.every(client.tasks, limit=3)] == [f"t-{n}" for n in reversed(range(7))]
    blocked = client.every(client.tasks, status=[models.TaskStatus.BLOCKED, models.TaskStatus.FAILED])
    assert [task.reason for task in blocked] == [models.FailureReason.NEEDS_OWNER]
    (item,) = client.inbox().items
    assert item.stopped.actions[0].takes_note and client.approve_task("t-3", models.Note(note="Blue.")).task == "t-3"


def test_events_go_on_where_they_were_when_the_daemon_comes_again(
    rooms: Rooms, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ai_agents_client.client._AGAIN_SECONDS", 0.1)
    happens = rooms.store.journal.log
    happens("qa", "attempt", "t-1")
    heard: list[tuple[int, str]] = []
    began = threading.Event()

    def listen() -> None:
        for event in client.events(task="t-1"):
            heard.append((event.id, event.agent_name))
            began.set()
            if len(heard) == 3:
                return

    listener = threading.Thread(target=listen)
    listener.start()
    eventually(lambda: rooms.room.hub.listeners, "it listens")
    happens("developer", "attempt", "t-1")
    assert began.wait(20)
    rooms.room.close()
    happens("qa", "attempt", "t-other")
    happens("tech_lead", "attempt", "t-1")
    rooms.room = ControlRoom(Settings.model_validate({"api": {"port": int(rooms.url.rpartition(":")[2])}}), rooms.paths)
    rooms.store.journal.on_line = rooms.room.hub.poke
    happens("ceo", "attempt", "t-1")
    listener.join(30)
    assert heard == [(2, "developer"), (4, "tech_lead"), (5, "ceo")], "none is lost, and none told twice"
    rooms.room.close()


def test_a_stream_whose_key_is_withdrawn_ends_with_a_reason(
    rooms: Rooms, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.live._LOOK_AGAIN", 0.0)
    happens = rooms.store.journal.log
    with Client(rooms.url, key_of(rooms, Role.VIEWER)) as viewer:
        events = viewer.events(after=0)
        happens("qa", "attempt", "t-1")
        assert next(events).agent_name == "qa"
        known = client.keys()
        rooms.store.people.close(max(key.id for key in known))
        happens("qa", "attempt", "t-1")
        with pytest.raises(Dropped, match="signed out"):
            for _ in events:
                happens("qa", "attempt", "t-1")


def test_the_awaited_client_does_the_same(rooms: Rooms) -> None:
    key = key_of(rooms, Role.OPERATOR)

    async def work() -> None:
        async with AsyncClient(rooms.url, key) as client:
            task = (await client.add_task(models.NewTask(title="Add add"))).task
            with pytest.raises(NotFound):
                await client.task("t-none")
            assert [line.id async for line in client.every(client.tasks, limit=1)] == [task.id]
            events = client.events(after=0)
            assert [(await anext(events)).activity for _ in range(2)] == ["task added", "gave work"]
            await events.aclose()

    asyncio.run(work())
