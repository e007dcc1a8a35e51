"""A small forge for tests: a repository, and the part of the REST API that pipelines are followed by, for GitHub
Actions and for GitLab CI. Its pipelines look at what was pushed: the file ODD of a commit decides how it ends."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.deployment.hosts import run

LOG = "2026-01-01T00:00:00.0000000Z Run pytest\n2026-01-01T00:00:01.0000000Z \x1b[31mE   assert 1 == 2\x1b[0m\n"


@dataclass
class Pipeline:
    id: int
    sha: str
    branch: str
    odd: str
    looked: int = 0
    cancelled: bool = False

    @property
    def state(self) -> str:
        if self.cancelled:
            return "cancelled"
        if self.odd == "endless" or self.looked < 2:
            return "running"
        return "failed" if self.odd == "sick" else "success"


@dataclass
class Forge:
    """`token` is what it wants to see; `down` has it answer 502."""

    folder: Path
    repository: Path = Path()
    """Made when none is given."""
    branch: str = "deploy/staging"
    token: str = "t-secret"
    down: bool = False
    pipelines: list[Pipeline] = field(default_factory=list)
    tokens_elsewhere: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.repository == Path():
            self.repository = self.folder / "shop.git"
            run("git", "init", "-q", "--bare", "-b", "main", self.repository)
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forge.answer(self)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def settings(self, provider: str, **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = {
            "target": "ci_cd", "provider": provider, "api": self.url, "repository": "acme/shop", "branch": self.branch,
            "token": self.token, "interval": 0.05, "begins_within": 2, "pipeline_deadline": 5,
        }  # fmt: skip
        return values | changes

    def git(self, *words: str) -> str:
        return run("git", "-C", self.repository, *words)

    def _look(self) -> None:
        """A pipeline for each new tip of the branch."""
        found = subprocess.run(
            ["git", "-C", str(self.repository), "rev-parse", "-q", "--verify", f"refs/heads/{self.branch}"],
            capture_output=True, text=True,
        )  # fmt: skip
        sha = found.stdout.strip()
        if sha and all(each.sha != sha for each in self.pipelines):
            odd = self.git("show", f"{sha}:ODD").strip()
            if odd != "without":
                self.pipelines.append(Pipeline(len(self.pipelines) + 1, sha, self.branch, odd))

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        with self.lock:
            parts = urlsplit(request.path)
            self.requests.append(f"{request.command} {parts.path}")
            status, body, more = self._answered(request, unquote(parts.path), parse_qs(parts.query))
        packed = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        request.send_response(status)
        for name, value in more.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(packed)))
        request.end_headers()
        request.wfile.write(packed)

    def _answered(
        self, request: BaseHTTPRequestHandler, path: str, query: dict[str, list[str]]
    ) -> tuple[int, Any, dict[str, str]]:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ") or request.headers.get(
            "PRIVATE-TOKEN", ""
        )
        if path.startswith("/storage/"):
            self.tokens_elsewhere.append(given)
            return 200, LOG, {}
        if self.down:
            return 502, "bad gateway", {}
        if given != self.token:
            return 401, {"message": "Bad credentials"}, {}
        self._look()
        sha = (query.get("head_sha") or query.get("sha") or [""])[0]
        chosen = [each for each in reversed(self.pipelines) if sha in ("", each.sha)]
        if path == "/repos/acme/shop/actions/runs":
            return 200, {"workflow_runs": [self._github(each) for each in chosen]}, {}
        if path == "/projects/acme/shop/pipelines":
            return 200, [self._gitlab(each) for each in chosen], {}
        found = re.fullmatch(
            r"/(?:repos/acme/shop/actions/(?:runs|jobs)|projects/acme/shop/(?:pipelines|jobs))/(\d+)(/\w+)", path
        )
        if not found:
            return 404, {"message": "Not Found"}, {}
        pipeline, what = self.pipelines[int(found[1]) - 1], found[2]
        if what == "/cancel":
            pipeline.cancelled = True
            return 202, {}, {}
        if what == "/jobs":
            job = {"id": pipeline.id, "name": "test", "status": "completed", "conclusion": "failure"}
            if path.startswith("/projects"):
                return 200, [{"id": pipeline.id, "name": "test", "status": "failed"}], {}
            return 200, {"jobs": [{**job, "id": 99, "name": "lint", "conclusion": "success"}, job]}, {}
        if what == "/logs":
            other = self.url.replace("127.0.0.1", "localhost")
            return 302, "", {"Location": f"{other}/storage/{pipeline.id}"}
        return 200, LOG, {}

    def _github(self, pipeline: Pipeline) -> dict[str, Any]:
        pipeline.looked += 1
        state = pipeline.state
        ended = {"failed": "failure", "success": "success", "cancelled": "cancelled"}.get(state)
        return {
            "id": pipeline.id, "head_sha": pipeline.sha, "head_branch": pipeline.branch, "conclusion": ended,
            "path": ".github/workflows/deploy.yml", "status": "completed" if ended else "in_progress",
            "html_url": f"{self.url}/runs/{pipeline.id}",
        }  # fmt: skip

    def _gitlab(self, pipeline: Pipeline) -> dict[str, Any]:
        pipeline.looked += 1
        state = {"cancelled": "canceled"}.get(pipeline.state, pipeline.state)
        return {
            "id": pipeline.id,
            "sha": pipeline.sha,
            "ref": pipeline.branch,
            "status": state,
            "web_url": f"{self.url}/p/{pipeline.id}",
        }
