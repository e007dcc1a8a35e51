"""Finds the project a command is about, says which one it is, and opens what the command needs of it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_json

from cli.options import EXIT_USAGE, Choice, absolute, caller, err, fail, given_options
from config import (
    ConfigError,
    ProjectPaths,
    Settings,
    command,
    config_file,
    data_folder,
    default_folders,
    is_installed,
    keep_options,
    load_settings,
)
from memory import MemoryStore, MemoryStoreError
from monitoring import escaped_json, redact, register_secret
from owner.errors import OwnerError

_LAST = "last-repository"
DEMO_HOME = data_folder() / "demo" if is_installed() else Path(".demo")
"""From a checkout below the folder in which the command is run."""
DEMO_REPOSITORY = "sample_project"
"""Below the home of the demo."""
_DEMO = "the demo, which ran last"


@dataclass(frozen=True)
class Project:
    """A project's settings and folders."""

    settings: Settings
    paths: ProjectPaths
    config: Path = Path("config.yaml")
    """The file of the configuration, whether it is there or not."""
    implied: str = ""
    """Why it is this one, if neither an option nor the configuration names it."""

    @property
    def name(self) -> str:
        """The repository, and why it is this one if nobody named it. For people: passwords are left out."""
        why = f" ({self.implied})" if self.implied else ""
        return redact(self.settings.git.repository_url) + why

    @property
    def keeps_no_records(self) -> bool:
        """Whether nothing was ever recorded of the repository, as far as files can tell."""
        return not self.settings.database.url and not (self.paths.state / "agents.db").exists()

    def open_store(self) -> MemoryStore:
        """The database, migrated."""
        store = MemoryStore(self.paths.database_url)
        store.migrate()
        return store


def load(
    choice: Choice, overrides: Mapping[str, Mapping[str, object]] | None = None, *, checks_names: bool = True
) -> Project:
    """Settings and paths; the repository is that of --repo, the configuration, or the last run, in this order.

    `checks_names`: names in the configuration are looked up in the registries, which takes most of a second."""
    keep_options(given_options())
    given, implied = {section: dict(values) for section, values in (overrides or {}).items()}, ""
    if choice.repo:
        given.setdefault("git", {})["repository_url"] = absolute(choice.repo)
    try:
        settings = load_settings(choice.config, given)
        root, logs_root = default_folders(choice.config)
        data = (root / settings.file_system.data_path).resolve()
        if not settings.git.repository_url and (last := _last_project(data, demo=choice.config is None)):
            implied = _DEMO if "project" in last else "the last one that ran"
            for section, values in last.items():
                given[section] = {**values, **given.get(section, {})}
            settings = load_settings(choice.config, given)
        if checks_names:
            from agents.registry import check_names

            check_names(settings, str(choice.config or config_file()))
    except ConfigError as problem:
        raise fail(str(problem), problem.exits_with) from None
    given_secrets = (settings.llm.api_key, settings.git.token, *settings.monitoring.alerts.urls)
    for secret in (*given_secrets, *settings.deployment.secrets, *settings.forge.secrets):
        register_secret(secret.get_secret_value() if secret else None)
    return Project(
        settings, ProjectPaths.of(settings, root, logs_root), (choice.config or config_file()).absolute(), implied
    )


def _last_project(data: Path, *, demo: bool) -> dict[str, dict[str, object]]:
    """Settings of what ran last from here: a repository whose data is in `data`, or (with `demo`) the demo's.

    Empty when nothing did.
    """
    places = [data / _LAST, *([DEMO_HOME / "data" / _LAST] if demo else [])]
    latest = max((file for file in places if file.is_file()), key=lambda file: file.stat().st_mtime, default=None)
    if latest is None:
        return {}
    if latest.is_relative_to(DEMO_HOME):
        return demo_settings(DEMO_HOME)
    return {"git": {"repository_url": latest.read_text(encoding="utf-8").strip()}}


def demo_settings(home: Path) -> dict[str, dict[str, object]]:
    """The settings that keep everything of a demo in `home`."""
    home = home.resolve()
    return {
        "git": {"repository_url": str(home / DEMO_REPOSITORY), "branch": "main"},
        "project": {"goal": "", "backlog_file": "BACKLOG.md"},
        "file_system": {"workspace_path": home / "workspace", "data_path": home / "data"},
        "monitoring": {"logs_path": home / "logs"},
        "database": {"url": ""},
    }


def remember_repository(project: Project) -> None:
    """Let later commands without --repo find this project."""
    project.paths.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (project.paths.data / _LAST).write_text(project.settings.git.repository_url + "\n", encoding="utf-8")


def require_repository(project: Project, *, quiet: bool) -> None:
    """End a command that is about a repository when none is set. Unless `quiet`, name the one that is implied."""
    if not project.settings.git.repository_url:
        here = Path("config.yaml")  # an installed program has its own, elsewhere
        other = here.is_file() and here.absolute() != project.config
        hint = f"; if {here.absolute()} is meant, give --config {here} before the command" if other else ""
        raise fail(
            "no repository is set; give --repo PATH_OR_URL, or set git.repository_url in "
            f"{project.config} (`{command()} init` asks for it){hint}",
            EXIT_USAGE,
        )
    if project.implied and not quiet:
        err.print(f"project: {project.name}", style="dim", markup=False, soft_wrap=True)


def start_command(project: Project, choice: Choice) -> str:
    """What to type to start the daemon of this project."""
    if project.implied == _DEMO:
        return f"{command()} demo"
    config = ["--config", str(choice.config)] if choice.config else []
    named = ["--repo", redact(project.settings.git.repository_url)] if choice.repo or project.implied else []
    return f"{command()} {shlex.join([*config, 'run', *named])}"


def _refuse_unknown_folder(project: Project) -> None:
    """End a command about a folder that is no repository and never was one of ours: likely a misspelt path."""
    url = project.settings.git.repository_url
    folder = Path(url).expanduser()
    if ":" in url or (folder / ".git").exists() or (folder / "HEAD").is_file() or not project.keeps_no_records:
        return
    what = "is no git repository; `git init` makes it one" if folder.is_dir() else "does not exist; is it misspelt?"
    raise fail(f"the repository {url} {what}", EXIT_USAGE)


@contextmanager
def opened(
    choice: Choice,
    *,
    any_project: bool = False,
    names_project: bool = False,
    checks_names: bool = False,
    writes: bool = False,
) -> Iterator[tuple[Project, MemoryStore]]:
    """The project and its database for one command. Database errors end the command with one line.

    `any_project`: the command works without a repository, too. `names_project`: its own output says which it is.
    `checks_names`: see `load`. `writes`: the command begins the records of a repository that has none; for the others
    such a repository is an empty one, and nothing is written.
    """
    project = load(choice, checks_names=checks_names)
    if not any_project:
        require_repository(project, quiet=choice.quiet or names_project)
    if project.settings.git.repository_url:
        _refuse_unknown_folder(project)
    with ExitStack() as ended:
        try:
            if not writes and project.keeps_no_records:
                empty = ended.enter_context(TemporaryDirectory(prefix="ai-agents-"))
                store = MemoryStore(f"sqlite:///{empty}/agents.db")
                store.migrate()
            else:
                store = project.open_store()
        except (MemoryStoreError, OSError) as problem:
            raise fail(str(problem)) from None
        ended.callback(store.close)
        try:
            yield project, store
        except MemoryStoreError as problem:
            raise fail(str(problem)) from None
        except OwnerError as problem:
            helps = f": {caller()} {problem.command}" if problem.command else ""
            raise fail(f"{problem}{helps}", problem.exits_with) from None


def print_json(value: object) -> None:
    """Machine-readable output: one JSON document on stdout."""
    plain = _plain(value)
    try:
        text = to_json(plain, indent=2, fallback=str, inf_nan_mode="constants").decode()
    except PydanticSerializationError:  # half a character, which is no UTF-8
        text = json.dumps(plain, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write(escaped_json(text) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, BaseModel):
        return _plain(value.model_dump())
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
