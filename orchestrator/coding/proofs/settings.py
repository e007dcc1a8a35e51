"""Proofs of configuration: each file is read by the tool, or held to the schema, of who reads it."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import yaml
from validate_pyproject.api import FORMAT_FUNCTIONS, Validator
from validate_pyproject.errors import ValidationError

from file_system import matching_pattern
from file_system.errors import SyntaxProblem
from file_system.syntax import check_syntax
from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs.proof import Work, holds, lacks, listed

_KINDS = (TaskKind.CONFIGURATION, TaskKind.CHORE)
_SCHEMAS = {
    ".github/workflows/*.y*ml": "github-workflows",
    "**/action.y*ml": "github-actions",
    ".github/dependabot.y*ml": "dependabot",
    ".gitlab-ci.yml": "gitlab-ci",
    ".circleci/config.yml": "circle-ci",
    ".travis.yml": "travis",
    "azure-pipelines.y*ml": "azure-pipelines",
    "bitbucket-pipelines.yml": "bitbucket-pipelines",
    ".readthedocs.y*ml": "readthedocs",
    "**/*compose*.y*ml": "compose-spec",
    "**/codecov.y*ml": "codecov",
    "**/.codecov.y*ml": "codecov",
    "renovate.json": "renovate",
    "CITATION.cff": "citation-file-format",
}
"""Patterns of files -> the schema that check-jsonschema has of them."""
_INI = (".ini", ".cfg", ".flake8", ".pylintrc", ".coveragerc", ".editorconfig")
_DATA = (".toml", ".yaml", ".yml", ".json")
_MOST_ALIASES = 50
"""Of YAML: a few lines of aliases to aliases say as much as a library, and whoever follows them never ends."""
_SCHEMA_SECONDS = 60.0
_MOST_TOLD = 1500


class SettingsAreRead:
    """Changed files of settings are read by the tool that reads them, or held to its schema.

    That the dependencies can be resolved and installed is seen when the suite runs: in an environment newly built from
    the files as they are now.
    """

    name = "settings"

    def applies(self, kind: str, paths: Sequence[str]) -> bool:
        return kind in _KINDS and any(map(_reader, paths))

    def examine(self, work: Work) -> ProofOutcome:
        there = {path: text for path, text in work.new_texts.items() if text and _reader(path)}
        problems: list[str] = []
        read: list[str] = []
        for path, text in there.items():
            reader = _reader(path)
            problem, old = problem_of(path, text), work.old_texts[path]
            if problem and not (old and problem_of(path, old)):
                problems.append(f"{path}: {problem}")
            else:
                read.append(f"{path} ({reader}{', which refused it before the work, too' if problem else ''})")
        if problems:
            return lacks(self.name, "files of settings would be refused by what reads them:\n" + "\n".join(problems))
        return holds(self.name, listed(read) if read else "only files that are gone")


class EnvironmentIsNew:
    """Changed files of dependencies were installed: the suite ran in an environment built from them."""

    name = "new environment"

    def applies(self, kind: str, paths: Sequence[str]) -> bool:
        return kind in _KINDS

    def examine(self, work: Work) -> ProofOutcome:
        before, after = (work.suite.environment_of(each, work.label) for each in (work.before, work.after))
        if before.key == after.key:
            return holds(self.name, "nothing that decides about the environment changes")
        if worse := [note for note in after.notes if note not in before.notes]:
            return lacks(self.name, f"the files of dependencies cannot be installed as they are: {'; '.join(worse)}")
        return holds(self.name, "the suite is no worse in an environment that was built from the changed files")


def _reader(path: str) -> str:
    """What reads the file; empty if it is no file of settings."""
    name = PurePosixPath(path).name
    if schema := next((schema for pattern, schema in _SCHEMAS.items() if matching_pattern(path, [pattern])), ""):
        return f"schema {schema}"
    if name == "pyproject.toml":
        return "validate-pyproject"
    if name.endswith(_DATA):
        return name.rsplit(".", 1)[1].upper()
    return "INI" if name.endswith(_INI) else ""


def problem_of(path: str, text: str) -> str:
    """What the reader of a file of settings says against it; empty if it is content, or if nothing is known to read
    it."""
    reader = _reader(path)
    try:
        check_syntax(path, text)
        if reader == "INI":
            configparser.RawConfigParser(strict=False, allow_no_value=True).read_string(
                text if path.rsplit("/", 1)[-1] != ".editorconfig" else f"[*]\n{text}"
            )
    except (SyntaxProblem, configparser.Error) as problem:
        return str(problem)
    if reader == "validate-pyproject":
        return _of_pyproject(text)
    return _of_schema(reader.removeprefix("schema "), path, text) if reader.startswith("schema ") else ""


def _of_pyproject(text: str) -> str:
    # Whether a classifier exists would be asked on the network.
    formats = {**FORMAT_FUNCTIONS, "trove-classifier": lambda _name: True}
    try:
        Validator(format_validators=formats)(tomllib.loads(text))
    except (ValidationError, RecursionError) as problem:
        return str(problem)[:_MOST_TOLD]
    return ""


def _aliases(text: str) -> int:
    try:
        return sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return 0


def _of_schema(schema: str, path: str, text: str) -> str:
    """What check-jsonschema says against the file, in a process of its own with a limit."""
    if _aliases(text) > _MOST_ALIASES:
        return f"it has more than {_MOST_ALIASES} aliases, and is not looked into"
    with tempfile.TemporaryDirectory(prefix="ai-agents-settings-") as folder:
        file = Path(folder, PurePosixPath(path).name)
        file.write_text(text, encoding="utf-8")
        command = [sys.executable, "-I", "-m", "check_jsonschema", "--color", "never"]
        try:
            ended = subprocess.run(
                [*command, "--builtin-schema", f"vendor.{schema}", str(file)],
                capture_output=True, text=True, errors="replace", timeout=_SCHEMA_SECONDS, cwd=folder,
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"its schema could not be looked into within {_SCHEMA_SECONDS:.0f} s"
        said = f"{ended.stdout}\n{ended.stderr}".replace(f"{folder}/", "").strip()
    return "" if ended.returncode == 0 else said[:_MOST_TOLD] or f"check-jsonschema ends with {ended.returncode}"
