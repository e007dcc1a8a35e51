"""Counts the probes of a run: `@pytest.mark.probe("hostile")` says which suite a test is an attack of.

A probe is stopped when its test passed, and every test asserts from the host's side what came of the attack. Under
CI=true none may be skipped: a wall that was not tried does not stand.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

_PROPERTY = "probe"
STOPPED_BY = "stopped by"
"""Property of a probe that was drawn: the principle that stopped it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("probe"):
            item.user_properties.append((_PROPERTY, str(mark.args[0])))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    if report.skipped and os.environ.get("CI") and item.get_closest_marker("probe"):
        report.outcome = "failed"
        report.longrepr = f"a probe was skipped under CI: {report.longrepr}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a suite: how many attacks were tried, how many of them were stopped."""
    tried, stopped = Counter[str](), Counter[str]()
    principles: dict[str, Counter[str]] = {}
    ended: dict[str, tuple[set[str], bool]] = {}
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport) and outcome in {"passed", "failed", "error", "skipped"}:
                suites = {str(value) for name, value in report.user_properties if name == _PROPERTY}
                known, fine = ended.get(report.nodeid, (suites, True))
                ended[report.nodeid] = (known | suites, fine and outcome == "passed")
                for name, value in report.user_properties if report.when == "call" else ():
                    for suite in suites if name == STOPPED_BY else ():
                        principles.setdefault(suite, Counter())[str(value)] += 1
    for suites, fine in ended.values():
        tried.update(suites)
        stopped.update(suites if fine else ())
    for suite in sorted(tried):
        by = ", ".join(f"{name} {count}" for name, count in principles.get(suite, Counter()).most_common())
        terminalreporter.write_line(f"{suite}: {stopped[suite]} of {tried[suite]} stopped{f' ({by})' if by else ''}")
