"""What can be wrong with a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ConfigProblem:
    """One wrong setting: where it is, what it says, and what is allowed there."""

    path: str
    value: str
    allowed: str

    def __str__(self) -> str:
        found = f" = {self.value}" if self.value else ""
        return f"{self.path}{found}: {self.allowed}"


class ConfigError(Exception):
    """The configuration cannot be used."""

    exits_with = 2
    """Exit code of the command line, like `exits_with` of `monitoring.errors.KnownError`."""

    def __init__(self, source: str, problems: Sequence[ConfigProblem]) -> None:
        self.source = source
        self.problems = list(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{source}: {len(self.problems)} problem(s)\n{lines}")
