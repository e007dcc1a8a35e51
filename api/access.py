"""Who asks, and what they may do.

A person is known by the cookie of a session, a program by a key. Both are random secrets of which the database has a
digest only. A change that comes with a cookie needs the session's token, too, which other sites cannot know; it is made
of the session's secret, so it is worth nothing in another session or after this one.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

import argon2
import limits
from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from api.errors import NotAllowed, SignInNeeded, TooMany, WrongSecret, WrongToken
from api.room import Room
from memory import AccessKind, Person, Role, UnknownPerson, utc_now
from owner.way_in import digest_of

KEY_PREFIX = "aak_"
"""A key of a program begins so, so that it is recognised where it does not belong."""
LEAST_PASSWORD = 10
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_FIELDS = 100
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""OWASP's smallest parameters for argon2id: 19 MiB while it works."""
_ONE_AT_A_TIME = threading.Lock()
"""Hashing takes memory and a core; a flood of sign-ins must not take more than one."""
_NOBODY = _HASHER.hash(secrets.token_hex(16))
"""Compared with when there is no such person, so that time does not tell who there is."""
_TRIES, _TRIES_FOR_ONE, _CHANGES = limits.parse("20/minute"), limits.parse("5/minute"), limits.parse("240/minute")


_KNOWN_SECONDS, _MOST_KNOWN = 3.0, 1000
"""Seconds for which a visitor is known without a look at the database, and how many are."""


@dataclass(frozen=True)
class Visitor:
    """Who sends this request."""

    person: Person
    by: Literal["session", "key", "token"]
    access_id: int
    scopes: tuple[Role, ...]
    csrf: str = ""
    """What a form of a page sends along as `csrf`, and a script as the header X-CSRF-Token."""
    called: str = ""
    """What tells a key or a token from others of its person."""

    @property
    def name(self) -> str:
        """As it stands in the audit trail."""
        return self.person.name if self.by == "session" else f"{self.person.name} ({self.by} {self.called})"

    def may(self, role: Role | str) -> bool:
        """Whether the person's role includes it, and the scopes of the key or token do."""
        wanted = Role(role)
        within = self.by == "session" or any(scope.includes(wanted) for scope in self.scopes)
        return within and self.person.role.includes(wanted)


class Doorkeeper:
    """Lets people and programs in. Its counters are the process's own: a restart forgets them."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._known: dict[tuple[str, str], tuple[float, int, Visitor]] = {}

    async def visitor_of(self, room: Room, connection: HTTPConnection) -> Visitor:
        """As the function of this name, which is asked again after a few seconds, or at once when this process has
        changed who may come in."""
        key, cookie = connection.headers.get("authorization", ""), connection.cookies.get(cookie_name(room), "")
        shown, changes = (digest_of(key), digest_of(cookie)), room.store.people.changes
        until, seen, visitor = self._known.get(shown, (0.0, -1, None))
        if visitor is None or seen != changes or time.monotonic() > until:
            visitor = await run_in_threadpool(visitor_of, room, connection)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[shown] = (time.monotonic() + _KNOWN_SECONDS, changes, visitor)
        return visitor

    def sign_in(self, room: Room, name: str, password: str, address: str) -> Person:
        """The person of this name and password. Raises `WrongSecret`, and `TooMany` after a few wrong ones."""
        self._count(_TRIES, "address", address)
        self._count(_TRIES_FOR_ONE, "name", name[:64])
        try:
            person = room.store.people.find(name)
        except UnknownPerson:
            person = None
        hashed = person.password if person and person.active and person.password else _NOBODY
        with _ONE_AT_A_TIME:
            fits = _fits(hashed, password)
        if person is None or hashed is _NOBODY or not fits:
            raise WrongSecret("this name and password fit nobody; `open` on the daemon's machine gives a link")
        if _HASHER.check_needs_rehash(hashed):
            room.store.people.remember_hash(name, hash_of(password))
        return person

    def follow_link(self, room: Room, token: str, address: str) -> Person:
        """The person whom this link lets in, once. Raises `WrongSecret` and `TooMany`."""
        self._count(_TRIES, "address", address)
        person = room.store.people.use_up(AccessKind.LINK, digest_of(token))
        if person is None:
            raise WrongSecret("the link was used already or is too old; `open` gives a new one")
        return person

    def count_try(self, address: str) -> None:
        """Raises `TooMany` when one address tries to sign in too often."""
        self._count(_TRIES, "address", address)

    def count_change(self, visitor: Visitor) -> None:
        """Raises `TooMany` when somebody changes more than a person or a sane program does."""
        self._count(_CHANGES, "change", visitor.name)

    def _count(self, limit: limits.RateLimitItem, *names: str) -> None:
        if not self._limiter.hit(limit, *names):
            reset = self._limiter.get_window_stats(limit, *names).reset_time
            seconds = max(int(reset - time.time()), 0) + 1
            raise TooMany(f"too many requests in a short time; try again in {seconds} s", seconds)


def hash_of(password: str) -> str:
    """The argon2 hash that is stored of a password. Raises `WrongSecret` for one that is too short."""
    if not LEAST_PASSWORD <= len(password) <= 1000:
        raise WrongSecret(f"a password has at least {LEAST_PASSWORD} characters")
    with _ONE_AT_A_TIME:
        return _HASHER.hash(password)


def begin_session(room: Room, person: Person, response: Response, *, secure: bool) -> None:
    """Sign a person in: the secret goes into a cookie of `response`."""
    secret, days = secrets.token_urlsafe(32), timedelta(days=room.settings.api.session_days)
    room.store.people.open(AccessKind.SESSION, person, digest_of(secret), expires_at=utc_now() + days)
    response.set_cookie(
        cookie_name(room), secret, max_age=int(days.total_seconds()), httponly=True, samesite="strict", secure=secure,
    )  # fmt: skip


def end_session(room: Room, visitor: Visitor, response: Response) -> None:
    """Sign a person out."""
    room.store.people.close(visitor.access_id)
    response.delete_cookie(cookie_name(room), httponly=True, samesite="strict")


def cookie_name(room: Room) -> str:
    """Cookies do not tell the ports of a host apart, so each project has its own."""
    return f"session-{room.key}"


def visitor_of(room: Room, connection: HTTPConnection) -> Visitor:
    """Who sends this request, by key or cookie. Raises `SignInNeeded`."""
    kind, _, key = connection.headers.get("authorization", "").partition(" ")
    if kind and kind.lower() != "bearer":
        raise SignInNeeded("a program sends `Authorization: Bearer …` with a key or a token")
    if kind and key.count(".") == 2:
        return _by_token(room, key)
    if kind:
        found = room.store.people.known_by(AccessKind.KEY, digest_of(key))
        if found is None:
            raise SignInNeeded("this key is not known, was withdrawn or has expired")
        person, opened = found
        return Visitor(person, "key", opened.id, tuple(opened.scopes), called=str(opened.id))
    secret = connection.cookies.get(cookie_name(room), "")
    found = room.store.people.known_by(AccessKind.SESSION, digest_of(secret)) if secret else None
    if found is None:
        raise SignInNeeded
    person, opened = found
    return Visitor(person, "session", opened.id, (), digest_of(f"csrf {secret}"))


def _by_token(room: Room, token: str) -> Visitor:
    said = room.tokens.read(token)
    try:
        person = room.store.people.find(said.person)
    except UnknownPerson as problem:
        raise SignInNeeded(str(problem)) from None
    if not person.active:
        raise SignInNeeded(f"{said.person} is shut out")
    if said.person_id not in (None, person.id):
        raise SignInNeeded("the person for whom this token was made is gone; another one has the name")
    if said.key is not None and not room.store.people.has_key(said.key):
        raise SignInNeeded("the key with which this token was made is withdrawn or has expired")
    return Visitor(person, "token", 0, said.scopes, called=said.name)


async def _visitor(request: Request) -> Visitor:
    room: Room = request.app.state.room
    doorkeeper: Doorkeeper = request.app.state.doorkeeper
    visitor = await doorkeeper.visitor_of(room, request)
    if request.method not in _SAFE:
        if visitor.by == "session":
            check_origin(request)
            given = request.headers.get("x-csrf-token") or (await form_of(request)).get("csrf", "")
            if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
                raise WrongToken
        doorkeeper.count_change(visitor)
    request.state.visitor = visitor
    return visitor


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form, empty if the request brings none. What is wrong with them the handlers say."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return {}


def check_origin(connection: HTTPConnection) -> None:
    """Raises `WrongToken` for what a page of another site sends."""
    origin = connection.headers.get("origin")
    if origin and urlsplit(origin).netloc != connection.headers.get("host"):
        raise WrongToken


def _allowed(role: Role) -> object:
    async def check(visitor: Annotated[Visitor, Depends(_visitor)]) -> Visitor:
        if not visitor.may(role):
            limited = visitor.by != "session" and visitor.person.role.includes(role)
            limit = f"this {visitor.by}" if limited else "your role"
            raise NotAllowed(f"this needs the role {role}, and {limit} does not include it; an admin can change that")
        return visitor

    return Depends(check)


AViewer = Annotated[Visitor, _allowed(Role.VIEWER)]
AnOperator = Annotated[Visitor, _allowed(Role.OPERATOR)]
AnAdmin = Annotated[Visitor, _allowed(Role.ADMIN)]
Form = Annotated[dict[str, str], Depends(form_of)]


def _fits(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
