"""Who comes in, what they may do there, and what other sites, old pages and guessers cannot."""

from __future__ import annotations

import re

import httpx2
import pytest

from memory import FailureReason, TaskStatus
from owner.way_in import make_link
from tests.api.conftest import Rooms, audited, csrf_of, problem

PASSWORD = "correct horse battery"


def signed_in(rooms: Rooms, name: str, password: str = PASSWORD) -> httpx2.Client:
    client = rooms.anyone()
    answer = client.post("/sign-in", data={"name": name, "password": password})
    assert answer.status_code == 303, answer.text
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    return client


def test_a_link_of_open_signs_in_once(rooms: Rooms) -> None:
    token = make_link(rooms.store, rooms.url).partition("#")[2]
    first, second = rooms.anyone(), rooms.anyone()
    assert first.post("/sign-in", data={"token": token}).status_code == 303
    assert second.post("/sign-in", data={"token": token}).status_code == 401
    assert first.get("/").status_code == 200 and second.get("/").status_code == 303
    shown = rooms.store._database.path
    assert shown is not None and token.encode() not in shown.read_bytes()
    assert audited(rooms) == [("signed in", "owner")]


def test_another_site_signs_nobody_in(rooms: Rooms) -> None:
    token = make_link(rooms.store, rooms.url).partition("#")[2]
    for origin in ("https://evil.example", "null"):
        assert rooms.anyone().post("/sign-in", data={"token": token}, headers={"Origin": origin}).status_code == 403
    assert rooms.anyone().post("/sign-in", data={"token": token}, headers={"Origin": rooms.url}).status_code == 303


def test_each_role_sees_and_does_what_it_may(rooms: Rooms) -> None:
    owner = rooms.owner()
    headers = {"X-CSRF-Token": csrf_of(owner)}
    for name, role in (("vera", "viewer"), ("otto", "operator")):
        person = {"name": name, "role": role, "password": PASSWORD}
        assert owner.post("/api/v1/people", json=person, headers=headers).status_code == 201
    assert problem(owner.post("/api/v1/people", json={"name": "vera"}, headers=headers), 409) == "name-taken"
    task = rooms.add_task()
    rooms.store.tasks.transition(task.id, TaskStatus.BLOCKED, reason=FailureReason.NEEDS_OWNER, detail="Which?")
    vera, otto = signed_in(rooms, "vera"), signed_in(rooms, "otto")
    assert "Which?" in vera.get("/").text and "<textarea" not in vera.get("/").text
    assert "<textarea" in otto.get("/").text
    note = {"note": "This one."}
    assert vera.post(f"/tasks/{task.id}/approve", data=note | {"csrf": csrf_of(vera)}).status_code == 403
    assert problem(otto.get("/api/v1/people"), 403) == "not-allowed"
    answer = otto.post(f"/tasks/{task.id}/approve", data=note | {"csrf": csrf_of(otto), "back": "//evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?told=approve")
    assert [command.command for command in rooms.store.commands.pending()] == ["retry"]
    assert audited(rooms)[-1] == ("told the daemon", "otto")
    shut = owner.patch("/api/v1/people/otto", json={"active": False}, headers=headers)
    assert shut.json()["active"] is False and problem(otto.get("/api/v1/me"), 401)
    for change in ({"role": "viewer"}, {"active": False}):
        assert problem(owner.patch("/api/v1/people/owner", json=change, headers=headers), 422) == "not-possible"


def test_a_change_needs_the_token_of_this_very_session(rooms: Rooms) -> None:
    first, second = rooms.owner(), rooms.owner()
    rooms.add_task()
    for token in ("", "0" * 64, csrf_of(second)):
        answer = first.post("/api/v1/tasks/t-1/cancel", headers={"X-CSRF-Token": token})
        assert problem(answer, 403) == "wrong-token"
    mine = {"X-CSRF-Token": csrf_of(first)}
    assert problem(first.post("/api/v1/tasks/t-1/cancel", headers=mine | {"Origin": "https://evil.example"}), 403)
    assert first.post("/api/v1/tasks/t-1/cancel", headers=mine | {"Origin": rooms.url}).status_code == 202
    assert first.post("/sign-out", data={"csrf": mine["X-CSRF-Token"]}).status_code == 303
    first.cookies.set(f"session-{rooms.paths.state.name[-8:]}", "made up")
    assert problem(first.post("/api/v1/tasks/t-1/cancel", headers=mine), 401) == "sign-in-needed"


def test_guessing_is_slowed_down_and_tells_nothing(rooms: Rooms) -> None:
    rooms.store.people.owner()  # without a password: no word signs in
    told = [rooms.anyone().post("/sign-in", data={"name": name, "password": ""}) for name in ("owner", "nobody")]
    assert told[0].text == told[1].text and {answer.status_code for answer in told} == {401}
    answers = [rooms.anyone().post("/sign-in", data={"name": "owner", "password": "x"}) for _ in range(6)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert 0 < int(answers[-1].headers["retry-after"]) <= 61


def test_keys_do_what_their_scope_says_until_they_are_withdrawn(rooms: Rooms) -> None:
    owner = rooms.owner()
    headers = {"X-CSRF-Token": csrf_of(owner)}
    made = owner.post("/api/v1/keys", json={"label": "report", "scopes": ["viewer"]}, headers=headers).json()
    program = rooms.anyone(Authorization=f"Bearer {made['secret']}")
    assert program.get("/api/v1/tasks").status_code == 200
    assert problem(program.post("/api/v1/tasks", json={"title": "x"}), 403) == "not-allowed"
    assert problem(program.post("/api/v1/keys", json={"label": "more"}), 403)
    assert [key["label"] for key in owner.get("/api/v1/keys").json()] == ["report"]
    assert made["secret"] not in owner.get("/api/v1/keys").text
    assert owner.delete(f"/api/v1/keys/{made['id']}", headers=headers).status_code == 204
    assert problem(program.get("/api/v1/tasks"), 401) == "sign-in-needed"
    words = {line.activity for line in rooms.store.journal.activity()}
    assert words >= {"key made", "key withdrawn"}


def test_a_password_is_set_changed_and_ends_other_sessions(rooms: Rooms) -> None:
    owner, elsewhere = rooms.owner(), rooms.owner()
    headers = {"X-CSRF-Token": csrf_of(owner)}
    assert problem(owner.put("/api/v1/me/password", json={"password": "short"}, headers=headers), 422)
    assert owner.put("/api/v1/me/password", json={"password": PASSWORD}, headers=headers).status_code == 204
    assert {problem(each.get("/api/v1/me"), 401) for each in (owner, elsewhere)} == {"sign-in-needed"}
    assert signed_in(rooms, "owner").get("/api/v1/me").json()["name"] == "owner"
    assert rooms.store.people.find("owner").password.startswith("$argon2id$")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "[::1"])
def test_other_names_for_this_machine_get_nowhere(rooms: Rooms, host: str) -> None:
    answer = rooms.anyone().get("/", headers={"Host": host})
    assert answer.status_code in (400, 421), answer.text
    assert "sign-in" not in answer.headers.get("location", "")


def test_nothing_in_a_page_is_run_or_asked_elsewhere(rooms: Rooms) -> None:
    owner = rooms.owner()
    rooms.add_task(title='<script>alert(1)</script><img src=x onerror="x">')
    rooms.store.tasks.transition("t-1", TaskStatus.BLOCKED, reason=FailureReason.TESTS_FAILED, detail="</p><b>bold")
    answer = owner.get("/")
    assert (
        "<script>alert" not in answer.text and "&lt;script&gt;alert(1)" in answer.text and "</p><b>" not in answer.text
    )
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert scripts and all('src="/static/' in script for script in scripts) and " style=" not in answer.text
    assert owner.get("/static/app.js").status_code == 200
    assert owner.get("/static/%2e%2e/app.py").status_code == 404
