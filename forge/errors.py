"""What can go wrong at the forge. Every message says what was asked, what came back, and what to do."""

from __future__ import annotations

from typing import ClassVar

from monitoring import AlertKind, redact
from monitoring.errors import FailureReason, KnownError

_MOST_SAID = 300
"""Characters of an answer that are told."""


class ForgeError(KnownError):
    """Base of this folder's errors."""

    reason: ClassVar[FailureReason | None] = FailureReason.INTERNAL_ERROR


class ForgeAway(ForgeError):
    """The forge does not answer, or says that it cannot at the moment."""

    reason = None
    passes = True
    alert = AlertKind.GIT

    def __init__(self, place: str, said: str) -> None:
        super().__init__(f"the forge at {place} does not answer: {redact(said)[-_MOST_SAID:]}")


class RateLimited(ForgeAway):
    """It has been asked too often; it says when it may be asked again."""

    def __init__(self, place: str, seconds: float) -> None:
        self.seconds = seconds
        ForgeError.__init__(self, f"the forge at {place} wants no further requests for {seconds:.0f} s (rate limit)")


class ForgeRefused(ForgeError):
    """It does not let us do that."""

    blocks = True
    exits_with = 2

    def __init__(self, what: str, status: int, said: str) -> None:
        self.what, self.status, self.said = what, status, redact(said.strip())[:_MOST_SAID]
        remedy = {
            401: "the token is wrong or has expired: correct forge.token",
            403: "the token may not do that; docs/FORGE.md says which rights are needed",
            404: "check forge.repository, and that the token may read it; a forge hides what it does not show",
        }.get(status, "see docs/FORGE.md")
        super().__init__(f"the forge refuses {what} (HTTP {status}): {self.said or 'without a word'}; {remedy}")


class NoForge(ForgeError):
    """What answers does not speak the forge's language."""

    blocks = True
    exits_with = 2

    def __init__(self, what: str, said: str) -> None:
        told = " ".join(redact(said).split())[:80]
        super().__init__(f"{what} is answered, but not by a forge's API ({told!r}); check forge.provider and forge.api")
