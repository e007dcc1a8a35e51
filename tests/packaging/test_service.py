"""ai-agents.service: as the specification writes it, hardened, and not in the sandbox's way."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config import Settings

ROOT = Path(__file__).parents[2]
EXIT_USAGE = 2  # cli.project; importing it would start the whole command line
UNIT = ROOT / "ai-agents.service"


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
    python, script = service["ExecStart"].split()
    assert python.endswith("/.venv/bin/python")
    assert script == f"{service['WorkingDirectory']}/main.py"


def test_a_mistake_in_the_configuration_is_not_tried_again(unit: configparser.ConfigParser) -> None:
    assert unit["Service"]["RestartPreventExitStatus"] == str(EXIT_USAGE)


def test_stopping_leaves_time_for_running_steps(unit: configparser.ConfigParser) -> None:
    assert unit["Service"]["KillMode"] == "mixed"
    assert int(unit["Service"]["TimeoutStopSec"]) >= 2 * Settings().orchestrator.shutdown_grace


def test_it_may_write_where_the_configuration_writes_and_nowhere_else(unit: configparser.ConfigParser) -> None:
    settings = Settings()
    folders = (settings.file_system.data_path, settings.monitoring.logs_path, settings.file_system.workspace_path)
    home = Path(unit["Service"]["WorkingDirectory"])
    assert unit["Service"]["ReadWritePaths"].split() == [str(home / folder) for folder in folders]
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


def test_systemd_understands_it(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    here = UNIT.read_text(encoding="utf-8").replace("/opt/ai-agents/.venv/bin/python", sys.executable)
    copy = tmp_path / UNIT.name
    copy.write_text(here, encoding="utf-8")
    run = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, timeout=200)
    assert (run.returncode, run.stderr) == (0, "")
