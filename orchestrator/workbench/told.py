"""What plain programs told of the code under test, compared with what the tests claim of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.workbench.asked_for import NOT_OF_PROJECT, AskedFor
from testing import LATER, NOT_READ, Claim, Given, Opaque, Replay, Unknown, Unlike, has_lost, value_of, ways_of

_FEW = 5
"""Runs after which something that keeps a state has changed."""
_OF_MACHINE = (
    "OSError",
    "MemoryError",
    "RecursionError",
    "TimeoutError",
    "BlockingIOError",
    "RuntimeError: can't start",
)
_SHOWN_LIE = 300


@dataclass(frozen=True)
class Told:
    """What the program that does what one test does has told."""

    replay: Replay
    given: Sequence[Given]
    asked: AskedFor
    apart: Mapping[tuple[int, int], tuple[Given, bool]] = field(default_factory=dict)
    """What a test computes without the project: the value at a place of a claim, and whether it is made of what the
    project's code was handed."""

    def wrong(self) -> list[str]:
        """What is not as the test claims, the first time that it is done."""
        if lines := self._wrong_of([each for each in self.given if not each.again and not each.lie]):
            return lines
        lies = [each.lie for each in self.given if len(each.lie) > 1]
        return [
            f"an object of {kind} {how}"[:_SHOWN_LIE]
            for kind, how in lies
            if not self.asked.may_be_unlike(kind, self.replay)
        ]

    def wrong_later(self) -> list[str]:
        """What was right at first, and is not any more when the program was run many times. What keeps a state
        on purpose changes at once, which says nothing, unless nothing but plain calls is made."""
        few = 1 if self.replay.is_plain_calls and not self.asked.changes_at_once else _FEW
        for again in sorted({each.again for each in self.given if each.again > 0}):
            one = [each for each in self.given if each.again == again]
            if any(each.error.startswith(_OF_MACHINE) for each in one):
                return []
            ended = [] if any(each.error for each in one) else [Given(ended=True)]
            if wrong := self._wrong_of([*one, *ended]):
                runs = f"{again} runs that were right" if again > 1 else "a run that was right"
                return [] if again < few else [f"{wrong[0]} (after {'a while' if again == LATER else runs})"]
        for each in self.given:
            if each.again < 0:
                return [f"what it gave at first, {_shown(each.value)} now, was changed later"]
        return []

    def _wrong_of(self, found: Sequence[Given]) -> list[str]:
        """What is wrong in what a program told in one run."""
        if any(each.unable for each in found):
            return []  # it needs what only a test framework has
        ended = next((each for each in found if each.error), Given(error="no answer"))
        told = [each for each in found if not each.ended and not each.error]
        if self.replay.told:
            wrong = []
            for each in told:
                claim = self.replay.claims[each.claim] if 0 <= each.claim < len(self.replay.claims) else None
                values = each.value if isinstance(each.value, list) else []
                if claim is None or len(values) != len(claim.told):
                    wrong.append("what it tells cannot be read")
                elif doubt := self._not_as_claimed(claim, [Given(value=value) for value in values]):
                    wrong.append(f"{claim.text}: {doubt}")
            if not any(each.ended for each in found):
                wrong.append(f"{self.replay.test_id.rpartition('::')[2]}: the program ends with {ended.error}")
            elif self.replay.own and not (self.asked.has_own_tests or self.replay.own & {each.claim for each in told}):
                wrong.append(f"{self.replay.test_id.rpartition('::')[2]}: it comes to none of its assertions")
            return wrong
        left = iter([*told, *([ended] * sum(len(claim.told) for claim in self.replay.claims))])
        doubts = [
            (claim, self._not_as_claimed(claim, [next(left) for _ in claim.told])) for claim in self.replay.claims
        ]
        return [f"{claim.text}: {doubt}" for claim, doubt in doubts if doubt]

    def _not_as_claimed(self, claim: Claim, told: Sequence[Given]) -> str:
        """How what a program told differs from what a test claims; empty if it does not, or if it is up to objects of a
        type whose ways the owner, a package or a class that the test itself names has defined."""
        values: list[object] = []
        for found in told:
            if found.error:
                return f"the program ends with {found.error}"
            try:
                value = value_of(found.value, lambda kind: self.asked.may_be_unlike(kind, self.replay))
                values.append(Opaque(is_named=True) if self._has_own_ways(found.value, claim) else value)
            except Unlike as answers:
                return f"it gives {answers}"
            except Unknown as kind:
                values.append(Opaque(str(kind)))
            except NOT_READ:
                return "what it gives cannot be read"
        obliging = claim.obliging(values)
        for name in (value.kind for value in values if isinstance(value, Opaque) and not value.is_named):
            words = f"an object of {name}, no plain value" if name else "something far larger"
            is_judged = claim.about_plain or (name in obliging and name.partition(".")[0] not in NOT_OF_PROJECT)
            if is_judged and not self.asked.is_known(name, self.replay):
                return f"it gives {words}"
        if claim.holds(values) is not False:
            return self._not_by_itself(claim, values)
        if any(ways_of(found.value)[1] for found in told) and claim.holds_in_any_case(values):
            return ""  # some mappings are asked by names in any case
        return f"it gives {', '.join(f'{value!r:.200}' for value in values if not isinstance(value, Opaque))}"

    def _not_by_itself(self, claim: Claim, values: Sequence[object]) -> str:
        """How a claim that holds would not, if what a test computes by itself were what it is without the project."""
        number = next(number for number, each in enumerate(self.replay.claims) if each is claim)
        for place, value in enumerate(values):
            given, was_handed = self.apart.get((number, place), (Given(error="none"), False))
            if given.error or given.ended or isinstance(value, Opaque):
                continue
            try:
                alone = value_of(given.value)
            except (Unknown, *NOT_READ):
                continue
            is_asked = was_handed and (self.asked.changes_what_it_is_given or not has_lost(alone, value))
            if alone != value and not is_asked and claim.holds([*values[:place], alone, *values[place + 1 :]]) is False:
                return f"`{claim.told[place]}` is {alone!r:.100} without the new code, and {value!r:.100} with it"
        return ""

    def _has_own_ways(self, value: object, claim: Claim) -> bool:
        """Whether a claim is up to methods of an object that is a kind of plain value: those of the standard library,
        or of a class which the task or the test names."""
        name, by_project, by_library = ways_of(value)
        if not name or claim.is_equality:
            return False
        return by_library or (by_project and self.asked.may_be_unlike(name, self.replay))


def _shown(value: object) -> str:
    try:
        return f"{value_of(value)!r:.200}"
    except (Unknown, *NOT_READ):
        return "something else"
