"""How the daemon asks a gateway, and has one run where none does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from config.program import ROOT
from deployment.errors import DeploymentError, GatewayAway, HostDiskFull, Unhealthy

_START_SECONDS = 30.0
_MORE_SECONDS = 60.0


def ask(folder: Path, verb: str, /, *, timeout: float = _MORE_SECONDS, **given: Any) -> Any:
    """Ask the gateway of a folder. Raises `GatewayAway` where none runs, or what it says went wrong."""
    line = json.dumps({"verb": verb, **given}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as opened:
            opened.settimeout(timeout)
            opened.connect(str(folder / "control.sock"))
            opened.sendall(line)
            with opened.makefile("rb") as answer:
                told = json.loads(answer.readline() or b"{}")
    except OSError as problem:
        raise GatewayAway(folder, str(problem)) from problem
    if "error" not in told and "answer" not in told:
        raise GatewayAway(folder, "it ended before it answered")
    if "error" in told:
        match told["kind"]:
            case "disk":
                raise HostDiskFull("this machine", told["error"])
            case "unhealthy":
                raise Unhealthy(told["error"])
        raise DeploymentError(told["error"])
    return told["answer"]


def have_it_run(folder: Path) -> None:
    """Start a gateway unless one runs. It is no child of the daemon's, and outlives it. Raises `GatewayAway`."""
    if runs(folder):
        return
    if os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):  # systemd would end it with the daemon
        raise GatewayAway(folder, "none runs, and the daemon is a service of systemd, with which it would end")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployment.gateway", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
    end = time.monotonic() + _START_SECONDS
    while not runs(folder):
        if process.poll() not in (None, 0) or time.monotonic() > end:
            said = (folder / "gateway.log").read_text(encoding="utf-8", errors="replace")[-2000:]
            raise GatewayAway(folder, f"it could not be started: {said}")
        time.sleep(0.05)


def runs(folder: Path) -> bool:
    """Whether a gateway answers there."""
    try:
        ask(folder, "status", timeout=10)
    except GatewayAway:
        return False
    return True
