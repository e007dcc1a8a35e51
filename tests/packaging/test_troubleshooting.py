"""docs/TROUBLESHOOTING.md quotes what the program says: a message that is reworded must be reworded there, too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("api", "cli", "config", "git_ops", "llm", "memory", "orchestrator", "owner", "testing")
_HEADING = re.compile(r"^### `(.+)`$", re.MULTILINE)


def quoted() -> list[str]:
    return _HEADING.findall((ROOT / "docs" / "TROUBLESHOOTING.md").read_text(encoding="utf-8"))


def said(source: str) -> Iterator[str]:
    """The literal texts of a Python file, without docstrings; what is put into one at run time is a line break."""
    tree = ast.parse(source)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\n" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_every_message_of_the_page_stands_in_the_program() -> None:
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    texts = [text for path in files for text in said(path.read_text(encoding="utf-8"))]
    everything = "\0".join(texts).casefold()  # in one text a search takes milliseconds
    missing = [
        message
        for message in quoted()
        if not re.search("[^\0]*?".join(re.escape(part) for part in message.casefold().split("…")), everything)
    ]
    assert missing == []
    assert len(quoted()) > 40
