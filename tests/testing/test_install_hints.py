"""A remedy for a project whose tests lack a package names what the project has, and nothing else."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise

import pytest

from testing import install_command
from testing.environments.python_dependencies import requirements_by_place
from tests.testing.conftest import Tree

_PROJECT = '[project]\nname = "demo"\nversion = "1"\n'
_GROUPS = "[dependency-groups]\ncheck = [{include-group = 'b'}]\nb = ['Python_DateUtil']\n"


@pytest.mark.parametrize(
    ("files", "lacking", "command"),
    [
        ({}, ["nose.tools"], "pip install pynose"),
        ({"setup.py": "from setuptools import setup\nsetup(name='a')\n"}, ["nose"], "pip install -e . pynose"),
        (
            {"setup.py": "from setuptools import setup\nsetup(name='a', options={'test': 1})\n"},
            ["nose2"],
            "pip install -e . nose2",
        ),
        (
            {"setup.py": "E = {'ci': ['nose2>=0.9', 'x']}\nfrom setuptools import setup\nsetup(extras_require=E)\n"},
            ["nose2"],
            "pip install -e '.[ci]'",
        ),
        (
            {"pyproject.toml": _PROJECT + "[project.optional-dependencies]\nlegacy = ['nose']\ntest = ['pytest']\n"},
            ["nose"],
            "pip install -e '.[test,legacy]'",
        ),
        (
            {"setup.cfg": "[metadata]\nname = a\n[options.extras_require]\nall =\n  PyYAML>5\n  x\n"},
            ["yaml"],
            "pip install -e '.[all]'",
        ),
        (
            {"pyproject.toml": _PROJECT + _GROUPS},
            ["dateutil.parser"],
            "pip install -e . --group check",
        ),
        (
            {"requirements.txt": "flask\n", "requirements/ci.txt": "-r m.txt\n", "requirements/m.txt": "responses\n"},
            ["responses", "mocker"],
            "pip install -r requirements.txt -r requirements/ci.txt pytest-mock",
        ),
    ],
)  # fmt: skip
def test_it_names_what_lists_the_package_else_the_package(
    files: dict[str, str], lacking: list[str], command: str, tree: Tree
) -> None:
    source = tree(files)
    assert install_command(source, lacking) == command
    there = {place for _, place, _ in requirements_by_place(source)}
    parts = shlex.split(command)
    named = {part for option, part in pairwise(parts) if option in ("-r", "--group")}
    named |= {extra for part in parts if (found := re.fullmatch(r"\.\[(.+)\]", part)) for extra in found[1].split(",")}
    assert named <= there
