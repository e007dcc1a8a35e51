"""What an empty repository begins with: a package, a command that can be run, tests, and continuous integration.

Code writes it, so that nothing is installed or run by others that a model made up. What it names (package, command,
dependencies) has been checked.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from agents import Skeleton
from file_system import matching_pattern

_NO_CODE = ("**/README*", "**/LICEN[CS]E*", "**/COPYING*", "**/NOTICE*", "**/.git*", "**/.editorconfig", "**/*.md",
            "**/*.rst", "**/*.adoc", "**/doc/**", "**/docs/**")  # fmt: skip
_PYTHON = "3.11"
_NODE = "20"
_IGNORED = {
    "python": "__pycache__/\n*.egg-info/\n.venv/\n.pytest_cache/\nbuild/\ndist/\n",
    "javascript": "node_modules/\ncoverage/\n",
}


def is_empty(paths: Collection[str]) -> bool:
    """Whether a repository with these files has no code and no project yet: a README or a licence is none."""
    return all(matching_pattern(path, _NO_CODE) for path in paths)


def files_of_skeleton(skeleton: Skeleton, there: Collection[str], ci: str) -> Mapping[str, str]:
    """Path -> text of what is to be written; what is `there` stays as it is. `ci`: `github_actions`, `gitlab_ci` or
    empty for none."""
    made = _python(skeleton) if skeleton.language == "python" else _javascript(skeleton)
    made[".gitignore"] = _IGNORED[skeleton.language]
    made |= _workflow(skeleton, ci)
    if not any(path.lower().startswith("readme") for path in there):
        made["README.md"] = _readme(skeleton)
    known = {path.lower() for path in there}
    return {path: text for path, text in made.items() if path.lower() not in known}


def told_of(skeleton: Skeleton) -> str:
    """What the skeleton has, for whoever plans the work on it."""
    if skeleton.language == "javascript":
        bin_file = f"\n- bin/{skeleton.command}.js: the command `{skeleton.command}`" if skeleton.command else ""
        entry = " and main(argv), which prints help and version" if skeleton.command else ""
        return (
            f"- src/index.js: exports VERSION{entry}{bin_file}\n- test/index.test.js: run by `npm test` "
            "(node --test)\n- package.json, .gitignore, continuous integration"
        )
    package = skeleton.package
    command = (
        f"\n- src/{package}/cli.py: main(argv), which prints help and version; the command `{skeleton.command}` and "
        f"`python -m {package}` call it"
        if skeleton.command
        else ""
    )
    return (
        f"- src/{package}/__init__.py: __version__{command}\n- tests/test_package.py: run by `pytest`\n"
        "- pyproject.toml, .gitignore, continuous integration"
    )


def _python(skeleton: Skeleton) -> dict[str, str]:
    package, distribution = skeleton.package, skeleton.package.replace("_", "-")
    scripts = f'\n[project.scripts]\n{skeleton.command} = "{package}.cli:main"\n' if skeleton.command else ""
    needs = "".join(f"    {json.dumps(each)},\n" for each in skeleton.dependencies)
    files = {
        "pyproject.toml": f"""[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "0.1.0"
description = {json.dumps(skeleton.summary, ensure_ascii=False)}
readme = "README.md"
requires-python = ">={_PYTHON}"
dependencies = [{f"{chr(10)}{needs}" if needs else ""}]

[project.optional-dependencies]
test = ["pytest>=8"]
{scripts}
[tool.setuptools.packages.find]
where = ["src"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
""",
        f"src/{package}/__init__.py": f'"""{_docstring(skeleton.summary)}"""\n\n__version__ = "0.1.0"\n',
        "tests/test_package.py": f"""import re

import {package}


def test_it_has_a_version() -> None:
    assert re.fullmatch(r"\\d+\\.\\d+\\.\\d+", {package}.__version__)
""",
    }
    if skeleton.command:
        files |= {
            f"src/{package}/cli.py": f'''"""The command `{skeleton.command}`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from {package} import __version__

_SUMMARY = {json.dumps(skeleton.summary, ensure_ascii=False)}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default those it was called with; gives its exit code."""
    parser = argparse.ArgumentParser(prog="{skeleton.command}", description=_SUMMARY)
    parser.add_argument("--version", action="version", version=f"%(prog)s {{__version__}}")
    parser.parse_args(argv)
    return 0
''',
            f"src/{package}/__main__.py": f"""import sys

from {package}.cli import main

sys.exit(main())
""",
            "tests/test_command.py": f"""import subprocess
import sys

from {package} import __version__


def test_the_command_says_its_version() -> None:
    done = subprocess.run([sys.executable, "-m", "{package}", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{skeleton.command} {{__version__}}\\n")
""",
        }
    return files


def _javascript(skeleton: Skeleton) -> dict[str, str]:
    needs = dict(_name_and_version(each) for each in skeleton.dependencies)
    package: dict[str, object] = {
        "name": skeleton.package, "version": "0.1.0", "description": skeleton.summary, "type": "module",
        "exports": "./src/index.js", "engines": {"node": f">={_NODE}"}, "scripts": {"test": "node --test"},
    }  # fmt: skip
    if skeleton.command:
        package["bin"] = {skeleton.command: f"bin/{skeleton.command}.js"}
    if needs:
        package["dependencies"] = needs
    main = f"""
/** Run the command with these arguments; gives its exit code. */
export function main(argv) {{
  if (argv.includes("--version")) {{
    console.log(`{skeleton.command} ${{VERSION}}`);
    return 0;
  }}
  console.log("usage: {skeleton.command} [--version] [--help]");
  return 0;
}}
"""
    files = {
        "package.json": json.dumps(package, indent=2, ensure_ascii=False) + "\n",
        "src/index.js": 'export const VERSION = "0.1.0";\n' + (main if skeleton.command else ""),
        "test/index.test.js": """import assert from "node:assert/strict";
import { test } from "node:test";

import { VERSION } from "../src/index.js";

test("it has a version", () => {
  assert.match(VERSION, /^\\d+\\.\\d+\\.\\d+$/);
});
""",
    }
    if skeleton.command:
        files[f"bin/{skeleton.command}.js"] = (
            '#!/usr/bin/env node\nimport { main } from "../src/index.js";\n\n'
            "process.exitCode = main(process.argv.slice(2));\n"
        )
    return files


def _workflow(skeleton: Skeleton, ci: str) -> dict[str, str]:
    python = skeleton.language == "python"
    if ci == "gitlab_ci":
        image = f"python:{_PYTHON}" if python else f"node:{_NODE}"
        lines = ["pip install -e '.[test]'", "pytest"] if python else ["npm install", "npm test"]
        script = "".join(f"    - {line}\n" for line in lines)
        return {".gitlab-ci.yml": f"test:\n  image: {image}\n  script:\n{script}"}
    if ci != "github_actions":
        return {}
    tool, version = ("python", _PYTHON) if python else ("node", _NODE)
    commands = "pip install -e '.[test]'\n      - run: pytest" if python else "npm install\n      - run: npm test"
    return {
        ".github/workflows/tests.yml": f"""name: tests
on:
  push:
  pull_request:
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-{tool}@v5
        with:
          {tool}-version: "{version}"
      - run: {commands}
"""
    }


def _readme(skeleton: Skeleton) -> str:
    python = skeleton.language == "python"
    run = "pip install -e '.[test]'\npytest" if python else "npm install\nnpm test"
    return f"# {skeleton.package}\n\n{skeleton.summary}\n\n## Working on it\n\n```sh\n{run}\n```\n"


def _docstring(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', "'")


def _name_and_version(dependency: str) -> tuple[str, str]:
    name, _, version = dependency.removeprefix("@").rpartition("@")
    at = "@" if dependency.startswith("@") else ""
    return (at + name, version) if name else (at + version, "*")
