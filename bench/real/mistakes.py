"""Mistakes that strong models make, chosen by the task's id: the same task always meets the same ones."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bench.real.real_tasks import Edit, FileChange, RealTask

Slip: TypeAlias = Literal["", "prose", "cut off"]
WRONG_TEST = "test_that_is_wrong"
"""Name of a test that contradicts the task."""
_OBJECTION = "The change has no comment that says why; say in the summary why it is right as it is."


@dataclass
class Mistakes:
    """What goes wrong in one task. Each thing goes wrong once; without arguments nothing does."""

    slips: dict[str, Slip] = field(default_factory=dict)
    """Role -> an answer that is no call."""
    old_of: str = ""
    """The role whose first edit names an old text that does not stand in the file."""
    assertion: bool = False
    """QA writes a test that contradicts the task; the developer disputes it."""
    change: Literal["", "lost decorator", "missing import", "first fix wrong", "forgets a file"] = ""
    objects: bool = False
    """The reviewer rejects once."""
    _test: str = ""
    _wrong: Edit | None = None
    _objected: bool = False

    @classmethod
    def of(cls, task: RealTask) -> Mistakes:
        """The mistakes of a task: two or three of different roles."""
        chance = random.Random(task.id)
        new = [change for change in task.tests if change.content is not None and change.path.endswith(".py")]
        kinds = ["old text", "slip", "change", "objects", *(["assertion", "assertion"] if new else [])]
        chosen = set(chance.sample(kinds, k=3))
        slips: dict[str, Slip] = {}
        if "slip" in chosen:
            slips[chance.choice(["qa", "developer"])] = chance.choice(["prose", "cut off"])
        edited = [
            role
            for role, changes in (("qa", task.tests), ("developer", task.change))
            if any(change.edits for change in changes)
        ]
        return cls(
            slips=slips,
            old_of=chance.choice(edited) if "old text" in chosen and edited else "",
            assertion="assertion" in chosen,
            change=_change_mistake(task) if "change" in chosen else "",
            objects="objects" in chosen,
        )

    def slip(self, role: str) -> Slip:
        return self.slips.pop(role, "")

    def wrong_old(self, role: str, changes: Sequence[FileChange]) -> Sequence[FileChange]:
        """The changes with a wrong old text in the first edit: one word of it is remembered differently."""
        if role != self.old_of:
            return changes
        self.old_of = ""
        spoilt = list(changes)
        for place, change in enumerate(spoilt):
            if change.edits:
                first = change.edits[0]
                wrong = Edit(old=f"{first.old.rstrip()}  # as remembered\n", new=first.new)
                spoilt[place] = change.model_copy(update={"edits": (wrong, *change.edits[1:])})
                break
        return spoilt

    def wrong_tests(self, changes: Sequence[FileChange]) -> Sequence[FileChange]:
        """The tests, one of which says the opposite of what is right."""
        if not self.assertion:
            return changes
        spoilt = list(changes)
        for place, change in enumerate(spoilt):
            if change.content is not None and change.path.endswith(".py"):
                added = f"\n\ndef {WRONG_TEST}():\n    assert sorted([2, 1]) == [2, 1]\n"
                self._test = f"{change.path}::{WRONG_TEST}"
                self._wrong = Edit(old=added, new="\n")
                spoilt[place] = change.model_copy(update={"content": change.content.rstrip("\n") + "\n" + added})
                break
        return spoilt

    def test_to_dispute(self) -> tuple[str, str] | None:
        """The wrong test and what the developer says of it."""
        return (self._test, "sorted([2, 1]) is [1, 2]; no change can make this pass") if self._test else None

    def disputed(self, text: str) -> str:
        """The wrong test if `text` disputes it."""
        return self._test if self._test and WRONG_TEST in text else ""

    def corrected_tests(self, test: str) -> Sequence[FileChange]:
        """The edit that takes the wrong test away."""
        wrong, self._wrong, self._test = self._wrong, None, ""
        return [FileChange(path=test.partition("::")[0], edits=(wrong,))] if wrong else []

    def wrong_change(self, changes: Sequence[FileChange]) -> tuple[Sequence[FileChange], Sequence[FileChange]]:
        """What the developer does first, and what it does when it sees that this was not right."""
        kind, self.change = self.change, ""
        if kind == "forgets a file":
            return changes[:1], changes[1:]
        if not kind:
            return changes, ()
        first, rest = list(changes), []
        for place, change in enumerate(first):
            if (found := _spoilt(kind, change)) is not None:
                first[place], mended = found
                rest.append(mended)
                break
        return first, rest

    def objection(self) -> str:
        """Why the reviewer rejects, once."""
        if not self.objects or self._objected:
            return ""
        self._objected = True
        return _OBJECTION

    def rejected(self, text: str) -> bool:
        """Whether `text` is the reviewer's objection."""
        return _OBJECTION in text


def _change_mistake(task: RealTask) -> Literal["lost decorator", "missing import", "first fix wrong", "forgets a file"]:
    new = "\n".join(edit.new for change in task.change for edit in change.edits if change.path.endswith(".py"))
    if re.search(r"^\s*@\w", new, re.MULTILINE):
        return "lost decorator"
    if re.search(r"^(import|from) ", new, re.MULTILINE):
        return "missing import"
    return "forgets a file" if len(task.change) > 1 else "first fix wrong"


def _holds_a_block(lines: Sequence[str], number: int) -> bool:
    """Whether a line begins a block, or is all there is of one."""
    line, above = lines[number], lines[number - 1] if number else ""
    below = next((other for other in lines[number + 1 :] if other.strip()), "")
    ends = len(below) - len(below.lstrip()) < len(line) - len(line.lstrip())
    return line.rstrip().endswith(":") or (above.rstrip().endswith(":") and ends)


def _spoilt(kind: str, change: FileChange) -> tuple[FileChange, FileChange] | None:
    """The change with one line lost that `kind` is about, and the change that mends it."""
    if not change.path.endswith(".py"):
        return None
    patterns = {"lost decorator": r"\s*@\w", "missing import": r"(import|from) "}
    for place, edit in enumerate(change.edits):
        kept = set(edit.old.splitlines())
        lines = edit.new.splitlines(keepends=True)
        for number, line in enumerate(lines):
            wanted = patterns.get(kind)
            if line.rstrip("\n") in kept or not (re.match(wanted, line) if wanted else line.strip()):
                continue
            if not wanted and _holds_a_block(lines, number):
                continue  # without it the file does not parse, which no editor lets pass
            wrong = "".join([*lines[:number], *lines[number + 1 :]])
            if not wrong.strip() or wrong == edit.old:
                continue
            edits = (*change.edits[:place], Edit(old=edit.old, new=wrong), *change.edits[place + 1 :])
            mended = FileChange(path=change.path, edits=(Edit(old=wrong, new=edit.new),))
            return change.model_copy(update={"edits": edits}), mended
    return None
