"""ai-agents.service: made by the program, as the specification writes it, hardened, not in the sandbox's way."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cli import running
from cli.options import EXIT_USAGE
from config import Settings
from deployment.service_unit import Unit
from git_ops.command import LOCAL_TIMEOUT
from memory.database.database import BUSY_SECONDS
from orchestrator.engine.failures import LONGEST_PAUSE

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "ai-agents.service"
DOCUMENTED = Unit(
    "ai-agents",
    ("/opt/ai-agents/.venv/bin/python", "/opt/ai-agents/main.py"),
    manual=Path("/opt/ai-agents/docs/DEPLOYMENT.md"),
)


@pytest.fixture
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's keys have capitals; the documented way
    parser.read(UNIT, encoding="utf-8")
    return parser


def test_it_is_what_the_specification_says(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    assert service["User"] == "ai-agents"
    assert service["Restart"] == "always"
    assert service["RestartSec"] == "10"
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    python, script, option, config, command = service["ExecStart"].split()
    assert python.endswith("/.venv/bin/python") and script.endswith("/main.py") and command == "run"
    assert option == "--config" and config == f"{service['WorkingDirectory']}/config.yaml"
    assert service["ExecStartPre"] == f"{python} {script} --config {config} config check"
    assert (service["SyslogIdentifier"], service["Type"]) == ("ai-agents", "notify")


def test_it_is_what_the_program_installs_for_the_documented_place() -> None:
    assert UNIT.read_text(encoding="utf-8") == DOCUMENTED.render()


def test_the_watchdog_outlasts_what_a_round_of_the_main_loop_may_wait_for(unit: configparser.ConfigParser) -> None:
    assert unit["Service"]["WatchdogSec"] == "5min"
    assert 2 * LOCAL_TIMEOUT < 5 * 60 and 2 * (BUSY_SECONDS + LONGEST_PAUSE) < 5 * 60
    assert unit["Service"]["TimeoutStartSec"] == "15min"
    assert running._PATIENCE + BUSY_SECONDS < 15 * 60


def test_a_mistake_in_the_configuration_is_not_tried_again(unit: configparser.ConfigParser) -> None:
    assert unit["Service"]["RestartPreventExitStatus"] == str(EXIT_USAGE)


def test_stopping_leaves_time_for_running_steps(unit: configparser.ConfigParser) -> None:
    assert unit["Service"]["KillMode"] == "mixed"
    assert int(unit["Service"]["TimeoutStopSec"]) >= 2 * Settings().orchestrator.shutdown_grace


def test_it_may_write_where_the_configuration_writes_and_nowhere_else(unit: configparser.ConfigParser) -> None:
    settings = Settings()
    folders = (settings.file_system.data_path, settings.monitoring.logs_path, settings.file_system.workspace_path)
    assert not any(folder.is_absolute() for folder in folders)  # they start at the folder of the configuration
    home = Path(unit["Service"]["WorkingDirectory"])
    assert home == Path("/var/lib", unit["Service"]["StateDirectory"])
    assert "ReadWritePaths" not in unit["Service"]
    assert unit["Service"]["ReadOnlyPaths"] == f"-{home / 'config.yaml'}"
    assert unit["Service"]["ProtectSystem"] == "strict"
    assert unit["Service"]["NoNewPrivileges"] == "yes"
    assert unit["Service"]["CapabilityBoundingSet"] == ""


@pytest.mark.parametrize(
    "option",
    [
        "RestrictNamespaces",
        "ProtectHostname",
        "ProtectKernelTunables",
        "ProtectKernelLogs",
        "ProtectProc",
        "ProcSubset",
    ],
)
def test_nothing_stands_in_the_way_of_bubblewrap(unit: configparser.ConfigParser, option: str) -> None:
    assert option not in unit["Service"]
    assert "@mount" not in unit["Service"]["SystemCallFilter"]


@pytest.mark.parametrize(
    "unit",
    [
        DOCUMENTED,
        replace(DOCUMENTED, name="agents@library", config=Path()),
        replace(
            DOCUMENTED, config=Path("/srv/a b%/it's.yaml"), writable=(Path("/srv/50% $HOME"), Path("/home/me/lib"))
        ),
        replace(
            DOCUMENTED, for_user=True, config=Path("/home/me/config.yaml"), repository="https://example.org/a b.git"
        ),
    ],
    ids=["documented", "template", "places", "user"],
)
def test_systemd_understands_it(unit: Unit, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    here = unit.render().replace("/opt/ai-agents/.venv/bin/python", sys.executable)
    copy = tmp_path / unit.file.name
    copy.write_text(here, encoding="utf-8")
    command = [analyze, "verify", "--man=no", *(["--user"] if unit.for_user else []), str(copy)]
    environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environ)
    about_it = [line for line in run.stderr.splitlines() if unit.file.name in line]  # it also reads the machine's own
    assert (run.returncode, about_it) == (0, [])
