"""What is run in the sandbox for a project's tests."""

from __future__ import annotations

from dataclasses import dataclass

from testing.sandbox.mounts import Mount

REPORT = "/out/report.xml"


@dataclass(frozen=True)
class TestCommand:
    """What to run in the sandbox."""

    __test__ = False

    command: list[str]
    mounts: tuple[Mount, ...] = ()
    report: str = REPORT
    """Where it writes what came of the tests."""
