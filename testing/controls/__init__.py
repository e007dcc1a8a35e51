"""Negative controls: what must go red beside tests that are green, or their green says nothing.

Of a test file with passing tests another text is made, in which each stands several times under random names: once as
it is (the true twin), and once for each of some assertions with something else in the place of what it expects (the
false twins). Run in any order, true twins must pass and false twins fail. Code that equals everything, forges reports,
knows tests by their names or reads what they expect makes a false twin pass, or a true one fail.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePosixPath

from testing.controls.apart import Apart, apart_of, has_lost
from testing.controls.claims import Claim
from testing.controls.javascript import javascript_twins
from testing.controls.outside import Replay, has_setup, replays_of
from testing.controls.plain_javascript import PlainJavaScript, programs_of, wrong_of
from testing.controls.python import python_twins, without_claims
from testing.controls.twins import MOST_TWINS, Twins
from testing.controls.values import NOT_READ, Opaque, Unknown, Unlike, value_of, ways_of
from testing.controls.whole import whole_tests
from testing.frameworks.declared_tests import JAVASCRIPT_SUFFIXES

__all__ = [
    "MOST_TWINS",
    "NOT_READ",
    "Apart",
    "Claim",
    "Opaque",
    "PlainJavaScript",
    "Replay",
    "Twins",
    "Unknown",
    "Unlike",
    "apart_of",
    "has_lost",
    "has_setup",
    "programs_of",
    "replays_of",
    "twins_of",
    "value_of",
    "ways_of",
    "whole_tests",
    "without_claims",
    "wrong_of",
]


def twins_of(
    path: str, text: str, wanted: Collection[str], *, renamed: bool = True, most: int = MOST_TWINS
) -> Twins | None:
    """The test file at `path` with twins of the tests `wanted`, ids without parameters. Unless `renamed`, each test
    with an assertion that surely runs is a false twin of itself, under its own name. `most`: false twins
    of one test.

    None if there is no such test, the text does not parse or is neither Python nor JavaScript, or names of tests matter
    in it.
    """
    match PurePosixPath(path).suffix:
        case ".py":
            return python_twins(path, text, wanted, renamed=renamed, most=most)
        case suffix if suffix in JAVASCRIPT_SUFFIXES:
            return javascript_twins(path, text, wanted, renamed=renamed, most=most)
    return None
