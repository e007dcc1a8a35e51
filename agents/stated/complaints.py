"""Complaints: words that tell what a call gives today, which is wrong, and mostly what it should give instead.

"`f(1)` returns `2` but should return `3`" states the example `f(1)` → 3, and by no means `f(1)` → 2. What is wanted is
read where the words leave no doubt; where they complain and it is not certain what is wanted, there is no example: a
test of the present fault would be worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """What a call should give; without a value and an error, a complaint that does not say it."""

    value: str | None = None
    raises: str | None = None


ReadValue = Callable[[str, int], int | None]
"""The index after the value that begins at an index of a text; None when none begins there."""

_QUOTES = r"[`*\"')\]]*"
_SOFT = r"[\s`*_>#(\[,;:.!–—-]*"
_RESULT = (
    r"(?:(?:correct|right|expected|wanted|desired|real|true)\s+)?"
    r"(?:result|answer|value|output|outcome|return\s+value|behaviou?r)"
)
_GIVE = (
    r"(?:be(?:en)?|return(?:ed)?|give(?:n)?(?:\s+back)?|yield(?:ed)?|produce[d]?|equal(?:led)?|become|print(?:ed)?|"
    r"evaluate\s+to|result\s+in)"
)
_RAISE = r"(?:rais(?:e|ed|ing)|throw(?:n|ing)?)"
_MUST = (
    r"(?:should|must|shall|ought\s+to|ha(?:s|ve)\s+to|needs?\s+to|(?:is|are|was)\s+(?:supposed|expected|meant)\s+to)"
)
_ARTICLE = (
    r"[*_]*\s*:?[*_]*\s*(?:```\w*\n)?(?:an?\s+)?(?:(?:list|tuple|dict|string|value|set)\s+(?=[`\[({'\"]))?[`*]*\s*"
)
_BAD = r"(?:wrong|incorrect|buggy|broken|unexpected|bad|nonsense|a\s+bug|not\s+(?:right|correct|what))"
_SAID_OF_IT = (
    rf"(?:(?:which|that|this|it)(?:'s|\s+is|\s+was)\s+|is\s+)?(?:(?:clearly|obviously|plainly|just)\s+)?{_BAD}"
)
_LINK = r"(?:and|but|while|whereas|when|where|though|although|even\s+though|yet|however|instead|because|since|so)"
_IT = rf"(?:it|this|that|which|they|{_RESULT}|the\s+{_RESULT})"
_WANTED = re.compile(
    rf"""{_QUOTES}{_SOFT}
    (?:{_SAID_OF_IT}{_SOFT})?
    (?:{_LINK}{_SOFT}){{0,2}}
    (?:
      (?:{_IT}\s+|(?:the\s+)?{_RESULT}\s+)?{_MUST}\s+(?:really\s+|actually\s+|instead\s+|rather\s+|have\s+|clearly\s+)*
        (?:(?P<raise>{_RAISE})|{_GIVE})
      |should\s*(?=:)
      |(?:I|we|one)\s+(?:would\s+(?:have\s+)?|had\s+)?expect(?:s|ed)?(?:\s+(?:it|this|that))?(?:\s+to\s+(?:be|return|give))?
      |(?:was\s+|is\s+)?expect(?:ed|ing|s)?(?:\s+(?:{_RESULT}|to\s+(?:be|get|see|return|give)|is|was))*
      |(?:I\s+|we\s+)?want(?:ed|s)?(?:\s+(?:it\s+)?to\s+be)?
      |(?:the\s+)?(?:correct|right|desired|intended)\s+(?:{_RESULT}\s+)?(?:is|would\s+be|was)
      |(?P<instead>instead\s+of|rather\s+than|in\s+place\s+of)\s+(?:(?:returning|giving|being|the\s+(?:expected|correct|right))\s+|(?P<raising>{_RAISE})\s+)?
    ){_ARTICLE}""",
    re.VERBOSE | re.IGNORECASE,
)
"""From the end of what is given today to the beginning of what is wanted."""
_VALUE_FIRST = re.compile(rf"{_QUOTES}[\s,;:.–—-]*\(?(?:{_LINK}\s+)?[`*]*", re.IGNORECASE)
_IS_WANTED = re.compile(
    r"[`*]*\s+(?:is|was|are|were|would\s+be|would\s+have\s+been)\s+(?:(?:clearly|what\s+is|what\s+was)\s+)?"
    r"(?:expected|correct|right|wanted|intended|desired)\b",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"[`*\"']*[ \t]*(?:$|\n|[.,;:!)\]}–—](?!\d)|-\s|\(|\*/|"
    r"(?:instead|because|since|as|here|then|and|but|like|there|again|according|not|rather|which)\b)",
    re.IGNORECASE,
)
"""What may stand behind a wanted value: `3 or 4`, `3 elements` and `3 times` are no values."""
_ENDS_WHOLLY = re.compile(
    r"[`*\"')\]]*[ \t]*(?:$|\n|[.!](?=\s|$)|[.!]?\s*instead\b|[,;]\s*(?:not|got|but|actual))", re.IGNORECASE
)
"""The same where a new sentence or line says it, which may be about something else."""
_OR = re.compile(r"[`*]*\s*,?\s*or\b", re.IGNORECASE)
_EXCEPTION = re.compile(r"[A-Z][\w.]*|[a-z_][\w]*(?:\.[A-Za-z_]\w*)*\.[A-Z]\w*")

_COMPLAINS_AFTER = re.compile(
    rf"""\b(?:
      (?:but|and|when|while|yet)\s+(?:{_IT}\s+|I\s+|we\s+)?(?:{_MUST}|expect|want)
      |instead\b|rather\s+than|in\s+place\s+of|despite|although|even\s+though|though|whereas|contrary
      |{_MUST}(?:\s*:|\s+(?:not|never|{_GIVE}|{_RAISE}|have))
      |not\s+(?:what|as|the\s+(?:expected|right|correct))
      |(?:I|we)\s+(?:would\s+)?expect|(?<!as\ )expected
      |(?:is|are|was|that's|it's|this|that|which)\s+(?:is\s+)?(?:\w+\s+)?{_BAD}
      |unexpectedly|wrongly|incorrectly|erroneously|by\s+mistake
    )|(?:^|[,;:(\[–—-])\s*(?:wrong|incorrect|bug|broken|unexpected)\b|\?""",
    re.VERBOSE | re.IGNORECASE,
)
_NEXT_COMPLAINS = re.compile(
    rf"{_QUOTES}[.!]*\s*(?:(?:That|This|It|Which)(?:'s|\s+is|\s+was)\s+(?:\w+\s+)?{_BAD}|(?:Wrong|Incorrect|Not\s+good)\b)",
    re.IGNORECASE,
)
_COMPLAINS_BEFORE = re.compile(
    r"\b(?:currently|presently|at\s+present|at\s+the\s+moment|right\s+now|as\s+of\s+(?:now|today)|today(?!\()|nowadays|until\s+now|"
    r"so\s+far|still|(?:wrong|incorrect)(?:ly)?(?!\s+(?:\w+\s+)?(?:input|type|value|argument|format|key|number|order|index|name)s?\b)|"
    r"erroneously|mistakenly|unexpectedly|strangely|bug(?:gy)?|broken|fault|faulty|problem|issue|actual(?:ly)?|observed|"
    r"we\s+get|I\s+get|I\s+see|got|why|surprising(?:ly)?|complain\w*|regression)\b|^\W*now\b",
    re.IGNORECASE,
)
_PURPOSE = re.compile(
    r"\b(?:so\s+that|such\s+that|make\s+sure|ensure|after\s+(?:the|this|that)\s+(?:fix|change)|once\s+(?:fixed|done)|until|in\s+order)\b|"
    r"\b(?:expect|want)(?:ed|s)?\s+(?:that\s+)?[`*]*$",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^[\s#>*_-]*(?:\d+[.)]\s*)?(?:the\s+|what\s+)?(?:(?P<today>actual(?:ly)?|current(?:ly)?|observed|present(?:ly)?|got|today|now|received|bug|problem|"
    r"wrong|happens|before)|(?P<wanted>expected|desired|wanted|correct|should|intended|after))\b"
    r"[^\n:]{0,40}?(?::|[\s#*_]*$)",
    re.IGNORECASE,
)
"""A heading or the beginning of a line that says of what follows whether it is so today or wanted."""
_BEFORE_WANTED = re.compile(
    r"(?:instead\s+of|rather\s+than|expected(?:\s+(?:result|value|output|answer|was|is))*)\s*:?\s*[`*]*", re.IGNORECASE
)
_BETWEEN = re.compile(r"[`*]*\s*[,;:.–—-]*\s*(?:(?:but|and|yet|however)\s+)?(?:got\s+|found\s+)?[`*]*", re.IGNORECASE)
_SENTENCE_BEGIN = re.compile(r"[.!?]+(?=\s)|(?<![,:\s])[ \t]*\n|\n[ \t]*\n(?=[^`>])")
_SENTENCE_END = re.compile(r"[.!](?=\s)|\?|\n(?![ \t]*[a-z(])")
_PAST = re.compile(
    r"""[`*]*[\s\#*_>:,.–—-]*
    (?:(?:(?:currently|presently|still|wrongly|incorrectly|actually|erroneously|mistakenly|suddenly|unexpectedly)\s+)+
         (?:returns?|gives?(?:\s+back)?|yields?|is|equals?|produces?|raises?|throws?|(?:fails?|crash(?:es)?)\s+with)
       |returned|gave(?:\s+back)?|yielded|was|got|produced|raised|threw|(?:fails?|failed|crash(?:es|ed)?|dies|blows\s+up)\s+with
       |(?P<bare>(?=[(\[]?(?:expected|should|must|want|got|actual))))
    [*_]*\s*:?[*_]*\s*(?:an?\s+)?[`*]*\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_TODAY_IS = re.compile(
    r"(?:got|actual(?:ly)?(?:\s+(?:result|value|output|behaviou?r))?)[*_]*\s*:?[*_]*\s*[`*]*", re.IGNORECASE
)


_INSTEAD = re.compile(r"\W*(?:instead|rather)\b")
_NEAR = 2000
"""Characters before a call in which a heading over it is looked for."""


def complaint(
    text: str, start: int, today: tuple[int, int], read: ReadValue, *, wish: bool | None, raises: bool, stop: int
) -> Wanted | None:
    """What is wanted by a complaint whose call begins at `start` and whose value or error (`raises`) of today is at
    `today`; None: it is no complaint, and the value is what is wanted.

    `wish`: whether the verb says that it is (`should return`); None: perhaps (`will return`). `stop`: where the next
    example begins.
    """
    begin, end = today
    heading = label_before(text, start)
    before = text[_sentence_start(text, start) : start]
    purpose = [match.start() for match in _PURPOSE.finditer(before)]
    cue = [match.start() for match in _COMPLAINS_BEFORE.finditer(before)]
    if wish or heading == "wanted" or (purpose and not (cue and cue[-1] > purpose[-1]) and heading != "today"):
        return None
    found = wanted_after(text, end, stop, read) or _wanted_before(text, start, read)
    if found is not None:
        instead = raises and found.value is not None and bool(_INSTEAD.match(text, end, min(end + 100, len(text))))
        unclear = wish is None or instead or (found.value or found.raises) == text[begin:end].strip()
        return Wanted() if unclear else found
    if heading == "today" or cue:
        return Wanted()
    after = text[end : min(stop, _sentence_end(text, end))]
    if _COMPLAINS_AFTER.search(after) or _NEXT_COMPLAINS.match(text, end, stop):
        return Wanted()
    return None


def wanted_after(text: str, end: int, stop: int, read: ReadValue) -> Wanted | None:
    """What the words behind a value, or a call, say is wanted; None if they say nothing of it.

    An empty one if they say something that cannot be read.
    """
    if match := _WANTED.match(text, end, stop):
        crosses = bool(re.search(r"[.!?]\s|\n", text[end : match.end()]))
        raising = bool(match["raise"] or match["raising"])
        found = _value_at(text, match.end(), stop, read, raising=raising, alone=crosses)
        # What stands in a new sentence may be about something else, unless it names a value, too.
        return found or (None if crosses and not read(text, match.end()) else Wanted())
    first = _VALUE_FIRST.match(text, end, stop)
    if first and (close := read(text, first.end())) and _IS_WANTED.match(text, close):
        return Wanted(value=text[first.end() : close])
    return None


def reported(text: str, end: int, stop: int, read: ReadValue) -> Wanted | None:
    """What is wanted of a call that ends at `end` and of which something is told: `f(1)` returned 2, expected 3;
    `f(1)`: expected 3, got 2. None if that is not certain."""
    told = _PAST.match(text, end, stop)
    if told is None:
        return None
    position = told.end()
    if told["bare"] is not None:
        found = wanted_after(text, position, stop, read)
        if found is None and (got := _TODAY_IS.match(text, position, stop)):
            position = got.end()
    else:
        found = None
    if found is None:
        name = _EXCEPTION.match(text, position, stop)
        close = read(text, position) or (name.end() if name else None)
        found = wanted_after(text, close, stop, read) if close else None
    return found if found and (found.value or found.raises) else None


def label_before(text: str, start: int) -> str:
    """Whether a heading or label over the call says `today` or `wanted`; empty if there is none."""
    line_start = text.rfind("\n", 0, start) + 1
    own = _LABEL.match(text[line_start:start])
    if own and ":" in own[0]:
        return "today" if own["today"] else "wanted"
    for line in reversed(text[max(0, line_start - _NEAR) : line_start].splitlines()[-6:]):
        if not line.strip() or line.strip().startswith("```"):
            continue
        if (found := _LABEL.match(line)) and found.end() == len(line.rstrip()):
            return "today" if found["today"] else "wanted"
        if not line.strip().startswith((">>>", "...")):
            return ""
    return ""


def _value_at(text: str, position: int, stop: int, read: ReadValue, *, raising: bool, alone: bool) -> Wanted | None:
    ends = _ENDS_WHOLLY if alone else _ENDS
    if raising:
        name = _EXCEPTION.match(text, position, stop)
        return Wanted(raises=name[0].rstrip(".")) if name else None
    close = read(text, position)
    if not close or close > stop or _OR.match(text, close) or not ends.match(text, close):
        return None
    return Wanted(value=text[position:close])


def _wanted_before(text: str, start: int, read: ReadValue) -> Wanted | None:
    """`Instead of 3, f(1) returns 2`; `Expected 3 but f(1) returns 2`."""
    begin = _sentence_start(text, start)
    for match in _BEFORE_WANTED.finditer(text, begin, start):
        if "(" in text[begin : match.start()]:  # it is said of another call
            break
        close = read(text, match.end())
        if close and close <= start and (between := _BETWEEN.match(text, close)) and between.end() >= start:
            return Wanted(value=text[match.end() : close])
    return None


def _sentence_start(text: str, position: int) -> int:
    """Where the sentence begins: a line begins one, unless the line before leads on to it."""
    begin = max(0, position - 400)
    return max([begin, *(match.end() for match in _SENTENCE_BEGIN.finditer(text, begin, position))])


def _sentence_end(text: str, position: int) -> int:
    found = _SENTENCE_END.search(text, position, min(position + 400, len(text)))
    return min(found.end() if found else len(text), position + 400)
