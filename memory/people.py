"""Who may use the control room, and by what they are known: a session, a key of a program, a link for one sign-in."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from memory.task_models import Row, UtcTime

PersonName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""What stands in the audit trail: it cannot be mistaken for anything else there."""


class Role(StrEnum):
    """What a person may do; each role includes those before it."""

    VIEWER = "viewer"
    """Looks at everything but prompts and answers of models, and changes nothing."""
    OPERATOR = "operator"
    """Gives the team work, answers, approves, cancels and retries."""
    ADMIN = "admin"
    """Also decides who may do what."""

    def includes(self, other: Role) -> bool:
        """Whether this role may do all that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class AccessKind(StrEnum):
    SESSION = "session"
    KEY = "key"
    LINK = "link"
    IDENTITY = "identity"
    """Who somebody is at the service that signs them in; it opens nothing by itself."""


class Person(Row):
    """Somebody who may sign in."""

    id: int = 0
    """Given by the database; 0 before."""
    name: PersonName
    role: Role
    password: str = Field("", repr=False)
    """Its argon2 hash; empty: only a link signs in."""
    active: bool = True
    created_at: UtcTime


class Access(Row):
    """A session, a key or a link, whose secret is known to its holder only: the database has a digest of it."""

    id: int
    kind: AccessKind
    person_id: int
    label: str
    """What a key is for; what a session was opened with."""
    scopes: list[Role]
    """What may be done with it; never more than its person may."""
    created_at: UtcTime
    expires_at: UtcTime | None
