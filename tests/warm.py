"""Processes of the program that begin with its libraries imported.

Importing takes a command 1.4 seconds, and a daemon that asks a model 4: most of what a test of one would cost. Each
process is one of its own all the same, forked from a server that has only one thread and did nothing but import.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pkgutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import detect_secrets.plugins

_MAIN = Path(__file__).resolve().parents[1] / "main.py"
_FORKS = multiprocessing.get_context("forkserver")
_IMPORTED_LATE = [
    *("orchestrator.task_orchestrator", "alembic.command", "dbos._sys_db_sqlite", "requests", "tenacity"),
    *(f"detect_secrets.plugins.{plugin.name}" for plugin in pkgutil.iter_modules(detect_secrets.plugins.__path__)),
    *("detect_secrets.core.plugins.util", "encodings.unicode_escape", "encodings.utf_8_sig", "genai_prices.data"),
    *("anyio._backends._asyncio", "jiter", "openai.resources.chat.completions.completions", "typer._adapters"),
    *("pydantic_ai.direct", "pydantic_ai.models.openai", "pydantic_ai.providers.openai_compatible"),
]
"""What the program imports on first use, and nearly every daemon uses; Anthropic's 2 seconds are for few."""
_FORKS.set_forkserver_preload(["cli", *_IMPORTED_LATE, __name__])


class WarmProcess:
    """`main.py` with `arguments`, as far as tests use a `subprocess.Popen`; `output` and `errors` are appended to."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], output: Path, errors: Path) -> None:
        self._process = _FORKS.Process(
            target=_run, args=(list(arguments), dict(environment), str(output), str(errors)), daemon=False
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise subprocess.TimeoutExpired("main.py", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(arguments: list[str], environment: dict[str, str], output: str, errors: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # as $TMPDIR says
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup the tests' own processes ignore it
    for number, path in ((1, output), (2, errors)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(file, number)
        os.close(file)
    sys.argv = [str(_MAIN), *arguments]
    from cli import app

    try:
        app()
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
