"""The commands that make a project's environment, run inside the set-up sandbox."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from testing.environments.dependencies import Dependencies
from testing.environments.index_settings import IndexSettings
from testing.errors import EnvironmentSetupError
from testing.sandbox.mounts import Mount, base_interpreter

Framework = Literal["pytest", "unittest", "node", "vitest", "jest", "go", "cargo", "command"]

VENV = "/env/venv"
PYTHON = f"{VENV}/bin/python"
# What is installed when the project brings none of its own: the module looked for, and what to install.
FRAMEWORK_PACKAGES: dict[Framework, tuple[str, str]] = {
    "pytest": ("pytest", "pytest==9.2.0"),
    "unittest": ("xmlrunner", "unittest-xml-reporting==4.0.0"),
}
_BABEL = "Babel==2.18.0"
_MOST_CATALOGUES = 8
_UV_TARGET = "/opt/uv/uv"


@dataclass(frozen=True)
class Installation:
    """One way to install the project; tried in order until one works."""

    title: str
    arguments: tuple[str, ...]
    editable: bool
    falls_short: str = ""
    """What the environment then lacks, told in the log and in `Environment.notes`."""


def uv_mount() -> Mount:
    """The `uv` program, which installs ten times faster than pip; it comes with the daemon's own requirements.

    Raises EnvironmentSetupError where it is missing.
    """
    beside = Path(sys.executable).parent / "uv"
    found = os.fspath(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise EnvironmentSetupError(
            "Cannot install a project's dependencies: the program uv is neither beside Python nor on PATH.",
            "",
            "pip install uv (it is in requirements.txt).",
        )
    return Mount(Path(found).resolve(), _UV_TARGET)


def create_venv(*, with_pip: bool) -> list[str]:
    """An empty virtual environment on the daemon's own base interpreter; pip only where a set-up command may ask it."""
    seed = ["--seed"] if with_pip else []
    return [_UV_TARGET, "venv", "--no-project", *seed, "--python", str(base_interpreter().executable), VENV]


def install(arguments: tuple[str, ...], index: IndexSettings) -> list[str]:
    """Install into the environment."""
    return [_UV_TARGET, "pip", "install", "--python", PYTHON, *index.uv_arguments, *arguments]


def installations(needs: Dependencies) -> list[Installation]:
    """From everything the tests may want down to the least that is still worth having; empty: nothing to install."""
    requirements = tuple(part for name in needs.requirements for part in ("-r", name))
    test_requirements = tuple(part for name in needs.test_requirements for part in ("-r", name))
    extra = f"[{','.join(needs.extras)}]" if needs.extras else ""
    whole = ("-e", f".{extra}") if needs.buildable else ()
    core = ("-e", ".") if needs.buildable else ()
    found = [
        Installation(
            "installing the project and its test dependencies",
            (*whole, *requirements, *test_requirements, *needs.group_requirements),
            editable=needs.buildable,
        ),
        Installation(
            "installing the project and what it needs to run",
            (*core, *requirements),
            editable=needs.buildable,
            falls_short="its test dependencies could not be installed; only what it needs to run was",
        ),
    ]
    if needs.listed:
        found.append(
            Installation(
                "installing what the project needs to run",
                ("-r", "pyproject.toml", *requirements),
                editable=False,
                falls_short="the project itself could not be installed; only the dependencies it lists were",
            )
        )
    distinct = {installation.arguments: installation for installation in reversed(found) if installation.arguments}
    return list(reversed(distinct.values()))


def has_module(venv: Path, module: str) -> bool:
    """Whether `module` lies in the site-packages of the environment at `venv`."""
    return any(venv.glob(f"lib/python*/site-packages/{module}/__init__.py"))


def catalogue_commands(source: Path) -> list[list[str]]:
    """Commands that compile the gettext catalogues which `source` has only as text: projects keep the compiled ones
    out of git and make them in a build step that no dependency file names."""
    found = {
        (path.parents[2].relative_to(source).as_posix(), path.stem)
        for path in source.glob("**/LC_MESSAGES/*.po")
        if not path.with_suffix(".mo").exists() and not {"doc", "docs"} & set(path.relative_to(source).parts)
    }
    pybabel = [_UV_TARGET, "tool", "run", "--python", str(base_interpreter().executable), "--from", _BABEL, "pybabel"]
    return [
        [*pybabel, "--quiet", "compile", "--directory", folder, "--domain", domain]
        for folder, domain in sorted(found)[:_MOST_CATALOGUES]
    ]
