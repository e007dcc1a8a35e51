"""Where calls, brackets and quoted texts end, in words that anybody may have written: in time that grows with their
length only."""

from __future__ import annotations

import re

OPENING = {"(": ")", "[": "]", "{": "}"}
_ATTRIBUTE = re.compile(r"\.[A-Za-z_]\w*")
_MOST_READ = 60_000
_LONGEST_RUN = 40
_RUNS = re.compile(r"\s{60,}|[`*#=.:~-]{60,}")
_LONGEST, _DEEPEST = 3000, 40
"""Characters of a call or value, and brackets within one another."""


def calmed(text: str) -> str:
    """The beginning of a text, without long runs of blanks and marks, as far as examples are looked for in it: what is
    written to be slow to read takes no longer than its length."""
    return _RUNS.sub(lambda run: "\n\n" if "\n" in run[0] else run[0][:_LONGEST_RUN], text[:_MOST_READ])


def call_end(text: str, opening: int) -> int | None:
    """Index after the call whose first parenthesis is at `opening`, with any `.name`, `[…]` or `(…)` that follows."""
    end = balanced_end(text, opening)
    while end and end < len(text):
        if text[end] in "([":
            further = balanced_end(text, end)
        elif attribute := _ATTRIBUTE.match(text, end):
            further = attribute.end()
        else:
            return end
        if not further:
            return end
        end = further
    return end


def balanced_end(text: str, opening: int) -> int | None:
    """Index after the bracket that closes the one at `opening`."""
    closers = [OPENING[text[opening]]]
    index = opening + 1
    last = min(len(text), opening + _LONGEST)
    while index < last and closers:
        character = text[index]
        if character in "'\"":
            end = string_end(text, index)
            if end is None:
                return None
            index = end
            continue
        if character in OPENING:
            if len(closers) == _DEEPEST:
                return None
            closers.append(OPENING[character])
        elif character in ")]}" and character != closers.pop():
            return None
        index += 1
    return index if not closers else None


def string_end(text: str, start: int) -> int | None:
    """Index after the text in quotes that begins at `start`."""
    quote = text[start : start + 3] if text[start : start + 3] in ("'''", '"""') else text[start]
    index = start + len(quote)
    while index < min(len(text), start + _LONGEST):
        if text[index] == "\\":
            index += 2
        elif text.startswith(quote, index):
            return index + len(quote)
        elif text[index] == "\n" and len(quote) == 1:
            return None
        else:
            index += 1
    return None
