"""Dockerfile and docker-compose.yml: valid, as the specification writes them, and what the sandbox needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ConfigDict

from config import Settings
from llm import key_variables

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = ROOT / "docker-compose.yml"


class Service(BaseModel):
    """The part of a compose service that these tests read."""

    model_config = ConfigDict(extra="ignore")

    user: str | None = None
    privileged: bool = False
    restart: str = "no"
    init: bool = False
    read_only: bool = False
    environment: list[str] = []
    volumes: list[str] = []
    security_opt: list[str] = []
    cap_add: list[str] = []
    cap_drop: list[str] = []
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
    assert daemon.restart == "always"
    assert {"./workspace:/workspace", "./data:/app/data", "./logs:/app/logs"} <= set(daemon.volumes)
    assert "AI_AGENTS_FILE_SYSTEM__WORKSPACE_PATH=/workspace" in " ".join(instructions("ENV")).split()


def test_keys_are_handed_on_by_name_only(daemon: Service) -> None:
    assert {*key_variables(), "GIT_REPO_URL"} <= set(daemon.environment)
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
    named += [volume.split(":")[0] for volume in daemon.volumes if volume.endswith(":ro")]
    assert "./config.yaml" in named
    for file in named:
        assert (ROOT / file).is_file()
    for copied in instructions("COPY"):
        assert (ROOT / copied.split()[0]).exists()


def test_stopping_leaves_time_for_running_steps(daemon: Service) -> None:
    seconds = int(daemon.stop_grace_period.removesuffix("s"))
    assert seconds >= 2 * Settings().orchestrator.shutdown_grace


def test_the_image_runs_as_the_user_to_whom_the_folders_are_handed() -> None:
    created = re.search(r"useradd --uid (\d+) .* (\S+)", " ".join(instructions("RUN")).partition("&& install")[0])
    assert created
    uid, name = created[1], created[2].strip()
    assert instructions("USER") == [name]
    folders = service("folders")
    assert folders.command[:2] == ["chown", f"{uid}:{uid}"]
    assert set(folders.command[2:]) == {volume.split(":")[1] for volume in folders.volumes}
    assert folders.cap_drop == ["ALL"]
    assert folders.cap_add == ["CHOWN"]


def test_the_image_starts_the_daemon_and_knows_whether_it_is_well() -> None:
    assert instructions("CMD") == ['["python", "main.py"]']
    (health,) = instructions("HEALTHCHECK")
    assert "python deployment/healthcheck.py" in health


@pytest.mark.parametrize("secret", ["**/.env", "**/*.pem", "**/*.key", ".git", "data", "workspace"])
def test_secrets_and_state_stay_out_of_the_image(secret: str) -> None:
    assert secret in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
