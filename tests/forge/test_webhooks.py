"""Webhooks: signed ones wake the daemon, anything else is refused, and none is believed."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from api import ControlRoom
from config import ProjectPaths, Settings
from forge import Provider, is_signed
from memory import ForgeKind, MemoryStore
from owner.way_in import make_link
from tests.forge.conftest import PROVIDERS

SECRET, BODY = "w-secret", b'{"action": "opened", "issue": {"number": 1}}'
AT = "/api/v1/forge/webhook"


def signed(provider: str, body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {
        "github": {"X-Hub-Signature-256": f"sha256={digest}"},
        "gitlab": {"X-Gitlab-Token": secret},
        "gitea": {"X-Gitea-Signature": digest},
    }[provider]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_only_who_knows_the_secret_is_believed(provider: Provider) -> None:
    good = {name.lower(): value for name, value in signed(provider, BODY).items()}
    assert is_signed(provider, SECRET, good, BODY)
    assert not is_signed(provider, "", good, BODY) and not is_signed(provider, SECRET, {}, BODY)
    assert not is_signed(provider, SECRET, {name: value + "é" for name, value in good.items()}, BODY)
    wrong = {name.lower(): value for name, value in signed(provider, BODY, "other").items()}
    assert not is_signed(provider, SECRET, wrong, BODY)
    assert provider == "gitlab" or not is_signed(provider, SECRET, good, BODY + b" ")


@pytest.fixture(params=PROVIDERS)
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, httpx2.Client, list[str]]]:
    forge = {"provider": request.param, "repository": "a/b", "api": "http://127.0.0.1:9", "webhook_secret": SECRET}
    values: dict[str, Any] = {"forge": forge, "git": {"repository_url": str(tmp_path)}, "api": {"port": 0}}
    values["file_system"] = {"data_path": tmp_path / "data", "workspace_path": tmp_path / "workspace"}
    settings = Settings.model_validate(values)
    paths = ProjectPaths.of(settings, tmp_path)
    store = MemoryStore(paths.database_url)
    store.migrate()
    store.close()
    poked: list[str] = []
    store = MemoryStore(paths.database_url)
    text = "<script>alert(1)</script>"
    threads: dict[ForgeKind, str] = {"issue": "javascript:alert(1)", "request": "https://forge.example/1"}
    for kind, url in threads.items():
        store.forge.add(settings.forge.place, kind, 1, "open", task_id="t-1", title=text, author=text, url=url)
    opened = ControlRoom(settings, paths, poke_forge=lambda: poked.append("poked"))
    with httpx2.Client(base_url=opened.address) as client:
        client.headers["X-Link"] = make_link(store, opened.address).partition("#")[2]
        yield request.param, client, poked
    opened.close()
    store.close()


def test_a_signed_webhook_wakes_and_the_others_do_nothing(room: tuple[str, httpx2.Client, list[str]]) -> None:
    provider, client, poked = room
    for _ in range(2):  # a replay is one more look
        assert client.post(AT, content=BODY, headers=signed(provider, BODY)).status_code == 202
    assert len(poked) == 2
    assert client.post(AT, content=BODY).status_code == 401
    assert client.post(AT, content=BODY, headers=signed(provider, BODY, "guess")).status_code == 401
    large = b"x" * (1024 * 1024 + 1)
    assert client.post(AT, content=large, headers=signed(provider, large)).status_code == 413
    assert client.post("/api/v1/forge/sync").status_code == 401 and client.get("/api/v1/forge").status_code == 401
    assert len(poked) == 2


def test_the_page_shows_it_and_its_button_wakes(room: tuple[str, httpx2.Client, list[str]]) -> None:
    _, client, poked = room
    assert client.post("/sign-in", data={"token": client.headers["X-Link"]}).status_code == 303
    shown = client.get("/repository").text
    assert "<script>alert" not in shown and 'href="javascript' not in shown
    assert 'href="https://forge.example/1"' in shown and SECRET not in shown
    csrf = re.search(r'action="/forge/sync"><input type="hidden" name="csrf" value="([^"]+)"', shown)
    assert csrf and client.post("/forge/sync", data={"csrf": "guess"}).status_code == 403 and not poked
    assert client.post("/forge/sync", data={"csrf": csrf[1]}).status_code == 303 and len(poked) == 1
    told = client.get("/api/v1/forge").json()
    assert told["webhooks"] and SECRET not in str(told) and [each["number"] for each in told["issues"]] == [1]
