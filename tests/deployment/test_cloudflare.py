"""`durable_objects` at Cloudflare: the real wrangler against an API that keeps state."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployment import DeploymentError, DeploymentManager
from deployment.errors import CloudflareRefused, ProgramMissing
from memory import MemoryStore
from tests.deployment.cloudflare import ACCOUNT, TOKEN, Account, an_account
from tests.deployment.hosts import Repository
from tests.deployment.workers import WRANGLER_FILE, commit, tools

Make = Callable[..., DeploymentManager]
pytestmark = pytest.mark.long


@pytest.fixture
def account() -> Iterator[Account]:
    with an_account() as opened:
        yield opened


@pytest.fixture
def edge(account: Account) -> Iterator[int]:
    """Where the worker answers: 200 with the commit that the live version was given, 500 if its code is sick."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            live = account.live("shop")
            sick = 'ODD = "sick"' in live["body"]
            self.send_response(500 if sick else 200)
            self.end_headers()
            self.wfile.write(json.dumps({"version": live["bindings"]["COMMIT"]["text"]}).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def settings(account: Account, edge: int, **changes: Any) -> dict[str, Any]:
    return {
        "target": "durable_objects", "provider": "cloudflare", "service": "shop", "account_id": ACCOUNT, "token": TOKEN,
        "api": account.url, "wrangler": str(tools() / "node_modules" / ".bin" / "wrangler"),
        "health": {"url": f"http://127.0.0.1:{edge}/healthz", "healthy": 2, "interval": 0.05, "deadline": 1},
    } | changes  # fmt: skip


def test_a_good_version_goes_live_a_sick_one_is_taken_back_and_a_migration_has_no_way_back(
    account: Account, edge: int, manager: Make, repository: Repository, store: MemoryStore
) -> None:
    deployer = manager(production=settings(account, edge))
    first = commit(repository)
    assert deployer.deploy("production"), store.deployments.history()[0].detail
    assert account.live("shop")["bindings"]["COMMIT"]["text"] == first
    assert account.live("shop")["bindings"]["COUNTERS"]["class_name"] == "Counter"
    assert deployer.check_status("production").commit == first
    commit(repository, "sick")
    assert not deployer.deploy("production")
    assert store.deployments.history()[0].status == "rolled_back"
    assert deployer.check_status("production").commit == first
    second = commit(repository)
    assert deployer.deploy("production"), store.deployments.history()[0].detail
    assert deployer.check_status("production").commit == second
    assert deployer.rollback("production") and deployer.check_status("production").commit == first
    more = WRANGLER_FILE.replace(
        '"new_sqlite_classes": ["Counter", "Book"] }]',
        '"new_sqlite_classes": ["Counter"] }, { "tag": "v2", "new_sqlite_classes": ["Book"] }]',
    )
    commit(repository, "sick", **{"wrangler.jsonc": more})
    assert not deployer.deploy("production")
    row = store.deployments.history()[0]
    assert row.status == "rollback_failed" and "does not go back across a migration" in row.detail
    with pytest.raises(DeploymentError, match="wrangler tail shop"):
        deployer.logs("production", 10)


def test_what_cannot_work_changes_nothing_and_gets_no_token(
    account: Account, edge: int, manager: Make, repository: Repository, tmp_path: Path
) -> None:
    commit(repository)
    for changes, error, told in (
        ({"token": "another"}, CloudflareRefused, "Authentication error"),
        ({"wrangler": str(tmp_path / "none")}, ProgramMissing, "npm install --global wrangler"),
        ({"build": f"env > {tmp_path}/env; exit 3"}, DeploymentError, "build ended with 3"),
    ):
        with pytest.raises(error, match=told):
            manager(production=settings(account, edge, **changes)).deploy("production")
    assert TOKEN not in (tmp_path / "env").read_text()
    stolen = WRANGLER_FILE.replace('"vars"', f'"build": {{"command": "env > {tmp_path}/stolen"}}, "vars"')
    commit(repository, **{"wrangler.jsonc": stolen})
    with pytest.raises(DeploymentError, match="would run with your token"):
        manager(production=settings(account, edge)).deploy("production")
    commit(repository, **{"src/label.js": "export const LABEL = ;"})
    with pytest.raises(DeploymentError, match="the trial of the upload"):
        manager(production=settings(account, edge)).deploy("production")
    assert not account.scripts and not (tmp_path / "stolen").exists()
