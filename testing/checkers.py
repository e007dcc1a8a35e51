"""The checkers that are known, with the command of each and how its report reads: linters, types, builds of
documentation and coverage of a project's own, and actionlint, which is ours. `checking.py` runs them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from testing.environments.environment import Environment
from testing.environments.python_dependencies import text_of
from testing.environments.toolchains import Language
from testing.frameworks.python import pytest_options

REPORT = "/out/checked"
_MOST_FINDINGS = 500
_MESSAGE = 300
_MYPY_LINE = re.compile(r"(?P<path>[^:\n]+):(?P<line>\d+): error: (?P<message>.*?)(?:  \[(?P<rule>[\w-]+)\])?$")
_MYPY_SETTINGS = (
    ("pyproject.toml", r"^\[tool\.mypy\]"),
    ("mypy.ini", ""),
    (".mypy.ini", ""),
    ("setup.cfg", r"^\[mypy\]"),
)


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
    """Also the module that the environment has to have, unless `package` says another."""
    finds: Literal["types", "lint", "uncovered", "documents"]
    """What its findings are: faults in types, other faults, (as `executed`) what no test runs, or what is wrong with
    the documentation that it builds."""
    settings: tuple[tuple[str, str], ...]
    """Files that may hold its settings, with a pattern that shows that they do; empty where it needs none."""
    command: Callable[[Path, Environment], str]
    """The shell command that checks the sources in a folder and reports to `REPORT`."""
    read: Callable[[str], Checked]
    """What the report says; raises ValueError, KeyError, TypeError or AttributeError when it is none."""
    framework: str = ""
    """The only test framework that it works with, if any."""
    language: Language = "python"
    package: str = ""
    """What the environment has to have."""


def _ruff_command(source: Path, environment: Environment) -> str:
    python = shlex.quote(environment.python)
    return f"{python} -m ruff check --no-cache --exit-zero --output-format json --output-file {REPORT} ."


def _mypy_command(source: Path, environment: Environment) -> str:
    # Older versions have no machine-readable output; these options give one line an error in all of them.
    options = "--no-pretty --no-color-output --no-error-summary --hide-error-context --show-error-codes"
    target = "" if _names_its_targets(source) else "."
    python = shlex.quote(environment.python)
    return f"{python} -m mypy {options} --cache-dir /tmp/mypy {target} > {REPORT}; echo exit $? >> {REPORT}"


def _flake8_command(source: Path, environment: Environment) -> str:
    python = shlex.quote(environment.python)
    form = shlex.quote("%(path)s:%(row)d: %(code)s %(text)s")
    return f"{python} -m flake8 -j 1 --exit-zero --format {form} . > {REPORT} && echo exit 0 >> {REPORT}"


def _pyright_command(source: Path, environment: Environment) -> str:
    # pyright comes with its program, which needs a node: that of the environment or the machine's.
    python = shlex.quote(environment.python)
    program = "basedpyright" if environment.has_module("basedpyright") else "pyright"
    return f"PYRIGHT_PYTHON_IGNORE_WARNINGS=1 {python} -m {program} --outputjson --pythonpath {python} > {REPORT}"


def _tsc_command(source: Path, environment: Environment) -> str:
    return f"node_modules/.bin/tsc --noEmit --pretty false > {REPORT}; echo exit $? >> {REPORT}"


def _eslint_command(source: Path, environment: Environment) -> str:
    return f"node_modules/.bin/eslint --format json --output-file {REPORT} ."


def _sphinx_command(source: Path, environment: Environment) -> str:
    folder = next(str(Path(name).parent) for name, _ in _SPHINX_SETTINGS if (source / name).is_file())
    build = f"{shlex.quote(environment.python)} -m sphinx -q -b html -d /tmp/doctrees -w {REPORT}"
    return f"touch {REPORT}; {build} {shlex.quote(folder)} /tmp/html; echo exit $? >> {REPORT}"


def _mkdocs_command(source: Path, environment: Environment) -> str:
    build = f"{shlex.quote(environment.python)} -m mkdocs build -d /tmp/site"
    return f"{build} > {REPORT} 2>&1; echo exit $? >> {REPORT}"


def _coverage_command(source: Path, environment: Environment) -> str:
    python = shlex.quote(environment.python)
    tests = shlex.join(["-m", "pytest", *pytest_options(environment, source)])
    data = "--data-file=/tmp/coverage --rcfile=/dev/null"
    return (
        f"{python} -m coverage run {data} --source=/work {tests}; "
        f"{python} -m coverage json {data} --fail-under=0 -o {REPORT}"
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
            path=str(entry["filename"]),
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
                path=match["path"],
                line=int(match["line"]),
                rule=match["rule"] or "error",
                message=match["message"][:_MESSAGE],
            )
            for match in found[:_MOST_FINDINGS]
        ]
    )


def _read_pyright(report: str) -> Checked:
    answer = json.loads(report)
    if not answer["version"] or not answer["summary"]["filesAnalyzed"]:
        raise ValueError("pyright looked at nothing")
    return Checked(
        findings=[
            Finding(
                path=str(entry["file"]),
                line=int(entry["range"]["start"]["line"]) + 1 if "range" in entry else 0,
                rule=str(entry.get("rule") or "error"),
                message=str(entry["message"])[:_MESSAGE],
            )
            for entry in answer["generalDiagnostics"]
            if entry["severity"] in ("error", "warning")
        ][:_MOST_FINDINGS]
    )


def _read_tsc(report: str) -> Checked:
    *lines, last = report.rstrip().splitlines()
    findings = [_found(match) for line in lines if (match := _TSC_LINE.match(line))]
    if not re.fullmatch(r"exit [012]", last) or (last != "exit 0" and not findings):
        raise ValueError("tsc did not finish")
    return Checked(findings=findings[:_MOST_FINDINGS])


def _read_eslint(report: str) -> Checked:
    return Checked(
        findings=[
            Finding(
                path=str(file["filePath"]),
                line=int(entry.get("line") or 0),
                rule=str(entry["ruleId"] or "syntax"),
                message=str(entry["message"])[:_MESSAGE],
            )
            for file in json.loads(report)
            for entry in file["messages"]
        ][:_MOST_FINDINGS]
    )


def read_actionlint(report: str) -> Checked:
    """What it says, but for what rests on lists that age: which runners there are, what is to be taken away one day."""
    return Checked(
        findings=[
            Finding(
                path=str(entry["filepath"]),
                line=int(entry["line"]),
                rule=str(entry["kind"]),
                message=str(entry["message"])[:_MESSAGE],
            )
            for entry in json.loads(report)
            if entry["kind"] != "runner-label" and not re.search(r"\bdeprecated\b", str(entry["message"]))
        ][:_MOST_FINDINGS]
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
        path=match["path"] or "",
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
_TSC_LINE = re.compile(r"(?:(?P<path>[^(\n]+)\((?P<line>\d+),\d+\): )?error (?P<rule>TS\d+): (?P<message>.*)")
_PYRIGHT_SETTINGS = (("pyrightconfig.json", ""), ("pyproject.toml", r"^\[tool\.(?:based)?pyright\]"))
_ESLINT_SETTINGS = tuple(
    (name, "")
    for name in (
        *(f"eslint.config.{end}" for end in ("js", "mjs", "cjs", "ts")),
        *(f".eslintrc{end}" for end in ("", ".js", ".cjs", ".json", ".yml", ".yaml")),
    )
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
        Checker("pyright", "types", _PYRIGHT_SETTINGS, _pyright_command, _read_pyright),
        Checker("basedpyright", "types", _PYRIGHT_SETTINGS, _pyright_command, _read_pyright),
        Checker(
            "tsc", "types", (("tsconfig.json", ""),), _tsc_command, _read_tsc, language="node", package="typescript"
        ),
        Checker("eslint", "lint", _ESLINT_SETTINGS, _eslint_command, _read_eslint, language="node"),
        Checker("flake8", "lint", _FLAKE8_SETTINGS, _flake8_command, _read_flake8),
        Checker("sphinx", "documents", _SPHINX_SETTINGS, _sphinx_command, _read_build),
        Checker("mkdocs", "documents", _MKDOCS_SETTINGS, _mkdocs_command, _read_build),
        Checker("coverage", "uncovered", (), _coverage_command, _read_coverage, framework="pytest"),
    )
}
"""By name; a new checker is an entry here."""
