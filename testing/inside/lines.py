"""Notes which lines of the project's Python code a run of its tests executes, and from which line each was reached.

It needs nothing but the standard library, since most projects' environments have no coverage.py. Tests that run the
code in another process are not seen.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from types import CodeType, FrameType
from typing import Any

VARIABLE = "AI_AGENTS_LINES"
"""Names the file to write; it is taken out of the environment before any code of the project runs."""


class Tracer:
    """Traces all threads between `start` and `stop`. Without a file to write it does nothing."""

    def __init__(self) -> None:
        self._report = os.environ.pop(VARIABLE, "")
        self._project = os.getcwd() + "/"  # noqa: PTH109
        self._arcs: dict[str, set[tuple[int, int]]] = {}
        self._wanted: dict[CodeType, set[tuple[int, int]] | None] = {}

    def start(self) -> None:
        if self._report:
            threading.settrace(self._called)
            sys.settrace(self._called)

    def stop(self) -> None:
        """End the tracing and write the report: path below the project -> pairs of lines."""
        if not self._report:
            return
        sys.settrace(None)
        threading.settrace(None)
        written = {path: sorted(arcs) for path, arcs in self._arcs.copy().items()}
        with open(self._report, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(written, file)

    def _called(self, frame: FrameType, event: str, _argument: Any) -> Any:
        code = frame.f_code
        if code not in self._wanted:
            self._wanted[code] = self._arcs_of(code.co_filename)
        arcs = self._wanted[code]
        if arcs is None:
            return None
        last = frame.f_lineno

        def reached(frame: FrameType, event: str, _argument: Any) -> Any:
            nonlocal last
            if event == "line":
                arcs.add((last, frame.f_lineno))
                last = frame.f_lineno
            return reached

        return reached

    def _arcs_of(self, file: str) -> set[tuple[int, int]] | None:
        """Where the arcs of code in `file` are noted; None if it is no file of the project."""
        if not file.startswith(self._project):
            return None
        return self._arcs.setdefault(file[len(self._project) :], set())
