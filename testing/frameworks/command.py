"""`testing.test_command`: any other way to run tests, by a shell command that writes JUnit XML to $REPORT."""

from __future__ import annotations

from testing.frameworks.framework import Report, Selected, TestCommand, TestFramework, Written
from testing.frameworks.junit import read_report


def _command(run: Selected) -> TestCommand:
    return TestCommand(["sh", "-c", run.test_command, "sh", *run.files])


def _read(written: Written) -> Report:
    return read_report(written.file, written.source, written.modules, python=written.language == "python")


COMMAND = TestFramework(
    name="command",
    language=None,
    recognises=lambda source: False,
    command=_command,
    read=_read,
    diagnose=None,
    exits={
        126: "testing.test_command names a program that cannot be run",
        127: "a program that testing.test_command needs was not found",
    },
)
