"""The way in by OpenID Connect: to the service that signs people in, and back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import TypeAdapter, ValidationError

from api.access import begin_session
from api.errors import ApiError, NotThere, SignInRefused
from api.look import page
from api.oidc import Identity
from api.pages import sign_in_form
from api.room import Room, TheRoom
from memory import AccessKind, NameTaken, Person, PersonName, Role, utc_now
from memory.tables.people import FIRST
from owner import actions

router = APIRouter(include_in_schema=False)

_WAY = "/sign-in/oidc"
_NAME: TypeAdapter[str] = TypeAdapter(PersonName)


@router.get(_WAY)
def begin(request: Request, room: TheRoom) -> Response:
    """Send the browser to the service."""
    _must_be_chosen(room)
    try:
        request.app.state.doorkeeper.count_try(_address(request))
        place, browser = room.oidc.begin(_callback(request, room))
    except ApiError as problem:
        return sign_in_form(request, room, str(problem), problem.status)
    answer = RedirectResponse(place, 303)
    answer.set_cookie(  # lax: it has to come along when the service sends the browser back
        _cookie(room), browser, max_age=600, path=_WAY, httponly=True, samesite="lax",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return answer


@router.get(f"{_WAY}/callback")
def back(request: Request, room: TheRoom) -> Response:
    """Whom the service sends back. The cookie of a session is for requests of this site only, so that a page of ours
    goes on to the inbox, and no redirect of theirs."""
    _must_be_chosen(room)
    try:
        request.app.state.doorkeeper.count_try(_address(request))
        identity = room.oidc.finish(request.query_params, request.cookies.get(_cookie(room), ""))
        person = _person(room, identity)
    except ApiError as problem:
        return sign_in_form(request, room, str(problem), problem.status)
    answer = page(request, "signed_in.html", {})
    answer.delete_cookie(_cookie(room), path=_WAY, httponly=True, samesite="lax")
    begin_session(room, person, answer, secure=request.url.scheme == "https")
    actions.record(room.store, "signed in", person.name, address=_address(request), service=room.settings.api.oidc.name)
    return answer


def _person(room: Room, identity: Identity) -> Person:
    """Whom this is here; somebody new is let in. Who has a name here by another way keeps it: a name at the service is
    no proof of being them. Raises `SignInRefused`."""
    people, service = room.store.people, room.settings.api.oidc.name
    known = people.known_by(AccessKind.IDENTITY, identity.digest)
    if known is not None:
        person = known[0]
        if identity.role is not None and identity.role is not person.role:
            people.change(person.name, role=identity.role)
            actions.record(
                room.store, "person changed", service, person=person.name, changed=f"{identity.role} from now on"
            )
        return people.find(person.name)
    try:
        name = _NAME.validate_python(identity.name)
    except ValidationError:
        claim = room.settings.api.oidc.name_claim
        raise SignInRefused(
            f"{service} calls you {identity.name[:64]!r}, which cannot be a name here; api.oidc.name_claim is {claim}"
        ) from None
    role = identity.role or Role.VIEWER
    try:
        if name == FIRST:
            raise NameTaken(name)
        people.add(Person(name=name, role=role, created_at=utc_now()))
    except NameTaken:
        raise SignInRefused(
            f"somebody else is called {name} here, or you are shut out; ask an admin of the control room"
        ) from None
    person = people.find(name)
    people.open(AccessKind.IDENTITY, person, identity.digest, expires_at=None, label=service)
    actions.record(room.store, "person added", service, person=name, role=role.value)
    return person


def _must_be_chosen(room: Room) -> None:
    if not room.settings.api.oidc.issuer:
        raise NotThere("nobody signs in so here; api.oidc sets it up")


def _callback(request: Request, room: Room) -> str:
    own = room.settings.api.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
    return f"{own}{_WAY}/callback"


def _cookie(room: Room) -> str:
    return f"oidc-{room.key}"


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
