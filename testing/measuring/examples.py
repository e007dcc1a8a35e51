"""Runs the examples (doctests) that stand in files of a project.

    python -m ai_agents_sandboxed.measuring.examples TASK.json RESULT.json

The task: `paths` of modules and texts below the present folder, and `seconds` for all of them. The result: `tried` (how
many examples), `failures` (a line each, with the place), and `unread` (files that could not be imported or read).
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import json
import re
import signal
import sys
from pathlib import Path
from typing import Any

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
_MOST_FAILURES = 50
_LINE = 200


class _Unfenced(doctest.DocTestParser):
    """Reads Markdown, too, where a fence ends what an example gives."""

    def parse(self, string: str, name: str = "<string>") -> list[str | doctest.Example]:
        return super().parse(_FENCE.sub("", string), name)


class _Noting(doctest.DocTestRunner):
    """Notes failures and prints nothing."""

    def __init__(self) -> None:
        super().__init__(verbose=False, optionflags=_FLAGS)
        self.noted: list[str] = []

    def report_failure(self, out: Any, test: doctest.DocTest, example: doctest.Example, got: str) -> None:
        self._note(test, example, f"gives {got.strip()!r}")

    def report_unexpected_exception(
        self, out: Any, test: doctest.DocTest, example: doctest.Example, exc_info: Any
    ) -> None:
        self._note(test, example, f"raises {exc_info[0].__name__}: {exc_info[1]}")

    def _note(self, test: doctest.DocTest, example: doctest.Example, what: str) -> None:
        self.noted.append(f"{test.name}: {example.source.strip()} {what}"[:_LINE])


def main(task_file: str, result_file: str) -> None:
    """Run the examples of one file after the other; what was found so far is kept when the time is over."""
    task: dict[str, Any] = json.loads(Path(task_file).read_text("utf-8"))
    found: dict[str, Any] = {"tried": 0, "failures": [], "unread": []}
    signal.signal(signal.SIGALRM, _over)
    signal.alarm(max(int(task["seconds"]), 1))
    for path in task["paths"]:
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                _examine(path, found)
        except (Exception, SystemExit) as problem:  # noqa: BLE001  whatever the project's module raises
            found["unread"].append(f"{path}: {type(problem).__name__}: {problem}"[:_LINE])
    signal.alarm(0)
    found["failures"] = found["failures"][:_MOST_FAILURES]
    Path(result_file).write_text(json.dumps(found), "utf-8")


def _over(*_: object) -> None:
    raise TimeoutError("the examples took too long")


def _examine(path: str, found: dict[str, Any]) -> None:
    if path.endswith(".py"):
        tests = doctest.DocTestFinder(parser=_Unfenced()).find(importlib.import_module(_module_name(path)))
    else:
        text = Path(path).read_text("utf-8")
        tests = [_Unfenced().get_doctest(text, {"__name__": "__main__"}, path, path, 0)]
    for test in tests:
        runner = _Noting()
        found["tried"] += runner.run(test).attempted
        found["failures"] += runner.noted


def _module_name(path: str) -> str:
    """The name to import a file by; the folder above its topmost package is searched for it."""
    file = Path(path).resolve()
    parts, folder = [file.stem], file.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
