"""The part of Cloudflare's API that `wrangler deploy` and we use, with state: scripts, versions and deployments."""

from __future__ import annotations

import http.server
import json
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ACCOUNT, TOKEN = "0123456789abcdef0123456789abcdef", "cf-token-of-a-test"


class Account:
    """What is deployed, and what was asked."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[dict[str, Any]]] = {}
        self.deployed: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/client/v4"

    def live(self, script: str) -> dict[str, Any]:
        """The version that is live."""
        name = self.deployed[script][0]["versions"][0]["version_id"]
        return next(each for each in self.scripts[script] if each["id"] == name)

    def upload(self, script: str, metadata: dict[str, Any], body: str) -> dict[str, Any]:
        tag = (metadata.get("migrations") or {}).get("new_tag") or self.migration(script)
        version = {
            "id": str(uuid.uuid4()), "number": len(self.scripts.get(script, [])) + 1, "migration": tag, "body": body,
            "annotations": metadata.get("annotations") or {},
            "bindings": {each["name"]: each for each in metadata.get("bindings", [])}, "metadata": metadata,
        }  # fmt: skip
        self.scripts.setdefault(script, []).insert(0, version)
        return version

    def migration(self, script: str) -> str:
        return str(self.scripts[script][0]["migration"]) if self.scripts.get(script) else ""

    def deploy(self, script: str, version: str) -> dict[str, Any]:
        made = {"id": str(uuid.uuid4()), "strategy": "percentage", "source": "api",
                "versions": [{"percentage": 100, "version_id": version}]}  # fmt: skip
        self.deployed.setdefault(script, []).insert(0, made)
        return made


@contextmanager
def an_account() -> Iterator[Account]:
    """The API until the end of the block."""
    account = Account()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0].removeprefix("/client/v4")
            account.asked.append(f"{self.command} {path}")
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                return self._say(403, None, {"code": 10000, "message": "Authentication error"})
            return self._say(*_answered(account, self.command, path, body))

        do_GET = do_POST = do_PUT = do_PATCH = _answer

        def _say(self, status: int, result: Any, error: dict[str, Any] | None = None) -> None:
            told = {"success": status < 400, "result": result, "errors": [error] if error else [], "messages": []}
            text = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    account.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield account
    finally:
        server.shutdown()
        server.server_close()


def _answered(account: Account, verb: str, path: str, body: bytes) -> tuple[int, Any, dict[str, Any] | None]:
    gone = {"code": 10007, "message": "This Worker does not exist on your account."}
    found = re.fullmatch(rf"/accounts/{ACCOUNT}/workers/(scripts|services)/([a-z0-9-]+)(/.*)?", path)
    if not found:
        if path.endswith("/workers/subdomain"):
            return 200, {"subdomain": "you"}, None
        if path.endswith("/workers/scripts"):
            return 200, [{"id": name, "migration_tag": account.migration(name)} for name in account.scripts], None
        return 404, None, {"code": 7003, "message": f"no route for {path}"}
    kind, script, rest = found[1], found[2], found[3] or ""
    if rest == "/subdomain":
        return 200, {"enabled": True, "previews_enabled": False}, None
    if verb == "PUT" or (verb == "POST" and rest == "/versions"):
        parts = body.partition(b"\r\n\r\n")
        text = parts[2].decode("utf-8", "replace")
        metadata = json.JSONDecoder().raw_decode(text)[0]
        version = account.upload(script, metadata, text)
        if verb == "PUT":
            account.deploy(script, version["id"])
        return 200, {"id": version["id"], "startup_time_ms": 3, "deployment_id": version["id"],
                     "etag": "e", "pipeline_hash": "p", "mutable_pipeline_id": "m", "entry_point": "index.js",
                     "available_on_subdomain": True, "metadata": {},
                     "resources": {"script": {"etag": "e"}}}, None  # fmt: skip
    if script not in account.scripts:
        return 404, None, gone
    if kind == "services":
        newest = account.scripts[script][0]
        return 200, {"default_environment": {"environment": "production", "script": {
            "tag": "t", "last_deployed_from": "wrangler", "migration_tag": newest["migration"]}}}, None  # fmt: skip
    if rest == "/versions":
        return 200, {"items": [{"id": each["id"], "annotations": each["annotations"]}
                               for each in account.scripts[script]]}, None  # fmt: skip
    if rest == "/deployments" and verb == "POST":
        wanted = json.loads(body)["versions"][0]["version_id"]
        version = next(each for each in account.scripts[script] if each["id"] == wanted)
        if version["migration"] != account.live(script)["migration"]:
            return 400, None, {"code": 10220, "message": "cannot roll back across a Durable Object migration"}
        return 200, account.deploy(script, wanted), None
    if rest == "/deployments":
        return 200, {"deployments": account.deployed[script]}, None
    return 200, {}, None
