"""Reads the JUnit report of a framework that ran in the sandbox: untrusted input, which any code inside can forge."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal
from xml.parsers import expat

from junitparser import Attr, JUnitXml, JUnitXmlError, Skipped, TestCase
from junitparser import Failure as FailedResult
from junitparser.junitparser import FinalResult

from testing.errors import InvalidReport
from testing.frameworks.framework import MOST_TESTS, Report, Symptom, Written

_LARGEST = 32 << 20
_DEEPEST = 16
_LONGEST_ID = 2000
_LONGEST_OUTPUT = 2000
_HEADING = re.compile(r"-+ Captured [A-Za-z]+(?: [a-z]+)? -+")
_FIXTURE = re.compile(r"^(?:setUp|tearDown)(?:Class|Module) \((?P<where>[\w.]+)\)$")

Role = Literal["test", "fixture", "file"]


class _Case(TestCase):
    file = Attr()


def read_report(path: Path, source: Path, modules: Sequence[str], *, python: bool = True) -> Report:
    """The report at `path` about the sources at `source`; `modules` are its Python files, relative to it, as they were
    before the tests ran.

    What a reporter of Python tests must write, so that ids come out as pytest's (`path::Class::test`):

    - A `testcase` has as `classname` the dotted module, and the classes behind it for a method; as `file` the module's
      file relative to the project, which tells the module from the classes. Where `file` is missing or is that of an
      inherited method, the module is looked up in `modules`.
    - `name` is the function's; parameters stand behind it in brackets. What follows a space is cut off, as in a
      subtest's `test_x (i=1)`, unless there are brackets in front of it. Several cases of one id count as one test,
      with the worst outcome.
    - A fixture of a class or module that failed is named `setUpClass (module.Class)`, `tearDownModule (module)` or so.
      It is a failure of the class or the file, and no test.
    - A file or id that could not be loaded is a case of the class `NotLoaded`, whose name is the id with each dot as
      `%2E`, since reporters cut names at dots. A case without `classname` is a file that could not be collected, too.
    - `failure` is a false assertion, `error` any other exception, with its type in `type`, its message in `message` and
      the traceback as text; `skipped` is also an expected failure.

    Of another language than `python` a test's id is its file, else its class, and its name.

    Raises InvalidReport when there is none, or it is not what a framework writes.
    """
    text = _checked(report_text(path)).replace(f"{source}/", "/work/")  # where nothing is mounted, paths are the host's
    try:
        xml = JUnitXml.fromstring(text)
    except JUnitXmlError as error:
        raise InvalidReport(f"The report is not JUnit XML: {error}.") from error
    outcomes: dict[str, set[str]] = defaultdict(set)
    report = Report()
    for case in _cases(xml):
        test_id, role = _identify(case, modules) if python else _plain_id(case)
        test_id, results = test_id[:_LONGEST_ID], list(case.result)
        if role == "test":
            outcomes[test_id] |= {_outcome(result) for result in results} or {"passed"}
        report.symptoms += _symptoms(test_id, role, results, _printed(case.system_out or ""))
        if len(outcomes) > MOST_TESTS:
            raise InvalidReport(f"The report holds more than {MOST_TESTS} tests.")
    report.add(outcomes)
    return report


def read_python_report(written: Written) -> Report:
    """The report of a Python framework; see `read_report`."""
    return read_report(written.file, written.source, written.modules)


def report_text(path: Path, largest: int = _LARGEST) -> str:
    """The file's text, read as `report_bytes` does; raises InvalidReport."""
    try:
        return report_bytes(path, largest).decode()
    except UnicodeDecodeError as error:
        raise InvalidReport("The report is not UTF-8 text.") from error


def report_bytes(path: Path, largest: int = _LARGEST) -> bytes:
    """What is in the file; links, pipes and files of more than `largest` bytes are refused rather than followed, waited
    for or read: raises InvalidReport."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidReport(f"No report was written ({error.strerror}).") from error
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
        os.close(fd)
        raise InvalidReport(f"The report is no regular file of at most {largest / (1 << 20):.2g} MiB.")
    with os.fdopen(fd, "rb") as file:
        return file.read(largest)


def _checked(text: str) -> str:
    """`text`, if it declares no document type (entities could grow without bound) and does not nest absurdly."""
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise InvalidReport(f"The report nests deeper than {_DEEPEST} elements.")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> None:
        raise InvalidReport("The report declares a document type, which no framework does.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = start, end, doctype
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise InvalidReport(f"The report is not well-formed XML: {error}.") from error
    return text


def _cases(xml: JUnitXml) -> Iterator[_Case]:
    for suite in xml:
        for plain in suite:
            case = _Case()
            case._elem = plain._elem
            yield case


def _outcome(result: FinalResult) -> str:
    if isinstance(result, Skipped):
        return "skipped"
    return "failed" if isinstance(result, FailedResult) else "errors"


def _printed(text: str) -> str:
    """What a test printed, without pytest's headings and the dashes around them."""
    lines = [line for line in text.splitlines() if line.strip() and not _HEADING.fullmatch(line.strip())]
    return "\n".join(lines)[-_LONGEST_OUTPUT:]


def _symptoms(test_id: str, role: Role, results: Sequence[FinalResult], output: str) -> Iterator[Symptom]:
    failed = [result for result in results if not isinstance(result, Skipped)]
    for result in failed:
        text = result.text or ""
        if len(failed) > 1 and re.fullmatch(r"contains \d+ failed subtests?", text.strip()):
            continue  # pytest's summary of the failures beside it
        exception = (result.type or "").rpartition(".")[2]
        yield Symptom(test_id, result.message or "", text, exception, collected=role != "file", output=output)


def _plain_id(case: _Case) -> tuple[str, Role]:
    place = (case.file or case.classname or "").removeprefix("/work/")
    return "::".join(part for part in (place, case.name or "") if part), "test"


def _identify(case: _Case, modules: Sequence[str]) -> tuple[str, Role]:
    """The case's id as pytest writes it, and whether it is a test, a fixture of a class, or a file not collected.

    Reports name a test by its dotted class and by the file that defines it, which for an inherited test is another.
    """
    name, classname, file = case.name or "", case.classname or "", (case.file or "").removeprefix("/work/")
    if fixture := _FIXTURE.match(name):
        classes = [] if "Module" in name else fixture["where"].split(".")[-1:]
        return "::".join([file, *classes]), "fixture"
    if classname.rpartition(".")[2] == "NotLoaded":
        return name.replace("%2E", "."), "file"
    if not classname:
        return file or _file_of(name.split("."), modules)[0] or name, "file"
    file, classes = _classes(classname, file, modules)
    first = name.partition(" ")[0]
    plain = name if "[" in first else first  # unittest writes subtests as "test_x [message] (i=1)"
    return "::".join(part for part in [file, *classes, plain] if part), "test"


def _classes(classname: str, file: str, modules: Sequence[str]) -> tuple[str, list[str]]:
    """The file that holds the class and the names of the class and those around it; none for a plain function."""
    parts = file.removesuffix(".py").split("/")
    for skipped in range(len(parts)):  # folders that are no packages are not part of the dotted name
        dotted = ".".join(parts[skipped:])
        if classname == dotted:
            return file, []
        if classname.startswith(dotted + "."):
            return file, classname[len(dotted) + 1 :].split(".")
    found, rest = _file_of(classname.split("."), modules)
    return (found, rest) if found else (file, classname.split("."))


def _file_of(parts: list[str], modules: Sequence[str]) -> tuple[str, list[str]]:
    """The file of the project that the longest beginning of `parts` names, and the rest."""
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length]) + ".py"
        found = next((module for module in modules if module == name or module.endswith("/" + name)), None)
        if found is not None:
            return found, parts[length:]
    return "", parts
