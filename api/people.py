"""Who may come in: oneself, the people, and the keys of programs."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from api.access import KEY_PREFIX, LEAST_PASSWORD, AnAdmin, AViewer, Visitor, hash_of
from api.errors import NotAllowed, NotThere
from api.paging import RowId
from api.problems import problems
from api.room import TheRoom
from api.tokens import MOST_MINUTES
from memory import AccessKind, Person, PersonName, Role, utc_now
from memory.tables.people import FIRST, PersonChanges
from owner import actions
from owner.errors import NotNow, NotPossible
from owner.way_in import INVITATION_MINUTES, digest_of, make_link

router = APIRouter(prefix="/api/v1", tags=["people"], responses=problems(401, 403, 422, 503))

_Password = Annotated[str, Field(min_length=LEAST_PASSWORD, max_length=1000)]


class PersonShown(BaseModel):
    """A person, without what is secret."""

    name: str
    role: Role
    active: bool
    has_password: bool = Field(description="false: only a link or their service lets them in.")
    service: str = Field("", description="The service that signs them in, where there is one.")
    created_at: datetime


class Me(BaseModel):
    """Who asks."""

    name: str
    role: Role
    by: str = Field(description="session, key or token")
    scopes: list[Role] = Field(description="Of a key or token; empty for a session.")


class NewPerson(BaseModel):
    """Somebody who is to be let in."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "ada", "role": "operator"}]})

    name: PersonName
    role: Role = Role.VIEWER
    password: _Password | None = None


class NewPassword(BaseModel):
    """A password of one's own."""

    model_config = ConfigDict(extra="forbid")

    password: _Password


class PersonChange(BaseModel):
    """What is to be otherwise about a person; what is left out stays."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"role": "viewer"}]})

    role: Role | None = None
    password: _Password | None = None
    active: bool | None = None


class Invitation(BaseModel):
    """A way in for somebody who has no password yet, or has forgotten it. It is shown this once."""

    link: str = Field(description="Signs the person in, once.")
    expires_at: datetime


class NewKey(BaseModel):
    """A key for a program of yours."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"label": "nightly report", "scopes": ["viewer"], "days": 90}]}
    )

    label: str = Field(min_length=1, max_length=100)
    scopes: list[Role] = Field([Role.VIEWER], min_length=1, max_length=3, description="Never more than you may.")
    days: float | None = Field(90, gt=0, le=3650, description="Until it expires; null: never.")


class NewToken(BaseModel):
    """A token for a program that is to have little for a short time."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"scopes": ["viewer"], "minutes": 60}]})

    scopes: list[Role] = Field([Role.VIEWER], min_length=1, max_length=3, description="Never more than you may.")
    minutes: float = Field(60, ge=1, le=MOST_MINUTES, description="Until it expires.")


class TokenMade(BaseModel):
    """A JSON web token; nobody stores it."""

    token: str
    expires_at: datetime


class KeyShown(BaseModel):
    """A key, without its secret."""

    id: int
    person: str
    label: str
    scopes: list[Role]
    created_at: datetime
    expires_at: datetime | None


class KeyMade(KeyShown):
    """A new key; its secret is shown this once."""

    secret: str


@router.get("/me", summary="Who am I")
def me(visitor: AViewer) -> Me:
    """The person behind this session or key."""
    return Me(name=visitor.person.name, role=visitor.person.role, by=visitor.by, scopes=list(visitor.scopes))


@router.put("/me/password", status_code=204, summary="Set my password")
def set_password(new: NewPassword, room: TheRoom, visitor: AViewer) -> None:
    """For sessions only. All your sessions end, this one too."""
    _must_be_a_session(visitor)
    room.store.people.change(visitor.person.name, password=hash_of(new.password))
    actions.record(room.store, "person changed", visitor.name, person=visitor.person.name, changed="a new password")


@router.get("/people", summary="Everybody")
def people(room: TheRoom, _: AnAdmin) -> list[PersonShown]:
    """In the order in which they were added."""
    services = room.store.people.services()
    return [_shown(person, services.get(person.name, "")) for person in room.store.people.all()]


@router.post("/people", status_code=201, summary="Let somebody in", responses=problems(409))
def add_person(new: NewPerson, room: TheRoom, visitor: AnAdmin) -> PersonShown:
    """Without a password they come in by an invitation."""
    hashed = hash_of(new.password) if new.password else ""
    room.store.people.add(Person(name=new.name, role=new.role, password=hashed, created_at=utc_now()))
    actions.record(room.store, "person added", visitor.name, person=new.name, role=new.role.value)
    return _shown(room.store.people.find(new.name))


@router.patch("/people/{name}", summary="Change a person", responses=problems(404, 409))
def change_person(name: str, new: PersonChange, room: TheRoom, visitor: AnAdmin) -> PersonShown:
    """Who gets another password, or is shut out, is signed out everywhere. The owner stays an admin."""
    changes, told = PersonChanges(), list[str]()
    if new.role is not None:
        changes["role"] = new.role
        told.append(f"{new.role} from now on")
    if new.active is not None:
        changes["active"] = new.active
        told.append("let in again" if new.active else "shut out")
    if new.password is not None:
        changes["password"] = hash_of(new.password)
        told.append("a new password")
    if not changes:
        raise NotPossible("nothing to change: give role, password or active")
    if changes.get("active") is False or changes.get("role", Role.ADMIN) is not Role.ADMIN:
        _must_not_be_the_owner(name)
    room.store.people.change(name, **changes)
    actions.record(room.store, "person changed", visitor.name, person=name, changed=", ".join(told))
    return _shown(room.store.people.find(name))


@router.delete("/people/{name}", status_code=204, summary="Take somebody out", responses=problems(404))
def remove_person(name: str, room: TheRoom, visitor: AnAdmin) -> None:
    """Their sessions and keys end at once. What they did stays in the audit trail."""
    _must_not_be_the_owner(name)
    room.store.people.remove(name)
    actions.record(room.store, "person removed", visitor.name, person=name)


@router.post("/people/{name}/invitation", status_code=201, summary="Make a way in", responses=problems(404, 409))
def invite(name: str, request: Request, room: TheRoom, visitor: AnAdmin) -> Invitation:
    """For sessions only. A link that signs the person in once, within three days; then they set a password."""
    _must_be_a_session(visitor)
    person = room.store.people.find(name)
    if not person.active:
        raise NotNow(f"{name} is shut out; let them in again first")
    address = room.settings.api.public_url or f"{request.url.scheme}://{request.url.netloc}"
    expires = utc_now() + timedelta(minutes=INVITATION_MINUTES)
    link = make_link(room.store, address, person, INVITATION_MINUTES)
    actions.record(room.store, "person invited", visitor.name, person=name)
    return Invitation(link=link, expires_at=expires)


@router.get("/keys", summary="Keys of programs")
def keys(room: TheRoom, visitor: AViewer) -> list[KeyShown]:
    """Yours; an admin sees all. Those that have expired are left out."""
    return [
        KeyShown(person=name, **key.model_dump(include=_SHOWN_OF_KEYS))
        for name, key in room.store.people.all_keys()
        if (name == visitor.person.name or visitor.may(Role.ADMIN))
        and (not key.expires_at or key.expires_at > utc_now())
    ]


@router.post("/keys", status_code=201, summary="Make a key")
def make_key(new: NewKey, room: TheRoom, visitor: AViewer) -> KeyMade:
    """For sessions only: a key makes no keys."""
    _must_be_a_session(visitor)
    if beyond := [scope for scope in new.scopes if not visitor.person.role.includes(scope)]:
        raise NotAllowed(f"your role does not include {', '.join(beyond)}")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    expires = utc_now() + timedelta(days=new.days) if new.days else None
    number = room.store.people.open(
        AccessKind.KEY, visitor.person, digest_of(secret), expires_at=expires, label=new.label, scopes=new.scopes
    )
    actions.record(room.store, "key made", visitor.name, label=new.label, scopes=", ".join(new.scopes), key=number)
    made = next(key for _, key in room.store.people.all_keys() if key.id == number)
    return KeyMade(person=visitor.person.name, secret=secret, **made.model_dump(include=_SHOWN_OF_KEYS))


@router.post("/tokens", status_code=201, summary="Make a short-lived token")
def make_token(new: NewToken, room: TheRoom, visitor: AViewer) -> TokenMade:
    """For sessions and keys. It ends by itself, with its person, and with the key that made it."""
    if visitor.by == "token":
        raise NotAllowed("a token makes no further tokens")
    if beyond := [scope for scope in new.scopes if not visitor.may(scope)]:
        raise NotAllowed(f"you may not do what {', '.join(beyond)} may")
    key = visitor.access_id if visitor.by == "key" else None
    expires = utc_now() + timedelta(minutes=new.minutes)
    token = room.tokens.make(visitor.person, new.scopes, new.minutes, key)
    actions.record(room.store, "token made", visitor.name, scopes=", ".join(new.scopes), until=f"{expires:%H:%M} UTC")
    return TokenMade(token=token, expires_at=expires)


@router.delete("/keys/{number}", status_code=204, summary="Withdraw a key", responses=problems(404))
def withdraw_key(number: RowId, room: TheRoom, visitor: AViewer) -> None:
    """It ends at once; one's own, or any for an admin."""
    _must_be_a_session(visitor)
    known = {key.id: name for name, key in room.store.people.all_keys()}
    if number not in known or not (known[number] == visitor.person.name or visitor.may(Role.ADMIN)):
        raise NotThere(f"there is no key {number} of yours")
    room.store.people.close(number)
    actions.record(room.store, "key withdrawn", visitor.name, key=number)


_SHOWN_OF_KEYS = {"id", "label", "scopes", "created_at", "expires_at"}


def _must_be_a_session(visitor: Visitor) -> None:
    if visitor.by != "session":
        raise NotAllowed(f"a {visitor.by} makes no keys and links and sets no password; do it in the control room")


def _shown(person: Person, service: str = "") -> PersonShown:
    return PersonShown(
        name=person.name, role=person.role, active=person.active, has_password=bool(person.password),
        service=service, created_at=person.created_at,
    )  # fmt: skip


def _must_not_be_the_owner(name: str) -> None:
    if name == FIRST:
        raise NotPossible(f"{name} is whom `open` signs in on the daemon's machine, and stays an admin")
