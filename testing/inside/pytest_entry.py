"""Runs pytest as `python -m pytest` would, with pytest's arguments; `start.py` starts it.

pytest and its own modules are imported before any folder of the project can be searched for them. The report is kept in
memory and handed over when the session has ended; nothing of the project runs after that.
"""

from __future__ import annotations

import faulthandler
import importlib
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from _pytest import config, junitxml
from _pytest.assertion import rewrite


class _Kept(io.StringIO):
    """A file whose text can be read after it was closed."""

    text = ""

    def close(self) -> None:
        self.text = self.getvalue()
        super().close()


_REPORT = _Kept()
_LONGEST_OUTPUT = 4000
"""Characters of what a test printed that go into the report, if it failed."""


class _Guarding:
    """A plugin that tells the guard when other plugins are loaded, and which tests are collected; what tests print is
    shortened before it is reported."""

    def __init__(self, guard: Any) -> None:
        self._guard = guard

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        self._guard.settle()

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self) -> None:
        if self._guard.watches:
            faulthandler.disable()  # by which code could tell this run from others
            sys.modules.pop("faulthandler", None)  # an import of it is a look, see `watch.py`

    def pytest_plugin_registered(self, plugin: object) -> None:
        if Path(str(getattr(plugin, "__file__", ""))).name == "conftest.py":
            self._guard.settle()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        report.sections = [(name, text[-_LONGEST_OUTPUT:]) for name, text in report.sections]

    if int(pytest.__version__.partition(".")[0]) >= 7:  # earlier ones know the argument by another name

        def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
            """A link to a folder that it lies in would be followed until the kernel refuses it."""
            is_circle = collection_path.is_symlink() and collection_path.parent.resolve().is_relative_to(
                collection_path.resolve()
            )
            return True if is_circle else None

    def pytest_collection_finish(self, session: Any) -> None:
        for item in session.items:
            self._guard.watch(item.nodeid, getattr(item, "function", None))


def prepare() -> None:
    """Import what the guard is to watch, and take pytest's report."""
    for plugin in config.default_plugins:
        importlib.import_module(f"_pytest.{plugin}")
    junitxml.open = lambda *_, **__: _REPORT  # type: ignore[attr-defined]  # in front of the builtin
    _take_compiled_files_from(Path(sys.prefix).resolve())
    sys.argv[0] = pytest.__file__.replace("__init__", "__main__")


def _take_compiled_files_from(environment: Path) -> None:
    """Of what pytest has compiled, use what lies in the environment, which no run can change. Compiled tests that a run
    has put beside the tests are not used in their place."""
    beside = rewrite.get_cache_dir

    def cache_folder(file_path: Path) -> Path:
        file = file_path.resolve()
        return beside(file) if file.is_relative_to(environment) else file_path.with_name("no-such-folder")

    rewrite.get_cache_dir = cache_folder


def run(arguments: list[str], guard: Any) -> tuple[int, bytes]:
    """The exit code and the report."""
    try:
        code = int(pytest.main(arguments, plugins=[_Guarding(guard)]))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    return code, _REPORT.text.encode("utf-8", "surrogateescape")
