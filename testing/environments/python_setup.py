"""The environment of a Python project: a virtual environment with what its dependency files ask for."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from testing.environments.environment import PYTHON, VENV, has_module
from testing.environments.index_settings import IndexSettings
from testing.environments.pytest_settings import FILES as SETTINGS_FILES
from testing.environments.pytest_settings import django_settings, read_pytest_settings
from testing.environments.python_dependencies import (
    Dependencies,
    has_hashes,
    listed_dependencies,
    pretended_versions,
    read_dependencies,
    requirement_lines,
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
_MOST_LEFT_OUT, _LONGEST_NOTE = 12, 500
_UNBUILDABLE = re.compile(
    r"Failed to build `?[^`\n]{0,200}@ file:///work|Multiple top-level|not appear to be a Python project"
)
"""What is the project's own fault, and not the network's."""
_UV_TARGET = "/opt/uv/uv"


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
        """See `read_dependencies`; and pytest's settings, whose options may need plugins."""
        settings = {name for name in (*SETTINGS_FILES, "manage.py") if text_of(source / name)}
        return sorted({*read_dependencies(source).files, *settings})

    @classmethod
    def versions(cls, source: Path, release: str) -> Sequence[str]:
        """See `pretended_versions`."""
        return pretended_versions(source, release)

    def install(self, setup_command: str | None) -> bool:
        """Create the environment, then what `setup_command` or the dependency files say, and the test framework."""
        self._uv = _uv_mount()
        if self._versions:
            tell_versioneer(self.project_folder, self._versions[0])
        self.step("creating the virtual environment", _create_venv(with_pip=setup_command is not None), cwd="/env")
        editable = self._setup_command(setup_command) if setup_command else self._installations()
        self._framework()
        self._plugins_of_options()
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
            **(version_variables(self.project_folder, self._versions[0]) if self._versions else {}),
        }

    def _setup_command(self, command: str) -> bool:
        self.step("running testing.setup_command", ["sh", "-e", "-c", command])
        return any((self.env_folder / "venv").glob("lib/python*/site-packages/__editable__*"))

    def _installations(self) -> bool:
        """Install what the repository asks for: all of it at once, else the project and its requirements piece by
        piece; what could not be installed is told. Whether the project itself is in."""
        needs = read_dependencies(self.project_folder)
        names = (*needs.requirements, *needs.test_requirements)
        project = ("-e", f".{_extras(needs)}") if needs.buildable else ()
        files = tuple(part for name in names for part in ("-r", name))
        stated = (*needs.group_requirements, *needs.further)
        if not (project or files or stated):
            return False
        title = "installing the project and its test dependencies"
        failed = self._install(title, *project, *files, *stated)
        if failed is None:
            return needs.buildable
        if has_hashes(self.project_folder, names):
            raise self._failure(title, failed)
        lines = [*requirement_lines(self.project_folder, names), *stated]
        editable = self._project(needs, alone=not lines)
        if needs.buildable and not editable:
            lines += listed_dependencies(self.project_folder)
        if lines and not self._lines(lines) and not editable:
            raise self._failure(title, failed)  # nothing at all: the network, an index
        return editable

    def _project(self, needs: Dependencies, *, alone: bool) -> bool:
        """Install the project itself, with less and less of what its tests need; whether it is in. `alone`: nothing
        else is to be installed, so that its failure is that of the set-up."""
        if not needs.buildable:
            return False
        extra = _extras(needs)
        if extra and self._install("installing the project", "-e", f".{extra}") is None:
            return True
        failed = self._install("installing the project and what it needs to run", "-e", ".")
        if failed is None:
            if extra:
                self.note("its test dependencies could not be installed; only what it needs to run was")
            return True
        if needs.listed and self._install("installing what the project needs to run", "-r", "pyproject.toml") is None:
            self.note("the project itself could not be installed; only the dependencies it lists were")
        elif _UNBUILDABLE.search(failed.output):
            self.note("the project itself could not be installed; it is imported from its folder instead")
        elif alone:
            raise self._failure("installing the project", failed)
        else:
            self.note("the project itself could not be installed; only its requirements were, as far as they could be")
        return False

    def _lines(self, lines: list[str]) -> bool:
        """Install requirements, those that cannot be by halves left out; whether any could be."""
        left_out: list[str] = []
        waiting, done = [lines], False
        while waiting and len(left_out) < _MOST_LEFT_OUT:
            part = waiting.pop(0)
            title = "installing its requirements" if part is lines else f"installing {len(part)} of its requirements"
            if self._install(title, *part) is None:
                done = True
            elif len(part) > 1:
                waiting[:0] = [part[: len(part) // 2], part[len(part) // 2 :]]
            else:
                left_out += part
        left_out += [line for part in waiting for line in part]
        if left_out and done:
            self.note(f"could not be installed here and were left out: {', '.join(left_out)[:_LONGEST_NOTE]}")
        return done

    def _install(self, title: str, *arguments: str) -> SandboxResult | None:
        failed = self.step(title, _installing(arguments, self.index), required=False)
        if failed is not None and len(self._versions) > 1 and f"=={self._versions[0]}" in failed.output:
            # The version was a guess, and something that is installed with the project does not take it.
            del self._versions[0]
            failed = self.step(title, _installing(arguments, self.index), required=False)
        return failed

    def _framework(self) -> None:
        module, package = self.framework.module, self.framework.requirement
        if module and not has_module(self.env_folder / "venv", module):
            self.step(f"installing {package}", _installing((package,), self.index))

    def _plugins_of_options(self) -> None:
        """The plugins that the project's own settings need and that no dependency file names."""
        if self.framework.module != "pytest":
            return
        needed, venv = read_pytest_settings(self.project_folder).plugins(), self.env_folder / "venv"
        if django_settings(self.project_folder) and has_module(venv, "django"):
            needed["pytest-django"] = "pytest_django"
        for package in [package for package, module in needed.items() if not has_module(venv, module)]:
            if self.step(f"installing {package}", _installing((package,), self.index), required=False) is None:
                self.note(f"{package} was installed, because pytest's settings need it and no dependency file names it")

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
        for command in _catalogue_commands(self.project_folder):
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


def _extras(needs: Dependencies) -> str:
    return f"[{','.join(needs.extras)}]" if needs.extras else ""


def _installing(arguments: tuple[str, ...], index: IndexSettings) -> list[str]:
    """Install into the environment."""
    return [_UV_TARGET, "pip", "install", "--python", PYTHON, *index.uv_arguments, *arguments]


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
