"""The page about who comes in: people with their roles, one's own password, the keys of programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from api import people as programs
from api.access import LEAST_PASSWORD, AnAdmin, AViewer, Form, Visitor, begin_session
from api.errors import NotThere
from api.look import page
from api.pages import number, redirect
from api.problems import fields_of
from api.room import Room, TheRoom
from memory import NameTaken, Role
from memory.tables.people import FIRST
from owner.errors import OwnerError

router = APIRouter(include_in_schema=False)

Made = TypeVar("Made")


class _Wrong(Exception):
    """What was typed cannot be done; the page is shown again, with why."""


@router.get("/people")
def people(request: Request, room: TheRoom, visitor: AViewer) -> Response:
    """Oneself and one's keys; an admin sees everybody and all keys."""
    return _people(request, room, visitor)


@router.post("/people")
def add(request: Request, room: TheRoom, visitor: AnAdmin, form: Form) -> Response:
    """Let somebody in."""
    asked = {"name": form.get("name", "").strip(), "role": form.get("role")}
    try:
        _tried(lambda: programs.add_person(programs.NewPerson.model_validate(asked), room, visitor))
    except _Wrong as wrong:
        return _people(request, room, visitor, problem=str(wrong), name=form.get("name", ""))
    return redirect("/people", "let-in")


@router.post("/people/password")
def set_password(request: Request, room: TheRoom, visitor: AViewer, form: Form) -> Response:
    """Set one's own password; only this browser stays signed in."""
    first, again = form.get("password", ""), form.get("again", "")
    try:
        if first != again:
            raise _Wrong("the two passwords differ")
        _tried(lambda: programs.set_password(programs.NewPassword(password=first), room, visitor))
    except _Wrong as wrong:
        return _people(request, room, visitor, problem=str(wrong))
    answer = redirect("/people", "password")
    begin_session(room, visitor.person, answer, secure=request.url.scheme == "https")
    return answer


@router.post("/people/keys")
def make_key(request: Request, room: TheRoom, visitor: AViewer, form: Form) -> Response:
    """Make a key, and show it this once."""
    asked = {
        "label": form.get("label", "").strip(),
        "scopes": [form.get("scope", Role.VIEWER)],
        "days": number(form.get("days", "90")),
    }
    try:
        made = _tried(lambda: programs.make_key(programs.NewKey.model_validate(asked), room, visitor))
    except _Wrong as wrong:
        return _people(request, room, visitor, problem=str(wrong))
    return _people(request, room, visitor, made=made)


@router.post("/people/keys/{key}/withdraw")
def withdraw(key: str, room: TheRoom, visitor: AViewer) -> Response:
    """End a key."""
    programs.withdraw_key(number(key) or 0, room, visitor)
    return redirect("/people", "withdrawn")


@router.post("/people/{name}/{verb}")
def change(name: str, verb: str, request: Request, room: TheRoom, visitor: AnAdmin, form: Form) -> Response:
    """What is done to a person: another `role`, `invite`, `shut-out`, `let-in`, `remove`."""
    try:
        match verb:
            case "role":
                new = _tried(lambda: programs.PersonChange(role=Role(form.get("role", ""))))
                _tried(lambda: programs.change_person(name, new, room, visitor))
            case "shut-out" | "let-in":
                active = programs.PersonChange(active=verb == "let-in")
                _tried(lambda: programs.change_person(name, active, room, visitor))
            case "invite":
                way_in = _tried(lambda: programs.invite(name, request, room, visitor))
                return _people(request, room, visitor, invited=name, invitation=way_in)
            case "remove":
                _tried(lambda: programs.remove_person(name, room, visitor))
                return redirect("/people", "removed")
            case _:
                raise NotThere(f"{verb[:40]!r} is nothing that can be done to a person")
    except _Wrong as wrong:
        return _people(request, room, visitor, problem=str(wrong))
    return redirect("/people", "person-changed")


def _tried(action: Callable[[], Made]) -> Made:
    """Raises `_Wrong` for what the page says beside its forms."""
    try:
        return action()
    except ValidationError as wrong:
        raise _Wrong("; ".join(map(str, fields_of(wrong)))) from None
    except (OwnerError, NameTaken, ValueError) as wrong:
        raise _Wrong(str(wrong)) from None


def _people(request: Request, room: Room, visitor: Visitor, *, problem: str = "", **shown: object) -> Response:
    """The page; `shown`: what was just made, and what was typed."""
    is_admin = visitor.may(Role.ADMIN)
    values = {
        "people": programs.people(room, visitor) if is_admin else [],
        "keys": programs.keys(room, visitor),
        "roles": list(Role),
        "mine": [role for role in Role if visitor.may(role)],
        "owner": FIRST,
        "least": LEAST_PASSWORD,
        "problem": problem,
        **{"made": None, "invited": "", "invitation": None, "name": ""},
        **shown,
    }
    return page(request, "people.html", values, status=422 if problem else 200)
