"""The project's own formatter, run in the sandbox: ruff or black, in the project's version, with its settings."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from testing.checks.checkers import text_of
from testing.environments.record import Environment
from testing.errors import InvalidReport
from testing.frameworks.junit import report_text
from testing.sandbox.mounts import Mount
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.user import discard

_MOST_BYTES = 1024 * 1024
_SECONDS = 60.0

Formatter = Literal["ruff", "black"]


def formatter_of(source: Path, environment: Environment) -> Formatter | None:
    """What the project at `source` formats its Python with: what its settings name and its environment has."""
    project = text_of(source / "pyproject.toml")
    if re.search(r"^\[tool\.black\]", project, re.MULTILINE) and environment.has_module("black"):
        return "black"
    ruff = re.search(r"^\[tool\.ruff[.\]]", project, re.MULTILINE)
    has_settings = ruff or any((source / name).is_file() for name in ("ruff.toml", ".ruff.toml"))
    return "ruff" if has_settings and environment.has_module("ruff") else None


def run_formatter(
    sandbox: Sandbox,
    source: Path,
    environment: Environment,
    variables: Mapping[str, str],
    formatter: Formatter,
    paths: Sequence[str],
    *,
    label: str,
) -> dict[str, str]:
    """The texts of `paths` as `formatter` writes them; what it does not manage is left out.

    `source` is a run folder that was prepared and handed over. Raises SandboxUnavailable when nothing may be run.
    """
    out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=source.parent))
    try:
        sandbox.hand_over(out)
        commands = [_command(formatter, environment, path, f"/out/{number}") for number, path in enumerate(paths)]
        sandbox.run(
            ["sh", "-c", "; ".join(commands)],
            mounts=[Mount(source, "/work", writable=False), Mount(out, "/out", writable=True), environment.mount],
            cwd="/work",
            env=variables,
            timeout=_SECONDS,
            label=label,
        )
        texts = {path: _written(out / f"{number}.done") for number, path in enumerate(paths)}
    finally:
        discard(out)
    return {path: text for path, text in texts.items() if text}


def _command(formatter: Formatter, environment: Environment, path: str, to: str) -> str:
    """Format one file to `to`.done, which is there only when the formatter succeeded."""
    python, name = shlex.quote(environment.python), shlex.quote(f"./{path}")
    program = f"{python} -m ruff format --no-cache" if formatter == "ruff" else f"{python} -m black -q"
    return f"{program} --stdin-filename {name} - < {name} > {to} && mv {to} {to}.done"


def _written(file: Path) -> str:
    try:
        return report_text(file, _MOST_BYTES)
    except InvalidReport:
        return ""
