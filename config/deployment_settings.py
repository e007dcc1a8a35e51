"""Where landed work is deployed to: named environments, each with one target. What they run is the owner's alone."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, SecretStr, Tag, model_validator

from config.values import BranchName, HomePath, Key, Section


def _inside(text: str) -> str:
    """A path below a folder: relative, and without a way out of it."""
    path = PurePosixPath(text)
    if not text.strip() or path.is_absolute() or ".." in path.parts or path == PurePosixPath("."):
        raise ValueError(f"{text!r} is no path inside a release; write one such as var/uploads")
    return str(path)


def _absolute(text: str) -> str:
    path = PurePosixPath(text)
    if not path.is_absolute() or len(path.parts) < 3 or ".." in path.parts:
        raise ValueError(f"{text!r} is no place of its own on the host; write one such as /srv/shop")
    return str(path)


InnerPath = Annotated[str, AfterValidator(_inside)]
HostFolder = Annotated[str, AfterValidator(_absolute)]
Words = Annotated[str, Field(min_length=1)]
Port = Annotated[int, Field(ge=1, le=65535)]


class HealthSettings(Section):
    """When a deployed version counts as healthy."""

    url: str = Field(
        "",
        pattern=r"^(https?://[^\s@]+)?$",
        description="What is asked, from the daemon's machine, such as https://shop.example.com/healthz.",
    )
    version: str = Field(
        "version",
        pattern=r"^([A-Za-z0-9_.-]+|header [A-Za-z0-9-]+|none)$",
        description="Where the answer names the commit that runs: a key of its JSON (build.commit for a nested one), "
        "`header NAME`, or none if it does not.",
    )
    healthy: int = Field(3, ge=1, le=100, description="Healthy answers in a row with the expected version.")
    interval: float = Field(1, ge=0.05, le=60, description="Seconds between two questions.")
    timeout: float = Field(5, gt=0, le=60, description="Seconds that one answer may take.")
    deadline: float = Field(
        60, gt=0, le=3600, description="Seconds after which a version that is not healthy is rolled back."
    )


class WatchSettings(Section):
    """How what is live is watched."""

    interval: float = Field(
        30,
        ge=0,
        le=3600,
        description="Seconds between two looks at what is live, while the daemon runs; 0: it is not watched.",
    )
    paths: list[Annotated[str, Field(pattern=r"^/([^/\s@][^\s@]*)?$", max_length=500)]] = Field(
        [],
        max_length=20,
        description="Paths of the service that are asked beside health.url, such as /items; 400 and above, or no "
        "answer, is an error. A GET must change nothing.",
    )
    on_regression: Literal["report", "roll_back"] = Field(
        "report",
        description="What is done about a version that is worse than the one before. report: you are told, and it is "
        "to be mended; roll_back: the version before is brought back, too.",
    )


class EnvironmentSettings(Section):
    """What every environment has."""

    approval: bool = Field(False, description="true: each deployment waits for your word (`approvals approve`).")
    promote_from: str = Field(
        "", description="Only what is live in the environment of this name may be deployed here; empty: anything."
    )
    health: HealthSettings = HealthSettings()
    watch: WatchSettings = WatchSettings()

    @property
    def patience(self) -> float:
        """Seconds that a deployment may take in the worst case; nobody else may begin one meanwhile."""
        return 2 * self.health.deadline + 1800


class BlueGreenSettings(Section):
    """Two copies of a service on two ports, and an nginx that sends requests to one of them."""

    ports: list[Port] = Field(min_length=2, max_length=2, description="The two ports on the host.")
    start: Words = Field(description="Command that starts, or restarts, the copy on $PORT from the folder $RELEASE.")
    stop: Words = Field(description="Command that stops the copy on $PORT.")
    upstream: str = Field("app", pattern=r"^[A-Za-z0-9_.-]+$", description="Name of the upstream in nginx.")
    upstream_file: HostFolder = Field(
        description="File with that upstream, which nginx includes and deployments write."
    )
    reload: Words = Field("nginx -s reload", description="Command that lets nginx read the file again.")
    drain: float = Field(5, ge=0, le=600, description="Seconds that the old copy finishes its requests in.")

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.ports[0] == self.ports[1]:
            raise ValueError("blue_green.ports needs two different ports")
        return self


class DirectEnvironment(EnvironmentSettings):
    """A folder of releases on one host, over OpenSSH."""

    target: Literal["direct"] = Field(description="OpenSSH, with a folder of releases on a host.")
    host: Words = Field(pattern=r"^[^-\s]\S*$", description="The host, or its name in ~/.ssh/config.")
    port: Port | None = Field(None, description="Its port, if not that of ~/.ssh/config.")
    user: str = Field("", pattern=r"^[A-Za-z0-9_.-]*$", description="Who to sign in as there.")
    identity_file: HomePath | None = Field(None, description="The private key; else what ~/.ssh/config says.")
    known_hosts: HomePath | None = Field(None, description="File with the host's key (default: ~/.ssh/known_hosts).")
    folder: HostFolder = Field(description="Folder on the host for releases, shared files and the link `current`.")
    shared: list[InnerPath] = Field(
        [], description="Files and folders that all releases share, such as var/uploads; they are kept in `shared`."
    )
    build: str = Field("", description="Command run in a new release before it becomes live.")
    before_switch: str = Field("", description="Command run in the new release right before, such as a migration.")
    after_switch: str = Field("", description="Command run in the new release once it is live and healthy.")
    restart: str = Field("", description="Command that restarts the service after the switch.")
    stop: str = Field("", description="Command that stops the service, when a first deployment fails.")
    blue_green: BlueGreenSettings | None = Field(None, description="Two copies behind nginx, instead of a restart.")
    logs: str = Field("", description="Command that prints the service's log; $LINES says how many lines.")
    keep: int = Field(5, ge=2, le=100, description="Releases that are kept on the host.")
    timeout: float = Field(600, gt=0, le=7200, description="Seconds that one command on the host may take.")

    @model_validator(mode="after")
    def _can_be_started(self) -> Self:
        if bool(self.restart) == bool(self.blue_green):
            raise ValueError("give either restart or blue_green: how the new version comes to run")
        if not self.health.url:
            raise ValueError("health.url is needed: without an answer nobody knows whether the new version runs")
        return self


class DockerEnvironment(EnvironmentSettings):
    """Containers of one engine."""

    target: Literal["docker"] = Field(description="Containers of a Docker engine.")
    engine: str = Field(
        "",
        pattern=r"^(unix:///[^\s]+|tcp://[A-Za-z0-9.:\[\]-]+|ssh://[A-Za-z0-9_.@:\[\]-]+)?$",
        description="The engine: unix:///path, tcp://HOST:2376 with certificates, or ssh://USER@HOST; empty: this "
        "machine's.",
    )
    engine_socket: HostFolder = Field(
        "/var/run/docker.sock", description="Its socket on a host that is reached by ssh."
    )
    tls_ca: HomePath | None = Field(None, description="Certificate of the authority that the engine's must be from.")
    tls_cert: HomePath | None = Field(None, description="Our certificate for the engine.")
    tls_key: HomePath | None = Field(None, description="The key of that certificate.")
    identity_file: HomePath | None = Field(None, description="The private key for ssh; else what ~/.ssh/config says.")
    known_hosts: HomePath | None = Field(None, description="File with the host's key (default: ~/.ssh/known_hosts).")
    image: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._:/-]*[a-z0-9]$",
        description="Name of the image without a tag, such as registry.example.com/shop; the tag is the commit.",
    )
    push: bool = Field(True, description="false: the image stays in the engine that builds it, without a registry.")
    registry_user: str = Field("", description="Who signs in to the registry; else what `docker login` has left.")
    registry_password: Key | None = Field(None, description="Their password or token; keep it in the environment.")
    dockerfile: InnerPath = Field("Dockerfile", description="Its path in the repository.")
    build_options: list[Words] = Field([], description="Options of `docker build`, such as --network=none.")
    container: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,40}$", description="What the containers' names begin with.")
    ports: list[Port] = Field(
        min_length=1,
        max_length=2,
        description="Where the service listens on the engine's machine, as $PORT in run_options. One: the old "
        "container is stopped before the new one starts. Two: they take turns, and `route` switches.",
    )
    run_options: list[Words] = Field(
        ["--publish", "127.0.0.1:$PORT:8000"], description="Options of `docker run`; $PORT stands for the port."
    )
    env_file: HomePath | None = Field(None, description="File with the container's variables, for secrets, too.")
    command: list[Words] = Field([], description="What the container runs, if not what the image says.")
    route: str = Field(
        "", description="Command that sends requests to $PORT, with two ports; run on the engine's host, by ssh."
    )
    keep: int = Field(5, ge=2, le=100, description="Images that are kept in the engine.")
    timeout: float = Field(900, gt=0, le=7200, description="Seconds that a build, a push or a pull may take.")

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.health.url:
            raise ValueError("health.url is needed: without an answer nobody knows whether the new version runs")
        if (len(self.ports) == 2) != bool(self.route):
            raise ValueError("two ports need `route`, the command that sends requests to $PORT, and one port has none")
        if len(set(self.ports)) < len(self.ports):
            raise ValueError("ports needs two different ports")
        if bool(self.registry_user) != bool(self.registry_password):
            raise ValueError("registry_user and registry_password come together")
        if self.engine.startswith("tcp:") and not (self.tls_ca and self.tls_cert and self.tls_key):
            raise ValueError("an engine by tcp needs tls_ca, tls_cert and tls_key: who reaches it owns its machine")
        return self


class CiCdEnvironment(EnvironmentSettings):
    """A branch whose pushes a forge's pipeline deploys."""

    target: Literal["ci_cd"] = Field(description="A pipeline of GitHub Actions or GitLab CI, which a push begins.")
    provider: Literal["github_actions", "gitlab_ci"] = Field("github_actions", description="Whose pipeline it is.")
    api: str = Field(
        "",
        pattern=r"^(https://[^\s@]+|http://(localhost|127\.\d+\.\d+\.\d+)(:\d+)?(/[^\s@]*)?)?$",
        description="Address of the forge's API; empty: https://api.github.com or https://gitlab.com/api/v4.",
    )
    repository: str = Field(
        pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)+$", description="OWNER/NAME, or GROUP/PROJECT at GitLab."
    )
    branch: BranchName = Field(description="The branch that is pushed to, such as deploy/staging; nobody else does.")
    workflow: str = Field(
        "", description="Only runs of this workflow file count, such as deploy.yml (GitHub Actions); empty: all do."
    )
    token: Key | None = Field(
        None, description="Token that may read and cancel pipelines; keep it in the environment. Pushing is git's."
    )
    interval: float = Field(10, ge=0.05, le=600, description="Seconds between two looks at the pipeline.")
    begins_within: float = Field(120, gt=0, le=3600, description="Seconds in which the pipeline has to begin.")
    pipeline_deadline: float = Field(1800, gt=0, le=14_400, description="Seconds that it may take, queueing included.")

    @property
    def patience(self) -> float:
        """Two pipelines, if the first fails."""
        return super().patience + 2 * (self.begins_within + self.pipeline_deadline)


class DurableObjectsEnvironment(EnvironmentSettings):
    """A worker with durable objects: workerd on this machine, or Cloudflare."""

    target: Literal["durable_objects"] = Field(description="A worker with durable objects.")
    provider: Literal["workerd", "cloudflare"] = Field("workerd", description="workerd on this machine, or Cloudflare.")
    service: str = Field(
        pattern=r"^[a-z][a-z0-9-]{0,31}$",
        description="Its name, by which other services call it; at Cloudflare that of the worker.",
    )
    config: InnerPath = Field("wrangler.jsonc", description="Path of wrangler's file in the repository (or .toml).")
    worker_environment: str = Field(
        "", pattern=r"^[A-Za-z0-9_-]*$", description="Which `env` of wrangler's file counts; empty: what is outside."
    )
    build: str = Field("", description="Command run in the files of the commit, on the daemon's machine, first.")
    timeout: float = Field(600, gt=0, le=7200, description="Seconds that a build, a switch or an upload may take.")
    folder: HostFolder | None = Field(None, description="workerd: folder for the releases and the objects' state.")
    listen: str = Field(
        "",
        pattern=r"^(([A-Za-z0-9.-]+|\[[0-9a-f:]+\]):\d{1,5})?$",
        description="workerd: address that it listens at, such as 127.0.0.1:8787.",
    )
    probe: str = Field(
        "/healthz",
        pattern=r"^/[A-Za-z0-9/_.?=&-]*$",
        description="workerd: path of the GET that objects of every class are asked before a version is let in. An "
        "answer below 500 is good.",
    )
    workerd: HomePath | None = Field(
        None, description="workerd: the program; empty: that of PATH or of `node_modules` in `folder`."
    )
    gateway: HomePath = Field(
        Path("~/.local/state/nightcrew/gateway"),
        validate_default=True,
        description="workerd: folder of the gateway, which several environments share.",
    )
    env_file: HomePath | None = Field(
        None, description="workerd: file with NAME=VALUE lines, which the worker is given as `env.NAME`, for secrets."
    )
    keep: int = Field(5, ge=2, le=100, description="workerd: releases that are kept.")
    account_id: str = Field("", pattern=r"^[A-Za-z0-9]*$", description="cloudflare: the account.")
    token: Key | None = Field(None, description="cloudflare: token that may edit workers; keep it in the environment.")
    wrangler: HomePath | None = Field(None, description="cloudflare: the program; empty: that of PATH.")
    api: str = Field(
        "https://api.cloudflare.com/client/v4",
        pattern=r"^(https://[^\s@]+|http://(localhost|127\.\d+\.\d+\.\d+)(:\d+)?(/[^\s@]*)?)$",
        description="cloudflare: address of its API.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.health.url:
            raise ValueError("health.url is needed: without an answer nobody knows whether the new version runs")
        if self.provider == "workerd" and not (self.folder and self.listen):
            raise ValueError("workerd needs `folder` and `listen`")
        if self.listen and not 0 < int(self.listen.rpartition(":")[2]) < 65536:
            raise ValueError(f"{self.listen} has no port between 1 and 65535")
        if self.provider == "cloudflare" and not (self.account_id and self.token):
            raise ValueError("cloudflare needs `account_id` and `token`")
        return self

    @property
    def patience(self) -> float:
        """A build, a switch and a way back."""
        return super().patience + 3 * self.timeout


def _target_of(value: object) -> object:
    return value.get("target") if isinstance(value, dict) else getattr(value, "target", None)


Environment: TypeAlias = Annotated[
    Annotated[DirectEnvironment, Tag("direct")]
    | Annotated[DockerEnvironment, Tag("docker")]
    | Annotated[CiCdEnvironment, Tag("ci_cd")]
    | Annotated[DurableObjectsEnvironment, Tag("durable_objects")],
    Discriminator(
        _target_of,
        custom_error_type="target",
        custom_error_message="needs a target: direct, docker, ci_cd or durable_objects",
    ),
]


class DeploymentSettings(Section):
    """What happens after landing."""

    type: Literal["none", "ci_cd"] = Field(
        "ci_cd",
        description="What the result of a task says of deployment where no environment is set. ci_cd: pushing is "
        "deploying, the forge does the rest. none: it is not mentioned.",
    )
    ci_cd_provider: Literal["github_actions", "gitlab_ci"] = Field("github_actions", description="Its name in reports.")
    on_landing: str = Field("", description="The environment that landed work is deployed to at once; empty: none.")
    environments: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")], Environment] = Field(
        {}, description="Where the daemon deploys to, by name. See docs/DEPLOYING.md."
    )

    @property
    def secrets(self) -> list[SecretStr]:
        """What is masked wherever it would be written."""
        return [value for each in self.environments.values() for _, value in each if isinstance(value, SecretStr)]

    @model_validator(mode="after")
    def _names_environments(self) -> Self:
        named = {"on_landing": self.on_landing} | {
            f"environments.{name}.promote_from": each.promote_from for name, each in self.environments.items()
        }
        for key, name in named.items():
            if name and name not in self.environments:
                there = ", ".join(self.environments) or "none"
                raise ValueError(f"{key}: there is no environment {name!r}; there are: {there}")
        places: dict[tuple[str, int | None, str], str] = {}
        for name, each in self.environments.items():
            if isinstance(each, DirectEnvironment):
                other = places.setdefault((each.host, each.port, each.folder), name)
                if other != name:
                    told = f"environments.{other} and environments.{name} share the folder {each.folder} of {each.host}"
                    raise ValueError(f"{told}; give each one of its own")
        taken: dict[tuple[str, str], str] = {}
        for name, each in self.environments.items():
            if isinstance(each, DurableObjectsEnvironment):
                kept = [("service", f"{each.provider} {each.account_id} {each.service}")]
                kept += [("folder", str(each.folder)), ("listen", each.listen)] if each.provider == "workerd" else []
                for place in kept:
                    if (other := taken.setdefault(place, name)) != name:
                        told = f"environments.{other} and environments.{name} have the same `{place[0]}`"
                        raise ValueError(f"{told}; give each one of its own")
        for name in self.environments:
            seen, before = {name}, self.environments[name].promote_from
            while before:
                if before in seen:
                    raise ValueError(f"environments.{name}.promote_from goes round in a circle")
                seen.add(before)
                before = self.environments[before].promote_from
        return self
