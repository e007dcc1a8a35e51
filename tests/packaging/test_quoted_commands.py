"""Every command that a document quotes is one, and takes the options that stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.app import COMMANDS, app, command_of
from tests.packaging.test_documents import DOCUMENTS, NAMES

_CALL = re.compile(r"(?:^|[ `/])(?:nightcrew|python main\.py) +([^`\n]+)", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z-]*")


def quoted(document: Path) -> Iterator[list[str]]:
    """The words after the program's name, of blocks of code and of code within a line."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    spans = re.findall(r"`[^`\n]+`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    for call in _CALL.findall("\n".join([*blocks, *spans])):
        try:
            yield shlex.split(call, comments=True)
        except ValueError:  # a quote that ends on another line
            yield call.split()


def mistake(words: list[str]) -> str:
    """What is wrong with a call; empty if nothing is."""
    command: Any = typer.main.get_command(app)
    known, commands = _options(command), COMMANDS.keys()
    for word in words:
        if word.startswith("-"):
            if word.partition("=")[0] not in known:
                return f"{shlex.join(words)}: no option {word}"
        elif commands and _NAME.fullmatch(word):
            if word not in commands:
                return f"{shlex.join(words)}: no command {word}"
            command = command_of(word) if command.name not in COMMANDS else command.commands[word]
            known, commands = known | _options(command), getattr(command, "commands", {}).keys()
    return ""


def _options(command: Any) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_commands_that_a_document_quotes_can_be_called(document: Path) -> None:
    assert [said for words in quoted(document) if (said := mistake(words))] == []


def test_commands_are_found_at_all() -> None:
    assert sum(1 for document in DOCUMENTS for _ in quoted(document)) > 60
    assert mistake(["task", "show", "ID", "--jason"]) and mistake(["taks", "list"]) and mistake(["task", "sow", "ID"])
    assert not mistake(["--config", "x.yaml", "task", "add", "Title", "--tests=t.py", "-r", "x"])
