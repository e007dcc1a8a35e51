"""A backup in one file, made while the daemon may be running, and the restore of one.

The parts are copied one after the other, so each must be consistent with a later state of the next: first the engine's
store, then our database, then git. A step that the engine does not know is repeated, and every step is repeatable; an
answer that the engine does not have is in our ledger; an unknown commit is found by its trailers. In another order the
engine would consider work done that our database or git has never seen.

What steps keep elsewhere (worktrees, git's loose trees) is in no backup. Tasks that were in progress therefore start
their run again, and reuse the answers in the ledger. What has landed since is found at the remote.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from config import ProjectPaths, Settings
from git_ops import GitManager, RemoteError
from memory import (
    OPEN,
    SCHEMA_REVISION,
    MemoryStore,
    Task,
    TaskStatus,
    check_sound,
    copy_database,
    revision_of,
    utc_now,
)
from monitoring import get_logger, redact
from monitoring.daemon_lock import LOCK
from orchestrator.engine.engine import forget_jobs
from orchestrator.engine.project_lock import claim
from orchestrator.errors import BackupUnusable
from orchestrator.flows import FlowState
from orchestrator.services import make_git

log = get_logger(__name__)

_FORMAT = 1
_MANIFEST = "manifest.json"
_ENGINE, _AGENTS, _CLONE, _CONFIG = "engine.db", "agents.db", "clone.bundle", "config.yaml"
_MOST_TASKS = 10_000
_BLOCK = 1 << 20


class Manifest(BaseModel):
    """What a backup contains."""

    format: int = _FORMAT
    made_at: datetime
    project: str
    """The name of the project's folder of state."""
    revision: str
    """Schema revision of our database."""
    parts: dict[str, str]
    """The sha256 of each part, by its name."""


class Restored(BaseModel):
    """The result of a restore."""

    made_at: datetime
    aside: list[Path]
    """Where the state before the restore was moved to."""
    landed: list[str]
    """Tasks that had landed after the backup was made."""
    begun_anew: list[str]
    """Tasks that were in progress when it was made."""
    problem: str
    """Why the owner's repository could not be reached; empty if it was."""


def make_backup(settings: Settings, paths: ProjectPaths, config: Path, to: Path) -> Manifest:
    """Write a backup of the project to the file `to`, readable by its owner only. The daemon may be running.

    Raises `BackupUnusable` on PostgreSQL or if there is nothing to back up, and the errors of memory and git_ops.
    """
    agents, engine = _files(paths)
    if not agents.is_file():
        raise BackupUnusable(f"there is nothing to back up: {agents} does not exist; run the daemon first")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=to.parent) as name:
        folder = Path(name)
        for source in (engine, agents):  # in this order, see above
            if source.is_file():
                copy_database(source, folder / source.name)
                check_sound(folder / source.name)
        if paths.clone.is_dir():
            make_git(settings, paths).repository.bundle(folder / _CLONE)
        if config.is_file():
            (folder / _CONFIG).write_text(redact(config.read_text(encoding="utf-8")), encoding="utf-8")
        manifest = Manifest(
            made_at=utc_now(),
            project=paths.state.name,
            revision=revision_of(folder / _AGENTS) or "",
            parts={part.name: _digest(part) for part in sorted(folder.iterdir())},
        )
        (folder / _MANIFEST).write_text(manifest.model_dump_json(indent=2), encoding="utf-8")
        _pack(folder, to)
    return manifest


def restore_backup(settings: Settings, paths: ProjectPaths, file: Path) -> Restored:
    """Restore the project from a backup; the present state is moved aside, never deleted.

    Raises `DaemonRunning` if a daemon is running. Raises `BackupUnusable`, before anything is changed, if the file is
    damaged, of another project, or of a newer program.
    """
    agents, _ = _files(paths)
    lock = claim(paths.state, paths.engine_url)
    try:
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=paths.state) as name:
            folder = Path(name)
            manifest = _unpack(file, folder, paths)
            aside = _move_aside(paths, folder)
            for part in (_AGENTS, _ENGINE, _CONFIG):
                if (folder / part).exists():
                    (folder / part).rename(paths.state / (part if part != _CONFIG else "config-of-backup.yaml"))
            git, problem = _restore_clone(settings, paths, folder / _CLONE)
        store = MemoryStore(f"sqlite:///{agents}")
        try:
            store.migrate()
            landed, anew = _settle(store, git)
            store.journal.log("owner", "restored from a backup", made_at=str(manifest.made_at), file=file.name)
        finally:
            store.close()
        forget_jobs(paths.engine_url, [f"{task.id}." for task in anew])
    finally:
        lock.close()
    return Restored(
        made_at=manifest.made_at,
        aside=aside,
        landed=[task.id for task in landed],
        begun_anew=[task.id for task in anew],
        problem=problem,
    )


def _files(paths: ProjectPaths) -> tuple[Path, Path]:
    """Our database and the engine's, as files."""
    if not paths.database_url.startswith("sqlite:"):
        raise BackupUnusable(
            "the database is on PostgreSQL: use pg_dump and pg_restore for it while no daemon runs; "
            "what has landed is in your git remote"
        )
    return paths.state / _AGENTS, paths.state / _ENGINE


# -- the file --------------------------------------------------------------------------------------------------------


def _pack(folder: Path, to: Path) -> None:
    """Pack all parts into one file, which appears complete or not at all."""
    part = to.with_name(f".{to.name}.part")
    try:
        descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as archive:
                for source in sorted(folder.iterdir()):
                    archive.add(source, source.name, filter=_anonymous)
            raw.flush()
            os.fsync(raw.fileno())
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _unpack(file: Path, folder: Path, paths: ProjectPaths) -> Manifest:
    """The parts of a backup, checked, in `folder`."""
    known = (_MANIFEST, _ENGINE, _AGENTS, _CLONE, _CONFIG)
    try:
        with tarfile.open(file, "r:gz") as archive:
            members = [member for member in archive if member.isreg() and member.name in known]
            archive.extractall(folder, members, filter="data")
        manifest = Manifest.model_validate_json((folder / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, EOFError, tarfile.TarError, ValidationError) as problem:
        raise BackupUnusable(
            f"{file} is not a complete backup of this program ({problem}); use another one"
        ) from problem
    if manifest.format != _FORMAT or manifest.revision > SCHEMA_REVISION:
        raise BackupUnusable(
            f"{file} was made by a newer program (schema {manifest.revision}, this one knows up to {SCHEMA_REVISION}); "
            "upgrade first"
        )
    if manifest.project != paths.state.name:
        raise BackupUnusable(
            f"{file} is of the project {manifest.project}, not of {paths.state.name}; give the --repo of that project"
        )
    for name, digest in manifest.parts.items():
        if name not in known or not (folder / name).is_file() or _digest(folder / name) != digest:
            raise BackupUnusable(f"{file}: the part {name[:80]} is damaged; use another backup")
    for name in (_AGENTS, _ENGINE):
        if name in manifest.parts:
            check_sound(folder / name)
    return manifest


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


# -- restoring -------------------------------------------------------------------------------------------------------


def _move_aside(paths: ProjectPaths, ours: Path) -> list[Path]:
    """Move the present state to a new name; the folder of state itself stays, because it holds the lock."""
    mark = f"before-restore-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"
    aside = paths.state / mark
    moved = []
    for entry in list(paths.state.iterdir()):
        if entry != ours and entry.name != LOCK and not entry.name.startswith("before-restore-"):
            aside.mkdir(exist_ok=True, mode=0o700)
            entry.rename(aside / entry.name)
    if aside.is_dir():
        moved.append(aside)
    for folder in (paths.clone, paths.workspace / "worktrees"):
        if folder.is_dir():
            moved.append(folder.rename(folder.with_name(f"{folder.name}.{mark}")))
    return moved


def _restore_clone(settings: Settings, paths: ProjectPaths, bundle: Path) -> tuple[GitManager, str]:
    """The clone with the backup's refs and the news of the owner's repository; and why that could not be reached."""
    git = make_git(settings, paths)
    paths.workspace.mkdir(parents=True, exist_ok=True, mode=0o700)
    if bundle.is_file():
        git.repository.unbundle(bundle)
    try:
        problem = git.clone(allow_offline=True)
        if not problem:
            problem = git.branch.sync(lambda tree: False).problem  # untested work waits for the daemon
    except RemoteError as away:
        problem = str(away)
    return git, problem


def _settle(store: MemoryStore, git: GitManager) -> tuple[list[Task], list[Task]]:
    """Complete the tasks that landed after the backup; the others that were in progress start their run again."""
    landed, anew = [], []
    for task in store.tasks.select(OPEN, limit=_MOST_TASKS):
        result = git.landing.landed(task.id, task.run)
        if result is not None:
            state = task.result | {"landed_commits": list(result.commits), "pushed": result.pushed, "push_error": ""}
            if task.status is TaskStatus.PENDING:
                store.tasks.transition(task.id, TaskStatus.IN_PROGRESS)
            store.tasks.transition(task.id, TaskStatus.COMPLETED, result=state)
            landed.append(task)
        elif task.stage or task.status is not TaskStatus.PENDING:
            approved = FlowState.model_validate(task.result).approved
            if task.status is not TaskStatus.PENDING:
                store.tasks.transition(task.id, TaskStatus.PENDING, detail="started again after a restore")
            store.tasks.update(task.id, stage="", result={"approved": [*approved]})
            anew.append(task)
    for task, word in [*((task, "landed before the restore") for task in landed), *((t, "begins anew") for t in anew)]:
        store.journal.log("orchestrator", word, task.id, title=task.title)
    return landed, anew
