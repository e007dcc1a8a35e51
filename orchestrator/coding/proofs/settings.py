"""Proofs of configuration: each file is read by the tool, or held to the schema, of who reads it."""

from __future__ import annotations

import configparser
import difflib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml
from validate_pyproject.api import FORMAT_FUNCTIONS, Validator
from validate_pyproject.errors import ValidationError
from validate_pyproject.plugins import list_from_entry_points

from file_system import matching_pattern
from file_system.errors import SyntaxProblem
from file_system.syntax import check_syntax, json_of, yaml_events
from memory import ProofOutcome, TaskKind
from orchestrator.coding.proofs.proof import Work, holds, lacks, listed, not_checked
from testing import CHECKERS, Checked

_KINDS = (TaskKind.CONFIGURATION, TaskKind.CHORE)
_WORKFLOWS = (".github/workflows/*.y*ml", "**/action.y*ml", ".github/actionlint.y*ml")
_SCHEMAS = {
    ".github/workflows/*.y*ml": "github-workflows",
    "**/action.y*ml": "github-actions",
    ".github/dependabot.y*ml": "dependabot",
    ".github/ISSUE_TEMPLATE/config.y*ml": "github-issue-config",
    ".github/ISSUE_TEMPLATE/*.y*ml": "github-issue-forms",
    ".github/DISCUSSION_TEMPLATE/*.y*ml": "github-discussion",
    ".gitlab-ci.yml": "gitlab-ci",
    ".circleci/config.yml": "circle-ci",
    ".travis.yml": "travis",
    "azure-pipelines.y*ml": "azure-pipelines",
    "bitbucket-pipelines.yml": "bitbucket-pipelines",
    ".buildkite/pipeline.y*ml": "buildkite",
    ".drone.yml": "drone-ci",
    ".woodpecker.y*ml": "woodpecker-ci",
    ".woodpecker/*.y*ml": "woodpecker-ci",
    "**/cloudbuild.y*ml": "cloudbuild",
    "**/taskfile.y*ml": "taskfile",
    "snap/snapcraft.yaml": "snapcraft",
    ".mergify.yml": "mergify",
    ".readthedocs.y*ml": "readthedocs",
    "**/*compose*.y*ml": "compose-spec",
    "**/codecov.y*ml": "codecov",
    "**/.codecov.y*ml": "codecov",
    "renovate.json": "renovate",
    "CITATION.cff": "citation-file-format",
}
"""Patterns of files -> the schema that check-jsonschema has of them."""
_TOOLS = {
    "**/ruff.toml": "ruff",
    "**/.ruff.toml": "ruff",
    "**/uv.toml": "uv",
    "**/ty.toml": "ty",
    "**/tox.toml": "tox",
    "**/pixi.toml": "pixi",
    "**/hatch.toml": "hatch",
    "**/poe_tasks.toml": "poe",
    "**/pyrightconfig.json": "pyright",
}
"""Patterns of files -> the tool whose settings they are, which would be `[tool.NAME]` in pyproject.toml."""
_OF_PYPROJECT = {
    *("black", "cibuildwheel", "hatch", "maturin", "mypy", "pixi", "poe", "poetry", "pyright", "pytest", "ruff"),
    *("scikit-build", "setuptools_scm", "taskipy", "tox", "ty", "uv"),
}
"""Tools of which validate-pyproject-schema-store has a schema that leads to no other site."""
_INI = (".ini", ".cfg", ".flake8", ".pylintrc", ".coveragerc", ".editorconfig")
_DATA = (".toml", ".yaml", ".yml", ".json")
_TEMPLATE = re.compile(r"(?<!\$)\{\{|\{%")
_MOST_ALIASES = 50
"""Of YAML: a few lines of aliases to aliases say as much as a library, and whoever follows them never ends."""
_SCHEMA_SECONDS = 60.0
_LIMITED = (
    "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31)); sys.argv = sys.argv[1:]; "
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)
_MOST_CHARACTERS = 300_000
"""Of a file that is held to a schema."""
_MOST_TOLD = 1500
_MOST_PROBLEMS = 8
_UNKNOWN = re.compile(r"^Additional properties are not allowed \((.+) (?:was|were) unexpected\)")
_ALIKE = 0.8
"""How alike a name is to one that is known, from 0 to 1, to be taken for a slip of the pen."""


class SettingsAreRead:
    """Changed files of settings are read by the tool that reads them, or held to its schema: it refuses nothing that it
    did not refuse before.

    That the dependencies can be resolved and installed is seen when the suite runs: in an environment newly built from
    the files as they are now.
    """

    name = "settings"

    def applies(self, work: Work) -> bool:
        return any(map(_reader if work.state.kind in _KINDS else _known_reader, work.paths))

    def examine(self, work: Work) -> ProofOutcome:
        reader_of = _reader if work.state.kind in _KINDS else _known_reader
        there = {path: text for path, text in work.new_texts.items() if text and reader_of(path)}
        refused: list[str] = []
        read: list[str] = []
        for path, text in there.items():
            old = problems_of(path, work.old_texts[path]) if work.old_texts[path] else []
            now = problems_of(path, text)
            refused += [f"{path}: {problem}" for problem in _new(old, now)]
            read.append(f"{path} ({_reader(path)}{', which refused it before the work, too' if old and now else ''})")
        for told in _by_their_tools(work) if work.state.kind in _KINDS else ():
            (refused if told.refuses else read).append(told.words)
        if refused:
            shown = "\n".join(refused[:_MOST_PROBLEMS])
            return lacks(self.name, f"files of settings would be refused by what reads them:\n{shown}")
        return holds(self.name, listed(read) if read else "only files that are gone")


class WorkflowsAreSound:
    """actionlint finds nothing new in the workflows of GitHub, whichever file the change was made in."""

    name = "workflows"

    def applies(self, work: Work) -> bool:
        return any(matching_pattern(path, _WORKFLOWS) for path in work.paths)

    def examine(self, work: Work) -> ProofOutcome:
        after = work.suite.check_workflows(work.after, work.label)
        before = work.suite.check_workflows(work.before, work.label)
        if after.problem:
            return not_checked(self.name, after.problem)
        if new := _new_findings(before, after):
            return lacks(self.name, "actionlint did not say this before the work:\n" + "\n".join(new[:_MOST_PROBLEMS]))
        return holds(self.name, f"actionlint: {len(after.findings)} findings, {len(before.findings)} before")


class EnvironmentIsNew:
    """Changed files of dependencies were installed: the suite ran in an environment built from them."""

    name = "new environment"

    def applies(self, work: Work) -> bool:
        return work.state.kind in _KINDS

    def examine(self, work: Work) -> ProofOutcome:
        before, after = (work.suite.environment_of(each, work.label) for each in (work.before, work.after))
        if before.key == after.key:
            return holds(self.name, "nothing that decides about the environment changes")
        if worse := [note for note in after.notes if note not in before.notes]:
            return lacks(self.name, f"the files of dependencies cannot be installed as they are: {'; '.join(worse)}")
        return holds(self.name, "the suite is no worse in an environment that was built from the changed files")


class _Told(NamedTuple):
    """What the tool that reads a file of settings says."""

    words: str
    refuses: bool


def _by_their_tools(work: Work) -> Iterator[_Told]:
    """What those of the project's own tools say whose settings are changed: whether they can still be run with them.
    That they find more or less in the code is what settings are for."""
    for checker in CHECKERS.values():
        if not any(f"/{path}".endswith(f"/{place}") for place, _ in checker.settings for path in work.paths):
            continue
        after = work.suite.check(work.after, checker.name, work.label)
        if after is None:
            continue
        problem = after.problem or next((found.message for found in after.findings if found.rule == "build"), "")
        if not problem:
            yield _Told(f"{checker.name} reads its settings", refuses=False)
            continue
        before = work.suite.check(work.before, checker.name, work.label)
        was_well = before is None or not (before.problem or any(found.rule == "build" for found in before.findings))
        yield _Told(problem if was_well else f"{checker.name}, which failed before the work, too", refuses=was_well)


def _new(old: Sequence[str], now: Sequence[str]) -> list[str]:
    """The problems that were not there before, wherever they stand: lines and numbers move."""
    known = Counter(map(_placeless, old))
    new = []
    for problem in now:
        known[_placeless(problem)] -= 1
        if known[_placeless(problem)] < 0:
            new.append(problem)
    return new


def _placeless(problem: str) -> str:
    return re.sub(r"\d+", "", problem.split("\n", 1)[0])


def _new_findings(before: Checked, after: Checked) -> list[str]:
    known = Counter((found.path, found.message) for found in before.findings)
    new = []
    for found in after.findings:
        known[found.path, found.message] -= 1
        if known[found.path, found.message] < 0:
            new.append(f"{found.path}:{found.line}: {found.message}")
    return new


def _reader(path: str) -> str:
    """What reads the file; empty if it is no file of settings."""
    name = PurePosixPath(path).name
    if known := _known_reader(path):
        return known
    if name.endswith(_DATA):
        return name.rsplit(".", 1)[1].upper()
    return "INI" if name.endswith(_INI) else ""


def _known_reader(path: str) -> str:
    """As `_reader`, of files that have one by their very name: any other could be data, and wrong on purpose."""
    if schema := next((schema for pattern, schema in _SCHEMAS.items() if matching_pattern(path, [pattern])), ""):
        return f"schema {schema}"
    if tool := next((tool for pattern, tool in _TOOLS.items() if matching_pattern(path, [pattern])), ""):
        return f"schema of {tool}"
    match PurePosixPath(path).name:
        case "pyproject.toml":
            return "validate-pyproject"
        case ".pre-commit-config.yaml":
            return "pre-commit validate-config"
        case ".pre-commit-hooks.yaml":
            return "pre-commit validate-manifest"
        case _:
            return ""


def problems_of(path: str, text: str) -> list[str]:
    """What the reader of a file of settings says against it; empty if it is content, or if nothing is known to read
    it."""
    reader = _reader(path)
    if _TEMPLATE.search(path) or (reader == "validate-pyproject" and _TEMPLATE.search(text)):
        return []  # a template of a file
    try:
        check_syntax(path, text)
        if reader == "INI":
            configparser.RawConfigParser(strict=False, allow_no_value=True).read_string(
                text if path.rsplit("/", 1)[-1] != ".editorconfig" else f"[*]\n{text}"
            )
    except (SyntaxProblem, configparser.Error) as problem:
        return [] if _TEMPLATE.search(text) else [str(problem)]
    if len(text) > _MOST_CHARACTERS:
        return []
    kind, _, name = reader.rpartition(" ")
    if reader == "validate-pyproject":
        return _of_pyproject(text)
    if kind == "schema of":
        return _of_tool(name, tomllib.loads(text) if path.endswith(".toml") else json_of(path, text))
    if _aliases(text) > _MOST_ALIASES:
        return [f"it has more than {_MOST_ALIASES} aliases, and is not looked into"]
    if kind == "schema":
        return [told for told, _ in _of_schema(["--builtin-schema", f"vendor.{name}"], PurePosixPath(path).name, text)]
    return _of_precommit(name, text) if kind == "pre-commit" else []


def _of_pyproject(text: str) -> list[str]:
    # Whether a classifier exists would be asked on the network. All tools at once would take a quarter of a minute.
    formats = {**FORMAT_FUNCTIONS, "trove-classifier": lambda _name: True}
    plugins = [each for each in list_from_entry_points() if each.tool in ("setuptools", "distutils")]
    settings = tomllib.loads(text)
    try:
        Validator(plugins=plugins, format_validators=formats)(settings)
    except (ValidationError, RecursionError) as problem:
        return [str(problem)[:_MOST_TOLD]]
    tools = settings.get("tool", {})
    return [problem for name in sorted(_OF_PYPROJECT & set(tools)) for problem in _of_tool(name, tools[name])]


def _of_tool(tool: str, settings: object) -> list[str]:
    """What the schema of a tool says against its settings, but for names and values that a newer version of the tool
    may have brought: only those are told that look like a slip of the pen."""
    store = importlib.util.find_spec("validate_pyproject_schema_store")
    if store is None or store.origin is None:
        return []
    schema = Path(store.origin).parent / "resources" / f"{tool}.schema.json"
    known = _names_in(json.loads(schema.read_text(encoding="utf-8")))
    found = []
    for told, message in _of_schema(
        ["--schemafile", os.fspath(schema)], f"{tool}.json", json.dumps(settings, default=str)
    ):
        if unknown := _UNKNOWN.match(message):
            alike = {
                name: difflib.get_close_matches(name, known, 1, _ALIKE) for name in re.findall(r"'([^']+)'", unknown[1])
            }
            slips = [f"{name!r} (should it be {match[0]!r}?)" for name, match in alike.items() if match]
            found += [f"[tool.{tool}] knows no {', '.join(slips)}"] if slips else []
        elif " is not one of " not in message:
            found.append(f"[tool.{tool}] {told}")
    return found


def _names_in(schema: object) -> set[str]:
    """The names of all properties that a schema knows, at any depth."""
    names: set[str] = set()
    waiting = [schema]
    while waiting:
        match waiting.pop():
            case dict() as table:
                if isinstance(known := table.get("properties"), dict):
                    names |= set(known)
                waiting += table.values()
            case list() as entries:
                waiting += entries
    return names


def _aliases(text: str) -> int:
    try:
        return sum(isinstance(event, yaml.AliasEvent) for event in yaml_events(text))
    except (yaml.YAMLError, RecursionError):
        return 0


def _of_schema(schema: Sequence[str], name: str, text: str) -> list[tuple[str, str]]:
    """What check-jsonschema says against the text of a file of that name: each with its place, and without."""
    code, said = _in_process("check_jsonschema", ["--color", "never", "--output-format", "json", *schema], name, text)
    if code == 0:
        return []
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        told = said[:_MOST_TOLD] or f"check-jsonschema ends with {code}"
        return [(told, told)]
    found = []
    for error in answer["errors"]:
        best = error.get("best_deep_match") or error
        found.append((f"{best['path']}: {best['message']}"[:_MOST_TOLD], str(best["message"])))
    wrong = [str(error)[:_MOST_TOLD] for error in answer["parse_errors"]]
    return [*found, *((each, each) for each in wrong)]


def _of_precommit(command: str, text: str) -> list[str]:
    code, said = _in_process("pre_commit", [command], "settings.yaml", text)
    return [" ".join(said.split())[:_MOST_TOLD] or f"pre-commit ends with {code}"] if code else []


def _in_process(module: str, arguments: Sequence[str], name: str, text: str) -> tuple[int, str]:
    """How a module that reads a file ends, run as a program, and what it says: a plain parser, with limits."""
    with tempfile.TemporaryDirectory(prefix="ai-agents-settings-") as folder:
        file = Path(folder, name)
        file.write_text(text, encoding="utf-8")
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-c", _LIMITED, module, *arguments, str(file)],
                capture_output=True, text=True, errors="replace", timeout=_SCHEMA_SECONDS, cwd=folder,
                env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": folder},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return 1, f"it could not be looked into within {_SCHEMA_SECONDS:.0f} s"
        said = ended.stdout.strip() or ended.stderr.strip()
        return ended.returncode, said.replace(f"{folder}/", "")
