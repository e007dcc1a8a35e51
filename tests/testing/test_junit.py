"""Reports that hostile code may leave: refused, whatever they pretend to be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testing.errors import InvalidReport
from testing.frameworks.junit import read_report

CASE = '<testcase classname="tests.test_a" name="test_x" file="tests/test_a.py"/>'


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "report.xml"


def refused(report: Path, words: str) -> None:
    with pytest.raises(InvalidReport, match=words):
        read_report(report, report.parent, [])


def test_no_report(report: Path) -> None:
    refused(report, "No report was written")


@pytest.mark.probe("hostile")
def test_a_link_is_not_followed(report: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(f"<testsuites><testsuite>{CASE}</testsuite></testsuites>")
    report.symlink_to(tmp_path / "other")
    refused(report, "No report was written")


@pytest.mark.probe("hostile")
def test_a_pipe_is_not_waited_for(report: Path) -> None:
    os.mkfifo(report)
    refused(report, "no regular file")


@pytest.mark.probe("hostile")
def test_a_huge_file_is_not_read(report: Path) -> None:
    with report.open("wb") as file:
        file.truncate(33 << 20)
    refused(report, "at most 32 MiB")


@pytest.mark.probe("hostile")
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuites><testsuite name="&a;"/></testsuites>', "document type"),
        ('<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x []><testsuites/>'.encode("utf-16"), "UTF-8"),
        (b"<a>" * 5000 + b"</a>" * 5000, "nests deeper"),
        (b"<testsuites><testsuite>", "not well-formed"),
        (b"", "not well-formed"),
        (b"<html><body/></html>", "not JUnit XML"),
    ],
    ids=["entities", "utf-16", "depth", "cut", "empty", "html"],
)
def test_other_content_is_refused(report: Path, content: bytes, words: str) -> None:
    report.write_bytes(content)
    refused(report, words)


def test_a_document_type_within_printed_text_is_no_declaration(report: Path) -> None:
    printed = "<system-out><![CDATA[<!DOCTYPE html>]]></system-out></testcase>"
    report.write_text(f"<testsuite>{CASE.replace('/>', '>')}{printed}</testsuite>")
    assert read_report(report, report.parent, []).passed == ["tests/test_a.py::test_x"]


@pytest.mark.probe("hostile")
def test_a_test_told_twice_keeps_its_worst_outcome(report: Path) -> None:
    failing = CASE.replace("/>", '><failure message="assert 0">tests/test_a.py:1: in test_x</failure></testcase>')
    erring = CASE.replace("/>", '><error message="failed on teardown with &quot;E: x&quot;">x</error></testcase>')
    report.write_text(f"<testsuites><testsuite>{erring}{failing}{CASE}</testsuite></testsuites>")
    found = read_report(report, report.parent, [])
    assert found.test_ids == found.failed == ["tests/test_a.py::test_x"]
    assert found.passed == found.errors == []
    assert len(found.symptoms) == 2
