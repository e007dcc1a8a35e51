"""All services of one project and its team, wired from its settings: the only place that knows how they are made."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar

from agents import BaseAgent, CEOAgent, DeveloperAgent, OwnersWords, ProductAgent, QAAgent, TechLeadAgent, members
from config import AgentSettings, ProjectPaths, Settings
from deployment import DeploymentManager
from file_system import CodeMap, FileManager, RepositoryMap
from git_ops import GitManager, Identity, MergeConflict
from llm import LLMClient, LocalModelServer, local_model, uses_embedded_model
from memory import ContextManager, MemoryStore, Task
from monitoring import AlertKind, alert, get_logger
from orchestrator.deployed_from import DeployedFrom
from orchestrator.engine.failures import Outage, outlast
from orchestrator.engine.project_lock import claim
from orchestrator.suite import Suite
from testing import EnvironmentManager, Sandbox, SandboxLimits, TestRunner

log = get_logger(__name__)

_MIB = 1024 * 1024
_OVERVIEW_CHARACTERS = 6000
_OVERVIEW_TOKENS = 2000
_LESSON_TOKENS = 500

_Agent = TypeVar("_Agent", bound=BaseAgent)


class Team:
    """One agent for each role. `of` gives one that has a class with its own type; most flows use these five."""

    def __init__(self, llm: LLMClient, own: Mapping[str, AgentSettings] = MappingProxyType({})) -> None:
        """`own`: what the owner says of roles (`agents` in the configuration)."""
        self._members = members(llm, own)
        self.ceo = self.of(CEOAgent)
        self.product = self.of(ProductAgent)
        self.qa = self.of(QAAgent)
        self.developer = self.of(DeveloperAgent)
        self.tech_lead = self.of(TechLeadAgent)

    def __iter__(self) -> Iterator[BaseAgent]:
        yield from self._members.values()

    def by_name(self, name: str) -> BaseAgent:
        """The agent of that name. Raises `KeyError`, which lists the names."""
        if name not in self._members:
            raise KeyError(f"no agent {name!r}; there are: {', '.join(self._members)}")
        return self._members[name]

    def of(self, kind: type[_Agent]) -> _Agent:
        """The agent whose class is registered as `kind.name`."""
        member = self._members[kind.name]
        assert isinstance(member, kind)
        return member


_FOUND_SETUP = ("qa", "setup command")
"""Whose memory, and under which key, the command is by which the team sets the project up."""
SETUP_MEMORY = "setup"
"""Whose memory is what was tried in vain to set the project up."""
NO_SETUP = "cannot be set up"
"""The key of what the owner has to do before the project can be set up."""


@dataclass(frozen=True)
class Services:
    """What flows and the main loop work with."""

    settings: Settings
    paths: ProjectPaths
    store: MemoryStore
    context: ContextManager
    git: GitManager
    sandbox: Sandbox
    suite: Suite
    deployment: DeploymentManager
    local_model: LocalModelServer | None
    llm: LLMClient
    team: Team
    wake: threading.Event
    """Set to wake the main loop."""
    lock: ExitStack | None
    """Keeps other daemons off this project as long as it is open."""
    outage: Outage
    """How long the owner's repository has been unreachable."""
    document: Callable[[Task], str] = lambda _: ""
    """Gives the result of a task without code as Markdown; empty where it has none."""

    def sync(self, *, approved: bool = False) -> str:
        """Merge the owner's latest work into the landing branch, if it fits and the suite holds; returns the tip.

        If both have moved, the suite must pass on the result. With `testing.auto_run: false` that waits for an
        `approved` task, since no code of the repository may run before.
        """

        def passes(tree: str) -> bool:
            if not (approved or self.settings.testing.auto_run):
                log.info("the owner's work is merged with the next approved task (testing.auto_run is false)")
                return False
            owners = self.suite.baseline(f"refs/remotes/origin/{self.git.repository.base_branch()}", "sync")
            return self.suite.compare(tree, owners, "sync").holds

        try:
            result = self.git.branch.sync(passes)
        except MergeConflict as conflict:
            alert(AlertKind.GIT, "owner's work", f"the owner's work does not fit the landing branch: {conflict}")
            self.store.journal.log("orchestrator", "owner's work does not fit", problem=str(conflict))
            return self.git.branch.tip()
        if result.fetched and result.problem:
            alert(AlertKind.GIT, "owner's work", result.problem)
        self.outage.note(result.problem if not result.fetched else "")
        return result.tip

    def lessons(self, about: str) -> str:
        """Lessons of earlier tasks that share words with `about`, bounded, for a data block of a strong model."""
        return self.context.build([self.context.lessons_section(about)], _LESSON_TOKENS)

    def repository_map(self, folder: Path) -> RepositoryMap:
        """The ranked map of the files in `folder`; files read before in any tree of this project are cached."""
        return RepositoryMap.of(folder, self.paths.state)

    def overview(self, *, ranked: bool, about: str = "") -> str:
        """The map of the landing branch's tip, in a few thousand characters: `ranked` by relevance to `about`, or with
        the first lines of docstrings, which help a model that does not judge more."""
        with self.suite.folders.for_reading(self.git.branch.tip()) as (folder, _):
            if not ranked:
                return CodeMap.of(folder).render(_OVERVIEW_CHARACTERS)
            return self.repository_map(folder).render(_OVERVIEW_TOKENS, about=about)

    def read(self, paths: Sequence[str]) -> dict[str, str]:
        """Text files of the landing branch's tip by their paths; missing ones are left out."""
        with self.suite.folders.for_reading(self.git.branch.tip()) as (folder, _):
            files = FileManager(folder)
            return {path: files.read_file(path) for path in paths if files.exists(path)}

    def close(self) -> None:
        """Stop sandboxed runs and the embedded model, and close the database connections."""
        self.sandbox.close()
        self.suite.folders.let_go()
        if self.local_model:
            self.local_model.stop()
        self.deployment.close()
        self.store.close()
        if self.lock:
            self.lock.close()


def open_services(
    settings: Settings,
    paths: ProjectPaths,
    document: Callable[[Task], str] = lambda _: "",
    *,
    patient: bool = False,
    patience: float = 0,
) -> Services:
    """Open the database and the clone and make the rest; cleans up after a crash. `document`: see `Services`.

    `patient`: model calls wait for a budget or the end of an outage (see `LLMClient`). Temporary problems at the start
    (a locked database, a full disk, a first clone without network) are waited for, `patience` seconds at most. Raises
    `DaemonRunning` and the typed errors of memory, git_ops and llm, each of which says what to do.
    """
    outlast(lambda: _make_folders(paths), limit=patience)
    lock = claim(paths.state, paths.engine_url)
    try:
        return replace(_opened(settings, paths, lock, patient, patience), document=document)
    except BaseException:
        lock.close()
        raise


def _make_folders(paths: ProjectPaths) -> None:
    for folder in (paths.data, paths.state, paths.workspace):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _opened(settings: Settings, paths: ProjectPaths, lock: ExitStack, patient: bool, patience: float) -> Services:
    store = MemoryStore(paths.database_url)
    outlast(store.migrate, limit=patience)
    if leftovers := store.budgets.settle_leftovers():
        log.info("interrupted model calls are counted at their maximum cost", calls=leftovers)
    store.budgets.forget_waiting()
    git = make_git(settings, paths)
    outlast(git.recover, limit=patience)
    outage = Outage()
    outage.note(outlast(lambda: git.clone(allow_offline=True), limit=patience))
    sandbox = make_sandbox(settings)
    suite = make_suite(settings, paths, git, sandbox, store)
    suite.folders.clear_leftovers()
    embedded = uses_embedded_model(settings.llm, settings.agents)
    server = LocalModelServer(local_model(settings.llm)) if embedded else None
    heard = OwnersWords(store)
    llm = LLMClient(settings.llm, settings.agents, store, server, budget=settings.budget, patient=patient, heard=heard)
    return Services(
        settings=settings,
        paths=paths,
        store=store,
        context=ContextManager(store),
        git=git,
        sandbox=sandbox,
        suite=suite,
        deployment=DeploymentManager(settings.deployment, store.deployments, DeployedFrom(git)),
        local_model=server,
        llm=llm,
        team=Team(llm, settings.agents),
        wake=threading.Event(),
        lock=lock,
        outage=outage,
    )


def make_git(settings: Settings, paths: ProjectPaths) -> GitManager:
    """The project's git; nothing is opened yet."""
    chosen = settings.git
    return GitManager(
        chosen.repository_url,
        paths.clone,
        workspace_path=paths.workspace,
        branch=chosen.branch,
        landing="branch" if chosen.landing == "pull_request" else chosen.landing,
        integration_branch=chosen.integration_branch,
        auto_push=chosen.auto_push,
        author=Identity(chosen.author_name, chosen.author_email),
        token=chosen.token.get_secret_value() if chosen.token else None,
        may_hold_secrets=chosen.may_hold_secrets,
        submodule_hosts=chosen.submodule_hosts,
    )


def make_sandbox(settings: Settings) -> Sandbox:
    """The sandbox as configured; what the machine supports is determined at its first use."""
    limits = settings.sandbox
    return Sandbox(
        limits.mode,
        limits.user,
        SandboxLimits(
            memory_bytes=limits.memory_mb * _MIB, processes=limits.processes, disk_bytes=limits.disk_mb * _MIB
        ),
    )


def make_suite(settings: Settings, paths: ProjectPaths, git: GitManager, sandbox: Sandbox, store: MemoryStore) -> Suite:
    """The project's test suite, set up as the owner says or, where they do not, as the team found out."""
    return Suite(
        git,
        EnvironmentManager(paths.data, sandbox, hosts=settings.testing.setup_hosts),
        TestRunner(sandbox, settings.testing.test_command),
        folder=paths.state / "suites",
        framework=settings.testing.framework,
        setup_command=lambda: settings.testing.setup_command or found_setup(store),
        timeout=settings.testing.timeout,
        without_suite=settings.testing.without_suite,
    )


def found_setup(store: MemoryStore) -> str | None:
    """The command by which the team sets the project up; None if it found none."""
    found = remembered_setup(store)
    return found[0] if found else None


def remembered_setup(store: MemoryStore) -> tuple[str, str] | None:
    """That command and who found it, `team` or `owner`; None if nobody did."""
    match store.journal.recall(*_FOUND_SETUP):
        case {"command": str(command), "by": str(who)}:
            return command, who
        case str(command) if command:  # of an earlier version
            return command, "team"
        case _:
            return None


def keep_setup(store: MemoryStore, command: str, by: Literal["team", "owner"] = "team") -> None:
    """Remember the command by which the project is set up."""
    store.journal.remember(*_FOUND_SETUP, {"command": command, "by": by})
    store.journal.forget_oldest(SETUP_MEMORY, NO_SETUP, 0)


def forget_setup(store: MemoryStore) -> bool:
    """Forget how the team sets the project up, and what it tried in vain; whether there was anything to forget."""
    forgotten = store.journal.forget_oldest(*_FOUND_SETUP, 0)
    return forgotten + store.journal.forget_oldest(SETUP_MEMORY, "", 0) > 0
