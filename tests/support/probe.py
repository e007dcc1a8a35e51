"""Right answers to the questions that try out an unknown model."""

from __future__ import annotations

from tests.support.script import Answer, Reply, Request

RIGHT: dict[str, Answer] = {
    "tools": Reply.tool("read_lines", {"path": "src/app/main.py", "first_line": 10, "last_line": 25}),
    "structured": {"name": "Heron", "year": 2019, "stable": False, "authors": ["Ada", "Grace"]},
    "edit_blocks": (
        "<<<<<<< SEARCH\n    return min(seconds, 60)\n=======\n    return min(seconds, 90)\n>>>>>>> REPLACE"
    ),
    "repairs": "    return last - first + 1",
}


def asked(request: Request) -> str:
    """Which of the questions a request asks."""
    for ability, mark in (("tools", "main.py"), ("structured", "Heron"), ("edit_blocks", "wait.py")):
        if mark in request.messages[0].text:
            return ability
    return "repairs" if "days" in request.messages[0].text else "work"
