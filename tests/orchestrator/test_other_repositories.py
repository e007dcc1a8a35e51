"""What agents see of files that are not the repository's own: submodules, and what Git LFS keeps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from config import ProjectPaths, load_settings
from memory import Task, TaskStatus, new_task_id
from orchestrator.services import open_services
from orchestrator.workbench.file_tools import (
    CreateFile,
    DeleteFile,
    Edit,
    EditFile,
    ListFiles,
    MoveFile,
    ReadFile,
    Search,
)
from orchestrator.workbench.tool_bench import BenchTool, Rights, ToolBench
from orchestrator.workbench.workbench import Workbench
from tests.orchestrator.house import House, git, make_repository

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 4000\n"
LIBRARY = "vendor/library"
ALLOWED = ("-c", "protocol.file.allow=always")


@pytest.fixture
def bench(tmp_path: Path, shared_data: Path) -> Iterator[ToolBench]:
    library = tmp_path / "library"
    git(tmp_path, "init", "-q", "-b", "main", "library")
    (library / "sound.py").write_text("def ring() -> str:\n    return 'bell'\n")
    git(library, "add", "-A")
    git(library, "commit", "-q", "-m", "library")
    repository = make_repository(tmp_path / "repository", {"data.bin": POINTER, "calc.py": "def ring_twice(): ...\n"})
    git(repository, *ALLOWED, "submodule", "--quiet", "add", str(library), LIBRARY)
    git(repository, *ALLOWED, "submodule", "--quiet", "add", str(library), "vendor/away")
    git(repository, "config", "-f", ".gitmodules", "submodule.vendor/away.url", "https://host.invalid/away.git")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "submodules")
    (repository / ".git" / "modules" / "vendor" / "away").rename(tmp_path / "gone")
    house = House(tmp_path, repository, "http://127.0.0.1:9/v1", shared_data)
    services = open_services(load_settings(house.config), ProjectPaths.of(load_settings(house.config), tmp_path))
    task = Task(id=new_task_id(), title="Ring")
    services.store.tasks.add(task)
    services.store.tasks.transition(task.id, TaskStatus.IN_PROGRESS)
    workbench = Workbench(services, task)
    try:
        yield ToolBench(workbench, Rights(base=workbench.open().base, protected=()))
    finally:
        services.close()


def done(bench: ToolBench, *calls: BenchTool) -> list[str]:
    """What the model is told; the files are as before where nothing was changed."""
    base = bench.rights.base
    acted = bench.act(bench.begin(base), calls, green=False)
    return acted.results


def test_files_of_a_submodule_are_listed_read_and_found(bench: ToolBench) -> None:
    told, everything, read, found, around, away = done(
        bench,
        ListFiles(pattern=f"{LIBRARY}/**"),
        ListFiles(),
        ReadFile(path=f"{LIBRARY}/sound.py"),
        Search(text="def ring"),
        Search(text="bell", files="*.py", around=1),
        ReadFile(path="vendor/away/sound.py"),
    )
    readable = f"[{LIBRARY}/ is a submodule, another repository: its files can only be read]"
    missing = "[vendor/away/ is a submodule whose files could not be had]"
    assert told.splitlines() == [f"{LIBRARY}/sound.py", readable, missing]
    assert {f"{LIBRARY}/sound.py", "calc.py", readable, missing} <= set(everything.splitlines())
    assert read == "1\tdef ring() -> str:\n2\t    return 'bell'"
    assert found.splitlines() == ["calc.py:1: def ring_twice(): ...", f"{LIBRARY}/sound.py:1: def ring() -> str:"]
    assert around.startswith(f"## {LIBRARY}/sound.py\n1\tdef ring")
    assert "the submodule vendor/away could not be had" in away


def test_nothing_is_written_into_a_submodule_and_the_agent_is_told_why(bench: ToolBench) -> None:
    calls = [
        EditFile(path=f"{LIBRARY}/sound.py", edits=[Edit(old="bell", new="horn")]),
        CreateFile(path=f"{LIBRARY}/new.py", content="x = 1\n"),
        CreateFile(path=LIBRARY, content="x\n"),
        CreateFile(path="vendor/away/new.py", content="x = 1\n"),
        DeleteFile(path=f"{LIBRARY}/sound.py"),
        MoveFile(path="calc.py", to=f"{LIBRARY}/calc.py"),
        MoveFile(path=f"{LIBRARY}/sound.py", to="sound.py"),
    ]
    before = bench.begin(bench.rights.base)
    acted = bench.act(before, calls, green=False)
    refused = [
        told for told in acted.results if told.startswith("not done: ") and "which is another repository" in told
    ]
    assert len(refused) == len(calls) and acted.tree == before
    assert done(bench, ReadFile(path=f"{LIBRARY}/sound.py"))[0].endswith("return 'bell'")


def test_a_pointer_of_lfs_is_said_to_be_one_and_is_not_edited(bench: ToolBench) -> None:
    read, edited = done(
        bench, ReadFile(path="data.bin"), EditFile(path="data.bin", edits=[Edit(old="4000", new="4001")])
    )
    assert read.startswith("[data.bin is kept by Git LFS: this is a pointer") and "size 4000" in read
    assert edited.startswith("not done: data.bin is kept by Git LFS")


def test_the_files_stay_for_the_same_commits_and_go_with_the_worktree(bench: ToolBench) -> None:
    done(bench, ReadFile(path=f"{LIBRARY}/sound.py"))
    (folder,) = {path.parent for path in bench.files().others.values() if path.name == "library"}
    (folder / "library" / "mark.py").touch()
    assert f"{LIBRARY}/mark.py" in done(bench, ListFiles())[0]
    bench.bench.discard()
    assert not folder.exists()
