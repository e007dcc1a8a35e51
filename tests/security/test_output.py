"""What tests print and report: bombs for who reads it, and characters that steer a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing import Environment, TestRunner
from testing.errors import InvalidReport
from testing.frameworks.framework import MOST_TESTS
from testing.frameworks.junit import read_report
from tests.testing.conftest import Tree

pytestmark = pytest.mark.probe("hostile")

CASE = '<testcase classname="tests.test_a" name="test_{}" file="tests/test_a.py">{}</testcase>'


def report(folder: Path, *cases: str, head: str = "") -> Path:
    file = folder / "report.xml"
    file.write_text(f"{head}<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return file


BOMBS = {
    "billion laughs": '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
    "quadratic": f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>',
    "an outside file": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    "an outside address": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
    "a parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;]>',
}


@pytest.mark.parametrize("name", BOMBS)
def test_entities_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidReport, match="document type"):
        read_report(report(tmp_path, CASE.format("x", "&c;"), head=BOMBS[name]), tmp_path, [])


def test_a_million_tests_are_refused(tmp_path: Path) -> None:
    cases = (f'<testcase classname="t" name="n{number}"/>' for number in range(MOST_TESTS + 2))
    with pytest.raises(InvalidReport, match="more than"):
        read_report(report(tmp_path, *cases), tmp_path, [])


def test_names_without_end_are_cut(tmp_path: Path) -> None:
    found = read_report(report(tmp_path, CASE.format("x" * 5_000_000, "")), tmp_path, ["tests/test_a.py"])
    assert len(found.test_ids) == 1 and len(found.test_ids[0]) <= 2000


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidReport, match="nests deeper"):
        read_report(report(tmp_path, "<a>" * 100_000 + "</a>" * 100_000), tmp_path, [])


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5_000_000,
        "\\n" * 2_000_000,
        "/" * 500_000 + ":1: in ",
        "E " * 500_000,
        "File " + '"' * 300_000,
        "tests/test_a.py:1: in x\\n" * 200_000,
    ],
    ids=["long", "lines", "slashes", "marks", "quotes", "frames"],
)
def test_huge_messages_cost_little(runner: TestRunner, base_environment: Environment, tree: Tree, text: str) -> None:
    body = f"def test_x():\n    raise ValueError({text[:20]!r}.encode().decode('unicode_escape') * {len(text) // 20})\n"
    result = runner.run_tests(tree({"test_a.py": body}), base_environment, timeout=120)
    assert not result.passed
    assert result.problem is None or "did not end" not in result.problem
    assert all(len(failure.message) <= 2000 and len(failure.traceback) <= 8000 for failure in result.failures)
    assert len(result.output_tail) <= 8000


def test_printed_reports_are_no_reports(runner: TestRunner, base_environment: Environment, tree: Tree) -> None:
    text = "<testsuites><testsuite>" + CASE.format("y", "") + "</testsuite></testsuites>"
    body = f"def test_x():\n    print({text!r}); print(']]>' + {text!r}); assert 0, ']]>' + {text!r}\n"
    result = runner.run_tests(tree({"test_a.py": body}), base_environment)
    assert result.test_ids == ["test_a.py::test_x"]
    assert result.passed_ids == []


def test_control_characters_do_not_break_the_report(
    runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    body = "def test_x():\n    raise ValueError(''.join(map(chr, [*range(32), *range(127, 160), 0xFFFE, 0xD800])))\n"
    result = runner.run_tests(tree({"test_a.py": body}), base_environment)
    assert [failure.test_id for failure in result.failures] == ["test_a.py::test_x"]
