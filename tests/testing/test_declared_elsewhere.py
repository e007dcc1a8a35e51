"""What tests need and what pytest is told, wherever people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing.environments.declared_elsewhere import further_requirements
from testing.environments.pytest_settings import django_folder, django_settings, read_pytest_settings
from testing.environments.python_dependencies import read_dependencies, requirement_lines
from tests.testing.conftest import Tree

RERUNS = "pytest-rerunfailures"
POETRY = """
[tool.poetry.group.docs.dependencies]
sphinx = "*"
[tool.poetry.group.test.dependencies]
python = ">=3.9"
pytest = "^8.1"
freezegun = {version = "~1.2", extras = ["fast"], markers = "python_version > '3'"}
local = {path = "../x"}
zero = "^0.3.1"
exact = "1.2.3"
"""


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (
            {"pyproject.toml": POETRY},
            ["pytest>=8.1,<9", "freezegun[fast]>=1.2,<1.3; python_version > '3'", "zero>=0.3.1,<0.4", "exact==1.2.3"],
        ),
        ({"pyproject.toml": '[tool.poetry.dev-dependencies]\nmock = "*"\n'}, ["mock"]),
        ({"pyproject.toml": '[tool.uv]\ndev-dependencies = ["mock>=4", "--odd"]\n'}, ["mock>=4"]),
        ({"pyproject.toml": '[tool.pdm.dev-dependencies]\ntest = ["mock"]\nlint = ["ruff"]\n'}, ["mock"]),
        ({"pyproject.toml": '[tool.hatch.envs.default]\ndependencies = ["mock"]\n'}, ["mock"]),
        ({"hatch.toml": '[envs.hatch-test]\nextra-dependencies = ["mock"]\n'}, ["mock"]),
        ({"tox.ini": "[testenv]\ndeps =\n  mock>=4 # why\n  -r x.txt\n  py38: six\n  {[b]deps}\n"}, ["mock>=4", "six"]),
        ({"tox.toml": '[env_run_base]\ndeps = ["mock"]\n'}, ["mock"]),
        (
            {"noxfile.py": 'def lint(s): s.install("ruff")\ndef tests(s):\n  s.install("-e", ".", "mock", "six>1")\n'},
            ["mock", "six>1"],
        ),
        ({"Pipfile": '[packages]\nsix = "*"\n[dev-packages]\nmock = ">=4"\n'}, ["six", "mock>=4"]),
        (
            {"environment.yml": "dependencies: [python=3.9, numpy=1.2=py_0, 'conda-forge::six>=1', {pip: [mock]}]\n"},
            ["mock"],  # conda's own names may mean other packages elsewhere
        ),
        ({"noxfile.py": 'def tests(s):\n  s.install("-r", "requirements.txt", "mock")\n'}, ["mock"]),
        ({"environment.yml": "a: &a [x]\ndependencies: [{pip: *a}]\n"}, []),
        ({"pyproject.toml": '[tool.poetry.dev-dependencies]\nmock = "^' + "1" * 5000 + '"\n'}, ["mock"]),
        ({"pyproject.toml": "no toml [", "tox.ini": "no ini", "noxfile.py": "no python("}, []),
    ],
)  # fmt: skip
def test_requirements_are_found_where_they_are(tree: Tree, files: dict[str, str], found: list[str]) -> None:
    source = tree(files)
    assert further_requirements(source) == found
    assert read_dependencies(source).further == tuple(found)
    named = tree(files | {"requirements-test.txt": "pytest\n"})
    assert read_dependencies(named).further == (), "what is named in the usual places is enough"


def test_requirements_are_read_line_by_line(tree: Tree) -> None:
    text = "a==1 \\\n  --hash=sha256:1\n# no\n-e .\n--index-url x\n-r more/b.txt\n./local\n-r ../out.txt\nc # why\n"
    source = tree({"requirements.txt": text, "more/b.txt": "b\n-r ../requirements.txt\n"})
    assert requirement_lines(source, ["requirements.txt"]) == ["a==1", "c", "b"]


@pytest.mark.parametrize(
    ("files", "options", "plugins"),
    [
        ({"pytest.ini": "[pytest]\naddopts = --cov=x -n2\n"}, ("--cov=x", "-n2"), {"pytest-cov", "pytest-xdist"}),
        ({"pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-ra --cov"\n'}, ("-ra", "--cov"), {"pytest-cov"}),
        ({"pyproject.toml": '[tool.pytest]\naddopts = ["--reruns", "2"]\n'}, ("--reruns", "2"), {RERUNS}),
        ({"setup.cfg": "[tool:pytest]\nasyncio_mode = auto\n"}, (), {"pytest-asyncio"}),
        ({"tox.ini": "[pytest]\naddopts = -p no:cov --cov=x\n"}, ("-p", "no:cov", "--cov=x"), set()),
        ({"pytest.ini": "", "tox.ini": "[pytest]\naddopts = --cov\n"}, (), set()),
        ({"pytest.ini": "[pytest]\naddopts = 'half\n"}, ("'half",), set()),
        ({}, (), set()),
    ],
)  # fmt: skip
def test_what_pytest_is_told(tree: Tree, files: dict[str, str], options: tuple[str, ...], plugins: set[str]) -> None:
    found = read_pytest_settings(tree(files))
    assert found.options == options
    assert set(found.plugins()) == plugins


def test_what_is_collected_and_django(tree: Tree, tmp_path: Path) -> None:
    ini = "[pytest]\npython_files = check_*.py\npython_functions = check_* should\n"
    found = read_pytest_settings(tree({"pytest.ini": ini}))
    assert found.collects_file("check_a.py") and not found.collects_file("test_a.py")
    assert found.collects_function("should_x") and not found.collects_function("test_x")
    manage = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site1.settings")\n'
    assert django_settings(tree({"manage.py": manage})) == "site1.settings"
    assert django_settings(tree({"manage.py": "import this\n"})) == ""
    below = tmp_path / "below"
    below.mkdir()
    (below / "site").mkdir()
    (below / "site" / "manage.py").write_text(manage)
    (below / "tools").mkdir()
    (below / "tools" / "manage.py").write_text("import this\n")
    assert (django_settings(below), django_folder(below)) == ("site1.settings", "site")
    (below / "tools" / "manage.py").write_text(manage)
    assert (django_settings(below), django_folder(below)) == ("", "")
