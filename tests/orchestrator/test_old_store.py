"""This version opens the database and the engine store of an earlier one and continues the tasks in them."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from memory import TaskStatus
from tests.orchestrator.conftest import MakeHouse
from tests.orchestrator.house import House, git
from tests.orchestrator.scripts import FROM_CODE, SMALL, asked, team

ARCHIVE = Path(__file__).parents[1] / "data" / "store_of_4abe49d.tar.gz"
SAMPLING = ARCHIVE.with_name("store_of_4abe49d_small.tar.gz")
MADE_IN = "/srv/old-store"


def unpack(house: House, archived: Path = ARCHIVE) -> None:
    """Unpack the archive to where a daemon of `house` looks for its data, and rewrite the paths in it."""
    folder = house.folder / "unpacked"
    with tarfile.open(archived) as archive:
        archive.extractall(folder, filter="data")
    shutil.rmtree(house.repository)
    (folder / "repository").rename(house.repository)
    paths = house.paths
    paths.workspace.parent.mkdir(parents=True, exist_ok=True)
    (folder / "workspace").rename(paths.workspace)
    paths.state.mkdir(parents=True, mode=0o700)
    for name in ("agents.db", "engine.db"):
        (folder / "state" / name).rename(paths.state / name)
    for file in paths.workspace.rglob("*"):
        if file.is_file() and file.name in (".git", "gitdir", "config"):
            text = file.read_text(encoding="utf-8")
            old = [word for word in text.replace("=", " ").split() if word.startswith(f"{MADE_IN}/workspace/")]
            for word in old:
                tail = Path(word).relative_to(f"{MADE_IN}/workspace").parts[1:]
                text = text.replace(word, str(paths.workspace.joinpath(*tail)))
            file.write_text(text.replace(f"{MADE_IN}/repository", str(house.repository)), encoding="utf-8")


def steps_asked(house: House) -> list[tuple[str, str]]:
    """The steps whose model calls were answered, in their order."""
    with closing(sqlite3.connect(house.paths.state / "agents.db")) as database:
        return database.execute(
            "SELECT workflow_id, step FROM model_calls WHERE outcome = 'ok' AND agent <> 'ceo' ORDER BY id"
        ).fetchall()


def test_tasks_that_an_earlier_version_was_at_go_on(make_house: MakeHouse) -> None:
    house, server = make_house(team())
    unpack(house)
    with house.store() as store:
        tasks = {task.title: task for task in store.tasks.select()}
    assert {title: (task.status, task.stage) for title, task in tasks.items()} == {
        "Add add": (TaskStatus.IN_PROGRESS, "code"),
        "Add sub": (TaskStatus.IN_PROGRESS, "escalate"),
    }
    house.run_until_idle()

    done = house.task(tasks["Add add"].id)
    assert done.status is TaskStatus.COMPLETED, done.reason_detail
    assert house.task(tasks["Add sub"].id).status is TaskStatus.BLOCKED
    assert "def add" in git(house.repository, "show", "agents/integration:calc.py")
    # The assertions of `Add add` were answered before the kill and are not asked for again.
    answered = [asked(request) for request in server.requests if asked(request) != "ideas"]
    assert sorted(answered) == sorted([*FROM_CODE, "escalation"])
    with closing(sqlite3.connect(house.paths.state / "engine.db")) as engine:
        assert engine.execute("SELECT count(*) FROM workflow_status WHERE status = 'ERROR'").fetchone() == (0,)


@pytest.mark.long
def test_a_small_model_whose_samples_were_being_drawn_goes_on(make_house: MakeHouse) -> None:
    """A sample that was answered and failed under the earlier version is not asked for again."""
    house, server = make_house(team(), **SMALL)
    unpack(house, SAMPLING)
    with house.store() as store:
        [task] = store.tasks.select()
    before = steps_asked(house)
    assert [step for _, step in before] == ["draft 1", "draft 2", "draft 3", "write 1.2"]
    house.run_until_idle()
    done = house.task(task.id)
    assert done.status is TaskStatus.COMPLETED, done.reason_detail
    assert "return a + b" in git(house.repository, "show", "agents/integration:calc.py")
    assert steps_asked(house) == [*before, (before[-1][0], "write 1.3")]
    assert [asked(request) for request in server.requests if asked(request) != "ideas"] == ["code"]
