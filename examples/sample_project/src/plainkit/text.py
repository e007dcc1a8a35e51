"""Cleaning and shortening text for labels, file names and table cells."""

import re
import unicodedata

ELLIPSIS = "…"


def squeeze(text: str) -> str:
    """Trim the text and replace every run of white space by one space.

    >>> squeeze("  two \\n words ")
    'two words'
    """
    return " ".join(text.split())


def truncate(text: str, width: int) -> str:
    """Shorten the text to at most `width` characters, marking a cut with an ellipsis.

    >>> truncate("The quick brown fox", 10)
    'The quick…'
    >>> truncate("short", 10)
    'short'

    Raises ValueError when `width` is smaller than 1.
    """
    if width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    if len(text) <= width:
        return text
    return text[: width - len(ELLIPSIS)] + ELLIPSIS


def slugify(text: str, separator: str = "-") -> str:
    """Turn a title into something that is safe in a URL or a file name.

    Accents are dropped, letters become lower case, and a run of anything else becomes one separator.

    >>> slugify("Crème brûlée, twice!")
    'creme-brulee-twice'
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return separator.join(re.findall(r"[a-z0-9]+", plain))


def join_words(words: list[str], last: str = "and") -> str:
    """Join words the way a sentence does.

    >>> join_words(["salt", "pepper", "oil"])
    'salt, pepper and oil'
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
