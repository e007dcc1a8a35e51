"""Folders for reading and for runs: what stays, what is deleted, and that no run finds anything of another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from git_ops import GitManager
from orchestrator import run_folders
from orchestrator.run_folders import RunFolders
from tests.git_ops.conftest import Owner, manager, open_manager, owner, template

__all__ = ["manager", "open_manager", "owner", "template"]


@pytest.fixture
def made(manager: GitManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunFolders]]:
    """Makes folders below `tmp_path/runs`."""
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "runs"))
    opened: list[RunFolders] = []

    def make(*, large: int = 1, confines: bool = True) -> RunFolders:
        monkeypatch.setattr(run_folders, "LARGE", large)
        opened.append(RunFolders(manager, "ai-agents-run-test-", confines=lambda: confines))
        return opened[-1]

    yield make
    for folders in opened:
        folders.let_go()
    assert not [*(tmp_path / "runs").iterdir()]


def test_a_large_repository_is_written_once_and_no_run_finds_anything_of_another(
    made: Callable[..., RunFolders], owner: Owner, manager: GitManager
) -> None:
    folders, seen = made(), []
    trees = [manager.repository.base_tip()]
    owner.commit("src/app.py", "another = 1\n")
    manager.repository.fetch()
    trees += [manager.repository.base_tip(), trees[0]]
    for tree in trees:
        with folders.for_a_run(tree) as (folder, _):
            seen.append(((folder / "src/app.py").read_text(), sorted(path.name for path in folder.iterdir()), folder))
            (folder / "src/app.py").write_text("CHEAT = 1\n")
            (folder / "left").write_text("from a run")
    texts, names, places = zip(*seen, strict=True)
    assert [*texts] == [texts[0], "another = 1\n", texts[0]]
    assert {tuple(each) for each in names} == {(".gitignore", "src", "tests")}
    assert len(set(places)) == 1


@pytest.mark.parametrize("settings", [{"large": 1000}, {"confines": False}])
def test_otherwise_every_run_has_a_new_folder(
    settings: dict[str, bool], made: Callable[..., RunFolders], manager: GitManager
) -> None:
    folders = made(**settings)
    places = []
    for _ in range(2):
        with folders.for_a_run(manager.repository.base_tip()) as (folder, _):
            places.append(folder)
        assert not folder.exists()
    assert places[0] != places[1]


def test_a_run_that_raises_leaves_no_folder(made: Callable[..., RunFolders], manager: GitManager) -> None:
    with pytest.raises(ValueError, match="in the run"), made().for_a_run(manager.repository.base_tip()) as (folder, _):
        raise ValueError("in the run")
    assert not folder.exists()


def test_those_who_read_at_the_same_time_have_a_folder_each(
    made: Callable[..., RunFolders], owner: Owner, manager: GitManager
) -> None:
    folders = made()
    first = manager.repository.base_tip()
    owner.commit("src/app.py", "another = 1\n")
    manager.repository.fetch()
    second = manager.repository.base_tip()
    together = threading.Barrier(4, timeout=60)
    found: dict[int, tuple[Path, str]] = {}

    def read(number: int) -> None:
        with folders.for_reading((first, second)[number % 2]) as (folder, _):
            together.wait()
            found[number] = (folder, (folder / "src/app.py").read_text())
            together.wait()

    readers = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len({folder for folder, _ in found.values()}) == 4
    assert [text == "another = 1\n" for _, (_, text) in sorted(found.items())] == [False, True, False, True]
    with folders.for_reading(first) as (one, _), folders.for_reading(second) as (other, _):
        assert {one, other} < {folder for folder, _ in found.values()}
