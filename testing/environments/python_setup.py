"""The environment of a Python project: a virtual environment with what its dependency files ask for."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testing.environments.environment import PYTHON, VENV, has_module
from testing.environments.index_settings import IndexSettings
from testing.environments.python_dependencies import (
    Dependencies,
    pretended_versions,
    read_dependencies,
    tell_versioneer,
    text_of,
    version_variables,
)
from testing.environments.setup import Setup
from testing.errors import EnvironmentSetupError
from testing.frameworks.framework import TestFramework
from testing.sandbox.confinement import Mount, base_interpreter
from testing.sandbox.sandbox import SandboxResult

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
    """What the environment then lacks, as the log and `Environment.notes` say it."""


class PythonSetup(Setup):
    """One build of a virtual environment."""

    language = "python"
    remedy = (
        "see that the dependency files install by `pip install` in an empty environment on this machine's Python, "
        "or set testing.setup_command to the command that prepares this repository."
    )

    @classmethod
    def identity(cls, framework: TestFramework) -> tuple[str, ...]:
        """The interpreter, and the package that runs the tests."""
        return base_interpreter().identity, framework.name, framework.requirement

    @classmethod
    def files(cls, source: Path) -> Sequence[str]:
        """See `read_dependencies`."""
        return read_dependencies(source).files

    @classmethod
    def versions(cls, source: Path, release: str) -> Sequence[str]:
        """See `pretended_versions`."""
        return pretended_versions(source, release)

    def install(self, setup_command: str | None) -> bool:
        """Create the environment, then what `setup_command` or the dependency files say, and the test framework."""
        self._uv = _uv_mount()
        if self._versions:
            tell_versioneer(self.work_folder, self._versions[0])
        self.step("creating the virtual environment", _create_venv(with_pip=setup_command is not None), cwd="/env")
        editable = self._setup_command(setup_command) if setup_command else self._installations()
        self._framework()
        self._plugins()
        self._catalogues()
        return editable

    def mounts(self) -> Sequence[Mount]:
        """The program uv."""
        return (self._uv,)

    def variables(self) -> dict[str, str]:
        """The settings of uv, pip and version plugins."""
        return {
            "PATH": f"{VENV}/bin:/opt/uv:/usr/local/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": VENV,
            "UV_CACHE_DIR": "/cache/uv",
            "PIP_CACHE_DIR": "/cache/pip",
            "UV_LINK_MODE": "copy",  # the cache is another mount
            "UV_COMPILE_BYTECODE": "1",  # test runs cannot write any
            "UV_NO_PROGRESS": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **(version_variables(self.work_folder, self._versions[0]) if self._versions else {}),
        }

    def _setup_command(self, command: str) -> bool:
        self.step("running testing.setup_command", ["sh", "-e", "-c", command])
        return any((self.env_folder / "venv").glob("lib/python*/site-packages/__editable__*"))

    def _installations(self) -> bool:
        """Install what the repository asks for, falling back; whether the project itself is in."""
        choices = _installations(read_dependencies(self.work_folder))
        for number, choice in enumerate(choices, start=1):
            failed = self._install(choice, last=number == len(choices) and len(self._versions) < 2)
            if failed is not None and len(self._versions) > 1 and f"=={self._versions[0]}" in failed.output:
                # The version was a guess, and something that is installed with the project does not take it.
                del self._versions[0]
                failed = self._install(choice, last=number == len(choices))
            if failed is None:
                if choice.falls_short:
                    self.note(choice.falls_short)
                return choice.editable
        return False

    def _install(self, choice: Installation, *, last: bool) -> SandboxResult | None:
        return self.step(choice.title, _installing(choice.arguments, self.index), required=last)

    def _framework(self) -> None:
        module, package = self.framework.module, self.framework.requirement
        if module and not has_module(self.env_folder / "venv", module):
            self.step(f"installing {package}", _installing((package,), self.index))

    def _plugins(self) -> None:
        """Have pytest compile its plugins in its own way. A test run cannot write, so it would do so each time anew:
        Hypothesis then costs every run more than a second."""
        venv = self.env_folder / "venv"
        points = venv.glob("lib/python*/site-packages/*.dist-info/entry_points.txt")
        if self.framework.module == "pytest" and any("[pytest11]" in text_of(file) for file in points):
            seed = ["--hypothesis-seed=0"] if has_module(venv, "hypothesis") else []
            nothing = ["--collect-only", "--ignore-glob=*", "-q", "-c", os.devnull, "-p", "no:cacheprovider"]
            self.step(
                "preparing pytest's plugins", [PYTHON, "-m", "pytest", *nothing, *seed], cwd="/env", required=False
            )

    def _catalogues(self) -> None:
        for command in _catalogue_commands(self.work_folder):
            if self.step("compiling the project's translations", command, required=False) is not None:
                self.note(f"the translations in {command[-3]} could not be compiled")


def _uv_mount() -> Mount:
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


def _create_venv(*, with_pip: bool) -> list[str]:
    """An empty virtual environment on the daemon's own base interpreter; pip only where a set-up command may ask it."""
    seed = ["--seed"] if with_pip else []
    return [_UV_TARGET, "venv", "--no-project", *seed, "--python", str(base_interpreter().executable), VENV]


def _installing(arguments: tuple[str, ...], index: IndexSettings) -> list[str]:
    """Install into the environment."""
    return [_UV_TARGET, "pip", "install", "--python", PYTHON, *index.uv_arguments, *arguments]


def _installations(needs: Dependencies) -> list[Installation]:
    """From everything the tests may need down to the least that is still useful; empty: nothing to install."""
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


def _catalogue_commands(source: Path) -> list[list[str]]:
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
