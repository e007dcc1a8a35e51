"""One host over OpenSSH: one connection that all commands share, and host keys that have to be known.

The system's `ssh` is used rather than a library: it reads the owner's ~/.ssh/config, agents and jump hosts included,
and a host without a known key is refused. The connection is a process of its own (`ControlMaster`), started with its
output in a file: as a child of a command it would keep that command's pipes open for as long as it lives.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deployment.errors import (
    AccessDenied,
    CommandFailed,
    DeploymentError,
    HostAway,
    HostDiskFull,
    HostKeyRefused,
    ProgramMissing,
)
from monitoring import get_logger

log = get_logger(__name__)

_OF_SSH = 255
"""The exit code of ssh itself, when the connection failed."""
_CONNECT_SECONDS = 15
_BEATS, _BEAT_SECONDS = 4, 15
_LONGEST_FOLDER = 60
"""Characters of the folder for sockets, whose whole paths may have 107, and ssh adds some."""
_IDLE_SECONDS = 60
"""How long the connection stays after a daemon that was killed."""


@dataclass(frozen=True)
class HostAddress:
    """Where a host is, and how to get in; what is left out comes from ~/.ssh/config."""

    host: str
    port: int | None = None
    user: str = ""
    identity_file: Path | None = None
    known_hosts: Path | None = None

    @property
    def options(self) -> list[str]:
        """The options of ssh, which hold for git and docker, too."""
        given = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"ConnectTimeout={_CONNECT_SECONDS}"]
        given += [f"ServerAliveInterval={_BEAT_SECONDS}", f"ServerAliveCountMax={_BEATS}", "ForwardAgent=no"]
        if self.known_hosts:
            given += [f"UserKnownHostsFile={_quoted(self.known_hosts)}", "GlobalKnownHostsFile=/dev/null"]
        if self.identity_file:
            given += [f"IdentityFile={_quoted(self.identity_file)}", "IdentitiesOnly=yes"]
        if self.port:
            given += [f"Port={self.port}"]
        if self.user:
            given += [f"User={self.user}"]
        return [word for option in given for word in ("-o", option)]


class Host:
    """Runs shell scripts on a host."""

    def __init__(self, address: HostAddress) -> None:
        if address.host.startswith("-"):
            raise AccessDenied(address.host, "this is no name of a host")
        self.address = address
        self._folder: Path | None = None

    def run(
        self,
        what: str,
        script: str,
        *,
        variables: Mapping[str, str] | None = None,
        stdin: IO[bytes] | None = None,
        timeout: float = 600,
        allowed: tuple[int, ...] = (0,),
    ) -> subprocess.CompletedProcess[str]:
        """Run `script` by the host's sh; `what` says in errors what it was for.

        Raises CommandFailed for an exit code that is not `allowed`, HostDiskFull, and what `connect` raises.
        """
        given = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (variables or {}).items())
        command = ["ssh", *self._shared(), "-T", "--", self.address.host, f"sh -c {shlex.quote(given + script)}"]
        try:
            done = subprocess.run(command, stdin=stdin or subprocess.DEVNULL, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired as stopped:
            printed = (stopped.stdout or b"") + (stopped.stderr or b"")
            raise CommandFailed(f"{what} on {self.address.host}", 124, printed.decode("utf-8", "replace")) from None
        finished = subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )
        if done.returncode == _OF_SSH:
            self.close()
            raise self._connection_problem(finished.stderr)
        if done.returncode not in allowed:
            said = f"{finished.stdout}\n{finished.stderr}"
            if "No space left on device" in said or "Disk quota exceeded" in said:
                raise HostDiskFull(self.address.host, said)
            raise CommandFailed(f"{what} on {self.address.host}", done.returncode, said)
        return finished

    @contextmanager
    def tunnel(self, to: int | str) -> Iterator[Path]:
        """A Unix socket on this machine that leads to a port of the host's own loopback address, or to a socket."""
        shared = self._shared()
        assert self._folder
        socket = self._folder / (f"p{to}" if isinstance(to, int) else "s")
        forward = ["-L", f"{socket}:127.0.0.1:{to}" if isinstance(to, int) else f"{socket}:{to}"]
        socket.unlink(missing_ok=True)
        opened = subprocess.run(
            ["ssh", *shared, "-O", "forward", *forward, "--", self.address.host], capture_output=True, text=True
        )
        if opened.returncode:
            raise HostAway(self.address.host, f"no tunnel to {to} there: {opened.stderr}")
        try:
            yield socket
        finally:
            subprocess.run(["ssh", *shared, "-O", "cancel", *forward, "--", self.address.host], capture_output=True)
            socket.unlink(missing_ok=True)

    def close(self) -> None:
        """End the connection."""
        if self._folder:
            end = ["ssh", *self._control(), "-O", "exit", "--", self.address.host]
            subprocess.run(end, capture_output=True, timeout=_CONNECT_SECONDS)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _shared(self) -> list[str]:
        """The options by which a command uses the connection, which is opened if there is none."""
        if self._folder is None or not self._is_open():
            self.close()
            self._connect()
        return self._control()

    def _control(self) -> list[str]:
        return [*self.address.options, "-o", "ControlMaster=no", "-o", f"ControlPath={self._folder}/m"]

    def _is_open(self) -> bool:
        check = ["ssh", *self._control(), "-O", "check", "--", self.address.host]
        return subprocess.run(check, capture_output=True).returncode == 0

    def _connect(self) -> None:
        """Raises HostKeyRefused, AccessDenied, HostAway and ProgramMissing."""
        if shutil.which("ssh") is None:
            raise ProgramMissing("ssh is not installed on the daemon's machine; install OpenSSH's client")
        usual = tempfile.gettempdir()
        place = usual if len(usual) <= _LONGEST_FOLDER else "/tmp"  # noqa: S108  # mkdtemp makes a folder of our own
        self._folder = folder = Path(tempfile.mkdtemp(prefix="deploy-", dir=place))
        master = ["-o", "ControlMaster=yes", "-o", f"ControlPath={folder}/m", "-o", f"ControlPersist={_IDLE_SECONDS}"]
        with (folder / "said").open("w+b") as said:
            done = subprocess.run(
                ["ssh", *self.address.options, *master, "-N", "-f", "--", self.address.host],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                timeout=4 * _CONNECT_SECONDS,
            )
            said.seek(0)
            words = said.read().decode("utf-8", "replace")
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            self._folder = None
            raise self._connection_problem(words)
        log.debug("connected", host=self.address.host)

    def _connection_problem(self, said: str) -> DeploymentError:
        host, known = self.address.host, str(self.address.known_hosts or "~/.ssh/known_hosts")
        if "IDENTIFICATION HAS CHANGED" in said:
            return HostKeyRefused(host, self.address.port, known, changed=True)
        if "Host key verification failed" in said or "host key is known" in said:
            return HostKeyRefused(host, self.address.port, known, changed=False)
        if "Permission denied" in said or "Too many authentication failures" in said or "UNPROTECTED" in said:
            return AccessDenied(host, said)
        return HostAway(host, said)


def _quoted(path: Path) -> str:
    """A path as a value of ssh's options, where % begins a token and quotes keep spaces."""
    return '"' + str(path).replace("%", "%%") + '"'
