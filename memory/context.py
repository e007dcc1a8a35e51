"""The context that a prompt is given: sections in a token budget, among them the lessons of earlier tasks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from memory.database.columns import shortened
from memory.errors import ContextTooLarge
from memory.store import MemoryStore
from monitoring import redact

_GLOBAL = "global"
"""The name under which lessons are kept."""
MAX_LESSONS = 200
_LESSON_LIMIT = 600
"""Characters of one lesson."""
_LESSON_WORDS = 80
_LESSON_PREFIX = "lesson/"
_SHORTEST_PIECE = 80
"""Characters; a section that would be shorter is left out."""

_IDENTIFIER = re.compile(r"\w{3,}")
_COMMON = frozenset(
    re.findall(
        r"\w+",
        """the and for with that this from into are was were not but you your has have had its will can should must when
        then than which what also all any each one two per via use used using add new make get set function method
        class test tests return returns code file""",
    )
)


@dataclass(frozen=True)
class Section:
    """A titled piece of context.

    The higher its `priority`, the later it is shortened; with `keep` it never is.
    """

    title: str
    text: str
    priority: int = 0
    keep: bool = False


def estimated_tokens(text: str) -> int:
    """A quarter of the characters, rounded up: what English and code take in common tokenizers."""
    return -(-len(text) // 4)


class ContextManager:
    """Builds contexts from sections, and keeps the lessons that tasks leave."""

    def __init__(self, store: MemoryStore, *, count_tokens: Callable[[str], int] = estimated_tokens) -> None:
        self._store = store
        self._count = count_tokens

    def build(self, sections: Sequence[Section], budget_tokens: int) -> str:
        """The sections, in the order given, as one text of at most `budget_tokens` tokens.

        When they do not fit, the one with the lowest priority (of equals, the last) is shortened from its end, then
        left out, then the next; both are marked. A section is shortened only when all lower ones are out. Empty ones
        are not shown. Put what seldom changes first: providers cache an unchanged beginning.
        Raises `ContextTooLarge` when what must be kept does not fit.
        """
        shown = [section for section in sections if section.text.strip()]
        texts: list[str | None] = [_rendered(section, section.text) for section in shown]
        by_priority = sorted(range(len(shown)), key=lambda index: (shown[index].priority, -index))
        cuttable = [index for index in by_priority if not shown[index].keep]
        for index in cuttable:
            if self._fits(texts, budget_tokens):
                break
            texts[index] = _rendered(shown[index], _left_out(len(shown[index].text)))
            if self._fits(texts, budget_tokens):
                texts[index] = self._longest_piece(shown[index], texts, index, budget_tokens)
        for index in cuttable:  # even the marks do not fit
            if self._fits(texts, budget_tokens):
                break
            texts[index] = None
        if not self._fits(texts, budget_tokens):
            kept = [section.title for section in shown if section.keep]
            raise ContextTooLarge(self._count(_joined(texts)), budget_tokens, kept)
        return _joined(texts)

    def add_lesson(self, text: str, task_id: str, words: Iterable[str] = ()) -> None:
        """Keep a lesson of a task. It is given to tasks that share words with `text` or `words`.

        At most 200 lessons of 600 characters are kept; the oldest are deleted first. The same lesson is kept once.
        """
        lesson = shortened(redact(text.strip()), _LESSON_LIMIT)
        if not lesson:
            return
        # Redacted before it is split: a secret is recognised by the words before it.
        found = sorted(_words(redact(" ".join([lesson, *words]))))[:_LESSON_WORDS]
        name = hashlib.sha256(lesson.encode("utf-8", "replace")).hexdigest()[:16]
        value: JsonValue = {"text": lesson, "task_id": task_id, "words": list(found)}
        self._store.journal.remember(_GLOBAL, _LESSON_PREFIX + name, value)
        self._store.journal.forget_oldest(_GLOBAL, _LESSON_PREFIX, MAX_LESSONS)

    def lessons_for(self, text: str, limit: int = 5) -> list[str]:
        """The lessons that share words with `text`: those that share most first, of equals the newest first."""
        wanted = _words(text)
        ranked: list[tuple[int, int, str]] = []
        for age, memory in enumerate(reversed(self._store.journal.memories(_GLOBAL, _LESSON_PREFIX))):
            match memory.value:
                case {"text": str(lesson), "words": list(words)} if shared := len(wanted.intersection(map(str, words))):
                    ranked.append((-shared, age, lesson))
        return [lesson for _, _, lesson in sorted(ranked)[:limit]]

    def lessons_section(self, text: str, limit: int = 5, *, priority: int = 10) -> Section:
        """The lessons for `text` as a section; empty when there are none."""
        lines = "\n".join(f"- {lesson}" for lesson in self.lessons_for(text, limit))
        return Section("Lessons from earlier tasks", lines, priority)

    def _fits(self, texts: Sequence[str | None], budget: int) -> bool:
        return self._count(_joined(texts)) <= budget

    def _longest_piece(self, section: Section, texts: Sequence[str | None], index: int, budget: int) -> str | None:
        """The section with as much of its beginning as fits, cut at a line's end where there is one near."""
        low, high = 0, len(section.text) - 1
        while low < high:
            middle = (low + high + 1) // 2
            trial = list(texts)
            trial[index] = _rendered(section, _cut(section.text, middle))
            low, high = (middle, high) if self._fits(trial, budget) else (low, middle - 1)
        piece = _rendered(section, _cut(section.text, low))
        trial = [*texts[:index], piece, *texts[index + 1 :]]
        return piece if low >= _SHORTEST_PIECE and self._fits(trial, budget) else texts[index]


def _rendered(section: Section, text: str) -> str:
    return f"## {section.title}\n{text.strip()}"


def _joined(texts: Iterable[str | None]) -> str:
    return "\n\n".join(text for text in texts if text is not None)


def _left_out(characters: int) -> str:
    return f"[… left out: {characters} characters …]"


def _cut(text: str, length: int) -> str:
    line_end = text.rfind("\n", length // 2, length + 1)
    kept = line_end if line_end > 0 else length
    return f"{text[:kept]}\n[… {len(text) - kept} characters cut …]"


def _words(text: str) -> set[str]:
    """The significant words of a text in lower case; for `parse_date` also its parts."""
    found = set(_IDENTIFIER.findall(text.lower()))
    parts = {part for word in found if "_" in word for part in word.split("_") if len(part) > 2}
    return (found | parts) - _COMMON
