"""`backup`, `restore` and `migrate`: keeping a project's state, and bringing it to a new version."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.options import EXIT_USAGE, Choice, choice_of, fail, out
from cli.project import Project, load, opened, remember_repository, require_repository
from config import command, config_file
from memory import MemoryStoreError


def backup(
    ctx: typer.Context,
    to: Annotated[
        Path | None, typer.Option("--to", help="The file to write (default: data/backups/PROJECT-TIME.tar.gz).")
    ] = None,
) -> None:
    """Write the databases, git refs and config.yaml (without secrets) to one file. The daemon may keep running."""
    from git_ops import GitError
    from orchestrator import OrchestratorError, make_backup

    choice = choice_of(ctx)
    project = _project(choice)
    name = f"{project.paths.state.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz"
    file = (to or project.paths.data / "backups" / name).absolute()
    try:
        manifest = make_backup(project.settings, project.paths, choice.config or config_file(), file)
    except (OrchestratorError, MemoryStoreError, GitError, OSError) as problem:
        raise fail(str(problem)) from None
    size = file.stat().st_size / 1e6
    out.print(f"{file}  ({size:.1f} MB: {', '.join(manifest.parts)})", markup=False, soft_wrap=True)


def restore(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.", metavar="FILE")]
) -> None:
    """Restore a project from a backup. Stop the daemon first. The present state is moved aside, not deleted."""
    from git_ops import GitError
    from orchestrator import OrchestratorError, restore_backup

    project = _project(choice_of(ctx))
    if not file.is_file():
        raise fail(f"{file}: no such file", EXIT_USAGE)
    try:
        done = restore_backup(project.settings, project.paths, file)
        remember_repository(project)
    except (OrchestratorError, MemoryStoreError, GitError, OSError) as problem:
        raise fail(str(problem)) from None
    lines = [f"Restored the state of {done.made_at:%Y-%m-%d %H:%M:%S} UTC."]
    lines += [f"What was there before:  {path}" for path in done.aside]
    if done.landed:
        lines.append(f"Landed since then, and completed:  {', '.join(done.landed)}")
    if done.begun_anew:
        lines.append(f"Start again, with the answers they had:  {', '.join(done.begun_anew)}")
    if done.problem:
        lines.append(f"Your repository could not be reached:  {done.problem}")
    lines.append(f"The config.yaml of the backup:  {project.paths.state / 'config-of-backup.yaml'}")
    lines.append(f"Next:  {command()} doctor, then start the daemon.")
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def migrate(ctx: typer.Context) -> None:
    """Migrate the database to this version of the program; tasks in progress continue. Every start does this too."""
    with opened(choice_of(ctx), writes=True) as (_, store):
        out.print(store.check(), markup=False, soft_wrap=True)


def _project(choice: Choice) -> Project:
    project = load(choice)
    require_repository(project, quiet=choice.quiet)
    return project
