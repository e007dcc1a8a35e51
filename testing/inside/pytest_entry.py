"""Runs pytest as `python -m pytest` would, and sends its JUnit report to the witness: `pytest_entry.py ARGUMENT…`.

pytest and its own modules are imported before any folder of the project can be searched for them. The report is kept in
memory and sent when the session is over; nothing of the project runs after that.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

CHANGED = 97
"""The exit code when the code under test has changed pytest or Python's builtins."""


class _Kept(io.StringIO):
    """A file whose text can be read after it was closed."""

    text = ""

    def close(self) -> None:
        self.text = self.getvalue()
        super().close()


class _Collected:
    """A plugin that shows the guard the collected tests."""

    def __init__(self, guard: Any) -> None:
        self._guard = guard

    def pytest_collection_finish(self, session: Any) -> None:
        for item in session.items:
            self._guard.watch(item.nodeid, getattr(item, "function", None))


def main() -> int:
    """The exit code; the report has been sent if there is one that counts."""
    import pytest
    from _pytest import config, junitxml
    from _pytest.assertion import rewrite
    from guard import Guard  # type: ignore[import-not-found]  # beside this file
    from witness import Sender  # type: ignore[import-not-found]

    for name in config.default_plugins:
        importlib.import_module(f"_pytest.{name}")
    sender, kept = Sender(), _Kept()
    junitxml.open = lambda *_, **__: kept  # type: ignore[attr-defined]  # in front of the builtin
    # Compiled tests that a run has put beside the tests are not used in their place.
    rewrite.get_cache_dir = lambda file_path: file_path.with_name("no-such-folder")
    guard = Guard()
    sys.argv[0] = pytest.__file__.replace("__init__", "__main__")
    sender.enter_project()
    try:
        code = int(pytest.main(sys.argv[1:], plugins=[_Collected(guard)]))
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    if changes := guard.changes():
        print(f"The code under test changed {', '.join(changes[:5])}.", flush=True)
        return CHANGED
    if kept.text:
        sender.send(kept.text.encode("utf-8", "surrogateescape"))
    return code


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # handlers that the code has registered would run after the verdict
