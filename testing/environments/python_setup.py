"""The environment of a Python project: a virtual environment with what its dependency files ask for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testing.environments.dependencies import read_dependencies, version_variables
from testing.environments.setup import Setup
from testing.environments.setup_plan import (
    FRAMEWORK_PACKAGES,
    VENV,
    Framework,
    Installation,
    catalogue_commands,
    create_venv,
    has_module,
    install,
    installations,
    uv_mount,
)
from testing.sandbox.mounts import Mount, base_interpreter
from testing.sandbox.sandbox import SandboxResult


class PythonSetup(Setup):
    """One build of a virtual environment."""

    language = "python"
    remedy = (
        "see that the dependency files install by `pip install` in an empty environment on this machine's Python, "
        "or set testing.setup_command to the command that prepares this repository."
    )

    @classmethod
    def identity(cls, framework: Framework) -> tuple[str, ...]:
        """The interpreter, and the package that runs the tests."""
        return base_interpreter().identity, framework, *FRAMEWORK_PACKAGES.get(framework, ("", ""))[1:]

    @classmethod
    def files(cls, source: Path) -> Sequence[str]:
        """See `read_dependencies`."""
        return read_dependencies(source).files

    def install(self, setup_command: str | None) -> bool:
        """Create the environment, then what `setup_command` or the dependency files say, and the test framework."""
        self._uv = uv_mount()
        self.step("creating the virtual environment", create_venv(with_pip=setup_command is not None), cwd="/env")
        editable = self._setup_command(setup_command) if setup_command else self._installations()
        self._framework()
        self._catalogues()
        return editable

    def mounts(self) -> Sequence[Mount]:
        """The program uv."""
        return (self._uv,)

    def variables(self) -> dict[str, str]:
        """What uv, pip and version plugins go by."""
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
            **version_variables(self.work_folder),
        }

    def _setup_command(self, command: str) -> bool:
        self.step("running testing.setup_command", ["sh", "-e", "-c", command])
        return any((self.env_folder / "venv").glob("lib/python*/site-packages/__editable__*"))

    def _installations(self) -> bool:
        """Install what the repository asks for, falling back; whether the project itself is in."""
        choices = installations(read_dependencies(self.work_folder))
        for number, choice in enumerate(choices, start=1):
            failed = self._install(choice, last=number == len(choices))
            if failed is None:
                if choice.falls_short:
                    self.note(choice.falls_short)
                return choice.editable
        return False

    def _install(self, choice: Installation, *, last: bool) -> SandboxResult | None:
        return self.step(choice.title, install(choice.arguments, self.index), required=last)

    def _framework(self) -> None:
        module, package = FRAMEWORK_PACKAGES.get(self.framework, ("", ""))
        if module and not has_module(self.env_folder / "venv", module):
            self.step(f"installing {package}", install((package,), self.index))

    def _catalogues(self) -> None:
        for command in catalogue_commands(self.work_folder):
            if self.step("compiling the project's translations", command, required=False) is not None:
                self.note(f"the translations in {command[-3]} could not be compiled")
