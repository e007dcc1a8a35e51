"""Whether the passing of new tests can be believed.

Green that could not go red says nothing. So the tests are run once more beside twins that claim something false, under
names that nobody knows and in any order; and their calls are made by a plain program, whose values are compared here,
where no code of the project runs.
"""

from __future__ import annotations

import random
import re
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
from orchestrator.workbench.trial import evidence_of, not_passed
from testing import (
    LATER,
    LOOK,
    MOST_TWINS,
    NOT_READ,
    CallsTask,
    Claim,
    Environment,
    Given,
    Opaque,
    Replay,
    TestResult,
    Twins,
    Unknown,
    Unlike,
    calls_of,
    has_setup,
    programs_of,
    replays_of,
    run_calls,
    twins_of,
    value_of,
    ways_of,
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
_NOT_OF_PROJECT = {*sys.stdlib_module_names, "builtins", "__main__", "program"}
"""Where classes come from that no change brings."""
_FEW = 5
"""Runs after which something that keeps a state has changed."""
_STATEFUL = re.compile(
    r"(?i)limit|quota|thrott|\brate\b|retr(?:y|ies)|times|\bcounters?\b|how often|\bonce\b"
    r"|cache|expir|time-?out|\bttl\b|breaker|\bpool"
    r"|budget|attempt|exhaust|at most|maximum number|evict|\bseconds?\b|thread|background|live view"
)
"""In the text of a task whose code may well give something else after many calls, or later."""
_KEEPS = re.compile(
    r"(?i)\bnext\b|previous|uniqu|sequen|regist|increment|generat|random|shuffl|append|push|\bpop|enqueue|queue|stack"
    r"|session|histor|\bstates?\b|\blog(?:s|ged|ging|ger)?\b|remember|memo|stor(?:e|age)|insert|remov|delet|updat|toggl"
    r"|subscri|publish|event|connect|\bopen|\bclos|\bstart|\bstop|lazy|lazi|initiali|singleton|globally|token|\bids?\b|uuid"
    r"|\bnow\b|today|clock|timestamp|\bagain\b|already|duplicat|(?:each|every|first|second|last|later|repeated) call"
)
"""In the text of a task whose code may well give something else when it is called once more."""
_OF_MACHINE = (
    "OSError",
    "MemoryError",
    "RecursionError",
    "TimeoutError",
    "BlockingIOError",
    "RuntimeError: can't start",
)
_LOOKS = (
    "the new code looks at who calls it, at its tests or at the process that it runs in. It must give the same whoever "
    "asks:"
)
_REPLACES = "the new code puts functions of its own in the place of the standard library's, which the tests use, too:"
_LOOKS_ASKED_FOR = re.compile(
    r"(?i)\b(?:frames?|stack|call(?:er|ers|ing code|site)|tracebacks?|introspect\w*|inspect\w*|profil\w+|stacklevel"
    r"|trac(?:e|er|ing)|debug\w*|gc|garbage|referr?ers?|psutil|memory (?:leaks?|us(?:e|age)|footprint)"
    r"|allocations?|crash\w*|faulthandler|tracemalloc|excepthook|monkey.?patch\w*|patch(?:es|ed|ing)"
    r"|standard library|pid|process(?:es| id)|command line"
    r"|coverage|test files?)\b|/proc\b"
)
_SHOWN_LIE = 300
_MOST_NAMED = 10
_MOST_REVERSED = 200
"""Tests whose names fit on a command line."""
_SLOW = 5.0
"""Seconds; of tests that take more there is one false twin each."""
_CLASS = re.compile(r"[A-Za-z_]\w*(?:\.(?:<locals>|[A-Za-z_]\w*))+", re.ASCII)
"""The name of a class, as code that is not trusted gives it."""
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
        self._base = base
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
        with self._suite.exported(self._tree) as (folder, _):
            texts = {path: text_of(folder, path) for path in files_of(ids)}
            before = [*folder.rglob("conftest.py"), *folder.glob("manage.py")]  # Django is set up before its tests
            found = [str(file.relative_to(folder)) for file in before]
            return texts, {path: text_of(folder, path) for path in found}

    @cached_property
    def _watched(self) -> dict[str, list[int]]:
        """The lines of code, not of tests, that the work has brought; none where its task is about such things."""
        if _LOOKS_ASKED_FOR.search(f"{self._task.title} {self._task.description}"):
            return {}
        return self._brought()

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
            if not now and later and not _STATEFUL.search(f"{self._task.title} {self._task.description}"):
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
            task = CallsTask(programs=calls_of(drawn), seconds=30 + 2 * self._seconds)
            given = run_calls(place, task).given
        wrong: list[tuple[str, str]] = []
        for replay, told in zip(drawn, [*given, *([] for _ in drawn)], strict=False):  # it may have told too little
            lies = [each.lie for each in told if len(each.lie) > 1 and not self._may_be_unlike(each.lie[0], replay)]
            found = [each for each in told if not each.lie]
            lines = self._wrong_of(replay, [each for each in found if not each.again])
            lines = lines or [f"an object of {kind} {how}"[:_SHOWN_LIE] for kind, how in lies]
            if not (wrong or lines) and not _STATEFUL.search(f"{self._task.title} {self._task.description}"):
                lines = self._wrong_later(replay, found)
            wrong += [(replay.test_id, line) for line in lines]
        return _said(_WRONG_OUTSIDE, wrong, self._hidden)

    def _wrong_of(self, replay: Replay, found: Sequence[Given]) -> list[str]:
        """What is wrong in what a program told in one run."""
        if any(each.unable for each in found):
            return []  # it needs what only a test framework has
        ended = next((each for each in found if each.error), Given(error="no answer"))
        told = [each for each in found if not each.ended and not each.error]
        if replay.told:
            wrong = []
            for each in told:
                claim = replay.claims[each.claim] if 0 <= each.claim < len(replay.claims) else None
                values = each.value if isinstance(each.value, list) else []
                if claim is None or len(values) != len(claim.told):
                    wrong.append("what it tells cannot be read")
                elif doubt := self._not_as_claimed(claim, [Given(value=value) for value in values], replay):
                    wrong.append(f"{claim.text}: {doubt}")
            if not any(each.ended for each in found):
                wrong.append(f"{replay.test_id.rpartition('::')[2]}: the program ends with {ended.error}")
            return wrong
        left = iter([*told, *([ended] * sum(len(claim.told) for claim in replay.claims))])
        doubts = [
            (claim, self._not_as_claimed(claim, [next(left) for _ in claim.told], replay)) for claim in replay.claims
        ]
        return [f"{claim.text}: {doubt}" for claim, doubt in doubts if doubt]

    def _wrong_later(self, replay: Replay, found: Sequence[Given]) -> list[str]:
        """What was right at first, and is not any more when the program was run many times. What keeps a state
        on purpose changes at once, which says nothing, unless nothing but plain calls is made."""
        asked = f"{self._task.title} {self._task.description}"
        few = 1 if replay.is_plain_calls and not _KEEPS.search(asked) else _FEW
        for again in sorted({each.again for each in found if each.again > 0}):
            one = [each for each in found if each.again == again]
            if any(each.error.startswith(_OF_MACHINE) for each in one):
                return []
            ended = [] if any(each.error for each in one) else [Given(ended=True)]
            if wrong := self._wrong_of(replay, [*one, *ended]):
                runs = f"{again} runs that were right" if again > 1 else "a run that was right"
                return [] if again < few else [f"{wrong[0]} (after {'a while' if again == LATER else runs})"]
        for each in found:
            if each.again < 0:
                return [f"what it gave at first, {_shown(each.value)} now, was changed later"]
        return []

    def _not_as_claimed(self, claim: Claim, told: Sequence[Given], replay: Replay) -> str:
        """How what a program told differs from what a test claims; empty if it does not, or if it is up to objects of a
        type whose ways the owner, a package or a class that the test itself names has defined."""
        values: list[object] = []
        for found in told:
            if found.error:
                return f"the program ends with {found.error}"
            try:
                value = value_of(found.value, lambda kind: self._may_be_unlike(kind, replay))
                values.append(Opaque(is_named=True) if self._has_own_ways(found.value, claim, replay) else value)
            except Unlike as answers:
                return f"it gives {answers}"
            except Unknown as kind:
                values.append(Opaque(str(kind)))
            except NOT_READ:
                return "what it gives cannot be read"
        obliging = claim.obliging(values)
        for name in (value.kind for value in values if isinstance(value, Opaque) and not value.is_named):
            words = f"an object of {name}, no plain value" if name else "something far larger"
            is_judged = claim.about_plain or (name in obliging and name.partition(".")[0] not in _NOT_OF_PROJECT)
            if is_judged and not _is_named(name.rpartition(".")[2], replay) and not self._is_known_type(name):
                return f"it gives {words}"
        if claim.holds(values) is not False:
            return ""
        return f"it gives {', '.join(f'{value!r:.200}' for value in values if not isinstance(value, Opaque))}"

    def _has_own_ways(self, value: object, claim: Claim, replay: Replay) -> bool:
        """Whether a claim is up to methods of an object that is a kind of plain value: those of the standard library,
        or of a class which the task or the test names."""
        name, by_project, by_library = ways_of(value)
        if not name or claim.is_equality:
            return False
        return by_library or (by_project and self._may_be_unlike(name, replay))

    def _may_be_unlike(self, kind: str, replay: Replay) -> bool:
        """Whether it is the purpose of a class to answer otherwise than by what it holds, since the task or its test
        names it, or it was there before."""
        name = kind.rpartition(".")[2]
        text = f"{self._task.title}\n{self._task.description}"
        word = re.escape(name)
        is_asked = len(re.findall("[A-Z][a-z]", name)) > 1 and name.lower() in re.sub(r"[\W_]", "", text).lower()
        is_asked |= (
            re.search(rf"`[^`\n]*\b{word}\b|\b(?:class|type) {word}\b|\b{word}(?:\(| class\b)", text) is not None
        )
        return is_asked or _is_named(name, replay) or self._is_known_type(kind)

    def _is_known_type(self, name: str) -> bool:
        """Whether a class was there before the work, or comes from a package."""
        module, _, kind = name.rpartition(".")
        top = module.partition(".")[0]
        if not _CLASS.fullmatch(name) or top in _NOT_OF_PROJECT:
            return False
        with self._suite.exported(self._base) as (folder, _):
            files = [*folder.rglob(f"{top}.py"), *folder.rglob(f"{top}/**/*.py")]
            declared = re.compile(rf"^\s*class {re.escape(kind)}\b", re.MULTILINE)
            if files:
                return any(declared.search(file.read_text("utf-8", errors="replace")) for file in files)
        return self._suite.has_module(self._base, top, self._task.id)


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


def _shown(value: object) -> str:
    try:
        return f"{value_of(value)!r:.200}"
    except (Unknown, *NOT_READ):
        return "something else"


def files_of(test_ids: Sequence[str]) -> tuple[str, ...]:
    """The files that tests are in."""
    return tuple(dict.fromkeys(test_id.split("::")[0] for test_id in test_ids))


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
        if not drawn or sum(len(each.claims) for each in [*drawn, replay]) <= _MOST_CLAIMS:
            drawn.append(replay)
    return drawn


def _is_found(module: str, folder: Path, environment: Environment) -> bool:
    """Whether a plain program finds a topmost module."""
    own = folder / environment.place
    places = [place / name for place in {folder, own, own / "src"} for name in (module, f"{module}.py")]
    return module in sys.stdlib_module_names or any(map(Path.exists, places)) or environment.has_module(module)


def _is_named(kind: str, replay: Replay) -> bool:
    """Whether a test names a class, which begins with a capital: what its objects equal is a part of the work."""
    word = re.compile(rf"\b{re.escape(kind)}\b")
    return kind[:1].isupper() and any(word.search(line) for line in (replay.setup, *(step for step, _ in replay.steps)))


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
