"""JSON web tokens: those of the daemon, those of a service whose public key is known, and what only looks like one."""

from __future__ import annotations

import base64
import hmac
import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey, OKPKey, RSAKey

from api.errors import NoSecret, SignInNeeded
from api.tokens import Tokens, public_key
from config import ApiSettings
from memory import Person, Role, utc_now
from tests.api.conftest import Rooms, audited, problem

KEYS: dict[str, tuple[Key, str]] = {
    "RS256": (RSAKey.generate_key(2048), "rsa"),
    "ES256": (ECKey.generate_key("P-256"), "ec"),
    "Ed25519": (OKPKey.generate_key("Ed25519"), "okp"),
}

ADA = Person(id=7, name="ada", role=Role.ADMIN, created_at=utc_now())


def tokens_with(folder: Path, key: Key | None = None) -> Tokens:
    folder.mkdir(exist_ok=True)
    file = folder / "public.pem"
    if key is not None:
        file.write_bytes(key.as_pem(private=False))  # type: ignore[union-attr]  # of those with two halves
    return Tokens(ApiSettings(token_public_key=file if key is not None else None), folder)


def signed(by: Key, alg: str, **changes: Any) -> str:
    claims = {"sub": "ada", "aud": "ai-agents", "scope": "viewer operator dance", "exp": int(time.time()) + 60}
    return jwt.encode({"alg": alg}, {k: v for k, v in (claims | changes).items() if v is not None}, by, [alg])


@pytest.mark.parametrize("alg", KEYS)
def test_a_service_whose_public_key_is_known_signs_tokens(tmp_path: Path, alg: str) -> None:
    key, tokens = KEYS[alg][0], tokens_with(tmp_path, KEYS[alg][0])
    said = tokens.read(signed(key, alg, iss="https://id.example.com", key=1))
    assert (said.person, said.scopes, said.key) == ("ada", (Role.VIEWER, Role.OPERATOR), None)
    assert tokens.read(signed(key, alg, scope=["admin", 7])).scopes == (Role.ADMIN,)
    assert tokens.read(signed(key, alg, scope=None, aud=["other", "ai-agents"])).scopes == ()
    now = int(time.time())
    for wrong in ({"exp": now - 60}, {"exp": None}, {"aud": None}, {"aud": "other"}, {"sub": None}, {"nbf": now + 600},
                  {"exp": "soon"}, {"sub": ""}):  # fmt: skip
        with pytest.raises(SignInNeeded):
            tokens.read(signed(key, alg, **wrong))
    others = tokens_with(tmp_path / "other")
    with pytest.raises(SignInNeeded):
        others.read(signed(key, alg))


def test_the_key_decides_how_it_is_checked_never_the_token(tmp_path: Path) -> None:
    key, other = KEYS["RS256"][0], RSAKey.generate_key(2048)
    tokens = tokens_with(tmp_path, key)
    good = tokens.make(ADA, [Role.VIEWER], 5)
    head, body, signature = good.split(".")

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    public = (tmp_path / "public.pem").read_bytes()  # as the secret of a symmetric algorithm: an old trick
    mac = base64.urlsafe_b64encode(hmac.digest(public, f"{head}.{body}".encode(), "sha256")).decode().rstrip("=")
    forged = [
        signed(other, "RS256"), f"{head}.{body}.{mac}", f"{part({'alg': 'none'})}.{body}.", f"{head}.{body}.",
        f"{head}.{part(claims | {'scope': 'admin'})}.{signature}", f"{head}.{body}.{signature[:-2]}AA",
        signed(key, "RS256", aud=tokens.audience, iss="ai-agents", exp=None), "a.b.c", "..", "é.é.é", "x" * 9000,
    ]  # fmt: skip
    for token in forged:
        with pytest.raises(SignInNeeded):
            tokens.read(token)
    assert tokens.read(good).scopes == (Role.VIEWER,)
    assert stat.S_IMODE((tmp_path / "control-room.secret").stat().st_mode) == 0o600
    assert tokens_with(tmp_path).read(good).person == "ada", "a restart changes nothing"
    (tmp_path / "control-room.secret").unlink()
    with pytest.raises(SignInNeeded):
        tokens_with(tmp_path).read(good)
    with pytest.raises(SignInNeeded):
        tokens.read(tokens.make(ADA, [Role.VIEWER], -1))


def test_only_public_keys_are_taken(tmp_path: Path) -> None:
    key = KEYS["ES256"][0]
    shared = KeySet([key]).as_dict(private=False)
    assert isinstance(public_key(json.dumps(shared).encode()), KeySet)
    secret = KeySet([OctKey.generate_key(256)]).as_dict(private=True)
    private = KeySet([key]).as_dict(private=True)
    alone = json.dumps(shared["keys"][0]).encode()
    for text in (b"", b"words", json.dumps(secret).encode(), json.dumps(private).encode(), alone, b"{}",
                 b'{"keys": null}', key.as_pem(private=True)):  # type: ignore[union-attr]  # fmt: skip
        with pytest.raises(ValueError, match="key"):
            public_key(text)
    (tmp_path / "alone.json").write_bytes(alone)
    for name in ("none.pem", "alone.json"):
        broken = Tokens(ApiSettings(token_public_key=tmp_path / name), tmp_path)
        with pytest.raises(SignInNeeded):
            broken.read(signed(key, "ES256"))


def test_a_secret_that_cannot_be_used_is_a_problem_and_names_no_place(rooms: Rooms) -> None:
    key, place = rooms.program(Role.VIEWER), rooms.paths.state / "control-room.secret"
    place.write_text("short", encoding="ascii")
    for answer in (
        rooms.anyone(Authorization="Bearer a.b.c").get("/api/v1/me"),
        key.post("/api/v1/tokens", json={}),
    ):
        assert problem(answer, 503) == "no-secret" and str(rooms.paths.state) not in answer.text
    place.unlink()
    assert key.post("/api/v1/tokens", json={}).status_code == 201
    assert [each.name for each in rooms.paths.state.glob("*control-room.secret*")] == ["control-room.secret"]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with pytest.raises(NoSecret):
        Tokens(ApiSettings(), rooms.paths.state / "none").make(ADA, [Role.VIEWER], 5)


def test_a_token_may_what_its_scopes_say_and_ends_with_its_key_and_person(
    rooms: Rooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.access._KNOWN_SECONDS", 0.0)
    rooms.add_person("otto", Role.OPERATOR)
    key, admin = rooms.program(Role.OPERATOR, person="otto"), rooms.program(Role.ADMIN)
    made = key.post("/api/v1/tokens", json={"scopes": ["operator"], "minutes": 5})
    assert made.status_code == 201
    token = rooms.anyone(Authorization=f"Bearer {made.json()['token']}")
    me = token.get("/api/v1/me").json()
    assert (me["name"], me["by"], me["scopes"]) == ("otto", "token", ["operator"])
    assert token.post("/api/v1/tasks", json={"title": "Add add"}).status_code == 201
    assert [what for what, by in audited(rooms) if by.startswith("otto (token ")] == ["gave work"]
    assert made.json()["token"] not in str([line.details for line in rooms.store.journal.activity()])
    for beyond in (token.get("/api/v1/people"), token.post("/api/v1/tokens", json={})):
        assert problem(beyond, 403) == "not-allowed"
    assert problem(key.post("/api/v1/tokens", json={"scopes": ["admin"]}), 403) == "not-allowed"
    assert problem(key.post("/api/v1/tokens", json={"minutes": 9999}), 422) == "invalid-request"
    assert rooms.store.people.close(next(each.id for name, each in rooms.store.people.all_keys() if name == "otto"))
    assert problem(token.get("/api/v1/me"), 401) == "sign-in-needed"
    direct = Tokens(ApiSettings(), rooms.paths.state).make(rooms.store.people.find("otto"), [Role.VIEWER], 5)
    program = rooms.anyone(Authorization=f"Bearer {direct}")
    assert program.get("/api/v1/me").status_code == 200
    assert admin.patch("/api/v1/people/otto", json={"active": False}).status_code == 200
    assert problem(program.get("/api/v1/me"), 401) == "sign-in-needed"
    assert admin.delete("/api/v1/people/otto").status_code == 204
    rooms.add_person("otto", Role.OPERATOR)
    assert problem(program.get("/api/v1/me"), 401) == "sign-in-needed", "it was another one's"
    for wrong in ("a.b.c", "x.y", f"{direct}x"):
        assert problem(rooms.anyone(Authorization=f"Bearer {wrong}").get("/api/v1/me"), 401) == "sign-in-needed"
    assert problem(rooms.anyone(Authorization="Basic abc").get("/api/v1/me"), 401) == "sign-in-needed"
