"""`service …`: the daemon as a service of systemd, for the machine or for one user."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from cli.options import EXIT_USAGE, AsJson, Choice, Commands, choice_of, err, fail, out
from cli.project import Project, load, print_json
from config import NAME, command, config_file, default_folders, is_installed
from config.program import ROOT
from deployment.service_unit import Unit, configuration_of, is_hidden

commands = Commands(help="Run the daemon as a service of systemd.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Option(
        help="Name of the service. NAME@PROJECT is one of several, each with its own configuration and state."
    ),
]
ForUser = Annotated[bool, typer.Option("--user", help="A service of your own instead of one of the machine.")]

_MANUAL = ROOT / "docs" / "DEPLOYMENT.md"
_SECONDS = 1200
"""Longest time a call of systemctl may take: TimeoutStartSec of the unit, and more."""


class ServiceState(BaseModel):
    """What is known of a service."""

    name: str
    unit: Path
    installed: bool
    enabled: bool
    active: str
    """systemd's word: active, activating, inactive, failed …; unknown where systemd does not run."""
    config: Path | None
    pid: int | None
    says: str
    """What the daemon says that it does."""


@commands.command("install")
def install(
    ctx: typer.Context,
    name: Name = "ai-agents",
    for_user: ForUser = False,
    show: Annotated[bool, typer.Option("--print", help="Show the unit file and change nothing.")] = False,
    start: Annotated[bool, typer.Option(help="Enable and start the service.")] = True,
) -> None:
    """Write the unit file of the daemon, enable the service and start it. Again, it brings all of that up to date.

    A system service gets a user of its name and keeps everything in /var/lib/NAME, to which config.yaml is copied. With
    --config it uses that file where it lies, and keeps its state where that file says.
    """
    choice = choice_of(ctx)
    if show:
        sys.stdout.write(_planned(name, choice, for_user)[0].render())
        return
    _require_systemd(for_user)
    if not for_user and os.geteuid() != 0:
        again = shlex.join([*_program(), "service", "install"])
        raise fail(f"a service of the machine needs root: sudo {again} … (or --user for a service of your own)")
    unit, source, project = _planned(name, choice, for_user)
    _refuse_what_cannot_run(unit, project, source, start=start)
    _prepare(unit, source, project)
    changed = _write(unit)
    if changed:
        _systemctl(for_user, "daemon-reload")
        out.print(f"Written: {unit.file}", markup=False, soft_wrap=True)
    if start:
        before = _state(unit)
        if not before.enabled:
            _systemctl(for_user, "enable", unit.name)
        if changed or before.active != "active":
            _start(unit)
        out.print(f"{unit.name} is enabled and runs, also after a reboot.", markup=False)
    _tell_what_is_next(unit, project, started=start)


@commands.command("uninstall")
def uninstall(name: Name = "ai-agents", for_user: ForUser = False) -> None:
    """Stop the service and remove its unit file. Data, configuration, logs and keys stay, and are named."""
    unit = _named(name, for_user)
    if not unit.file.exists():
        out.print(f"There is no service {name}: {unit.file} does not exist.", markup=False, soft_wrap=True)
        return
    _require_systemd(for_user)
    if not for_user and os.geteuid() != 0:
        raise fail(f"a service of the machine needs root: sudo {shlex.join([*_program(), 'service', 'uninstall'])} …")
    left = _left_by(unit)
    _systemctl(for_user, "disable", "--now", unit.name)
    others = [link.stem for link in unit.file.parent.glob(f"*.wants/{unit.base}@*.service")] if unit.project else []
    if not others:
        unit.file.unlink()
        out.print(f"Stopped, disabled and removed: {unit.file}", markup=False, soft_wrap=True)
    else:
        out.print(f"Stopped and disabled. {unit.file} stays: {', '.join(others)}", markup=False, soft_wrap=True)
    _systemctl(for_user, "daemon-reload")
    _systemctl(for_user, "reset-failed", unit.name, must=False)
    out.print("These stay; delete what you no longer need:")
    for what, path in left.items():
        out.print(f"  {what:14} {path}", markup=False, soft_wrap=True)


@commands.command("status")
def status(name: Name = "ai-agents", for_user: ForUser = False, as_json: AsJson = False) -> None:
    """Show whether the service is installed, enabled and active, and which configuration it uses."""
    state = _state(_named(name, for_user))
    if as_json:
        print_json(state)
        return
    for what, value in (
        ("service", state.name),
        ("installed", f"yes, {state.unit}" if state.installed else "no"),
        ("enabled", "yes" if state.enabled else "no"),
        ("active", state.active + (f", pid {state.pid}" if state.pid else "")),
        ("does", state.says),
        ("configuration", str(state.config or "")),
    ):
        if value:
            out.print(f"{what:14} {value}", markup=False, soft_wrap=True)


# -- what is to be installed ------------------------------------------------------------------------------------------


def _planned(name: str, choice: Choice, for_user: bool) -> tuple[Unit, Path, Project]:
    """The unit, the configuration that there is now, and what that says."""
    unit = _named(name, for_user, config=choice.config.absolute() if choice.config else None)
    source = choice.config or (unit.config if unit.config.exists() else config_file())
    given = source if source.exists() and unit.names_config else None
    project = load(Choice(given, choice.repo, quiet=True))
    writable = [] if for_user else _outside(unit, project, choice)
    planned = _checked(lambda: replace(unit, repository=choice.repo or "", writable=tuple(writable)))
    return planned, source.absolute(), project


def _named(name: str, for_user: bool, config: Path | None = None) -> Unit:
    """The service of that name; of a user's own, the configuration is the one that the program finds by itself."""
    found = config is None and for_user and "@" not in name
    config = config_file().absolute() if found else config
    manual = _MANUAL if _MANUAL.is_file() else None
    return _checked(lambda: Unit(name, _program(), for_user, config or Path(), not found, manual))


def _checked(make: Callable[[], Unit]) -> Unit:
    try:
        return make()
    except ValueError as problem:
        raise fail(str(problem), EXIT_USAGE) from None


def _program() -> tuple[str, ...]:
    """How this program is run, by absolute paths: a checkout's interpreter with main.py, or the installed command."""
    here = Path(sys.executable).absolute()  # not resolved: a virtual environment is known by this path
    if is_installed():
        beside = here.parent / NAME
        return (str(beside if beside.is_file() else Path(shutil.which(NAME) or sys.argv[0]).absolute()),)
    own = ROOT / ".venv" / "bin" / "python"
    return str(own if own.is_file() else here), str(ROOT / "main.py")


def _folders(unit: Unit, project: Project) -> dict[str, Path]:
    """The folders of the service; what the settings say starts at the folder of its configuration."""
    files = project.settings.file_system
    root, logs_root = default_folders(unit.config if unit.names_config else None)
    return {
        "data": (root / files.data_path).resolve(),
        "logs": (logs_root / project.settings.monitoring.logs_path).resolve(),
        "workspace": (root / files.workspace_path).resolve(),
    }


def _outside(unit: Unit, project: Project, choice: Choice) -> list[Path]:
    """What a service of the machine has to write outside the folder that systemd makes for it."""
    folders = [*_folders(unit, project).values()]
    if not unit.project and (repository := _here(project, choice.repo)):
        folders.append(repository)
    return [folder for folder in dict.fromkeys(folders) if not folder.is_relative_to(unit.home)]


def _here(project: Project, chosen: str | None = None) -> Path | None:
    """The folder of the repository, if it is one of this machine."""
    url = chosen or ("" if project.implied else project.settings.git.repository_url)
    return path.resolve() if url and (path := Path(url).expanduser()).is_dir() else None


# -- installing -------------------------------------------------------------------------------------------------------


def _require_systemd(for_user: bool) -> None:
    if shutil.which("systemctl") and _systemctl(for_user, "show", "--property=Version", must=False).returncode == 0:
        return
    if for_user and Path("/run/systemd/system").is_dir():
        raise fail(
            "your own systemd does not run. Log in by a terminal or ssh, not by su or sudo; `loginctl enable-linger` "
            "keeps it running when you log out"
        )
    raise fail(
        "systemd does not run here, as in most containers. Let what starts this container start "
        f"`{command()} run` (in Docker: docker compose up -d), or install the service on the machine itself. "
        f"`{command()} service install --print` shows the unit file"
    )


def _refuse_what_cannot_run(unit: Unit, project: Project, source: Path, *, start: bool) -> None:
    """End the command where a service would fail at its start, which only its log would show."""
    if not source.exists():
        raise fail(f"there is no configuration {source}; `{command()} init` makes it, --config names one", EXIT_USAGE)
    named = project.settings.git.repository_url and not project.implied
    if start and not (named or (unit.etc / "environment").exists()):
        raise fail(f"no repository is set; give --repo, or set git.repository_url in {source}", EXIT_USAGE)
    if unit.for_user:
        return
    for path in (*map(Path, unit.program), Path(sys.executable).resolve(), unit.config):
        if is_hidden(path):
            raise fail(
                f"{path} lies where a service of the machine sees nothing (/home, /root). Put the program under /opt "
                "and the configuration where --config says, or use --user for a service of your own"
            )


def _prepare(unit: Unit, source: Path, project: Project) -> None:
    """The user, the folders and the configuration of the service, unless they are there."""
    if unit.for_user:
        unit.config.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        owner = None
    else:
        owner = _account(unit)
        # What the configuration names beside our own folder, except the repository, which is the owner's.
        folders = [path for path in unit.writable if path in _folders(unit, project).values()]
        for folder in (unit.home, *([unit.folder.parent] if unit.project else []), unit.folder, *folders):
            if not folder.exists():
                folder.mkdir(parents=True, mode=0o700)
                os.chown(folder, owner.pw_uid, owner.pw_gid)
    (unit.etc / "credentials").mkdir(parents=True, exist_ok=True, mode=0o700)
    if not unit.config.exists():
        with unit.config.open("x", encoding="utf-8") as copy:
            if owner:
                os.fchown(copy.fileno(), 0, owner.pw_gid)
            os.fchmod(copy.fileno(), 0o640)
            copy.write(source.read_text(encoding="utf-8"))
        out.print(f"Copied: {source} to {unit.config}; from now on that one counts.", markup=False, soft_wrap=True)


def _account(unit: Unit) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(unit.base)
    except KeyError:
        made = ["useradd", "--system", "--user-group", "--home-dir", str(unit.home), "--shell", "/usr/sbin/nologin"]
        _run([*made, unit.base], f"the user {unit.base} cannot be made")
        out.print(f"Made: the user {unit.base}", markup=False)
        return pwd.getpwnam(unit.base)


def _write(unit: Unit) -> bool:
    """Write the unit file; whether it is another one than before."""
    text = unit.render()
    if unit.file.exists() and unit.file.read_text(encoding="utf-8") == text:
        return False
    unit.file.parent.mkdir(parents=True, exist_ok=True)
    fresh = unit.file.with_name(f".{unit.file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.replace(unit.file)
    return True


def _start(unit: Unit) -> None:
    """Start the service anew. If it does not start, its last words are shown."""
    if (done := _systemctl(unit.for_user, "restart", unit.name, must=False)).returncode == 0:
        return
    log = ["journalctl", *(["--user"] if unit.for_user else []), "-u", unit.name]
    said = _run([*log, "-n", "12", "-o", "cat", "--no-pager"], "").stdout.strip() if shutil.which("journalctl") else ""
    raise fail(f"{unit.name} does not start: {said or done.stderr.strip()}\n  All of its log: {shlex.join(log)}")


def _tell_what_is_next(unit: Unit, project: Project, *, started: bool) -> None:
    user = "--user " if unit.for_user else ""
    asked = shlex.join([*_program(), *(["--config", str(unit.config)] if unit.names_config else []), "status"])
    lines = {
        "keys": f"{unit.etc}/credentials/NAME, one file each (OPENAI_API_KEY, GIT_TOKEN …); then restart it",
        "settings": f"{unit.config}; then: systemctl {user}restart {unit.name}",
        "its log": f"journalctl {user}-u {unit.name} -f",
        "what it does": asked if unit.for_user else f"sudo -u {unit.base} {asked}",
    }
    if unit.project and not unit.for_user and (repository := _here(project)):
        opened = (
            f"ProtectHome=tmpfs and BindPaths={repository}" if is_hidden(repository) else f"ReadWritePaths={repository}"
        )
        lines["repository"] = f"systemctl edit {unit.name}, and there [Service] with {opened}; then restart it"
    if not started:
        lines["start"] = f"systemctl {user}enable --now {unit.name}"
    for what, text in lines.items():
        out.print(f"  {what:14} {text}", markup=False, soft_wrap=True)
    if unit.for_user and not Path("/var/lib/systemd/linger", pwd.getpwuid(os.getuid()).pw_name).exists():
        err.print("It ends when you log out, unless you call once:  loginctl enable-linger", markup=False)


# -- what is installed ------------------------------------------------------------------------------------------------


def _state(unit: Unit) -> ServiceState:
    text = unit.file.read_text(encoding="utf-8") if unit.file.exists() else ""
    shown: dict[str, str] = {}
    if shutil.which("systemctl"):
        asked = "--property=UnitFileState,ActiveState,MainPID,StatusText"
        done = _systemctl(unit.for_user, "show", asked, f"{unit.name}.service", must=False)
        shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return ServiceState(
        name=unit.name,
        unit=unit.file,
        installed=bool(text),
        enabled=shown.get("UnitFileState", "").startswith("enabled"),
        active=shown.get("ActiveState") or "unknown",
        config=configuration_of(text, unit.name),
        pid=int(shown.get("MainPID") or 0) or None,
        says=shown.get("StatusText", ""),
    )


def _left_by(unit: Unit) -> dict[str, str]:
    """What an uninstalled service leaves on the disk, as far as its unit file and its configuration tell."""
    config = _state(unit).config or unit.config
    left = {"configuration": str(config), "keys": str(unit.etc)}
    if config.exists():
        own = unit if config == unit.config else _named(unit.name, unit.for_user, config)
        project = load(Choice(config if own.names_config else None, quiet=True), checks_names=False)
        left |= {what: str(path) for what, path in _folders(own, project).items()}
    if (drop_ins := unit.file.with_name(unit.file.name + ".d")).is_dir():
        left["drop-ins"] = str(drop_ins)
    if not unit.for_user:
        left |= {"all state": str(unit.folder), "user": f"{unit.base} (userdel {unit.base})"}
    return left


def _systemctl(for_user: bool, *words: str, must: bool = True) -> subprocess.CompletedProcess[str]:
    user = ["--user"] if for_user else []
    return _run(["systemctl", *user, *words], f"systemctl {' '.join(words)} failed" if must else "")


def _run(words: list[str], failed: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the system; if `failed` says what its failure means, that ends the command."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode and failed:
        raise fail(f"{failed}: {done.stderr.strip()}")
    return done
