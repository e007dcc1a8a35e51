"""Sign-in by OpenID Connect, at a provider on loopback that signs real tokens and can lie."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import expect
from pydantic import ValidationError

from config import Settings
from memory import Role
from tests.api.browser import Seen, browsing, needs_browser
from tests.api.conftest import Rooms, audited, csrf_of, open_rooms
from tests.support.oidc_provider import CLIENT, SECRET, Provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as made:
        yield made


@pytest.fixture
def office(tmp_path: Path, provider: Provider) -> Iterator[Rooms]:
    """A control room whose people sign in at the provider."""
    oidc = {
        "issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET, "name": "the office",
        "role_claim": "realm.groups", "roles": {"developers": "operator", "platform": "admin"},
    }  # fmt: skip
    with open_rooms(tmp_path, oidc=oidc) as opened:
        yield opened


def sent_back(client: httpx2.Client) -> httpx2.URL:
    """From the sign-in page to the provider, and the address to which it sends the browser back."""
    begun = client.get("/sign-in/oidc")
    assert begun.status_code == 303, begun.text
    asked = httpx2.get(begun.headers["location"])
    assert asked.status_code == 303
    return httpx2.URL(asked.headers["location"])


def sign_in(client: httpx2.Client) -> httpx2.Response:
    return client.get(sent_back(client))


def me(client: httpx2.Client) -> dict[str, Any]:
    answer: dict[str, Any] = client.get("/api/v1/me").json()
    return answer


def refused(answer: httpx2.Response, words: str, status: int = 401) -> None:
    assert answer.status_code == status, answer.text
    told = re.search(r'role="alert">(.*?)</p>', answer.text, re.DOTALL)
    assert told and words in told[1], answer.text
    assert not [name for name in answer.cookies if name.startswith("session-")]


def test_somebody_new_comes_as_a_viewer_and_their_groups_give_roles(office: Rooms, provider: Provider) -> None:
    client = office.anyone()
    assert "Sign in with the office" in client.get("/sign-in").text
    assert not provider.asked, "no other host is asked before somebody signs in"
    landed = sign_in(client)
    assert landed.status_code == 200 and 'content="0; url=/"' in landed.text
    cookie = next(each for each in landed.headers.get_list("set-cookie") if each.startswith("session-"))
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert (me(client)["name"], me(client)["role"]) == ("ada", "viewer")
    assert (
        client.post("/api/v1/tasks", json={"title": "x"}, headers={"X-CSRF-Token": csrf_of(client)}).status_code == 403
    )
    for groups, role in ((["developers"], "operator"), (["developers", "platform", "x"], "admin"), (["x"], "viewer")):
        provider.person = {"sub": "u-1", "preferred_username": "renamed", "realm": {"groups": groups}}
        again = office.anyone()
        assert sign_in(again).status_code == 200
        assert (me(again)["name"], me(again)["role"]) == ("ada", role), "who they are is the subject, not the name"
    shown = {each["name"]: each["service"] for each in office.owner().get("/api/v1/people").json()}
    assert shown == {"owner": "", "ada": "the office"} and "<td>the office</td>" in office.owner().get("/people").text
    (ada,) = (person for person in office.store.people.all() if person.name == "ada")
    assert ada.password == "" and audited(office).count(("signed in", "ada")) == 4
    assert ("person added", "the office") in audited(office) and ("person changed", "the office") in audited(office)


def lie(**claims: object) -> Callable[[dict[str, Any]], object]:
    return lambda told: told.update(claims)


@pytest.mark.parametrize(
    ("twist", "words"),
    [
        (lie(nonce="another"), "nonce"),
        (lambda told: told.pop("nonce"), "nonce"),
        (lie(aud="another"), "aud"),
        (lie(aud=["another", "third"]), "aud"),
        (lie(aud=["another", CLIENT]), "azp"),
        (lie(azp="another"), "azp"),
        (lie(exp=int(time.time()) - 3600), "expired"),
        (lambda told: told.pop("exp"), "exp"),
        (lie(iat=int(time.time()) + 3600), "in the future"),
        (lie(nbf=int(time.time()) + 3600), "not yet valid"),
        (lie(iss="https://evil.example"), "iss"),
        (lie(sub=""), "sub"),
        (lie(at_hash="AAAA"), "at_hash"),
        (lie(preferred_username="a b<script>"), "cannot be a name here"),
        (lie(preferred_username=None), "cannot be a name here"),
        (lie(preferred_username="owner"), "omebody else is called owner"),
    ],
)  # fmt: skip
def test_what_the_provider_says_is_checked(
    office: Rooms, provider: Provider, twist: Callable[[dict[str, Any]], object], words: str
) -> None:
    provider.twist, client = twist, office.anyone()
    refused(sign_in(client), words)
    assert client.get("/api/v1/me").status_code == 401
    assert [person.name for person in office.store.people.all() if person.name != "owner"] == []


def test_an_answer_counts_once_in_the_browser_that_began_and_for_its_state(office: Rooms, provider: Provider) -> None:
    client = office.anyone()
    back = sent_back(client)
    refused(office.anyone().get(back), "not begun here")  # another browser; and then it is used up
    refused(client.get(back), "used already")
    right = sent_back(client)
    assert client.get(right).status_code == 200
    refused(client.get(right), "used already")
    for query in ("", "?state=made-up&code=x"):
        refused(client.get("/sign-in/oidc/callback" + query), "not begun here")
    elsewhere = sent_back(client).copy_set_param("iss", "https://evil.example")
    refused(client.get(elsewhere), "another service")
    first, second = sent_back(client), sent_back(client)
    refused(client.get(second.copy_set_param("code", first.params["code"])), "does not take the code")
    provider.refuses = True
    refused(sign_in(client), "not on the list")


def test_another_key_counts_only_when_the_provider_shows_it(
    office: Rooms, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sign_in(office.anyone()).status_code == 200
    looked = provider.asked.count("/realm/keys")
    provider.change_key(shown=False)
    refused(sign_in(office.anyone()), "cannot be taken")
    assert provider.asked.count("/realm/keys") == looked, "not asked again at each forgery"
    monkeypatch.setattr("api.oidc._KEYS_SECONDS", 0.0)
    refused(sign_in(office.anyone()), "cannot be taken")
    provider.change_key()
    assert sign_in(office.anyone()).status_code == 200


def test_a_name_at_the_provider_takes_over_nobody(office: Rooms, provider: Provider) -> None:
    office.add_person("ada", Role.ADMIN)
    refused(sign_in(office.anyone()), "omebody else is called ada")
    provider.person = {"sub": "u-2", "preferred_username": "bob"}
    bob = office.anyone()
    assert sign_in(bob).status_code == 200
    office.store.people.change("bob", active=False)
    refused(sign_in(office.anyone()), "shut out")
    office.store.people.change("bob", active=True)
    assert sign_in(office.anyone()).status_code == 200, "let in again, and still the same"
    office.store.people.remove("bob")
    assert sign_in(bob).status_code == 200 and me(bob)["name"] == "bob"


def test_a_provider_that_is_away_or_calls_itself_otherwise_is_told(office: Rooms, provider: Provider) -> None:
    client = office.anyone()
    back = sent_back(client)
    provider.__exit__()
    refused(client.get(back), "cannot be asked", 503)
    assert "Sign in with the office" in client.get("/sign-in").text


@pytest.mark.long
@needs_browser
def test_a_browser_comes_in_by_the_button(office: Rooms, provider: Provider) -> None:
    with browsing() as browser:
        seen = Seen(browser.new_page(), problems := list[str]())
        seen.page.goto(office.url)
        seen.look_over("the way in")
        seen.page.get_by_role("link", name="Sign in with the office").click()
        expect(seen.page.get_by_role("heading", name="Inbox")).to_be_visible()
        expect(seen.page.get_by_text("ada", exact=False).first).to_be_visible()
        seen.page.goto(office.url + "/tasks")
        expect(seen.page.get_by_role("heading", name="Tasks")).to_be_visible()
    assert not problems, problems


def test_tries_are_throttled(office: Rooms, provider: Provider) -> None:
    client = office.anyone()
    answers = [client.get("/sign-in/oidc").status_code for _ in range(22)]
    assert answers[0] == 303 and answers[-1] == 429


def test_nothing_of_it_is_there_unless_it_is_configured(rooms: Rooms) -> None:
    client = rooms.anyone()
    assert "oidc" not in client.get("/sign-in").text
    assert [client.get(path).status_code for path in ("/sign-in/oidc", "/sign-in/oidc/callback")] == [404, 404]


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://login.example.com", "client_id": "c"},
        {"issuer": "https://login.example.com"},
        {"issuer": "https://login.example.com?x=1", "client_id": "c"},
        {"issuer": "https://login.example.com", "client_id": "c", "scopes": ["email"]},
        {"issuer": "https://login.example.com", "client_id": "c", "roles": {"a": "king"}},
        {"issuer": "http://127.0.0.1.evil.example", "client_id": "c"},
    ],
)
def test_settings_that_could_not_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"api": {"oidc": wrong}})
