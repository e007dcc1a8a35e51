"""A developer's answer on its way to a verdict: the real git repository, environment, sandbox and workbench."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath

from agents import Requirements
from config import load_settings
from config.paths import ProjectPaths
from memory import Task, TaskStatus, TaskType, new_task_id
from orchestrator.coding.method import apply_file_edits
from orchestrator.services import Services, open_services
from orchestrator.workbench.commits import Commits
from orchestrator.workbench.trial import Trial
from orchestrator.workbench.workbench import Workbench
from tests.orchestrator.house import House, git, make_repository
from tests.orchestrator.scripts import ADD_TASK, CALC

TESTS = """from calc import add


def test_add() -> None:
    assert add(1, 2) == 3


def test_add_negative() -> None:
    assert add(-1, 1) == 0


def test_add_large() -> None:
    assert add(40, 2) == 42
"""
TEST_FILE = "tests/test_add.py"
TEST_IDS = [f"{TEST_FILE}::{name}" for name in ("test_add", "test_add_negative", "test_add_large")]
WRONG = CALC + "\n\ndef add(a: int, b: int) -> int:\n    return -1\n"
RIGHT = CALC + "\n\ndef add(a: int, b: int) -> int:\n    return a + b\n"


def of(files: dict[str, str]) -> str:
    """An answer that writes whole files, as a strong model gives it."""
    return "\n".join(f"### {path}\n````\n{text}\n````\n" for path, text in files.items())


class Verification:
    """One task with its tests committed, and answers judged against them."""

    def __init__(
        self, services: Services, tests: tuple[str, str] = (TEST_FILE, TESTS), target: str = "calc.py"
    ) -> None:
        """`tests`: their path and text; `target`: the file that `add` goes into."""
        self.services = services
        self.task = Task(id=new_task_id(), title="Add add", description=ADD_TASK, type=TaskType.CODE)
        services.store.tasks.add(self.task)
        services.store.tasks.transition(self.task.id, TaskStatus.IN_PROGRESS)
        self.bench = Workbench(services, self.task)
        self.commits = Commits(services, self.task)
        self.base = self.bench.open().base
        self.tests_commit = self.commits.commit_tests(*tests, self.base)
        self.requirements = Requirements(target_file=target, module=PurePath(target).stem, symbols=["add"])

    def judge(self, text: str, test_ids: Sequence[str] = TEST_IDS, *, likely: bool = False) -> Trial:
        """What becomes of an answer. `likely`: twins of the tests are in the first run."""
        apply = partial(apply_file_edits, requirements=self.requirements, answer=text)
        return self.bench.verify(self.tests_commit, self.tests_commit, apply, test_ids, likely=likely)


def red_when_run(trial: Trial) -> None:
    assert trial.applied, trial.evidence
    assert not trial.green
    assert trial.evidence.startswith(("the new tests ", "the new code looks "))  # and not for another reason


@contextmanager
def verification(
    folder: Path, data: Path, files: dict[str, str] | None = None, tests: tuple[str, str] = (TEST_FILE, TESTS),
    target: str = "calc.py",
) -> Iterator[Verification]:  # fmt: skip
    """A project with `files`, beside calc.py if it is Python, and one task of it."""
    repository = make_repository(folder / "repository", files)
    if not target.endswith(".py"):
        git(repository, "rm", "-q", "calc.py", "tests/test_calc.py")
        git(repository, "commit", "-q", "-m", "no Python")
    house = House(folder, repository, "http://127.0.0.1:9/v1", data)
    settings = load_settings(house.config)
    services = open_services(settings, ProjectPaths.of(settings, folder))
    try:
        yield Verification(services, tests, target)
    finally:
        services.close()
        shutil.rmtree(folder / "workspace", ignore_errors=True)
