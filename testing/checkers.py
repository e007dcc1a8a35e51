"""The project's own checkers (linters, types, builds of documentation, coverage) and its formatter, run in the sandbox.

Each runs only where the project configures it and its environment has it: in the project's version, with the project's
settings. mypy's plugins and coverage execute the project's code, and even ruff is a program that the project's
dependency files chose, so none of them runs outside the sandbox.
"""

from __future__ import annotations

import json
import re
import shlex
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from testing.environments.environment import Environment
from testing.environments.python_dependencies import text_of
from testing.errors import InvalidReport
from testing.frameworks.junit import report_text
from testing.frameworks.python import pytest_options
from testing.sandbox.confinement import Mount
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.user import discard

_REPORT = "/out/checked"
_MOST_BYTES = 4 * 1024 * 1024
_MOST_SOURCE_BYTES = 1024 * 1024
_FORMAT_SECONDS = 60.0
_MOST_FINDINGS = 500
_MESSAGE = 300
_MYPY_LINE = re.compile(r"(?P<path>[^:\n]+):(?P<line>\d+): error: (?P<message>.*?)(?:  \[(?P<rule>[\w-]+)\])?$")
_MYPY_SETTINGS = (
    ("pyproject.toml", r"^\[tool\.mypy\]"),
    ("mypy.ini", ""),
    (".mypy.ini", ""),
    ("setup.cfg", r"^\[mypy\]"),
)

Formatter = Literal["ruff", "black"]


class Finding(BaseModel):
    """What a checker says about one place. `path` is relative to the project; `rule` is the checker's name for it."""

    model_config = ConfigDict(frozen=True)

    path: str
    line: int
    rule: str
    message: str


class Checked(BaseModel):
    """What a checker found. `problem` says why it gives no answer; then the rest is empty."""

    findings: list[Finding] = []
    executed: list[tuple[str, str]] = []
    """Of coverage: functions and methods of which at least a line was run, as (path, dotted name)."""
    problem: str = ""


@dataclass(frozen=True)
class Checker:
    """One checker; `CHECKERS` lists all."""

    name: str
    """Also the module that the environment has to have."""
    finds: Literal["types", "lint", "uncovered", "documents"]
    """What its findings are: faults in types, other faults, (as `executed`) what no test runs, or what is wrong with
    the documentation that it builds."""
    settings: tuple[tuple[str, str], ...]
    """Files that may hold its settings, with a pattern that shows that they do; empty where it needs none."""
    command: Callable[[Path, Environment], str]
    """The shell command that checks the sources in a folder and reports to `_REPORT`."""
    read: Callable[[str], Checked]
    """What the report says; raises ValueError, KeyError, TypeError or AttributeError when it is none."""
    framework: str = ""
    """The only test framework that it works with, if any."""


def is_configured(source: Path, environment: Environment, checker: str) -> bool:
    """Whether the project at `source` has settings for the checker of this name and its environment has the program."""
    wanted = CHECKERS[checker]
    configured = not wanted.settings or any(
        (source / name).is_file() and re.search(words, text_of(source / name), re.MULTILINE)
        for name, words in wanted.settings
    )
    return configured and environment.has_module(checker) and wanted.framework in ("", environment.framework)


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
            ["sh", "-c", CHECKERS[checker].command(source, environment)],
            mounts=[Mount(source, "/work", writable=True), Mount(out, "/out", writable=True), environment.mount],
            cwd="/work",
            env=variables,
            timeout=timeout,
            label=label,
        )
        if ended.killed_reason:
            return Checked(problem=f"{checker} was killed: {ended.killed_reason}")
        report = _written(out / Path(_REPORT).name, _MOST_BYTES)
    finally:
        discard(out)
    try:
        return CHECKERS[checker].read(report)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return Checked(problem=f"{checker} gave no report (exit code {ended.exit_code}): {ended.output[-300:].strip()}")


def _ruff_command(source: Path, environment: Environment) -> str:
    python = shlex.quote(environment.python)
    return f"{python} -m ruff check --no-cache --exit-zero --output-format json --output-file {_REPORT} ."


def _mypy_command(source: Path, environment: Environment) -> str:
    # Older versions have no machine-readable output; these options give one line an error in all of them.
    options = "--no-pretty --no-color-output --no-error-summary --hide-error-context --show-error-codes"
    target = "" if _names_its_targets(source) else "."
    python = shlex.quote(environment.python)
    return f"{python} -m mypy {options} --cache-dir /tmp/mypy {target} > {_REPORT}; echo exit $? >> {_REPORT}"


def _flake8_command(source: Path, environment: Environment) -> str:
    python = shlex.quote(environment.python)
    form = shlex.quote("%(path)s:%(row)d: %(code)s %(text)s")
    return f"{python} -m flake8 -j 1 --exit-zero --format {form} . > {_REPORT} && echo exit 0 >> {_REPORT}"


def _sphinx_command(source: Path, environment: Environment) -> str:
    folder = next(str(Path(name).parent) for name, _ in _SPHINX_SETTINGS if (source / name).is_file())
    build = f"{shlex.quote(environment.python)} -m sphinx -q -b html -d /tmp/doctrees -w {_REPORT}"
    return f"touch {_REPORT}; {build} {shlex.quote(folder)} /tmp/html; echo exit $? >> {_REPORT}"


def _mkdocs_command(source: Path, environment: Environment) -> str:
    build = f"{shlex.quote(environment.python)} -m mkdocs build -d /tmp/site"
    return f"{build} > {_REPORT} 2>&1; echo exit $? >> {_REPORT}"


def _coverage_command(source: Path, environment: Environment) -> str:
    python = shlex.quote(environment.python)
    tests = shlex.join(["-m", "pytest", *pytest_options(environment, source)])
    data = "--data-file=/tmp/coverage --rcfile=/dev/null"
    return (
        f"{python} -m coverage run {data} --source=/work {tests}; "
        f"{python} -m coverage json {data} --fail-under=0 -o {_REPORT}"
    )


def _names_its_targets(source: Path) -> bool:
    """Whether mypy's settings say what is to be checked."""
    for name, heading in _MYPY_SETTINGS:
        begins = heading or r"^\[mypy\]"
        for section in re.findall(rf"(?ms){begins}(.*?)(?=^\[|\Z)", text_of(source / name)):
            if re.search(r"(?m)^\s*(?:files|packages|modules)\s*=", section):
                return True
    return False


def _read_ruff(report: str) -> Checked:
    findings = [
        Finding(
            path=str(entry["filename"]).removeprefix("/work/"),
            line=int(entry["location"]["row"]),
            rule=str(entry["code"] or "syntax"),
            message=str(entry["message"])[:_MESSAGE],
        )
        for entry in json.loads(report)[:_MOST_FINDINGS]
    ]
    return Checked(findings=findings)


def _read_mypy(report: str) -> Checked:
    if not report.rstrip().endswith(("exit 0", "exit 1")):
        raise ValueError("mypy did not finish")
    found = [match for line in report.splitlines() if (match := _MYPY_LINE.match(line))]
    return Checked(
        findings=[
            Finding(
                path=match["path"].removeprefix("./"),
                line=int(match["line"]),
                rule=match["rule"] or "error",
                message=match["message"][:_MESSAGE],
            )
            for match in found[:_MOST_FINDINGS]
        ]
    )


def _read_flake8(report: str) -> Checked:
    if not report.rstrip().endswith("exit 0"):
        raise ValueError("flake8 did not finish")
    return Checked(findings=[_found(match) for match in _FLAKE8_LINE.finditer(report)][:_MOST_FINDINGS])


def _read_build(report: str) -> Checked:
    """The warnings of a build of documents; its failure is a finding, too."""
    *lines, last = report.rstrip().splitlines()
    if not re.fullmatch(r"exit \d+", last):
        raise ValueError("the build did not finish")
    findings = [_found(match) for line in lines if (match := _BUILD_LINE.match(line))]
    if last != "exit 0":
        told = next((line for line in reversed(lines) if line.strip()), "no reason is given")
        findings.append(Finding(path="", line=0, rule="build", message=f"it fails: {told}"[:_MESSAGE]))
    return Checked(findings=findings[:_MOST_FINDINGS])


def _found(match: re.Match[str]) -> Finding:
    return Finding(
        path=(match["path"] or "").removeprefix("/work/").removeprefix("./"),
        line=int(match["line"] or 0),
        rule=match["rule"],
        message=match["message"].strip()[:_MESSAGE],
    )


def _read_coverage(report: str) -> Checked:
    files = json.loads(report)["files"]
    return Checked(
        executed=[
            (str(path), str(name))
            for path, file in files.items()
            for name, function in file["functions"].items()
            if name and function["executed_lines"]
        ]
    )


_FLAKE8_LINE = re.compile(r"^(?P<path>[^:\n]+):(?P<line>\d+): (?P<rule>\w+) (?P<message>.*)$", re.MULTILINE)
_BUILD_LINE = re.compile(
    r"(?:(?P<path>/work/[^:\n]+?)(?::(?P<line>\d+))?: )?(?P<rule>WARNING|ERROR|CRITICAL|SEVERE)[ :]+-?(?P<message>.*)"
)
_FLAKE8_SETTINGS = ((".flake8", ""), ("setup.cfg", r"^\[flake8\]"), ("tox.ini", r"^\[flake8\]"))
_SPHINX_SETTINGS = tuple((f"{folder}/conf.py", "") for folder in ("docs", "doc", "docs/source", "doc/source"))
_MKDOCS_SETTINGS = (("mkdocs.yml", ""), ("mkdocs.yaml", ""))
_RUFF_SETTINGS = (("pyproject.toml", r"^\[tool\.ruff[.\]]"), ("ruff.toml", ""), (".ruff.toml", ""))
CHECKERS: Mapping[str, Checker] = {
    checker.name: checker
    for checker in (
        Checker("ruff", "lint", _RUFF_SETTINGS, _ruff_command, _read_ruff),
        Checker("mypy", "types", _MYPY_SETTINGS, _mypy_command, _read_mypy),
        Checker("flake8", "lint", _FLAKE8_SETTINGS, _flake8_command, _read_flake8),
        Checker("sphinx", "documents", _SPHINX_SETTINGS, _sphinx_command, _read_build),
        Checker("mkdocs", "documents", _MKDOCS_SETTINGS, _mkdocs_command, _read_build),
        Checker("coverage", "uncovered", (), _coverage_command, _read_coverage, framework="pytest"),
    )
}
"""By name; a new checker is an entry here."""


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
