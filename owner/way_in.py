"""How the owner gets into the control room: where it is, and a link that signs in once.

Whoever may write to the project's database is the owner, so no secret has to lie anywhere: `open` leaves the digest of
a fresh one in the database, and hands the secret to the browser.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from memory import AccessKind, MemoryStore, Person, utc_now

LINK_MINUTES, INVITATION_MINUTES = 10, 3 * 24 * 60
"""For how long a link signs in: one of `open`, and one for somebody who is to come in for the first time."""
_ADDRESS = "control-room.url"


def digest_of(secret: str) -> str:
    """What is stored of a random secret. They have 256 bits, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_link(store: MemoryStore, address: str, person: Person | None = None, minutes: float = LINK_MINUTES) -> str:
    """An address that signs a person (left out: the owner) in once, within so many minutes.

    The secret stands behind the #: browsers do not send that, so that no log and no proxy sees it.
    """
    secret, expires = secrets.token_urlsafe(32), utc_now() + timedelta(minutes=minutes)
    store.people.open(AccessKind.LINK, person or store.people.owner(), digest_of(secret), expires_at=expires)
    return f"{address.rstrip('/')}/sign-in#{secret}"


def announce(state: Path, address: str) -> None:
    """Write down where the control room of this project is."""
    place = state / _ADDRESS
    file = os.open(place, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(file, "w", encoding="utf-8") as written:
        written.write(address + "\n")


def take_back(state: Path) -> None:
    """The control room is closed."""
    with suppress(FileNotFoundError):
        (state / _ADDRESS).unlink()


def announced(state: Path) -> str:
    """Where the control room is; empty if it is closed. A killed daemon leaves the address of one that is gone."""
    try:
        return (state / _ADDRESS).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
