"""Whether the passing of new tests can be believed.

Green that could not go red says nothing. So the tests are run once more beside twins that claim something false, under
names that nobody knows and in any order; and their calls are made by a plain program, whose values are compared in this
process (`told.py`), where no code of the project runs.
"""

from __future__ import annotations

import random
import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from file_system import text_of
from memory import Task
from monitoring import redact
from orchestrator.suite import Suite, Whole
from orchestrator.workbench.asked_for import AskedFor
from orchestrator.workbench.told import Told
from orchestrator.workbench.trial import evidence_of, files_of, not_passed
from testing import (
    LOOK,
    MOST_TWINS,
    CallsTask,
    Environment,
    Replay,
    TestResult,
    Twins,
    apart_from,
    apart_of,
    calls_of,
    has_setup,
    programs_of,
    replays_of,
    run_calls,
    twins_of,
    whole_tests,
    wrong_of,
)

_IN_ORDER_ONLY = "the new tests pass only in the order they are written in: answers depend on earlier calls"
_BY_NAME_ONLY = (
    "the new tests pass only under their own names and in their own order: answers depend on earlier calls, or on the "
    "test that asks"
)
_WRONG_OUTSIDE = (
    "the new tests pass, but a plain program that makes their calls, without a test framework around it, gets "
    "something else:"
)
_FALSE_PASSES = (
    "the new tests say nothing of this code, since they pass with another expected value, too. Return plain values, "
    "and leave comparison and the test framework alone. These passed with another value in them:"
)
_LOOKS = (
    "the new code looks at who calls it, at its tests or at the process that it runs in. It must give the same whoever "
    "asks:"
)
_REPLACES = "the new code puts functions of its own in the place of the standard library's, which the tests use, too:"
_MOST_NAMED = 10
_MOST_REVERSED = 200
"""Tests whose names fit on a command line."""
_SLOW = 5.0
"""Seconds; of tests that take more there is one false twin each."""
_MOST_CLAIMS = 24
"""Expected values that are compared with what a plain program gets; the tests are drawn."""
_TEST_FOLDERS = ("tests", "test")


class Doubts:
    """Doubts about one tree whose new tests pass."""

    def __init__(
        self, suite: Suite, task: Task, base: str, tree: str, *, seconds: float, hidden: Collection[str],
        brought: Callable[[], dict[str, list[int]]]
    ) -> None:  # fmt: skip
        """`base`: the commit before the work; `seconds`: the time for a run of the new tests; `hidden`: tests whose
        claims the developer is not shown; `brought`: the lines of code that are new since the base."""
        self._hidden = hidden
        self._brought = brought
        self._suite = suite
        self._task = task
        self._asked = AskedFor(suite, task, base)
        self._tree = tree
        self._seconds = seconds

    def all_at_once(self, test_ids: Sequence[str]) -> Whole | None:
        """The whole suite with twins in the place of the tests `test_ids`, in one run, as it ends without them. None if
        a false twin passes or a true one does not, and where a test has none: then all has to be looked at singly."""
        texts, _ = self._texts(test_ids)
        twins = _twins(texts, {*map(_named, test_ids)}, MOST_TWINS)
        true = {twin: test_id for made in twins.values() for twin, test_id in made.true.items()}
        false = {test_id for made in twins.values() for test_id in made.false}
        if not all(map(_is_python, texts)) or not {*map(_named, test_ids)} <= {*true.values()}:
            return None

        def name(test_id: str) -> str:
            plain = _named(test_id)
            return "" if plain in false else true.get(plain, plain) + test_id.removeprefix(plain)

        def read(result: TestResult) -> TestResult | None:
            passed, failed = {*map(_named, result.passed_ids)}, {_named(each.test_id) for each in result.failures}
            holds = false <= failed - passed and true.keys() <= passed - failed and result.problem is None
            return result.renamed(name) if holds else None

        found = {path: made.text for path, made in twins.items()}
        return self._suite.whole_with(self._tree, found, read, self._task.id, self._seconds, self._watched)

    def about(self, passed: Sequence[str], test_ids: Sequence[str], took: float) -> str:
        """Why the passing of the tests `test_ids`, among those that `passed`, says nothing: in one line, and in the
        following ones what shows it. Empty if there is no reason to doubt it. `took`: seconds that they took, at most.
        """
        most = MOST_TWINS if took < _SLOW else 1
        known = set(test_ids)
        ids = [test_id for test_id in passed if {test_id, _named(test_id)} & known]
        names = {*map(_named, ids)}
        texts, hooks = self._texts(ids)
        twins = _twins(texts, names, most)
        renamed = {test_id for made in twins.values() for test_id in made.true.values()}
        left = [test_id for test_id in ids if _named(test_id) not in renamed and _is_python(test_id)]
        doubt = self._contradiction(twins, most)
        if doubt.startswith(_BY_NAME_ONLY) and len(names) == 1:
            # It may be about what is kept between calls, so it is run alone, as it is and then as a false one.
            ((path, text),) = texts.items()
            alone = (twins_of(path, text, names, renamed=renamed, most=0) for renamed in (True, False))
            doubt = next(filter(None, (self._contradiction({path: made}, most) for made in alone if made)), "")
        return doubt or self._order_matters(left) or self._outside(ids, texts, hooks)

    def outside(self, test_ids: Sequence[str]) -> str:
        """As `about`, of what a plain program gets that makes the calls of tests."""
        return self._outside(test_ids, *self._texts(test_ids))

    def _outside(self, test_ids: Sequence[str], texts: Mapping[str, str], hooks: Mapping[str, str]) -> str:
        if any(not path.endswith("conftest.py") for path in hooks):
            return ""  # a plain program would not do what is done before these tests
        names = {*map(_named, test_ids)}
        if doubt := self._wrong_in_node(texts, names):
            return doubt
        found: list[Replay] = []
        for path, text in texts.items():
            if _is_python(path):
                is_prepared = any(map(has_setup, (text, *hooks.values())))
                apart = [] if is_prepared else replays_of(path, text, names)
                left = names - {each.test_id for each in apart if each.is_whole}
                found += [*apart, *whole_tests(path, text, left, hooks)]
        return self._wrong_outside(found)

    def _texts(self, ids: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """The texts of test files, and those of what prepares tests, by path."""
        with self._suite.folders.for_reading(self._tree) as (folder, _):
            texts = {path: text_of(folder, path) for path in files_of(ids)}
            before = [*folder.rglob("conftest.py"), *folder.glob("manage.py")]  # Django is set up before its tests
            found = [str(file.relative_to(folder)) for file in before]
            return texts, {path: text_of(folder, path) for path in found}

    @cached_property
    def _watched(self) -> dict[str, list[int]]:
        """The lines of code, not of tests, that the work has brought; none where its task is about such things."""
        return {} if self._asked.looks else self._brought()

    def _order_matters(self, ids: Sequence[str]) -> str:
        """Whether tests without true twins fail in reverse order. The owner's own tests may depend on their order."""
        if self._task.tests or not 1 <= len(ids) <= _MOST_REVERSED:
            return ""
        result = self._suite.run(self._tree, ids[::-1], self._task.id, self._seconds, watched=self._watched)
        if seen := _look(result):
            return seen
        return _IN_ORDER_ONLY if len(ids) > 1 and not_passed(ids, result.passed_ids) else ""

    def _contradiction(self, twins: Mapping[str, Twins], most: int) -> str:
        """In words, what true twins fail, or else which false ones pass; empty if all end as they have to."""
        true = {twin: test_id for made in twins.values() for twin, test_id in made.true.items()}
        tests = {twin: test_id for made in twins.values() for twin, test_id in made.of.items()}
        claims = {test_id: claim for made in twins.values() for test_id, claim in made.false.items()}
        if not (true or claims):
            return ""
        texts = {path: made.text for path, made in twins.items()}
        first = [*claims][:1]  # so that no true one is the first that calls
        for _ in range(2):  # a flaky test is no lie
            order = [test_id for test_id in (*true, *claims) if _is_python(test_id)]
            if not self._task.tests:  # the owner's own tests may depend on their order
                random.SystemRandom().shuffle(order)
                order.sort(key=lambda test_id: test_id not in first)
            order += [path for path in twins if not _is_python(path)]
            seconds = self._seconds * (1 + most)
            result = self._suite.run(self._tree, order, self._task.id, seconds, texts, self._watched)
            if seen := _look(result):
                return seen
            passed = {_named(test_id) for test_id in result.passed_ids}
            failed = {_named(failure.test_id) for failure in result.failures}
            lost = [test_id for test_id in true if test_id in failed or test_id not in passed]
            if not lost:
                break
        else:
            shown = [twin for twin in lost if true[twin] not in self._hidden]
            told = evidence_of(result, shown) if shown else ""
            told = told if self._hidden else result.problem or told
            return f"{_BY_NAME_ONLY}\n{told or f'{len(lost)} of {len(true)} do not pass under another name'}"
        false = [(tests[twin], claim) for twin, claim in claims.items() if twin in passed or twin not in failed]
        return _said(_FALSE_PASSES, false, self._hidden)

    def _wrong_in_node(self, texts: Mapping[str, str], names: Collection[str]) -> str:
        """As `_wrong_outside`, of JavaScript tests."""
        wrong: list[tuple[str, str]] = []
        for program in programs_of(texts, names):
            with self._suite.ready(self._tree, self._task.id, program.name) as (
                folder,
                environment,
            ):
                if environment.language != "node":
                    continue
                for path in texts:
                    (folder / path).unlink(missing_ok=True)
                (folder / program.name).write_text(program.text, encoding="utf-8")
                command = shlex.join(["exec", "node", program.name])
                seconds = 30 + 2 * self._seconds
                ended = self._suite.runner.shell(folder, environment, command, timeout=seconds, label=self._task.id)
            now, later = wrong_of(program, ended.output)
            if not now and later and not self._asked.changes_later:
                now = [later]
            wrong += [("", line) for line in now]
        return _said(_WRONG_OUTSIDE, wrong, ())

    def _wrong_outside(self, replays: Sequence[Replay]) -> str:
        """In words, what a plain program gets that is not what the tests expect; empty if it is."""
        if not replays:
            return ""
        with self._suite.ready(self._tree, self._task.id, replays[0].test_id) as (folder, environment):
            _without_tests(folder, replays)
            # A test framework looks for modules in more places.
            replays = [each for each in replays if all(_is_found(name, folder, environment) for name in each.imports)]
            drawn = _drawn(replays)
            if not drawn:
                return ""
            place = self._suite.runner.place(folder, environment, label=self._task.id)
            aparts = [apart_of(each) for each in drawn]
            programs = calls_of(drawn) + apart_from([each for each in aparts if each])
            found = run_calls(place, CallsTask(programs=programs, seconds=30 + 2 * self._seconds)).given
        alone = iter(found[len(drawn) :])
        wrong: list[tuple[str, str]] = []
        for replay, given, apart in zip(drawn, [*found, *([] for _ in drawn)], aparts, strict=False):  # it may be short
            by_itself = zip(apart.places, next(alone, []), strict=False) if apart else ()
            told = Told(replay, given, self._asked, {place[:2]: (one, place[2]) for place, one in by_itself})
            lines = told.wrong()
            if not (wrong or lines) and not self._asked.changes_later:
                lines = told.wrong_later()
            wrong += [(replay.test_id, line) for line in lines]
        return _said(_WRONG_OUTSIDE, wrong, self._hidden)


def _said(heading: str, found: Sequence[tuple[str, str]], hidden: Collection[str]) -> str:
    """A heading with lines below it, each given with its test; those of `hidden` tests, and what would be too many, are
    counted. Empty if nothing was found."""
    lines = [*dict.fromkeys(line for test_id, line in found if test_id not in hidden)]
    unseen = len({*found}) - len({each for each in found if each[0] not in hidden})
    told = lines[:_MOST_NAMED]
    if more := len(lines) - len(told):
        told.append(f"… and {more} more like these")
    if unseen:
        told.append(f"… {'and ' if told else ''}{unseen} in tests that you are not shown")
    return redact("\n".join([heading, *told])) if told else ""


def _look(result: TestResult) -> str:
    """In words, what the change looked at that ended the run; empty if nothing did."""
    seen = next((line for line in result.output_tail.splitlines() if line.startswith(LOOK)), "")
    if not seen or result.passed:
        return ""
    heading = _REPLACES if seen.endswith(" is replaced") else _LOOKS
    return f"{heading}\n{redact(seen.removeprefix(LOOK))[:500] or 'it does not say where'}"


def _twins(texts: Mapping[str, str], names: Collection[str], most: int) -> dict[str, Twins]:
    """Test files with twins by path; under the tests' own names where these matter."""
    made = {
        path: twins_of(path, text, names, most=most) or twins_of(path, text, names, renamed=False)
        for path, text in texts.items()
    }
    return {path: twins for path, twins in made.items() if twins}


def _drawn(replays: Sequence[Replay]) -> list[Replay]:
    """Some of them, in any order, with not too many expected values in all."""
    drawn: list[Replay] = []
    for replay in random.SystemRandom().sample(replays, len(replays)):
        if not drawn or sum(each.weight for each in [*drawn, replay]) <= _MOST_CLAIMS:
            drawn.append(replay)
    return drawn


def _is_found(module: str, folder: Path, environment: Environment) -> bool:
    """Whether a plain program finds a topmost module."""
    own = folder / environment.place
    places = [place / name for place in {folder, own, own / "src"} for name in (module, f"{module}.py")]
    return module in sys.stdlib_module_names or any(map(Path.exists, places)) or environment.has_module(module)


def _without_tests(folder: Path, replays: Sequence[Replay]) -> None:
    """Take out the tests, which hold what is expected, and the folders of tests unless they may need their data."""
    for path in files_of([each.test_id for each in replays]):
        (folder / path).unlink(missing_ok=True)
    if not any("test" in source for each in replays for source in (each.setup, *(line for line, _ in each.steps))):
        for name in _TEST_FOLDERS:
            shutil.rmtree(folder / name, ignore_errors=True)


def _is_python(test_id: str) -> bool:
    return test_id.partition("::")[0].endswith(".py")


def _named(test_id: str) -> str:
    """A test without its parameters."""
    return test_id.partition("[")[0] if _is_python(test_id) else test_id
