"""A worker with durable objects for tests, as a commit of a project; and the real workerd and wrangler of npm."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployment.errors import GatewayAway
from deployment.gateway import client
from tests.deployment.hosts import Repository, free_port

WORKERD, WRANGLER = "1.20261117.1", "4.80.0"
WRANGLER_FILE = """{
  // comments and commas at ends are allowed here
  "name": "shop", "main": "src/index.js", "compatibility_date": "2026-11-01",
  "durable_objects": { "bindings": [
    { "name": "COUNTERS", "class_name": "Counter" }, { "name": "BOOKS", "class_name": "Book" },
  ] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Counter", "Book"] }],
  "vars": { "GREETING": "a \\"quoted\\" // word" },
}
"""
WORKER = """
import { DurableObject } from "cloudflare:workers";
import { LABEL } from "./label.js";
const ODD = "%(odd)s";
if (ODD === "crash") throw new Error("cannot start: a module is missing");

export class Counter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    const sql = ctx.storage.sql;
    sql.exec("CREATE TABLE IF NOT EXISTS counts (value INTEGER)");
    if (ODD === "migration") {
      if ([...sql.exec("SELECT value FROM counts")].length) {
        sql.exec("DELETE FROM counts");
        ctx.storage.sync().then(() => {});
        throw new Error("the migration failed half-way");
      }
    }
  }
  async fetch(request) {
    const sql = this.ctx.storage.sql;
    const path = new URL(request.url).pathname;
    if (path === "/healthz" && ODD === "late" && [...sql.exec("SELECT value FROM counts")].length) {
      sql.exec("DELETE FROM counts");
      return new Response("this object cannot be read", { status: 500 });
    }
    if (path !== "/healthz" && request.method === "POST") sql.exec("INSERT INTO counts VALUES (1)");
    return Response.json({ count: [...sql.exec("SELECT count(*) AS n FROM counts")][0].n });
  }
}

export class Book extends DurableObject {
  async lend() { return LABEL; }
}

export default { async fetch(request, env) {
  const url = new URL(request.url);
  if (url.pathname === "/healthz") {
    if (ODD === "sick") return new Response("database is away", { status: 500 });
    if (ODD === "public" && url.hostname !== "worker") return new Response("not for everybody", { status: 500 });
    return Response.json({ version: env.COMMIT, greeting: env.GREETING, label: await env.BOOKS.getByName("a").lend() });
  }
  if (url.pathname === "/far") return env.GATEWAY.fetch(url.searchParams.get("to"), request);
  console.log("counting", url.pathname);
  return env.COUNTERS.getByName(url.pathname.slice(1)).fetch(request);
} };
"""


def tools() -> Path:
    """The folder with workerd and wrangler, fetched once for all test runs of this user."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "nightcrew-tests" / f"workerd-{WORKERD}-wrangler-{WRANGLER}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            (folder / "package.json").write_text('{"private": true}')
            done = subprocess.run(
                ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder),
                 f"@cloudflare/workerd-linux-64@{WORKERD}", f"wrangler@{WRANGLER}"],
                cwd=folder, capture_output=True, text=True, timeout=300,
            )  # fmt: skip
            if done.returncode:
                pytest.skip(f"npm reaches no registry: {done.stderr[-300:]}")
            (folder / "done").touch()
    return folder


def workerd() -> Path:
    """The program."""
    return tools() / "node_modules" / "@cloudflare" / "workerd-linux-64" / "bin" / "workerd"


def commit(repository: Repository, odd: str = "", **files: str) -> str:
    """A commit of the worker; `odd` is what is wrong with it."""
    (repository.folder / "src").mkdir(exist_ok=True)
    written = {"wrangler.jsonc": WRANGLER_FILE, "src/index.js": WORKER % {"odd": odd}} | files
    return repository.commit(odd, **{"src/label.js": 'export const LABEL = "good";\n'} | written)


@dataclass
class Machine:
    """A folder for a service, with a gateway of its own."""

    folder: Path
    gateway: Path
    port: int

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "target": "durable_objects", "service": "shop", "folder": str(self.folder), "gateway": str(self.gateway),
            "listen": f"127.0.0.1:{self.port}", "workerd": str(workerd()),
            "health": {
                "url": f"http://127.0.0.1:{self.port}/healthz", "healthy": 3, "interval": 0.05, "timeout": 5,
                "deadline": 2,
            },
        } | changes  # fmt: skip

    def ask(self, path: str, method: str = "GET") -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == 200, text
        found: dict[str, Any] = json.loads(text)
        return found

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = client.ask(self.gateway, "status")
        return found

    def end(self) -> None:
        """End the gateway, and with it what it runs."""
        try:
            process = psutil.Process(self.status()["pid"])
        except (GatewayAway, psutil.NoSuchProcess):
            return
        process.terminate()
        try:
            process.wait(20)
        except psutil.TimeoutExpired:
            process.kill()


@contextmanager
def a_machine(folder: Path) -> Iterator[Machine]:
    """A machine until the end of the block; what its gateway runs ends with it."""
    workerd()
    place = Path(tempfile.mkdtemp(prefix="gw-", dir="/tmp"))
    made = Machine(folder / "srv" / "shop", place, free_port())
    made.folder.mkdir(parents=True)
    try:
        yield made
    finally:
        made.end()
        shutil.rmtree(place)
