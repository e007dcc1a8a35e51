"""The projects of a repository, and the environment that each one's tests run in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from git_ops import GitManager
from monitoring import AlertKind, alert, get_logger
from monitoring.waits import is_recent
from testing import (
    BY_EXIT_CODE,
    FRAMEWORKS,
    Environment,
    EnvironmentManager,
    EnvironmentSetupError,
    SubProject,
    TestResult,
    owner_of,
    projects_of,
)

log = get_logger(__name__)

_LEFT_OUT_SECONDS = 24 * 3600.0
"""Time after which a project that was left out is tried again."""


class ProjectEnvironments:
    """Finds the projects of a folder, sets their environments up, and remembers which of them cannot be tested."""

    def __init__(
        self,
        git: GitManager,
        environments: EnvironmentManager,
        *,
        folder: Path,
        framework: str,
        setup_command: Callable[[], str | None],
        landed: Callable[[], AbstractContextManager[Path]],
    ) -> None:
        """`folder` holds the memory of what was left out; `framework` is one of `FRAMEWORKS` or `auto`. `setup_command`
        gives what sets the environment up in place of what the dependency files say; it is asked each time. `landed`
        gives the files of the landing branch, by whose dependency files environments are built."""
        self._git = git
        self.environments = environments
        self._folder = folder
        self.framework = framework
        self._setup_command = setup_command
        self._landed = landed

    @property
    def setup_command(self) -> str | None:
        """What sets the environment up in place of what the dependency files say."""
        return self._setup_command()

    def projects(self, folder: Path) -> list[SubProject]:
        """The projects in `folder`, the main one first. The configured framework is that of the only one; with `auto`,
        and with `pytest` where there is no Python, they are found out."""
        if self.framework not in ("auto", "pytest"):
            return [SubProject("", self.framework)]
        found = projects_of(folder)
        if self.framework == "auto":
            return found
        return [
            SubProject(each.place, "pytest") if FRAMEWORKS[each.framework].language == "python" else each
            for each in found
        ]

    def project_of(self, folder: Path, path: str = "") -> SubProject:
        """The project in `folder` that the file `path` belongs to; the main one for an empty path."""
        projects = self.projects(folder)
        return (owner_of(projects, path) if path else None) or projects[0]

    def ensure(
        self, folder: Path, tree: str, label: str, project: SubProject, setup_command: str | None = None
    ) -> Environment:
        """The environment of a project in `folder`, which holds the files of `tree`; built if need be.

        Raises EnvironmentSetupError.
        """
        return self.environments.ensure(
            folder,
            framework=project.framework,
            setup_command=setup_command or self.setup_command,
            release=self._release,
            progress=lambda message: log.info("project environment", step=message),
            label=label,
            landed=self._landed,
            tree=tree,
            place=project.place,
        )

    def ensure_all(self, folder: Path, tree: str, label: str) -> list[Environment]:
        """The environments of all projects in `folder`, the main one's first, but for those that are left out. One
        beside the main one that cannot be set up is left out from now on.

        Raises EnvironmentSetupError for the main one.
        """
        main, *others = self.projects(folder)
        found = [self.ensure(folder, tree, label, main)]
        for project in others:
            if self._reason(folder, project):
                continue
            try:
                found.append(self.ensure(folder, tree, label, project))
            except EnvironmentSetupError as problem:
                self._leave_out(self._key(folder, project), project.place or project.framework, str(problem))
        return found

    def find_all(self, folder: Path) -> list[Environment]:
        """The environments of the projects in `folder` as far as they are there; none without the main one's. Nothing
        is made."""
        release = self._release
        found = [
            self.environments.find(folder, each.framework, self.setup_command, release, each.place)
            for each in self.projects(folder)
        ]
        return [each for each in found if each is not None] if found[0] is not None else []

    def left_out(self, folder: Path) -> list[str]:
        """The projects in `folder` that are left out, each with why."""
        return [reason for project in self.projects(folder)[1:] if (reason := self._reason(folder, project))]

    def is_silent(self, environment: Environment, result: TestResult) -> bool:
        """Whether the suite of a project beside the main one says nothing before any work, and so would after it, too;
        the project is left out from now on."""
        gives_no_verdict = bool(result.problem) and not result.failures and not result.has_no_tests
        if not gives_no_verdict and not (environment.framework in BY_EXIT_CODE and not result.passed):
            return False
        reason = result.problem or "its test script fails before any work"
        self._leave_out(environment.key, environment.place or environment.framework, reason)
        return True

    def forget_left_out(self) -> None:
        """Delete what was remembered of projects that are tried again by now."""
        for file in self._folder.glob("*.left-out"):
            if not is_recent(file.stat().st_mtime, _LEFT_OUT_SECONDS):
                file.unlink(missing_ok=True)

    @property
    def _release(self) -> str:
        return self._git.repository.newest_release(self._git.branch.tip())

    def _key(self, folder: Path, project: SubProject) -> str:
        return self.environments.key(folder, project.framework, self.setup_command, self._release, project.place)

    def _record(self, key: str) -> Path:
        return self._folder / f"{key[:20]}.left-out"

    def _reason(self, folder: Path, project: SubProject) -> str:
        """Why a project is left out; empty if it is not."""
        file = self._record(self._key(folder, project))
        is_left_out = file.is_file() and is_recent(file.stat().st_mtime, _LEFT_OUT_SECONDS)
        return file.read_text(encoding="utf-8").strip() if is_left_out else ""

    def _leave_out(self, key: str, project: str, problem: str) -> None:
        alert(
            AlertKind.OWNER,
            f"left out: {project}",
            f"no change is checked by the tests of {project} for a day, then they are tried again: {problem}",
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        self._record(key).write_text(f"{project}: {problem}\n", encoding="utf-8")
