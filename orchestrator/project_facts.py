"""What the team knows of a repository: how it is set up and tested, what its suite says, and what is missing.

It is read from what is remembered and stored. Nothing is fetched, built or run, and no daemon is needed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median

import yaml
from pydantic import BaseModel, JsonValue

from config import ProjectPaths, Settings
from file_system import FileManager, FileSystemError, conventions_of, is_test_path, text_of
from file_system.code.languages import language_of
from git_ops import Commit, GitError
from memory import MemoryStore
from orchestrator.baseline import Baseline
from orchestrator.services import NO_SETUP, SETUP_MEMORY, make_git, make_sandbox, make_suite, remembered_setup
from orchestrator.suite import Suite
from orchestrator.workbench.protected import protected_by_owner, protected_paths
from testing import FRAMEWORKS, Environment, detect_framework

_MOST_COMMITS, _MOST_NAMED, _MOST_FLAKY_LINES = 60, 40, 50
_MOST_SERVICE_FILES = 20
_CONVENTIONAL = re.compile(r"(?:feat|fix|docs|style|refactor|perf|test|build|ci|chore|revert)(?:\([^)]*\))?!?: ")
_PREFIX = re.compile(
    r"(?P<prefix>[\w./-]{1,30}): |(?P<ticket>\[?[A-Z][A-Z0-9]+-\d+\]?|\(?#\d+\)?)[: ]|(?P<mark>:\w+:|\W) "
)
_COMPOSE = re.compile(r"(?:docker-)?compose[\w.-]*\.ya?ml")


class Sourced(BaseModel):
    """A value and where it comes from."""

    value: str
    source: str


class EnvironmentFacts(BaseModel):
    """The project's environment as it was last built."""

    key: str
    language: str
    built: datetime
    seconds: float
    size_bytes: int
    notes: list[str]
    """What it lacks."""


class BaselineFacts(BaseModel):
    """The suite of the landing branch's tip, before any new work."""

    passed: int
    failed: list[str]
    """The first of those that fail."""
    failing: int
    seconds: float
    recorded: datetime


class Missing(BaseModel):
    """What keeps the suite from saying all that it could, and what to do about it."""

    what: str
    remedy: str


class ProjectFacts(BaseModel):
    """All that is known; what nothing is known of yet is empty or None."""

    repository: str
    base_branch: str = ""
    landing: str
    landing_branch: str
    tip: str = ""
    languages: dict[str, int] = {}
    """Files of each language."""
    frameworks: list[Sourced] = []
    """The one in use first, then others that the files show."""
    setup_command: Sourced
    test_command: Sourced
    test_paths: dict[str, int] = {}
    """Folders of tests, with the number of tests, or of files before any suite has run."""
    services: list[Sourced] = []
    """What the project's own files start beside its code, such as a database."""
    environment: EnvironmentFacts | None = None
    baseline: BaselineFacts | None = None
    flaky: list[str] = []
    """Tests that failed and passed when they ran again."""
    missing: list[Missing] = []
    protected: list[str] = []
    """Patterns of paths that nobody on the team may write, by the configuration."""
    protected_from_developer: list[str] = []
    """Patterns that the developer may not write in any project: tests, and files of dependencies and settings."""
    conventions: list[str] = []
    """Files in which the project says how it wants its code, and how its commits are worded."""
    notes: list[str] = []
    """Why something is not known."""


def project_facts(settings: Settings, paths: ProjectPaths, store: MemoryStore) -> ProjectFacts:
    """What is known of the project now."""
    git = make_git(settings, paths)
    suite = make_suite(settings, paths, git, make_sandbox(settings), store)
    own = protected_by_owner(settings)
    facts = ProjectFacts(
        repository=settings.git.repository_url,
        landing=settings.git.landing,
        landing_branch=settings.git.integration_branch,
        setup_command=_setup_command(settings, store),
        test_command=_test_command(settings, []),
        protected=own,
        protected_from_developer=[*dict.fromkeys(path for path in protected_paths(settings) if path not in own)],
        flaky=_flaky(store),
    )
    try:
        if not paths.clone.is_dir() or not git.repository.is_clone():
            facts.notes.append("there is no clone yet: `run` makes it, and the team looks at the files then")
            return _with_remedy(facts, store)
        facts.missing += [
            Missing(what=f"the submodule {away}", remedy="check it out in your repository, or see git.submodule_hosts")
            for away in git.submodules.away()
        ]
        facts.base_branch = git.repository.base_branch()
        facts.landing_branch, facts.tip = git.branch.name(), git.branch.tip()
        if settings.git.landing in ("branch", "pull_request"):
            facts.landing_branch += "<task>"
        with suite.folders.for_reading(facts.tip) as (folder, tree):
            _read_files(facts, settings, folder)
            _read_results(facts, suite, folder, tree)
        facts.conventions.append(_commit_style(git.commits.history(facts.tip, limit=_MOST_COMMITS)))
    except (GitError, OSError, ValueError) as problem:
        facts.notes.append(f"the clone cannot be read: {problem}")
    return _with_remedy(facts, store)


def _setup_command(settings: Settings, store: MemoryStore) -> Sourced:
    if settings.testing.setup_command:
        return Sourced(value=settings.testing.setup_command, source="testing.setup_command in config.yaml")
    if found := remembered_setup(store):
        command, who = found
        source = "found by the team" if who == "team" else "given by `project set-up --command`"
        return Sourced(value=command, source=source)
    return Sourced(value="", source="the project's dependency files")


def _test_command(settings: Settings, frameworks: Sequence[Sourced]) -> Sourced:
    if settings.testing.test_command:
        return Sourced(value=settings.testing.test_command, source="testing.test_command in config.yaml")
    return Sourced(value=frameworks[0].value if frameworks else "", source="the test framework")


def _flaky(store: MemoryStore) -> list[str]:
    found: dict[str, None] = {}
    for line in store.journal.latest_of("flaky tests", _MOST_FLAKY_LINES):
        tests = line.details.get("tests")
        found |= dict.fromkeys(str(test) for test in tests) if isinstance(tests, list) else {}
    return [*found][-_MOST_NAMED:]


def _read_files(facts: ProjectFacts, settings: Settings, folder: Path) -> None:
    paths = [path.as_posix() for path in FileManager(folder).find_files("**")]
    languages = Counter(language for path in paths if (language := language_of(path)))
    facts.languages = dict(languages.most_common())
    facts.frameworks = _frameworks(settings, folder)
    facts.test_command = _test_command(settings, facts.frameworks)
    facts.test_paths = _folders(path for path in paths if is_test_path(path) and language_of(path))
    facts.services = [*_services(folder, paths)]
    facts.conventions = re.findall(r"^## (\S+\.\S+)$", conventions_of(folder), re.MULTILINE)


def _frameworks(settings: Settings, folder: Path) -> list[Sourced]:
    wanted = settings.testing.framework
    found = [name for name, framework in FRAMEWORKS.items() if name != "command" and framework.recognises(folder)]
    used = detect_framework(folder)
    if wanted not in ("auto", "pytest") or (wanted == "pytest" and FRAMEWORKS[used].language == "python"):
        first = Sourced(value=wanted, source="testing.framework")
    else:
        first = Sourced(value=used, source="found in the repository")
    others = [Sourced(value=name, source="also in the repository") for name in found if name != first.value]
    return [first, *others]


def _folders(paths: Iterable[str]) -> dict[str, int]:
    folders = Counter(path.rpartition("/")[0] or "." for path in paths)
    return dict(folders.most_common(_MOST_NAMED))


def _services(folder: Path, paths: Sequence[str]) -> Iterator[Sourced]:
    """Services in the project's own compose files and in the jobs of its GitHub workflows."""
    named = [
        path for path in paths
        if _COMPOSE.fullmatch(path.rpartition("/")[2]) or path.startswith(".github/workflows/")
    ]  # fmt: skip
    seen: set[str] = set()
    for path in named[:_MOST_SERVICE_FILES]:
        try:
            read = yaml.safe_load(text_of(folder, path))
        except (yaml.YAMLError, FileSystemError, RecursionError, ValueError):
            continue
        document = read if isinstance(read, dict) else {}
        jobs = document.get("jobs")
        for holder in [document, *(jobs.values() if isinstance(jobs, dict) else [])]:
            services = holder.get("services") if isinstance(holder, dict) else None
            for name, service in services.items() if isinstance(services, dict) else []:
                image = service.get("image") if isinstance(service, dict) else service
                if isinstance(image, str) and image not in seen:  # one that is built is the project itself
                    seen.add(image)
                    yield Sourced(value=f"{name} ({image})", source=path)


def _read_results(facts: ProjectFacts, suite: Suite, folder: Path, tree: str) -> None:
    facts.notes += [f"left out of the tests for a day: {reason}" for reason in suite.projects.left_out(folder)]
    environment, baseline = suite.known_of(folder, tree)
    if environment is None:
        facts.notes.append("the environment for these files has not been built yet; the next code task builds it")
        return
    facts.environment = _environment(environment)
    if baseline is None:
        facts.notes.append("the suite of these files has not been run yet; the next code task runs it")
        return
    recorded = suite.recorded(baseline)
    facts.baseline = BaselineFacts(
        passed=len(baseline.passed), failed=baseline.failed[:_MOST_NAMED], failing=len(baseline.failed),
        seconds=baseline.seconds, recorded=recorded,
    )  # fmt: skip
    if tests := [test_id.partition("::")[0] for test_id in (*baseline.passed, *baseline.failed)]:
        facts.test_paths = _folders(tests)
    facts.missing += _missing(baseline)


def _environment(found: Environment) -> EnvironmentFacts:
    record = found.path / "setup.log"
    built = datetime.fromtimestamp((record if record.exists() else found.path).stat().st_mtime, UTC)
    return EnvironmentFacts(
        key=found.key, language=found.language, built=built, seconds=found.seconds, size_bytes=_size(found.path),
        notes=found.notes,
    )  # fmt: skip


def _size(folder: Path) -> int:
    return sum(Path(where, name).lstat().st_size for where, _, names in os.walk(folder) for name in names)


def _missing(baseline: Baseline) -> Iterator[Missing]:
    if baseline.lacking:
        yield Missing(
            what=f"no test can pass: the environment lacks {', '.join(baseline.lacking)}",
            remedy="give the command that installs it by `project set-up --command` or testing.setup_command, such as: "
            f"{baseline.installing or 'pip install …'}",
        )
    outside = [failure for failure in baseline.failures if failure.outside]
    for failure in islice(outside, 0 if baseline.lacking else _MOST_NAMED):
        told = failure.evidence.removeprefix(failure.test_id).strip().partition("\n")[0]
        yield Missing(
            what=f"{failure.test_id} needs something that the sandbox does not have: {told}",
            remedy="nothing, if it may stay: it does not count; else start or fake it in a fixture of the project",
        )


def _with_remedy(facts: ProjectFacts, store: MemoryStore) -> ProjectFacts:
    remedy: JsonValue | None = store.journal.recall(SETUP_MEMORY, NO_SETUP)
    if remedy and not facts.setup_command.value:
        facts.missing.insert(0, Missing(what="the team could not set the project up", remedy=str(remedy)))
    if facts.environment:
        facts.missing += [
            Missing(what=note, remedy="see setup.log of the environment, or give the command by `project set-up`")
            for note in facts.environment.notes
        ]
    return facts


def _commit_style(history: Sequence[Commit]) -> str:
    """How the subjects of the latest commits are worded, in a line."""
    own = [commit for commit in history if not {"Task-Id"} & set(commit.trailers)] or [*history]
    subjects = [commit.subject for commit in own if not commit.subject.startswith("Merge ")]
    if not subjects:
        return "commits: none of the owner's yet"
    half = len(subjects) / 2
    style = "plain sentences"
    if sum(bool(_CONVENTIONAL.match(subject)) for subject in subjects) > half:
        style = "conventional commits (feat: …, fix: …)"
    elif len(found := [match for subject in subjects if (match := _PREFIX.match(subject))]) > half:
        kinds = Counter(match.lastgroup or "" for match in found)
        style = {"prefix": "a prefix (area: …)", "ticket": "the number of a ticket first", "mark": "a mark first"}[
            kinds.most_common(1)[0][0]
        ]
    rest = [_PREFIX.sub("", subject, count=1) for subject in subjects]
    case = "capital" if sum(words[:1].isupper() for words in rest) >= len(rest) / 2 else "small"
    signed = sum("Signed-off-by" in commit.trailers for commit in own) > len(own) / 2
    length = round(median(len(subject) for subject in subjects))
    return (
        f"commits: {style}, beginning with a {case} letter, usually {length} characters"
        + (", signed off" if signed else "")
        + f" (of {len(subjects)})"
    )
