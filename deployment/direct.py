"""`direct`: releases in a folder of one host, over OpenSSH.

    FOLDER/releases/000012-1a2b3c4d5e6f   one for each deployment, with the commit in its file REVISION
    FOLDER/shared/…                       what all of them share
    FOLDER/current                        the link to the one that is live, moved in one atomic step

With `restart` the service is started anew from `current`, which refuses requests for a moment. With `blue_green` the
new version runs on a port of its own and answers there before nginx sends it anything: a bad one is never seen.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, ClassVar

from config import DirectEnvironment
from deployment import host_scripts as scripts
from deployment.errors import CommandFailed, DeploymentError, EnvironmentBusy, ReleaseGone, Unhealthy
from deployment.gauges import Gauge
from deployment.health import wait_until_healthy
from deployment.ssh import Host, HostAddress
from deployment.target import Live, Release, Workshop

_SHORT = 12
_MORE_SECONDS = 60
"""What a script may take beside the owner's commands in it."""
_OLD_COPY_SECONDS = 5.0
_COMMANDS = 3
"""The owner's commands in one script, at most."""


class Direct:
    """Deploys to a folder of a host."""

    name: ClassVar[str] = "direct"

    def __init__(self, settings: DirectEnvironment, workshop: Workshop) -> None:
        self._settings = settings
        self._workshop = workshop
        self._host = Host(
            HostAddress(settings.host, settings.port, settings.user, settings.identity_file, settings.known_hosts)
        )

    def prepare(self, release: Release) -> dict[str, str]:
        """Upload the files of the commit, link what is shared, and run `build`."""
        name = release.artifact.get("release") or f"{release.number:06d}-{release.commit[:_SHORT]}"
        with tempfile.TemporaryDirectory(prefix="deploy-") as folder:
            file = Path(folder, "release.tar")
            self._workshop.source.archive(release.commit, file)
            with file.open("rb") as packed:
                self._run("the upload", scripts.PREPARE, release, name, stdin=packed)
        return {"release": name}

    def activate(self, release: Release, previous: Release | None) -> str:
        """Switch to the release, and have it run."""
        if not self._settings.blue_green:
            self._run("the switch", scripts.SWITCH, release)
            return ""
        word, port = self._run("the start of the new copy", scripts.START_CANDIDATE, release).split()[-2:]
        if word == "switched":
            return ""
        with self._host.tunnel(int(port)) as socket:
            health = wait_until_healthy(self._settings.health, release.commit, socket=socket)
        if not health.healthy:
            raise Unhealthy(f"the new copy on port {port} never got a request: it is {health.detail}")
        self._run("the switch", scripts.SEND, release, PORT=port)
        return ""

    def check_status(self) -> Live:
        """What `current`, or the copy behind nginx, is."""
        found = self._run("the look at what is live", scripts.STATUS, Release(0, "")).split()
        return Live(found[0], f"release {found[1].rpartition('/')[2]}") if len(found) == 2 else Live()

    def rollback(self, failed: Release, previous: Release | None) -> str:
        """Link and start the previous release again, or send requests back to the copy that still runs."""
        earlier = previous.artifact.get("release", "") if previous else ""
        if self._settings.blue_green:
            self._send_back(failed, previous, earlier)
        else:
            self._run("the way back", scripts.RETURN, failed, PREVIOUS=earlier)
        self._run("putting the release aside", scripts.PUT_ASIDE, failed, PREVIOUS=earlier)
        return ""

    def _send_back(self, failed: Release, previous: Release | None, earlier: str) -> None:
        word, *port = self._run("the way back", scripts.BACK, failed).split()[-2:]
        if word == "switched" and previous:
            with self._host.tunnel(int(port[0])) as socket:
                old = wait_until_healthy(
                    self._settings.health, previous.commit, socket=socket, deadline=_OLD_COPY_SECONDS
                )
            if not old.healthy:
                self._run("the old copy's start", scripts.RESTART_PREVIOUS, failed, PORT=port[0], PREVIOUS=earlier)
                with self._host.tunnel(int(port[0])) as socket:
                    old = wait_until_healthy(self._settings.health, previous.commit, socket=socket)
            if not old.healthy:
                raise Unhealthy(f"the copy before it, on port {port[0]}, is {old.detail}")
            self._run("the way back", scripts.SEND, previous, PORT=port[0], OWNER=failed.owner)
        self._run("stopping the new copy", scripts.STOP_COPIES, failed, PREVIOUS=earlier)

    def settle(self, release: Release, previous: Release | None) -> None:
        """Stop the old copy once its requests are done, and delete releases beyond `keep`."""
        earlier = previous.artifact.get("release", "") if previous else ""
        self._run("after_switch or clearing up", scripts.SETTLE, release, PREVIOUS=earlier)

    def abandon(self, release: Release) -> None:
        """Let go of the host."""
        self._run("letting go of the host", scripts.LET_GO, release)

    def logs(self, lines: int) -> str:
        """What the owner's command for logs prints."""
        if not self._settings.logs:
            told = "set `logs` of the environment to a command that prints $LINES lines, such as"
            raise DeploymentError(f"{told}: journalctl -u shop -n $LINES --no-pager")
        script = 'cd "$FOLDER" && timeout "$LIMIT" sh -c "$COMMAND" 2>&1 </dev/null | tail -c 200000'
        return self._run("the log", script, Release(0, ""), COMMAND=self._settings.logs, LINES=str(lines))

    def gauges(self) -> list[Gauge]:
        """None are kept."""
        return []

    def close(self) -> None:
        """End the connection."""
        self._host.close()

    def _run(
        self, what: str, script: str, release: Release, name: str = "", stdin: IO[bytes] | None = None, **more: str
    ) -> str:
        chosen, limit = self._settings, self._settings.timeout
        variables = {
            "FOLDER": chosen.folder,
            "NAME": name or release.artifact.get("release", ""),
            "COMMIT": release.commit,
            "OWNER": release.owner.replace(" ", "-") or "nobody",
            "LEASE": str(int(chosen.patience)),
            "LIMIT": f"{limit:g}",
            "SHARED": "\n".join(chosen.shared),
            "BUILD": chosen.build,
            "BEFORE_SWITCH": chosen.before_switch,
            "AFTER_SWITCH": chosen.after_switch,
            "RESTART": chosen.restart,
            "STOP": chosen.stop,
            "KEEP": str(chosen.keep),
            "PREVIOUS": "",
            "UPSTREAM_FILE": "",
            "DRAIN": "0",
        }
        if pair := chosen.blue_green:
            variables |= {
                "PORT_A": str(pair.ports[0]),
                "PORT_B": str(pair.ports[1]),
                "START": pair.start,
                "STOP": pair.stop,
                "UPSTREAM": pair.upstream,
                "UPSTREAM_FILE": pair.upstream_file,
                "RELOAD": pair.reload,
                "DRAIN": f"{pair.drain:g}",
            }
        try:
            done = self._host.run(
                what,
                scripts.START + script,
                variables=variables | more,
                stdin=stdin,
                timeout=_COMMANDS * limit + _MORE_SECONDS,
            )
        except CommandFailed as problem:
            raise self._explained(problem, release) from problem
        return done.stdout

    def _explained(self, problem: CommandFailed, release: Release) -> DeploymentError:
        lines = problem.output.splitlines()
        last = lines[-1] if lines else ""
        match problem.code:
            case scripts.BUSY:
                owner, _, until = last.partition(" ")
                return EnvironmentBusy(f"{self._settings.host}:{self._settings.folder}", owner, until)
            case scripts.GONE:
                return ReleaseGone(f"{release.artifact.get('release')} is not on {self._settings.host} any more")
            case scripts.ODD:
                return DeploymentError(
                    f"the shared path {last} leads out of the release: the repository has a link there"
                )
            case scripts.FAILED:
                which, _, code = lines[0].partition(" ")
                return CommandFailed(f"{which} on {self._settings.host}", int(code), "\n".join(lines[1:]))
        return problem
