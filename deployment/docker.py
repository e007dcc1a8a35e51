"""`docker`: the commit is built into an image, pushed, and run by its digest in containers of one engine.

The docker command is used rather than a library: the owner's `docker login`, its credential helpers and proxies count,
and there is nothing to pin but what is on the machine. An engine behind ssh is reached through a tunnel of our own, so
that an unknown host key is refused here as everywhere (`docker -H ssh://` leaves that to ~/.ssh/config).

With two ports the new container answers on its own port before `route` sends it anything. The old one runs until the
new one is healthy for everybody, and its image stays, so the way back needs no registry.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, ClassVar
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel

from config import DockerEnvironment
from deployment.errors import (
    CommandFailed,
    DeploymentError,
    EngineAway,
    HostDiskFull,
    ProgramMissing,
    RegistryAway,
    Unhealthy,
)
from deployment.gauges import Gauge, container_gauges
from deployment.health import Health, wait_until_healthy
from deployment.ssh import Host, HostAddress
from deployment.target import Live, Release, Workshop
from monitoring import get_logger

log = get_logger(__name__)

_LABEL = "ai-agents"
_SHORT_SECONDS = 60
"""For what is no build, push or pull."""
_STOP_SECONDS = 10
_OLD_CONTAINER_SECONDS = 5.0
_LAST_LINES = 20
_AWAY = re.compile(
    r"Cannot connect to the Docker daemon|failed to connect to the docker API|error during connect|"
    r"Is the docker daemon running|client is newer than server|tls: |x509: ",
    re.IGNORECASE,
)
_REGISTRY = re.compile(
    r"connection refused|no such host|i/o timeout|unauthorized|denied|no basic auth|server gave HTTP response|"
    r"Service Unavailable|EOF|context deadline exceeded|TLS handshake",
    re.IGNORECASE,
)


class _Container(BaseModel):
    """One of ours."""

    name: str
    number: int
    commit: str
    port: int
    running: bool


class Docker:
    """Deploys to a container engine."""

    name: ClassVar[str] = "docker"

    def __init__(self, settings: DockerEnvironment, workshop: Workshop) -> None:
        self._settings = settings
        self._workshop = workshop
        self._ended = ExitStack()
        self._host: Host | None = None
        self._socket = Path()
        self._variables: dict[str, str] = {}

    def prepare(self, release: Release) -> dict[str, str]:
        """Build, tag with the commit and push; what was built before is only fetched."""
        image = release.artifact.get("image", "")
        if image:
            if not self._has(image):
                self._docker("the pull", "pull", "--quiet", image, image=image)
            return {"image": image}
        tagged = f"{self._settings.image}:{release.commit}"
        with tempfile.TemporaryDirectory(prefix="deploy-") as folder:
            file = Path(folder, "context.tar")
            self._workshop.source.archive(release.commit, file)
            labels = ["--label", f"{_LABEL}.commit={release.commit}"]
            named = ["--file", self._settings.dockerfile, "--tag", tagged]
            with file.open("rb") as context:
                options = [*labels, *named, *self._settings.build_options]
                self._docker("the build", "build", "--quiet", *options, "-", stdin=context)
        if not self._settings.push:
            return {"image": self._docker("a look at the image", "inspect", "--format", "{{.Id}}", tagged).strip()}
        self._docker("the push", "push", "--quiet", tagged, image=tagged)
        found = self._docker("a look at the image", "inspect", "--format", "{{json .RepoDigests}}", tagged)
        digests = [each for each in json.loads(found) if each.startswith(f"{self._settings.image}@")]
        if not digests:
            raise DeploymentError(f"{tagged} was pushed, but the engine knows no digest of it; push it by hand once")
        return {"image": digests[-1]}

    def activate(self, release: Release, previous: Release | None) -> str:
        """Run the image, and with two ports send requests to it once it is healthy."""
        port = self._port_for(release)
        if len(self._settings.ports) == 1:
            for other in self._containers():
                if other.running and other.number != release.number:
                    self._stop(other.name)
            self._start(release, port)
            return ""
        self._start(release, port)
        health = self._ask(port, release.commit)
        if not health.healthy:
            raise Unhealthy(f"the new container never got a request: it is {health.detail}\n{self._last(release)}")
        self._route(port)
        return ""

    def check_status(self) -> Live:
        """The newest container that runs."""
        running = [each for each in self._containers() if each.running]
        newest = max(running, key=lambda each: each.number, default=None)
        return Live(newest.commit, f"container {newest.name} on port {newest.port}") if newest else Live()

    def rollback(self, failed: Release, previous: Release | None) -> str:
        """Send requests back to the previous container, which is started again if it does not run."""
        ours = {each.number: each for each in self._containers()}
        bad = ours.get(failed.number)
        if bad:
            log.info("the container's last words", container=bad.name, said=self._last(failed))
        if previous:
            old = ours.get(previous.number)
            if bad and len(self._settings.ports) == 1:
                self._remove(bad.name)
            port = old.port if old else self._other_port(bad.port if bad else 0)
            self._start(previous, port)
            if len(self._settings.ports) == 2:
                health = self._ask(port, previous.commit, _OLD_CONTAINER_SECONDS)
                if not health.healthy:
                    raise Unhealthy(f"the container before it is {health.detail}\n{self._last(previous)}")
                self._route(port)
        if bad:
            self._remove(bad.name)
        return ""

    def settle(self, release: Release, previous: Release | None) -> None:
        """Remove the containers before this one, and images beyond `keep`."""
        for other in self._containers():
            if other.number != release.number:
                self._stop(other.name)
                self._remove(other.name)
        used = {release.artifact.get("image"), previous.artifact.get("image") if previous else None}
        rows = ["--format", "{{.ID}}", "--no-trunc", "--filter", f"label={_LABEL}.commit"]
        listed = self._docker("a look at images", "image", "ls", *rows, self._settings.image).split()
        for image in [*dict.fromkeys(listed)][self._settings.keep :]:
            names = self._docker("a look at the image", "inspect", "--format", "{{json .RepoDigests}}", image)
            if not used & {image, *json.loads(names)}:
                self._docker("removing an image", "image", "rm", "--force", image, allowed=(0, 1))

    def abandon(self, release: Release) -> None:
        """Nothing is held."""

    def logs(self, lines: int) -> str:
        """What the newest container wrote."""
        running = [each for each in self._containers() if each.running]
        newest = max(running, key=lambda each: each.number, default=None)
        if newest is None:
            raise DeploymentError(f"no container of {self._workshop.environment} runs")
        return self._docker("the log", "logs", "--tail", str(lines), newest.name, both=True)

    def gauges(self) -> list[Gauge]:
        """Memory and restarts of the newest container."""
        newest = max((each for each in self._containers() if each.running), key=lambda each: each.number, default=None)
        return container_gauges(self._docker, newest.name) if newest else []

    def close(self) -> None:
        """Close the tunnel, and forget the registry's password."""
        self._ended.close()
        self._host, self._variables = None, {}

    # -- containers ------------------------------------------------------------------------------------------------

    def _containers(self) -> list[_Container]:
        rows = self._docker(
            "a look at containers", "ps", "--all", "--no-trunc",
            "--filter", f"label={_LABEL}.environment={self._workshop.environment}",
            "--filter", f"label={_LABEL}.container={self._settings.container}",
            "--format", "{{json .}}",
        )  # fmt: skip
        found = []
        for row in map(json.loads, rows.splitlines()):
            labels = dict(pair.partition("=")[::2] for pair in row["Labels"].split(","))
            found.append(
                _Container(
                    name=row["Names"],
                    number=int(labels[f"{_LABEL}.number"]),
                    commit=labels[f"{_LABEL}.commit"],
                    port=int(labels[f"{_LABEL}.port"]),
                    running=row["State"] == "running",
                )
            )
        return found

    def _name_of(self, release: Release) -> str:
        return f"{self._settings.container}-{release.number}"

    def _port_for(self, release: Release) -> int:
        """Where the release listens: its own container's port if there is one, else that which no other uses."""
        ours = self._containers()
        mine = next((each.port for each in ours if each.number == release.number), None)
        taken = {each.port for each in ours if each.running}
        return mine or next((port for port in self._settings.ports if port not in taken), self._settings.ports[0])

    def _other_port(self, port: int) -> int:
        return next((other for other in self._settings.ports if other != port), self._settings.ports[0])

    def _start(self, release: Release, port: int) -> None:
        """Run the release's container; one that runs is left as it is."""
        name = self._name_of(release)
        there = next((each for each in self._containers() if each.name == name), None)
        if there and there.running:
            return
        if there:
            self._remove(name)
        labels = {
            "environment": self._workshop.environment,
            "container": self._settings.container,
            "number": str(release.number),
            "commit": release.commit,
            "port": str(port),
        }
        options = [word.replace("$PORT", str(port)) for word in self._settings.run_options]
        if self._settings.env_file:
            options += ["--env-file", str(self._settings.env_file)]
        labelled = [word for key, value in labels.items() for word in ("--label", f"{_LABEL}.{key}={value}")]
        given = ["--env", f"PORT={port}", "--env", f"COMMIT={release.commit}", "--restart", "unless-stopped"]
        image = release.artifact["image"]
        self._docker(
            "the start", "run", "--detach", "--name", name, *labelled, *given, *options, image,
            *self._settings.command, image=image,
        )  # fmt: skip

    def _stop(self, name: str) -> None:
        self._docker("the stop", "stop", "--time", str(_STOP_SECONDS), name, allowed=(0, 1))

    def _remove(self, name: str) -> None:
        self._docker("removing a container", "rm", "--force", name, allowed=(0, 1))

    def _last(self, release: Release) -> str:
        """The last words of a container."""
        return self._docker(
            "the log", "logs", "--tail", str(_LAST_LINES), self._name_of(release), both=True, allowed=(0, 1)
        )

    def _has(self, image: str) -> bool:
        """Whether the engine has an image, by its digest or id."""
        found = self._docker("a look at the image", "image", "inspect", image, allowed=(0, 1))
        return found.strip() not in ("", "[]")

    def _ask(self, port: int, commit: str, deadline: float | None = None) -> Health:
        """Whether what listens on a port of the engine's machine is healthy."""
        health, engine = self._settings.health, self._settings.engine
        if self._engine_host():
            assert self._host
            with self._host.tunnel(port) as socket:
                return wait_until_healthy(health, commit, socket=socket, deadline=deadline)
        parts = urlsplit(health.url)
        host = urlsplit(engine).hostname if engine.startswith("tcp:") else "127.0.0.1"
        url = urlunsplit(("http", f"{host}:{port}", parts.path, parts.query, ""))
        return wait_until_healthy(health, commit, url=url, deadline=deadline)

    def _route(self, port: int) -> None:
        """Run the owner's command that sends requests to a port."""
        what = "route"
        if self._engine_host():
            assert self._host
            variables = {"PORT": str(port), "COMMAND": self._settings.route}
            self._host.run(what, 'sh -c "$COMMAND" 2>&1 </dev/null', variables=variables, timeout=_SHORT_SECONDS)
            return
        try:
            done = subprocess.run(
                ["sh", "-c", self._settings.route],
                env={**_clean_environment(), "PORT": str(port)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SHORT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise CommandFailed(what, 124, "") from None
        if done.returncode:
            raise CommandFailed(what, done.returncode, done.stdout + done.stderr)

    # -- the command ------------------------------------------------------------------------------------------------

    def _docker(
        self,
        what: str,
        *words: str,
        stdin: IO[bytes] | None = None,
        image: str = "",
        both: bool = False,
        allowed: tuple[int, ...] = (0,),
    ) -> str:
        """Run docker; its output, with `both` that of stderr, too. `image`: a registry has a part in it."""
        slow = words[0] in ("build", "push", "pull", "run")
        limit = self._settings.timeout if slow else _SHORT_SECONDS
        command = ["docker", *self._engine_options(), *words]
        try:
            done = subprocess.run(
                command, stdin=stdin or subprocess.DEVNULL, capture_output=True, timeout=limit,
                env=_clean_environment() | self._variables,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"{what} (docker {words[0]})", 124, "") from None
        output, said = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        if done.returncode not in allowed or (done.returncode and _AWAY.search(said)):
            raise self._explained(what, words[0], done.returncode, f"{output}\n{said}", image)
        return output + said if both else output

    def _explained(self, what: str, verb: str, code: int, said: str, image: str) -> DeploymentError:
        engine = self._settings.engine or "of this machine"
        if "no space left on device" in said.lower():
            return HostDiskFull(f"the engine {engine}", said)
        if image and _REGISTRY.search(said) and not _AWAY.search(said.replace("tls: ", "").replace("x509: ", "")):
            return RegistryAway(image, said)
        if _AWAY.search(said):
            return EngineAway(engine, said)
        return CommandFailed(f"{what} (docker {verb})", code, said)

    def _engine_host(self) -> bool:
        return self._settings.engine.startswith("ssh:")

    def _engine_options(self) -> list[str]:
        """The options that lead to the engine; the tunnel and the registry's password are set up once."""
        if shutil.which("docker") is None:
            raise ProgramMissing("docker is not installed on the daemon's machine; install its command line")
        chosen = self._settings
        if not self._variables:
            self._variables = {"DOCKER_BUILDKIT": "1" if _has_buildx() else "0"} | self._signed_in()
        if self._engine_host() and self._host is None:
            parts = urlsplit(chosen.engine)
            address = HostAddress(
                parts.hostname or "", parts.port, parts.username or "", chosen.identity_file, chosen.known_hosts
            )
            host = Host(address)
            self._ended.callback(host.close)
            self._socket = self._ended.enter_context(host.tunnel(chosen.engine_socket))
            self._host = host
        if self._host:
            return ["--host", f"unix://{self._socket}"]
        if not chosen.engine:
            return []
        secured: list[str] = []
        if chosen.engine.startswith("tcp:"):
            paths = {"ca": chosen.tls_ca, "cert": chosen.tls_cert, "key": chosen.tls_key}
            secured = [
                "--tlsverify",
                *(f"--tls{name}{'cert' if name == 'ca' else ''}={path}" for name, path in paths.items()),
            ]
        return ["--host", chosen.engine, *secured]

    def _signed_in(self) -> dict[str, str]:
        """The variable by which docker finds the registry's password, in a folder that nobody else reads."""
        chosen = self._settings
        if chosen.registry_password is None:
            return {}
        folder = self._ended.enter_context(tempfile.TemporaryDirectory(prefix="deploy-"))
        registry = chosen.image.partition("/")[0]
        secret = f"{chosen.registry_user}:{chosen.registry_password.get_secret_value()}"
        auths = {registry: {"auth": base64.b64encode(secret.encode()).decode()}}
        file = Path(folder, "config.json")
        file.touch(mode=0o600)
        file.write_text(json.dumps({"auths": auths}), encoding="utf-8")
        return {"DOCKER_CONFIG": folder}


def _has_buildx() -> bool:
    """Without that plugin docker refuses to build, unless it is told to build as before."""
    found = subprocess.run(["docker", "buildx", "version"], capture_output=True, env=_clean_environment())
    return found.returncode == 0


_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "DOCKER_CONFIG", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
         "https_proxy", "no_proxy", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR")  # fmt: skip


def _clean_environment() -> dict[str, str]:
    """The daemon's environment without its keys."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}
