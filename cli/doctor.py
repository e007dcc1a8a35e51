"""`doctor`: is everything there that the daemon needs? One line for each thing, with a remedy for what is missing."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from cli.doctor_check import Check, existing
from cli.doctor_model import check_budget, check_model
from cli.options import EXIT_FAILED, AsJson, caller, choice_of, fail, folds, out
from cli.project import Project, load, print_json, require_repository
from config import weakened
from memory import MemoryStore, MemoryStoreError
from monitoring import daemon_pid, open_channels, redact
from owner.disk import full_folders
from testing import FRAMEWORKS, Language, Sandbox, SandboxUnavailable, find_toolchain, remedy_for

_LEAST_FREE = 500 * 1024 * 1024
"""Bytes that a first task needs: a clone, an environment, worktrees."""
_MARKS = {"ok": ("green", "ok  "), "warning": ("yellow", "warn"), "missing": ("red", "FAIL")}


def doctor(
    ctx: typer.Context,
    as_json: AsJson = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Check instead that nobody changed the activity trail.")
    ] = False,
) -> None:
    """Check git, sandbox, safety, toolchains, model or key, budget, repository, forge, database, disk, ports, alerts.

    The exit code is 1 if something is missing, or, with --audit, if the activity trail was changed.
    """
    project = load(choice_of(ctx))
    if audit:
        require_repository(project, quiet=as_json)
        return _audit(project, as_json=as_json)
    checks: list[Callable[[Project], Check]] = [
        _git,
        _sandbox,
        _safety,
        _toolchains,
        check_model,
        check_budget,
        _repository,
        _forge,
        _database,
        _setup,
        _disk,
        _ports,
        _alerts,
        *([_deploying] if project.settings.deployment.environments else []),
    ]
    results = []
    for check in checks:
        result = check(project)
        results.append(result)
        if not as_json:
            _print(result)
    if as_json:
        print_json(results)
    if any(result.state == "missing" for result in results):
        raise typer.Exit(EXIT_FAILED)


def _audit(project: Project, *, as_json: bool) -> None:
    if project.keeps_no_records:
        raise fail(f"there is no activity trail of {project.name} yet")
    store = MemoryStore(project.paths.database_url)
    try:
        store.check()
        report = store.audit.verify()
    except (MemoryStoreError, OSError) as problem:
        raise fail(str(problem)) from None
    finally:
        store.close()
    if as_json:
        print_json(report)
    else:
        forgotten = f", {report.forgotten_to} removed by retention" if report.forgotten_to else ""
        detail = f"{report.lines} lines form an unbroken chain{forgotten}; the last is {report.last}, {report.head}"
        remedy = "somebody wrote to the database by hand: compare it with a backup, and change its password"
        state: Literal["ok", "missing"] = "missing" if report.broken else "ok"
        _print(Check(name="audit", state=state, detail=report.broken or detail, remedy=remedy))
    if report.broken:
        raise typer.Exit(EXIT_FAILED)


def _git(_: Project) -> Check:
    if not shutil.which("git"):
        return Check(name="git", state="missing", detail="not found", remedy="install git (apt-get install git)")
    version = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=20).stdout.strip()
    return Check(name="git", state="ok", detail=version)


def _sandbox(project: Project) -> Check:
    settings = project.settings.sandbox
    if settings.mode == "off":
        return Check(
            name="sandbox", state="missing", detail="switched off: code of models runs unconfined",
            remedy="set sandbox.mode to required",
        )  # fmt: skip
    try:
        sandbox = Sandbox(settings.mode, settings.user)
        probe = sandbox.probe()
        took = f"; a launch takes {sandbox.launch_seconds() * 1000:.0f} ms" if probe.tier else ""
    except SandboxUnavailable as problem:
        return Check(
            name="sandbox", state="missing", detail=str(problem).partition(" Next: ")[0], remedy=problem.remedy
        )
    state: Literal["ok", "warning", "missing"] = (
        "missing" if probe.tier is None else "ok" if probe.tier <= 2 else "warning"
    )
    tier = f"tier {probe.tier}: " if probe.tier and "tier" not in probe.detail else ""
    return Check(name="sandbox", state=state, detail=tier + probe.detail + took, remedy=probe.remedy)


def _safety(project: Project) -> Check:
    """Settings by which the owner gives up some of the safety."""
    found = [f"{setting}: {loss}" for setting, loss in weakened(project.settings).items()]
    if not found:
        return Check(name="safety", state="ok", detail="no setting gives up a wall")
    return Check(
        name="safety", state="warning", detail="; ".join(found), remedy="see that each of these is what you want"
    )


def _toolchains(project: Project) -> Check:
    """The languages whose tests can be run; missing only if `testing.framework` needs one that is not there."""
    languages: tuple[Language, ...] = ("node", "go", "rust")
    found = [toolchain for language in languages if (toolchain := find_toolchain(language))]
    detail = f"python, {', '.join(f'{toolchain.language} ({toolchain.version})' for toolchain in found)}".strip(", ")
    name = project.settings.testing.framework
    needed = FRAMEWORKS[name].language if name in FRAMEWORKS else None
    if needed in languages and needed not in {toolchain.language for toolchain in found}:
        return Check(name="toolchains", state="missing", detail=detail, remedy=remedy_for(needed))
    return Check(name="toolchains", state="ok", detail=detail)


def _repository(project: Project) -> Check:
    from git_ops.errors import DiskFull, GitError, GitUnusable
    from orchestrator.services import make_git

    url = project.settings.git.repository_url
    if not url:
        return Check(name="repository", state="warning", detail="none is set",
                     remedy="give --repo PATH_OR_URL, or set git.repository_url")  # fmt: skip
    paths = project.paths
    with TemporaryDirectory(prefix="ai-agents-") as folder:
        if not paths.clone.exists():  # to look at a project does not begin it
            paths = replace(paths, clone=Path(folder) / "repo", workspace=Path(folder))
        try:
            git = make_git(project.settings, paths)
            git.clone() if paths is project.paths else git.look()
            branch = git.repository.base_branch()
        except (GitError, OSError) as problem:
            its_fault = isinstance(problem, OSError | DiskFull | GitUnusable)
            remedy = "see the message" if its_fault else "correct git.repository_url"
            return Check(name="repository", state="missing", detail=str(problem), remedy=remedy)
    return Check(name="repository", state="ok", detail=f"{project.name}, work starts from {branch}")


def _forge(project: Project) -> Check:
    """Whether the forge lets the token do what the settings need; nothing is written there."""
    if not project.settings.forge.provider:
        return Check(name="forge", state="ok", detail="none is set (section forge of config.yaml)")
    from owner.forge_check import checked  # for those who have a forge

    state, detail, remedy = checked(project.settings)
    return Check(name="forge", state=state, detail=detail, remedy=remedy)


def _database(project: Project) -> Check:
    if project.keeps_no_records:
        return Check(name="database", state="ok", detail=f"none yet; the first task makes it in {project.paths.state}")
    store = MemoryStore(project.paths.database_url)
    try:
        store.migrate()
        detail = store.check()
    except (MemoryStoreError, OSError) as problem:
        return Check(name="database", state="missing", detail=str(problem), remedy="see the message")
    finally:
        store.close()
    return Check(name="database", state="ok", detail=detail)


def _setup(project: Project) -> Check:
    """By what the project's environment is set up, and who says so."""
    if given := project.settings.testing.setup_command:
        return Check(name="set-up", state="ok", detail=f"{given} (testing.setup_command)")
    from orchestrator.services import remembered_setup  # most of the start-up time

    found = None
    if project.settings.git.repository_url and project.paths.state.exists():
        try:
            store = MemoryStore(project.paths.database_url)
            try:
                found = remembered_setup(store)
            finally:
                store.close()
        except MemoryStoreError:  # the check of the database reports it
            found = None
    if found:
        by = "found by the team" if found[1] == "team" else f"given by `{caller()} project set-up`"
        return Check(name="set-up", state="ok", detail=f"{found[0]} ({by}; testing.setup_command overrides it)")
    return Check(name="set-up", state="ok", detail="by the project's dependency files")


def _disk(project: Project) -> Check:
    if full := full_folders(project.paths, daemon_pid(project.paths.state), _LEAST_FREE):
        lacks = ", ".join(f"{folder.folder} ({folder.what}) has {folder.lacks}" for folder in full)
        return Check(name="disk", state="missing", detail=f"{lacks}; 0.5 GB are needed",
                     remedy="; ".join(dict.fromkeys(folder.remedy for folder in full)))  # fmt: skip
    paths = project.paths
    free = {folder: shutil.disk_usage(existing(folder)).free for folder in (paths.workspace, paths.data, paths.logs)}
    tightest = min(free, key=lambda folder: free[folder])
    return Check(name="disk", state="ok", detail=f"{free[tightest] / 1e9:.1f} GB free at {tightest}")


def _ports(_: Project) -> Check:
    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            probe.listen(1)
    except OSError as problem:
        return Check(name="ports", state="missing", detail=f"no loopback port can be opened: {problem}",
                     remedy="allow listening on 127.0.0.1 (the embedded model needs one)")  # fmt: skip
    return Check(name="ports", state="ok", detail="loopback ports can be opened")


def _alerts(project: Project) -> Check:
    """Whether the owner can be alerted; nothing is sent."""
    channels, problems = open_channels(project.settings.monitoring.alerts.urls)
    if problems:
        return Check(name="alerts", state="missing", detail="; ".join(problems),
                     remedy="see https://appriseit.com for the addresses of services")  # fmt: skip
    if not channels:
        return Check(
            name="alerts", state="ok", detail="written to the log only; set monitoring.alerts.urls to receive them"
        )
    names = ", ".join(channel.name for channel in channels)
    return Check(name="alerts", state="ok", detail=f"sent to {names}; `{caller()} alerts test` sends a test message")


def _deploying(project: Project) -> Check:
    """Whether what the targets need is on this machine; no host is asked."""
    from deployment import missing  # for those who deploy

    if found := missing(project.settings.deployment):
        told, remedies = "; ".join(what for what, _ in found), "; ".join(dict.fromkeys(remedy for _, remedy in found))
        return Check(name="deployment", state="missing", detail=told, remedy=remedies)
    names = ", ".join(project.settings.deployment.environments)
    return Check(name="deployment", state="ok", detail=f"what {names} need on this machine is there")


def _print(check: Check) -> None:
    style, mark = _MARKS[check.state]
    head, told = Text(mark, style=style).append(f"  {check.name:<11}", style="bold"), Text(redact(check.detail))
    remedy = Text(f"→ {check.remedy}", style="" if check.state == "missing" else "bold")
    mends = bool(check.remedy) and check.state != "ok"
    if not folds():
        line = head.append_text(told)
        out.print(line.append("  ").append_text(remedy) if mends else line, soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(width=len(head))
    grid.add_column(overflow="fold")
    grid.add_row(head, told)
    if mends:
        grid.add_row("", remedy)
    out.print(grid)
