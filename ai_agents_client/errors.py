"""What the API answers when it cannot do something: problem details (RFC 9457), a class for each kind of status."""

from __future__ import annotations

import httpx2
from pydantic import ValidationError

from ai_agents_client.models import Problem


class ClientError(Exception):
    """Base of this package's errors. What the network does comes as `httpx2.TransportError`."""


class ApiProblem(ClientError):
    """The answer to a request was a problem."""

    def __init__(self, problem: Problem, retry_after: float | None) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem
        """What was wrong, and with which field; `command` is what an owner would type instead."""
        self.retry_after = retry_after
        """Seconds after which it may be tried again, where the daemon said so."""

    @property
    def kind(self) -> str:
        """The kind of the problem, such as `unknown-task`."""
        return self.problem.type.rpartition(":")[2]


class NotSignedIn(ApiProblem):
    """401: the key is missing, was withdrawn or has expired."""


class NotAllowed(ApiProblem):
    """403: the key's scopes, or its person's role, do not include it."""


class NotFound(ApiProblem):
    """404: there is no such thing."""


class Conflict(ApiProblem):
    """409: it cannot be done as things are now."""


class Invalid(ApiProblem):
    """413, 422: what was sent can never be done; `problem.errors` names the fields."""


class TooMany(ApiProblem):
    """429: more requests than are taken in this time."""


class Unavailable(ApiProblem):
    """503: the daemon cannot answer now; it passes by itself."""


class Dropped(ClientError):
    """The daemon ended a stream for a reason that coming again does not mend, such as a withdrawn key."""


_CLASSES: dict[int, type[ApiProblem]] = {
    401: NotSignedIn, 403: NotAllowed, 404: NotFound, 409: Conflict, 413: Invalid, 422: Invalid, 429: TooMany,
    503: Unavailable,
}  # fmt: skip


def problem_of(answer: httpx2.Response) -> ApiProblem:
    """The problem of an answer that has been read. What is none, as from a proxy, becomes one."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        problem = Problem(
            type="about:blank", title=answer.reason_phrase or "An answer that is no problem document",
            status=answer.status_code, detail=answer.text[:300], instance=answer.request.url.path,
        )  # fmt: skip
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isdecimal() else None
    return _CLASSES.get(answer.status_code, ApiProblem)(problem, seconds)
