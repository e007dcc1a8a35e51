"""Runs unittest tests inside the sandbox; `start.py` starts it with their IDs.

An ID is `tests/test_x.py`, or with `::Class` or `::Class::test_name` behind it. unittest's own command line ends at
the first module with a syntax error and imports `tests.test_x` from wherever a `tests` package is found first; here a
module that cannot be imported is one failed test, and modules are found as `unittest discover` finds them.

Only the standard library and xmlrunner may be imported: this runs on the project's interpreter.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
import unittest
from pathlib import Path
from typing import Any

import xmlrunner  # type: ignore[import-not-found]  # only in the project's environment


def module_name(file: str) -> str:
    """The name to import `file` by; its topmost folder that is not a package goes on sys.path."""
    path = Path(file)
    top = path.parent
    while (top / "__init__.py").exists():
        top = top.parent
    folder = os.path.abspath(top)  # noqa: PTH100  resolving would follow links
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return ".".join(path.relative_to(top).with_suffix("").parts)


def load(test_id: str) -> unittest.TestSuite:
    """The tests of `test_id`, or one that fails with the error that kept them from loading."""
    file, *names = test_id.split("::")
    try:
        name = module_name(file)
        found: object = importlib.import_module(name)
        for part in names:
            found = getattr(found, part)
        return unittest.defaultTestLoader.loadTestsFromName(".".join([name, *names]))
    except Exception as error:  # noqa: BLE001  whatever the project's module raises
        return unittest.TestSuite([_not_loaded(test_id, error)])


def _not_loaded(test_id: str, error: Exception) -> unittest.TestCase:
    """A case of class `NotLoaded`, by which the report's reader knows it, named by the id; xmlrunner cuts at dots."""
    name = test_id.replace(".", "%2E")

    def test(self: unittest.TestCase) -> None:
        raise error

    case = type("NotLoaded", (unittest.TestCase,), {name: test})
    loaded: unittest.TestCase = case(name)
    return loaded


def prepare() -> None:
    """Nothing is left to do: the framework is imported above."""


def run(ids: list[str], guard: Any) -> tuple[int, bytes]:
    """The exit code and the report."""
    output = io.BytesIO()
    suite = unittest.TestSuite(load(test_id) for test_id in ids)
    result = xmlrunner.XMLTestRunner(output=output, verbosity=1).run(suite)
    return 0 if result.wasSuccessful() else 1, output.getvalue()
