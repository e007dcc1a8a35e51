"""What an owner may give as `testing.setup_command` where the set-up leaves out what the tests import.

Only what the repository has is named: an extra, a group or a file that lists the package, else the package by itself.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from testing.environments.python_dependencies import read_dependencies, requirements_by_place

_OTHER_NAMES = {
    "nose": "pynose",  # nose itself runs on no Python of today
    "yaml": "PyYAML",
    "dateutil": "python-dateutil",
    "PIL": "Pillow",
    "bs4": "beautifulsoup4",
    "sklearn": "scikit-learn",
    "cv2": "opencv-python-headless",
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpx_mock": "pytest-httpx",
}
"""Modules and fixtures whose package has another name."""


def install_command(source: Path, lacking: Sequence[str]) -> str:
    """A command that installs the Python project at `source` with the modules and fixtures that it lacks."""
    needs = read_dependencies(source)
    declared = {place for kind, place, _ in requirements_by_place(source) if kind == "extra"}
    extras = [extra for extra in needs.extras if extra in declared]
    files, packages = [*needs.requirements, *needs.test_requirements], list[str]()
    groups = list[str](needs.groups)
    for name in lacking:
        kind, place = next(_places_of(source, name), ("package", _package(name)))
        if kind == "extra" and not needs.buildable:
            kind, place = "package", _package(name)
        {"extra": extras, "group": groups, "file": files, "package": packages}[kind].append(place)
    parts = ["pip", "install"]
    if needs.buildable:
        parts += ["-e", f".[{','.join(dict.fromkeys(extras))}]" if extras else "."]
    for option, names in (("--group", groups), ("-r", files)):
        parts += [part for name in dict.fromkeys(names) for part in (option, name)]
    return shlex.join([*parts, *dict.fromkeys(packages)])


def _places_of(source: Path, name: str) -> Iterator[tuple[str, str]]:
    """The extras, groups and files of the project that list the package of a module."""
    wanted = {_plain(_package(name)), _plain(name.partition(".")[0])}
    for kind, place, requirements in requirements_by_place(source):
        names = (re.match(r"[A-Za-z0-9][\w.-]*", requirement.strip()) for requirement in requirements)
        if any(found and _plain(found[0]) in wanted for found in names):
            yield kind, place


def _package(name: str) -> str:
    top = name.partition(".")[0]
    return _OTHER_NAMES.get(top, top.replace("_", "-"))


def _plain(name: str) -> str:
    """As package indexes compare names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
