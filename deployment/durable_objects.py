"""`durable_objects`: a worker whose objects keep state, on this machine's workerd or at Cloudflare.

On this machine a gateway (see `deployment/gateway`) owns the socket, the process and the state. The switch is one
request to it, so a daemon that is killed in the middle stops nothing: the gateway finishes it or takes it back.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from config import DurableObjectsEnvironment
from deployment.errors import CommandFailed, DeploymentError, HostDiskFull, ProgramMissing, ReleaseGone
from deployment.gateway import client
from deployment.gateway.files import read_variables
from deployment.gauges import Gauge
from deployment.target import Live, Release, Target, Workshop
from deployment.workerd_config import read_wrangler, unique_keys, write_config

DURABLE_OBJECTS: Final = "durable_objects"
_SHORT = 12
_ELF = b"\x7fELF"
_MACHINES = {"x86_64": "64", "amd64": "64", "aarch64": "arm64", "arm64": "arm64"}
_REMEDY = "install it with `npm install --prefix {folder} workerd`, or set `workerd` of the environment to the program"
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy",
         "no_proxy")  # fmt: skip


class Workerd:
    """Deploys to workerd on this machine."""

    name: ClassVar[str] = DURABLE_OBJECTS

    def __init__(self, settings: DurableObjectsEnvironment, workshop: Workshop) -> None:
        self._settings = settings
        self._workshop = workshop
        assert settings.folder
        self._folder = Path(settings.folder)
        self._gateway = settings.gateway.absolute()

    def prepare(self, release: Release) -> dict[str, str]:
        """Unpack and build the commit, and try it on a copy of some objects of every class."""
        program = program_of(self._settings)
        client.have_it_run(self._gateway)
        name = release.artifact.get("release") or f"{release.number:06d}-{release.commit[:_SHORT]}"
        place = self._releases / name
        if release.artifact.get("release"):
            if not (place / "release.json").exists():
                raise ReleaseGone(f"{name} is not in {self._releases} any more")
        else:
            try:
                self._make(release, place, program)
            except OSError as problem:
                raise _told(problem, self._folder) from problem
        self._ask("rehearse", folder=str(self._folder), release=str(place))
        return {"release": name}

    def activate(self, release: Release, previous: Release | None) -> str:
        """Have the gateway switch: it proves the release on the real objects before anybody else gets to it."""
        client.have_it_run(self._gateway)
        self._ask(
            "switch",
            folder=str(self._folder),
            release=str(self._releases / release.artifact["release"]),
            number=release.number,
            commit=release.commit,
            lease=self._settings.patience,
        )
        return ""

    def check_status(self) -> Live:
        """What the gateway runs."""
        client.have_it_run(self._gateway)
        for each in self._ask("status")["services"]:
            if each["live"]:
                place, pid = Path(each["live"]["release"]).name, each["pid"]
                return Live(each["live"]["commit"], f"release {place}, " + (f"pid {pid}" if pid else "being started"))
        return Live()

    def rollback(self, failed: Release, previous: Release | None) -> str:
        """Have the gateway bring back the release before, and the state as it was before a switch that failed."""
        client.have_it_run(self._gateway)
        earlier = None
        if previous:
            place = self._releases / previous.artifact["release"]
            earlier = {
                "number": previous.number, "commit": previous.commit, "release": str(place),
                "listen": self._settings.listen,
            }  # fmt: skip
        self._ask("undo", number=failed.number, why="it was rolled back", previous=earlier)
        return ""

    def settle(self, release: Release, previous: Release | None) -> None:
        """Delete what no way back needs."""
        self._ask("settle", number=release.number)
        kept = {release.artifact.get("release"), previous.artifact.get("release") if previous else None}
        there = sorted((each for each in self._releases.iterdir() if each.is_dir()), key=lambda each: each.name)
        for old in there[: -self._settings.keep]:
            if old.name not in kept:
                shutil.rmtree(old)

    def abandon(self, release: Release) -> None:
        """Nothing is held."""

    def logs(self, lines: int) -> str:
        """What the worker wrote."""
        file = self._folder / "service.log"
        try:
            with file.open("rb") as opened:
                opened.seek(max(0, file.stat().st_size - 400 * lines))
                text = opened.read().decode("utf-8", "replace")
        except FileNotFoundError:
            raise DeploymentError(f"nothing has run in {self._folder} yet") from None
        return "\n".join(text.splitlines()[-lines:])

    def gauges(self) -> list[Gauge]:
        """None are kept."""
        return []

    def close(self) -> None:
        """Nothing is open."""

    @property
    def _releases(self) -> Path:
        return self._folder / "releases"

    def _ask(self, verb: str, **given: Any) -> Any:
        return client.ask(
            self._gateway, verb, service=self._settings.service, timeout=self._settings.timeout + 60, **given
        )

    def _make(self, release: Release, place: Path, program: Path) -> None:
        """A release's folder, whole or not at all."""
        chosen, half = self._settings, place.with_name(place.name + ".half")
        for old in (half, place):
            if old.exists():
                shutil.rmtree(old)
        (half / "files").mkdir(parents=True)
        try:
            unpack(self._workshop, release.commit, half / "files")
            run_build(chosen, release.commit, half / "files")
            half.rename(place)
            wrangler = read_wrangler(place / "files", chosen.config, chosen.worker_environment)
            routes = self._gateway / "routes.sock"
            variables = chosen.env_file.absolute() if chosen.env_file else None
            secrets = [*read_variables(variables)] if variables else []
            write_config(place, wrangler, commit=release.commit, service=chosen.service, routes=routes, secrets=secrets)
            health = urlsplit(chosen.health.url)
            given = {
                "classes": unique_keys(wrangler),
                "probe": chosen.probe,
                "health": (health.path or "/") + (f"?{health.query}" if health.query else ""),
                "workerd": str(program),
                "listen": chosen.listen,
                "env_file": str(variables or ""),
            }
            file = place / "release.json"
            file.with_suffix(".new").write_text(json.dumps(given, indent=1), encoding="utf-8")
            file.with_suffix(".new").rename(file)
        except BaseException:
            for old in (half, place):
                shutil.rmtree(old, ignore_errors=True)
            raise


def durable_objects(settings: DurableObjectsEnvironment, workshop: Workshop) -> Target:
    """The target for a provider."""
    if settings.provider == "workerd":
        return Workerd(settings, workshop)
    from deployment.cloudflare import Cloudflare  # which uses this module

    return Cloudflare(settings, workshop)


def program_of(settings: DurableObjectsEnvironment) -> Path:
    """The program workerd itself: npm's `workerd` in PATH is a script of Node's that starts it. Raises
    `ProgramMissing`."""
    kind = _MACHINES.get(platform.machine().lower(), "")
    below = Path("@cloudflare", f"workerd-linux-{kind}", "bin", "workerd")
    if settings.workerd:
        begun = [settings.workerd]
    else:
        found = shutil.which("workerd")
        begun = [*([Path(found)] if found else []), Path(str(settings.folder), "node_modules", below)]
    for each in begun:
        real = each.resolve()
        for program in (real, *(parent / "node_modules" / below for parent in real.parents), real / below):
            if _is_program(program):
                return program
    told = f"{settings.workerd} is no program of workerd's" if settings.workerd else "workerd is not installed"
    raise ProgramMissing(f"{told} on the daemon's machine; {_REMEDY.format(folder=settings.folder)}")


def unpack(workshop: Workshop, commit: str, folder: Path) -> None:
    """The files of a commit, none of which leads out of the folder. Raises `DeploymentError` or OSError."""
    with tempfile.TemporaryDirectory(prefix="deploy-") as place:
        file = Path(place, "release.tar")
        workshop.source.archive(commit, file)
        try:
            with tarfile.open(file) as packed:
                packed.extractall(folder, filter="data")
        except tarfile.TarError as problem:
            raise DeploymentError(f"the files of {commit[:_SHORT]} cannot be unpacked: {problem}") from problem


def run_build(settings: DurableObjectsEnvironment, commit: str, folder: Path) -> None:
    """Run the owner's `build`, without the daemon's keys. Raises `CommandFailed`."""
    if settings.build:
        run("build", ["sh", "-c", settings.build], folder, settings.timeout, {"COMMIT": commit})


def run(what: str, command: list[str], folder: Path, limit: float, more: dict[str, str]) -> str:
    """Run a program on this machine; what it printed. Raises `CommandFailed`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with subprocess.Popen(
        command, cwd=folder, env=kept | more, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)  # what it has started, too
            output, _ = process.communicate()
            raise CommandFailed(what, 124, output) from None
    if process.returncode:
        if "ENOSPC" in output or "No space left" in output:
            raise HostDiskFull("this machine", output)
        raise CommandFailed(what, process.returncode, output)
    return output


def _is_program(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(4) == _ELF and os.access(file, os.X_OK)
    except OSError:
        return False


def _told(problem: OSError, folder: Path) -> DeploymentError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return HostDiskFull("this machine", f"{folder}: {problem}")
    return DeploymentError(f"{folder} cannot be written: {problem}")
