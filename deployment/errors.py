"""What can go wrong with a deployment. Every message says what was tried, what came back, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from config import command
from monitoring import redact
from monitoring.errors import FailureReason, KnownError

MOST_OUTPUT = 3000
"""Characters of a command's output that are kept, from its end."""


class DeploymentError(KnownError):
    """Base of this folder's errors."""

    reason = FailureReason.DEPLOYMENT_FAILED


class OwnersTurn(DeploymentError):
    """Something that only the owner can put right; then the deployment can be tried again as it is."""

    blocks = True


class UnknownEnvironment(OwnersTurn):
    """No environment has this name."""

    exits_with = 2

    def __init__(self, name: str, there: Sequence[str]) -> None:
        known = f"there are: {', '.join(there)}" if there else "none is set (deployment.environments in config.yaml)"
        super().__init__(f"there is no environment {name!r}; {known}")


class UnknownCommit(OwnersTurn):
    """The daemon's clone has no such commit."""

    exits_with = 2

    def __init__(self, name: str) -> None:
        super().__init__(f"the daemon's clone has no commit, branch or tag {name!r}; was it pushed?")


class NotPromoted(OwnersTurn):
    """The commit has not been live where it has to be first."""

    def __init__(self, environment: str, before: str, commit: str) -> None:
        super().__init__(
            f"{environment} takes only what is live in {before}, and {commit[:12]} is not; deploy it to {before} first"
        )


class NothingBefore(OwnersTurn):
    """There is no earlier version to return to."""

    exits_with = 2

    def __init__(self, environment: str) -> None:
        super().__init__(f"nothing was live in {environment} before what is live now, so there is nothing to return to")


class EnvironmentBusy(DeploymentError):
    """Another deployment holds the environment."""

    def __init__(self, environment: str, owner: str, until: str) -> None:
        self.owner = owner
        super().__init__(
            f"{environment} is being deployed by {owner}, until {until} at the latest; try again when that has ended"
        )


class HostKeyRefused(OwnersTurn):
    """The host has no key that is known, or another than the known one."""

    def __init__(self, host: str, port: int | None, known_hosts: str, *, changed: bool) -> None:
        place = f"-p {port} {host}" if port else host
        remedy = f"compare `ssh-keyscan {place}` with the key on the host itself, and put it into {known_hosts}"
        if changed:
            told = f"the key of {host} is not the one in {known_hosts}: it was set up anew, or something stands between"
            super().__init__(f"{told}; nothing was sent. If it was set up anew, {remedy} in place of the old one")
        else:
            super().__init__(f"the key of {host} is not known, so nothing was sent; {remedy}")


class AccessDenied(OwnersTurn):
    """The host does not let us in."""

    def __init__(self, host: str, said: str) -> None:
        super().__init__(f"{host} does not let the daemon in: {_end(said)}; check user, identity_file and the host")


class HostAway(OwnersTurn):
    """The host does not answer, or the connection broke."""

    def __init__(self, host: str, said: str) -> None:
        super().__init__(f"{host} cannot be reached: {_end(said)}; check the host and the network")


class HostDiskFull(OwnersTurn):
    """No space is left on the host."""

    def __init__(self, host: str, said: str) -> None:
        super().__init__(f"no space is left on {host}: {_end(said)}; free some space there, or lower `keep`")


class EngineAway(OwnersTurn):
    """The container engine does not answer."""

    def __init__(self, engine: str, said: str) -> None:
        super().__init__(f"the engine {engine} cannot be reached: {_end(said)}; check that it runs, and `engine`")


class RegistryAway(OwnersTurn):
    """The registry does not answer, or does not let us in."""

    def __init__(self, image: str, said: str) -> None:
        super().__init__(f"the registry of {image} cannot be used: {_end(said)}; check that it runs, and who signs in")


class GatewayAway(OwnersTurn):
    """The gateway that owns services of durable objects does not answer."""

    def __init__(self, folder: object, said: str) -> None:
        super().__init__(
            f"the gateway of {folder} does not answer: {_end(said)}; run it as a service of its own: "
            f"`{command()} gateway run --folder {folder}`"
        )


class CloudflareRefused(OwnersTurn):
    """Cloudflare does not do what is asked, or does not answer."""

    def __init__(self, what: str, said: str) -> None:
        super().__init__(
            f"Cloudflare refuses {what}: {_end(said)}; check account_id, and that `token` may edit workers scripts"
        )


class ForgeRefused(OwnersTurn):
    """The forge does not let us read its pipelines."""

    def __init__(self, what: str, status: int, said: str) -> None:
        told = f"the forge refuses {what} (HTTP {status}): {_end(said)[-300:]}"
        super().__init__(
            f"{told}; check `repository`, and that `token` may read pipelines (GitHub: actions; GitLab: api)"
        )


class ForgeAway(OwnersTurn):
    """The forge does not answer."""


class PipelineFailed(DeploymentError):
    """The pipeline ended badly, did not begin, or did not end."""


class CommandFailed(DeploymentError):
    """A command of the deployment ended with an error."""

    def __init__(self, what: str, code: int, output: str) -> None:
        self.code, self.output = code, _end(output)
        why = "took too long and was stopped" if code in (124, 137) else f"ended with {code}"
        super().__init__(f"{what} {why}: {self.output or '(it printed nothing)'}")


class ReleaseGone(DeploymentError):
    """What was prepared is not there any more."""


class Unhealthy(DeploymentError):
    """The new version does not answer as it should."""


class ProgramMissing(OwnersTurn):
    """A program that the target needs is not installed on the daemon's machine."""

    exits_with = 2


def _end(output: str) -> str:
    return redact(output.strip())[-MOST_OUTPUT:]
