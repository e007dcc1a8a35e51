"""The project's own checkers, for real: installed by its dependency files, run in the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing import Checked, Environment, EnvironmentManager, Sandbox, TestRunner
from testing.checking import run_checker
from tests.testing.conftest import Tree

PYPROJECT = """
[project]
name = "shop"
version = "0.1"
optional-dependencies.test = ["pytest", "ruff", "mypy", "coverage"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[tool.setuptools]
packages = ["shop"]
"""
SETTINGS = '[tool.ruff.lint]\nselect = ["F"]\n[tool.mypy]\nstrict = true\n'
FILES = {
    "pyproject.toml": PYPROJECT + SETTINGS,
    "shop/__init__.py": "",
    "shop/prices.py": "import os\n\n\ndef total(x: int) -> str:\n    return x\n\n\nclass Basket:\n"
    "    def add(self) -> None:\n        pass\n\n    def clear(self) -> None:\n        pass\n",
    "tests/test_prices.py": "from shop.prices import Basket\n\n\ndef test_add() -> None:\n    Basket().add()\n",
}


@pytest.mark.parametrize("checker", ["ruff", "coverage"])
@pytest.mark.parametrize("left", ["mkfifo /out/checked", "printf '[%.0s' $(seq 100000) > /out/checked"])
def test_whatever_a_checker_leaves_is_no_report(
    sandbox: Sandbox, base_environment: Environment, tree: Tree, checker: str, left: str
) -> None:
    fake = base_environment.model_copy(update={"python": "/work/python"})
    source = tree({**FILES, "python": f"#!/bin/sh\n[ -e /out/checked ] || {left}\n"})
    (source / "python").chmod(0o755)
    sandbox.hand_over(source)
    told = run_checker(sandbox, source, fake, {"PATH": "/usr/bin:/bin"}, checker, timeout=60, label="")
    assert told.findings == [] and told.problem


DOCUMENTED = {
    "pyproject.toml": PYPROJECT.replace('"ruff", "mypy", "coverage"', '"flake8", "sphinx", "mkdocs"'),
    "setup.cfg": "[flake8]\nselect = F\n",
    "shop/__init__.py": "import os\n",
    "docs/conf.py": "project = 'shop'\n",
    "docs/index.rst": "Shop\n====\n\nSee :doc:`nowhere` and `there <x_>`.\n",
    "docs/index.md": "# Shop\n\n[gone](gone.md)\n",
    "mkdocs.yml": "site_name: shop\n",
    "tests/test_shop.py": "import shop\n\n\ndef test_shop() -> None:\n    assert shop\n",
}


@pytest.mark.long
def test_what_flake8_and_builds_of_documentation_say(tmp_path: Path, tree: Tree) -> None:
    sandbox = Sandbox("required")
    runner, environments = TestRunner(sandbox), EnvironmentManager(tmp_path / "data", sandbox)

    def said(checker: str, **changed: str) -> list[str]:
        source = tree({**DOCUMENTED, **{f"docs/{name}.py": text for name, text in changed.items()}})
        found = runner.check(source, environments.ensure(source), checker)
        assert found is not None and not found.problem, found
        return [f"{one.path}:{one.line} {one.rule} {one.message}" for one in found.findings]

    assert said("flake8") == ["shop/__init__.py:1 F401 'os' imported but unused"]
    assert "docs/index.rst:4 WARNING unknown document: 'nowhere' [ref.doc]" in said("sphinx")
    assert any("it fails: " in line for line in said("sphinx", conf="raise RuntimeError('no')\n"))
    assert any("gone.md" in line and line.startswith(":0 WARNING") for line in said("mkdocs"))


def test_what_ruff_mypy_and_coverage_say(tmp_path: Path, tree: Tree) -> None:
    sandbox = Sandbox("required")
    runner, environments = TestRunner(sandbox), EnvironmentManager(tmp_path / "data", sandbox)
    told = {}
    for checker in ("ruff", "mypy", "coverage"):
        source = tree(FILES)
        told[checker] = runner.check(source, environments.ensure(source), checker)
    ruff, mypy, coverage = told["ruff"], told["mypy"], told["coverage"]
    assert ruff and mypy and coverage
    assert [(found.path, found.line, found.rule) for found in ruff.findings] == [("shop/prices.py", 1, "F401")]
    assert [(found.path, found.line, found.rule) for found in mypy.findings] == [("shop/prices.py", 5, "return-value")]
    executed = {name for path, name in coverage.executed if path == "shop/prices.py"}
    assert executed == {"Basket.add"}

    broken = tree({**FILES, "pyproject.toml": PYPROJECT + SETTINGS + "plugins = ['nowhere']\n"})
    failed = runner.check(broken, environments.ensure(broken), "mypy")
    assert failed is not None
    assert "mypy gave no report" in failed.problem
    # Without settings of its own the project does not want it.
    plain = tree({**FILES, "pyproject.toml": PYPROJECT})
    assert runner.check(plain, environments.ensure(plain), "ruff") is None


WORKFLOW = """on: push
jobs:
  test:
    runs-on: our-own
    steps:
      - uses: ./.github/actions/set-up
        with: {pyhton: "3.13"}
      - run: echo ${{ github.event.head_commit.message }}
"""
ACTION = """name: set up
description: Installs.
inputs: {python: {description: Version.}}
runs: {using: composite, steps: [{run: make, shell: bash}]}
"""


def test_what_actionlint_says_about_workflows(sandbox: Sandbox, tree: Tree) -> None:
    files = {".github/workflows/ci.yml": WORKFLOW, ".github/actions/set-up/action.yml": ACTION}
    found = TestRunner(sandbox).check_workflows(tree(files))
    assert not found.problem
    assert [(one.path, one.line, one.message.split(". ")[0]) for one in found.findings] == [
        (
            ".github/workflows/ci.yml",
            7,
            'input "pyhton" is not defined in action "set up" defined at "./.github/actions/set-up"',
        ),
        (".github/workflows/ci.yml", 8, '"github.event.head_commit.message" is potentially untrusted'),
    ]
    assert TestRunner(sandbox).check_workflows(tree({"ci.yml": WORKFLOW})) == Checked()


@pytest.mark.long
@pytest.mark.parametrize("program", ["pyright[nodejs]", "basedpyright"])
def test_what_pyright_says(tmp_path: Path, tree: Tree, program: str) -> None:
    sandbox = Sandbox("required")
    runner, environments = TestRunner(sandbox), EnvironmentManager(tmp_path / "data", sandbox)
    settings = PYPROJECT.replace('"ruff", "mypy", "coverage"', f'"{program}"')
    source = tree({**FILES, "pyproject.toml": settings, "pyrightconfig.json": '{"include": ["shop"]}'})
    found = runner.check(source, environments.ensure(source), program.partition("[")[0])
    assert found is not None and not found.problem, found
    assert ("shop/prices.py", 6, "reportReturnType") in [(one.path, one.line, one.rule) for one in found.findings]


SCRIPTS = {
    "package.json": '{"name": "shop", "private": true, "scripts": {"test": "node --test"}, '
    '"devDependencies": {"typescript": "*", "eslint": "*"}}',
    "tsconfig.json": '{"compilerOptions": {"noEmit": true, "strict": true}, "include": ["src"]} // all',
    "eslint.config.mjs": 'export default [{rules: {"no-unused-vars": "error"}}];\n',
    "src/prices.ts": "export const total: string = 3;\n",
    "src/basket.js": "const left = 1;\nexport {};\n",
    "test/all.test.js": 'require("node:test").test("all", () => {});\n',
}


@pytest.mark.long
@pytest.mark.parametrize("place", ["", "web/"])
def test_what_tsc_and_eslint_say(tmp_path: Path, tree: Tree, place: str) -> None:
    sandbox = Sandbox("required")
    runner, environments = TestRunner(sandbox), EnvironmentManager(tmp_path / "data", sandbox)
    told = []
    for checker in ("tsc", "eslint"):
        source = tree({f"{place}{name}": text for name, text in SCRIPTS.items()})
        environment = environments.ensure(source, framework="node", place=place.rstrip("/"))
        found = runner.check(source, environment, checker)
        assert found is not None and not found.problem, found
        told += [(one.path, one.line, one.rule) for one in found.findings]
    assert told == [(f"{place}src/prices.ts", 1, "TS2322"), (f"{place}src/basket.js", 1, "no-unused-vars")]
