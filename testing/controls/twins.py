"""What a test file with twins is."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

MOST_TWINS = 4
"""False twins of one test."""
MOST_FALSE = 80
"""False twins of one file."""
SHOWN = 160
"""Characters of an assertion."""


@dataclass
class Twins:
    """A test file with twins."""

    text: str
    true: dict[str, str] = field(default_factory=dict)
    """Id of a true twin -> id of its test."""
    false: dict[str, str] = field(default_factory=dict)
    """Id of a false twin -> the assertion that was changed in it, as it stands in its test."""
    of: dict[str, str] = field(default_factory=dict)
    """Id of a false twin -> id of its test."""


def word() -> str:
    """A name that nobody can know."""
    return "".join(random.SystemRandom().choices("abcdefghijklmnopqrstuvwxyz", k=10))
