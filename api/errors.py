"""What can be wrong with a request. Each class carries the status of its answer."""

from __future__ import annotations

from typing import ClassVar

from monitoring.errors import KnownError


class ApiError(KnownError):
    """Base of this folder's errors."""

    status: ClassVar[int] = 400


class SignInNeeded(ApiError):
    """Nobody is signed in."""

    status = 401

    def __init__(self, told: str = "sign in first; a program sends its key in the header Authorization") -> None:
        super().__init__(told)


class WrongSecret(ApiError):
    """A name and password, or a link, that fit nobody."""

    status = 401


class SignInRefused(ApiError):
    """What the service that signs people in says cannot be taken."""

    status = 401


class ProviderAway(ApiError):
    """The service that signs people in does not answer as it should."""

    status = 503


class NotAllowed(ApiError):
    """The role of this person, or the scope of this key, does not include it."""

    status = 403


class WrongToken(ApiError):
    """A change that did not come from a page of this session."""

    status = 403

    def __init__(self) -> None:
        super().__init__("the page is older than this session, or another site sends this; load the page anew")


class NotThere(ApiError):
    """Nothing is at this address."""

    status = 404


class TooLarge(ApiError):
    """The request is larger than what is read."""

    status = 413


class WrongHost(ApiError):
    """The request names a host that is not this one."""

    status = 421


class NoSecret(ApiError):
    """The secret that signs tokens cannot be used."""

    status = 503


class TooMany(ApiError):
    """More requests than are taken in this time."""

    status = 429

    def __init__(self, told: str, seconds: int) -> None:
        self.seconds = max(seconds, 1)
        """After which it may be tried again."""
        super().__init__(told)
