"""Runs single commands for tests, and reads what they print."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from typer.testing import CliRunner, Result

from cli import app
from tests.orchestrator.house import House


def look(house: House, *arguments: str, stdin: str | None = None) -> Result:
    """One command in this process: the same code on the same database, half a second faster."""
    return CliRunner().invoke(app, ["--config", str(house.config), *arguments], input=stdin)


def json_of(house: House, *arguments: str, stdin: str | None = None) -> object:
    done = look(house, *arguments, "--json", stdin=stdin)
    assert done.exit_code == 0, done.stderr
    value: object = json.loads(done.stdout)
    return value


def entry(house: House, *arguments: str, stdin: str | None = None) -> dict[str, object]:
    value = json_of(house, *arguments, stdin=stdin)
    assert isinstance(value, dict)
    return value


def entries(house: House, *arguments: str) -> list[dict[str, object]]:
    value = json_of(house, *arguments)
    assert isinstance(value, list)
    return value


def error_of(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one error a command ended with."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith("error:")
    return " ".join(done.stderr.split())


@contextmanager
def following(house: House) -> Iterator[subprocess.Popen[str]]:
    """`logs -f` in a process of its own."""
    process = subprocess.Popen(
        house.command("logs", "-f", "--json", "-n", "1"), stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it is there
        yield process
    finally:
        process.kill()
        process.communicate(timeout=120)
