"""Runs unittest tests inside the sandbox and sends a JUnit report to the witness: `unittest_entry.py ID…`.

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

import xmlrunner  # type: ignore[import-not-found]  # only in the project's environment

CHANGED = 97
"""As in `pytest_entry`."""


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


def main(ids: list[str]) -> int:
    """The exit code; the report has been sent."""
    from guard import Guard  # type: ignore[import-not-found]  # beside this file
    from witness import Sender  # type: ignore[import-not-found]

    sender, guard, output = Sender(), Guard(), io.BytesIO()
    sender.enter_project()
    suite = unittest.TestSuite(load(test_id) for test_id in ids)
    result = xmlrunner.XMLTestRunner(output=output, verbosity=1).run(suite)
    if changes := guard.changes():
        print(f"The code under test changed {', '.join(changes[:5])}.", flush=True)
        return CHANGED
    sender.send(output.getvalue())
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)
