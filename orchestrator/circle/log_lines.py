"""How many lines of errors a service has written since the last look at its log."""

from __future__ import annotations

import re

from deployment import DeploymentManager
from memory import Deployment
from monitoring import redact

_LINES = 200
_OVERLAP = 5
"""So many of the lines seen last are looked up, to find where the new ones begin."""
_ERROR = re.compile(r"\b(error|critical|fatal|panic|traceback|exception|segfault)\b", re.IGNORECASE)
_NO_ERROR = re.compile(r"\b(0|no|without) (errors?|exceptions?)\b", re.IGNORECASE)
_MOST_DETAIL = 250


class LogLines:
    """Remembers what was seen of one environment's log. After a restart of the daemon the first look only remembers."""

    def __init__(self) -> None:
        self._deployment = 0
        self._seen: list[str] | None = None

    def new_errors(self, manager: DeploymentManager, live: Deployment) -> tuple[int | None, str]:
        """How many, and the last; None at the first look at a deployment. Raises `DeploymentError`."""
        lines = manager.logs(live.environment, _LINES).splitlines()
        seen, known = self._seen, self._deployment == live.id
        self._seen, self._deployment = lines[-_OVERLAP:], live.id
        if not known or seen is None:
            return None, ""
        errors = [line for line in new_lines(seen, lines) if is_error(line)]
        return len(errors), redact(errors[-1])[:_MOST_DETAIL] if errors else ""


def new_lines(seen: list[str], lines: list[str]) -> list[str]:
    """What comes after the lines that were seen last; all, if they are not there any more."""
    for end in range(len(lines), len(seen) - 1, -1):
        if lines[end - len(seen) : end] == seen:
            return lines[end:]
    return lines


def is_error(line: str) -> bool:
    """Whether a line of a log tells of an error, as far as its words show."""
    return bool(_ERROR.search(line)) and not _NO_ERROR.search(line)
