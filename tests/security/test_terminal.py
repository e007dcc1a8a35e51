"""Titles, evidence and log lines that would steer the owner's terminal: shown by the CLI, written to the log."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cli import app
from cli.options import out
from config import MonitoringSettings
from memory import Attempt
from monitoring import configure_logging, get_logger
from tests.orchestrator.house import House, make_repository

pytestmark = pytest.mark.probe("hostile")

ATTACKS = {
    "a colour": "\x1b[31mred",
    "a cleared screen": "\x1b[2J\x1b[H",
    "a title": "\x1b]0;owned\x07",
    "the clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "a hidden link": "\x1b]8;;http://evil\x07good\x1b]8;;\x07",
    "one character CSI": "\x9b31m",
    "one character OSC": "\x9d0;owned\x9c",
    "a carriage return": "rm -rf /\rall is well",
    "backspaces": "failed\x08\x08\x08\x08\x08\x08passed",
    "a bell": "\x07" * 9,
    "a vertical tab": "a\x0b\x0cb",
    "turned about": "abc\u202egpj.exe\u202c",
    "isolated": "\u2066\u2067x\u2069",
    "markup": "[link=http://evil]good[/link] [blink]",
    "closed markup": "[/] [/bold] [not a tag",
    "a delete": "a\x7fb",
    "a line separator": "a\u2028b\u2029c",
}
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("terminal")
    return House(folder, make_repository(folder / "repository"), "http://127.0.0.1:9/v1", folder / "data")


def shown(house: House, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["--config", str(house.config), *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("name", ATTACKS)
def test_what_the_cli_prints_steers_nothing(house: House, name: str) -> None:
    text = ATTACKS[name]
    task = house.submit(f"{text} described", f"{text} titled")
    with house.store() as store:
        store.journal.log("developer", f"did {text}", task_id=task, evidence=text)
        store.evidence.record_attempt(
            Attempt(task_id=task, run=0, stage="code", approach=1, number=1, strategy=text[:20], outcome="failed",
                    answer_hash="0", tree="", tests_passed=0, tests_failed=1, evidence=text, seconds=1.0)
        )  # fmt: skip
    for command in (("task", "list"), ("task", "show", task), ("logs",), ("status",)):
        printed = shown(house, *command)
        assert not STEERING.search(printed), command
        assert not STEERING.search(shown(house, *command, "--json")), command
    assert "http://evil" in shown(house, "task", "show", task) or "evil" not in text


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging(MonitoringSettings(), tmp_path, stdout=False)
    yield tmp_path / "agents.log"
    for handler in root.handlers[:]:
        root.removeHandler(handler)
        handler.close()
    for handler in before:
        root.addHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("name", ATTACKS)
def test_what_the_log_holds_steers_nothing(log: Path, name: str) -> None:
    get_logger("tests").info("test output", told=ATTACKS[name], nested={"deep": [ATTACKS[name]]})
    written = log.read_text(encoding="utf-8")
    assert not STEERING.search(written)
    assert [json.loads(line)["told"] for line in written.splitlines()] == [ATTACKS[name]]


def test_our_own_colours_stay() -> None:
    console = type(out)(force_terminal=True, color_system="standard", width=80, highlight=False)
    assert isinstance(console, Console)
    with console.capture() as captured:
        console.print("[red]a\x1b[2Jb[/]")
    assert captured.get() == "\x1b[31ma[2Jb\x1b[0m\n"
