"""The page about who comes in: what an admin does there, and what everybody may."""

from __future__ import annotations

import html
import re

import httpx2

from memory import Role
from tests.api.conftest import Rooms, audited, csrf_of, problem

PASSWORD = "correct horse battery"


def shown(answer: httpx2.Response) -> str:
    """What is shown once."""
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store", answer.text
    found = re.search(r'role="status".*?<pre tabindex="0">([^<]+)</pre>', answer.text, re.DOTALL)
    assert found, answer.text
    return html.unescape(found[1])


def test_somebody_is_invited_sets_a_password_and_is_shut_out_again(rooms: Rooms) -> None:
    owner, ada = rooms.owner(), rooms.anyone()
    token = {"csrf": csrf_of(owner)}
    assert owner.post("/people", data=token | {"name": "ada", "role": "operator"}).status_code == 303
    for wrong in ("ada", "a b", ""):
        answer = owner.post("/people", data=token | {"name": wrong, "role": "viewer"})
        assert answer.status_code == 422 and 'role="alert"' in answer.text
    address, _, secret = shown(owner.post("/people/ada/invite", data=token)).partition("/sign-in#")
    assert address == rooms.url
    assert ada.post("/sign-in", data={"token": secret}).headers["location"] == "/people"
    assert rooms.anyone().post("/sign-in", data={"token": secret}).status_code == 401
    hers = {"csrf": csrf_of(ada, "/people"), "password": PASSWORD}
    for again in ("", PASSWORD + "x"):
        assert "The two passwords differ" in ada.post("/people/password", data=hers | {"again": again}).text
    assert ada.post("/people/password", data=hers | {"again": PASSWORD}).headers["location"] == "/people?told=password"
    assert "Your password is set" in ada.get("/people?told=password").text, "and she is still signed in"
    assert rooms.anyone().post("/sign-in", data={"name": "ada", "password": PASSWORD}).status_code == 303
    assert '<h2 id="people">' not in ada.get("/people").text
    changed = owner.post("/people/ada/role", data=token | {"role": "viewer"})
    assert changed.headers["location"] == "/people?told=person-changed"
    assert ada.post("/people", data={"csrf": csrf_of(ada), "name": "eve", "role": "admin"}).status_code == 403
    assert owner.post("/people/ada/role", data=token | {"role": "king"}).status_code == 422
    assert owner.post("/people/ada/shut-out", data=token).status_code == 303
    assert ada.get("/people").headers["location"] == "/sign-in"
    assert owner.post("/people/ada/invite", data=token).status_code == 422
    assert owner.post("/people/ada/remove", data=token).status_code == 303
    assert [person.name for person in rooms.store.people.all()] == ["owner"]
    assert owner.post("/people/ada/remove", data=token).status_code == 404
    assert owner.post("/people/owner/dance", data=token).status_code == 404
    for verb in ("shut-out", "remove", "role"):
        answer = owner.post(f"/people/owner/{verb}", data=token | {"role": "viewer"})
        assert answer.status_code == 422 and "stays an admin" in answer.text
    told = [words for words in audited(rooms) if words[0] != "signed in"]
    assert told == [
        ("person added", "owner"), ("person invited", "owner"), ("person changed", "ada"), ("person changed", "owner"),
        ("person changed", "owner"), ("person removed", "owner"),
    ]  # fmt: skip


def test_everybody_makes_keys_of_their_own_and_sees_them_once(rooms: Rooms) -> None:
    owner = rooms.owner()
    token = csrf_of(owner)
    assert owner.post("/people", data={"csrf": token, "name": "vera", "role": "viewer"}).status_code == 303
    link = shown(owner.post("/people/vera/invite", data={"csrf": token}))
    vera = rooms.anyone()
    assert vera.post("/sign-in", data={"token": link.partition("#")[2]}).status_code == 303
    asked = {"csrf": csrf_of(vera), "label": "<b>nightly</b>", "scope": "viewer", "days": "30"}
    secret = shown(vera.post("/people/keys", data=asked))
    assert secret not in vera.get("/people").text and "&lt;b&gt;nightly" in vera.get("/people").text
    program = rooms.anyone(Authorization=f"Bearer {secret}")
    assert program.get("/api/v1/me").json()["scopes"] == ["viewer"]
    assert vera.post("/people/keys", data=asked | {"scope": "admin"}).status_code == 403
    for wrong in ({"days": "x"}, {"days": "99999"}, {"label": " "}, {"scope": "king"}):
        assert vera.post("/people/keys", data=asked | wrong).status_code == 422
    (key,) = vera.get("/api/v1/keys").json()
    mine = shown(owner.post("/people/keys", data=asked | {"csrf": token, "scope": "admin", "days": ""}))
    number = max(each["id"] for each in owner.get("/api/v1/keys").json())
    assert vera.post(f"/people/keys/{number}/withdraw", data={"csrf": csrf_of(vera)}).status_code == 404
    assert owner.post(f"/people/keys/{key['id']}/withdraw", data={"csrf": token}).status_code == 303
    assert problem(program.get("/api/v1/me"), 401) == "sign-in-needed"
    assert problem(rooms.anyone(Authorization=f"Bearer {mine}").post("/api/v1/people/vera/invitation"), 403)
    assert rooms.store.journal.latest(1)[0].activity == "key withdrawn"
    assert secret not in str([line.model_dump() for line in rooms.store.journal.activity()])


def test_a_person_goes_with_all_that_let_them_in(rooms: Rooms) -> None:
    rooms.add_person("otto", Role.OPERATOR)
    program, admin = rooms.program(Role.OPERATOR, person="otto"), rooms.program(Role.ADMIN)
    assert program.get("/api/v1/me").status_code == 200
    assert admin.delete("/api/v1/people/otto").status_code == 204
    assert problem(program.get("/api/v1/me"), 401) and problem(admin.delete("/api/v1/people/otto"), 404)
    assert problem(admin.delete("/api/v1/people/owner"), 422) == "not-possible"
