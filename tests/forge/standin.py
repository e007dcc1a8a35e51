"""A small forge that keeps state: issues, comments, requests, reviews, pipelines, over real HTTP, in front of a real
bare repository; it speaks as GitHub, GitLab or Gitea does. A merge is a real merge."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LOG = "2026-01-01T00:00:00.0000000Z Run pytest\n2026-01-01T00:00:01.0000000Z \x1b[31mE   assert 1 == 2\x1b[0m\n"
REPOSITORY = "acme/shop"
RIGHTS = {"owner": 50, "dana": 30, "reader": 20}
"""Who may do what, in GitLab's levels; nobody else is a member."""


@dataclass
class Note:
    id: int
    by: str
    body: str
    place: str = ""
    review: str = ""


@dataclass
class Thread:
    """An issue or a request."""

    number: int
    title: str
    body: str
    by: str
    labels: list[str] = field(default_factory=list)
    open: bool = True
    stamp: int = 0
    notes: list[Note] = field(default_factory=list)
    head: str = ""
    base: str = ""
    merged_as: str = ""


@dataclass
class StandIn:
    """`down`: status it answers with; `html`: it answers with pages; `limited`: seconds it wants to be left alone;
    `broken`: what happens to the next requests of these verbs and paths: they are done, and the answer is lost."""

    folder: Path
    provider: str = "github"
    token: str = "t-secret-forge"
    user: str = "robot"
    down: int = 0
    html: bool = False
    limited: int = 0
    lost: list[str] = field(default_factory=list)
    page_size: int = 0
    issues: dict[int, Thread] = field(default_factory=dict)
    requests: dict[int, Thread] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    """Commits whose pipeline fails."""
    others: dict[str, dict[str, Any]] = field(default_factory=dict)
    """At GitHub: what programs other than its own pipelines say of every commit; path -> answer."""
    labels: list[str] = field(default_factory=lambda: ["agents", "bug"])
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    tokens_elsewhere: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.count = itertools.count(1)
        self.repository = self.folder / "shop.git"
        if not self.repository.exists():
            subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.repository)], check=True)
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                forge.answer(self)

            do_POST = do_PATCH = do_PUT = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "provider": self.provider, "api": self.url, "repository": REPOSITORY, "token": self.token, "interval": 0.2,
        } | changes  # fmt: skip

    # -- what people do there -----------------------------------------------------------------------------------

    def file(self, title: str, body: str = "", by: str = "owner", labels: tuple[str, ...] = ("agents",)) -> Thread:
        with self.lock:
            issue = Thread(next(self.count), title, body, by, [*labels], stamp=next(self.count))
            self.issues[issue.number] = issue
            return issue

    def edit(self, thread: Thread, **changes: Any) -> None:
        with self.lock:
            for name, value in changes.items():
                setattr(thread, name, value)
            thread.stamp = next(self.count)

    def write(self, thread: Thread, body: str, by: str = "owner", place: str = "", review: str = "") -> Note:
        with self.lock:
            note = Note(next(self.count), by, body, place, review)
            thread.notes.append(note)
            thread.stamp = next(self.count)
            return note

    def merge(self, request: Thread) -> str:
        with self.lock:
            base, head = self.tip(request.base), self.tip(request.head)
            tree = self.git("merge-tree", "--write-tree", base, head).splitlines()[0]
            merged = self.git("commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge #{request.number}")
            self.git("update-ref", f"refs/heads/{request.base}", merged)
            self.edit(request, open=False, merged_as=merged)
            for number in re.findall(r"Closes #(\d+)", request.body):
                self.edit(self.issues[int(number)], open=False)
            return merged

    def git(self, *words: str) -> str:
        command = ["git", "-c", "user.name=F", "-c", "user.email=f@localhost", "-C", str(self.repository), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def tip(self, branch: str) -> str:
        command = ["git", "-C", str(self.repository), "rev-parse", "-q", "--verify", f"refs/heads/{branch}"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def ours(self, thread: Thread) -> list[str]:
        """What the team wrote there."""
        return [note.body for note in thread.notes if note.by == self.user]

    # -- HTTP ------------------------------------------------------------------------------------------------------

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        path, query = unquote(parts.path), {key: values[0] for key, values in parse_qs(parts.query).items()}
        length = int(request.headers.get("Content-Length") or 0)
        sent = json.loads(request.rfile.read(length) or b"null") if length else None
        with self.lock:
            status, body, more = self._answered(request, path, query, sent or {})
            self.asked.append((request.command, path, status))
        if f"{request.command} {path}" in self.lost:
            self.lost.remove(f"{request.command} {path}")
            request.close_connection = True
            return
        packed = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        tag = f'"{hashlib.sha256(packed).hexdigest()[:16]}"'
        if status == 200 and request.command == "GET":
            more["ETag"] = tag
            if request.headers.get("If-None-Match") == tag:
                status, packed = 304, b""
                self.asked[-1] = (request.command, path, 304)
        request.send_response(status)
        for name, value in {"Content-Length": str(len(packed)), **more}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(packed)

    def _answered(
        self, request: BaseHTTPRequestHandler, path: str, query: dict[str, str], sent: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        headers = request.headers
        given = headers.get("Authorization", "").rpartition(" ")[2] or headers.get("PRIVATE-TOKEN", "")
        if path.startswith("/storage/"):
            self.tokens_elsewhere.append(given)
            return 200, LOG, {}
        if self.html:
            return 200, "<!DOCTYPE html><title>Sign in</title>", {"Content-Type": "text/html"}
        if self.down:
            return self.down, "bad gateway", {}
        if self.limited:
            if self.provider == "github":
                return 403, {"message": "API rate limit exceeded"}, {"Retry-After": str(self.limited)}
            return 429, {"message": "slow down"}, {"Retry-After": str(self.limited)}
        if given != self.token:
            return 401, {"message": "Bad credentials"}, {}
        if path == "/personal_access_tokens/self":
            return 200, {"scopes": ["api"]}, {}
        at = f"/projects/{REPOSITORY}" if self.provider == "gitlab" else f"/repos/{REPOSITORY}"
        if path != at and not path.startswith(f"{at}/"):
            return 404, {"message": "Not Found"}, {}
        speak = self._gitlab if self.provider == "gitlab" else self._github
        status, body, more = speak(request.command, path.removeprefix(at), query, sent)
        if isinstance(body, list) and request.command == "GET":
            size = self.page_size or int(query.get("per_page") or query.get("limit") or 20)
            page = int(query.get("page", "1"))
            if len(body) > page * size:
                more["Link"] = f'<{self.url}{at}?page={page + 1}>; rel="next"'
            body = body[(page - 1) * size : page * size]
        return status, body, more

    def _new_request(self, title: str, body: str, head: str, base: str) -> Thread | None:
        same = any(each.open and each.head == head for each in self.requests.values())
        if same or not self.tip(head) or self.tip(head) == self.tip(base):
            return None
        thread = Thread(next(self.count), title, body, self.user, head=head, base=base, stamp=next(self.count))
        self.requests[thread.number] = thread
        return thread

    def _conflicts(self, thread: Thread) -> bool:
        command = ["git", "-C", str(self.repository), "merge-tree", "--write-tree", f"refs/heads/{thread.base}"]
        return subprocess.run([*command, f"refs/heads/{thread.head}"], capture_output=True).returncode == 1

    # -- GitHub and Gitea --------------------------------------------------------------------------------------------

    def _github(
        self, verb: str, path: str, query: dict[str, str], sent: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        gitea = self.provider == "gitea"
        if path == "":
            more = {} if gitea else {"X-OAuth-Scopes": "repo"}
            return 200, {"full_name": REPOSITORY, "permissions": {"push": True, "admin": False}}, more
        if path == "/labels":
            return 200, [{"name": name} for name in self.labels], {}
        if path == "/issues" and verb == "GET":
            rows = [self._hub_issue(each) for each in self._listed(query.get("labels", ""))]
            if not gitea:  # there a request is an issue, too
                rows += [self._hub_issue(each) | {"pull_request": {}} for each in self.requests.values() if each.open]
            return 200, rows, {}
        if found := re.fullmatch(r"/collaborators/([^/]+)/permission", path):
            level = RIGHTS.get(found[1], 0)
            word = "admin" if level >= 50 else "write" if level >= 30 else "read" if level else "none"
            return (200, {"permission": word}, {}) if level else (404, {"message": "not a collaborator"}, {})
        if found := re.fullmatch(r"/branches/(.+)", path):
            sha = self.tip(found[1])
            return (200, {"commit": {"id" if gitea else "sha": sha}}, {}) if sha else (404, {"message": "none"}, {})
        if path == "/pulls" and verb == "POST":
            made = self._new_request(sent["title"], sent["body"], sent["head"], sent["base"])
            return (201, self._hub_pull(made), {}) if made else (422, {"message": "Validation Failed"}, {})
        if path == "/pulls":
            head = query.get("head", "").rpartition(":")[2]
            rows = [self._hub_pull(each) for each in reversed(self.requests.values()) if head in ("", each.head)]
            return 200, rows, {}
        if path == "/actions/runs":
            return 200, {"workflow_runs": [self._run(query["head_sha"])] if query.get("head_sha") else []}, {}
        if found := re.fullmatch(r"/actions/runs/(\d+)/jobs", path):
            return 200, {"jobs": [{"id": 7, "name": "test", "status": "completed", "conclusion": "failure"}]}, {}
        if path == "/actions/jobs/7/logs":
            return 302, "", {"Location": f"{self.url.replace('127.0.0.1', 'localhost')}/storage/7"}
        if not gitea and (found := re.fullmatch(r"/commits/\w+/(status|check-runs)", path)):
            said = self.others.get(found[1])
            return (200, said, {}) if said else (403, {"message": "Resource not accessible by this token"}, {})
        if found := re.fullmatch(r"/commits/(\w+)/status", path):
            state = "failure" if found[1] in self.failing else "success"
            rows = [{"context": "test", "status": state, "description": "assert 1 == 2", "target_url": self.url}]
            return 200, {"statuses": rows}, {}
        return self._hub_thread(verb, path, sent)

    def _hub_thread(self, verb: str, path: str, sent: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        found = re.fullmatch(r"/(issues|pulls)/(\d+)(/.*)?", path)
        number, rest = (int(found[2]), found[3] or "") if found else (0, "")
        thread = self.issues.get(number) or self.requests.get(number)
        if not found or thread is None:
            return 404, {"message": "Not Found"}, {}
        if found[1] == "issues" and rest == "/comments":
            if verb == "POST":
                return 201, self._hub_note(self.write(thread, sent["body"], self.user)), {}
            return 200, [self._hub_note(each) for each in thread.notes if not (each.review or each.place)], {}
        if rest == "/reviews":
            reviews = [each for each in thread.notes if each.review or (each.place and self.provider == "gitea")]
            return 200, [self._hub_note(each) | ({"body": ""} if each.place else {}) for each in reviews], {}
        if one := re.fullmatch(r"/reviews/(\d+)/comments", rest):  # at Gitea each line stands in a review
            return 200, [self._hub_note(each) for each in thread.notes if each.place and each.id == int(one[1])], {}
        if rest == "/comments":
            return 200, [self._hub_note(each) for each in thread.notes if each.place], {}
        if verb == "PATCH":
            self.edit(thread, **sent)
        if found[1] == "issues":
            return 200, self._hub_issue(thread) | ({"pull_request": {}} if thread.head else {}), {}
        return 200, self._hub_pull(thread), {}

    def _listed(self, label: str) -> list[Thread]:
        return [each for each in self.issues.values() if each.open and label in each.labels]

    def _hub_issue(self, each: Thread) -> dict[str, Any]:
        return {
            "number": each.number, "title": each.title, "body": each.body, "user": self._hub_person(each.by),
            "labels": [{"name": name} for name in each.labels], "state": "open" if each.open else "closed",
            "updated_at": f"2026-01-01T{each.stamp}", "html_url": f"{self.url}/issues/{each.number}",
        }  # fmt: skip

    def _hub_pull(self, each: Thread) -> dict[str, Any]:
        return {
            "number": each.number, "title": each.title, "body": each.body, "state": "open" if each.open else "closed",
            "head": {"ref": each.head, "sha": self.tip(each.head)}, "base": {"ref": each.base},
            "merged": bool(each.merged_as), "merge_commit_sha": each.merged_as or None,
            "mergeable": each.open and not self._conflicts(each), "html_url": f"{self.url}/pull/{each.number}",
        }  # fmt: skip

    def _hub_person(self, name: str) -> dict[str, Any] | None:
        return {"id": sum(name.encode()), "login": name} if name else None

    def _hub_note(self, each: Note) -> dict[str, Any]:
        path, _, line = each.place.partition(":")
        wants = "REQUEST_CHANGES" if self.provider == "gitea" else "CHANGES_REQUESTED"
        return {
            "id": each.id, "user": self._hub_person(each.by), "body": each.body, "path": path, "line": int(line or 0),
            "state": wants if each.review == "changes" else "COMMENTED",
        }  # fmt: skip

    def _run(self, sha: str) -> dict[str, Any]:
        ended = "failure" if sha in self.failing else "success"
        return {
            "id": 3, "head_sha": sha, "conclusion": ended, "path": ".github/workflows/test.yml",
            "status": "completed", "html_url": f"{self.url}/runs/3",
        }  # fmt: skip

    # -- GitLab ----------------------------------------------------------------------------------------------------

    def _gitlab(
        self, verb: str, path: str, query: dict[str, str], sent: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        if path == "":
            access = {"project_access": {"access_level": 40}, "group_access": None}
            return 200, {"path_with_namespace": REPOSITORY, "permissions": access}, {}
        if path == "/labels":
            return 200, [{"name": name} for name in self.labels], {}
        if path == "/issues":
            return 200, [self._lab_issue(each) for each in self._listed(query.get("labels", ""))], {}
        if found := re.fullmatch(r"/members/all/(\d+)", path):
            level = {sum(name.encode()): level for name, level in RIGHTS.items()}.get(int(found[1]), 0)
            return (200, {"access_level": level, "state": "active"}, {}) if level else (404, {"message": "404"}, {})
        if found := re.fullmatch(r"/repository/branches/(.+)", path):
            sha = self.tip(found[1])
            return (200, {"commit": {"id": sha}}, {}) if sha else (404, {"message": "404 Branch Not Found"}, {})
        if path == "/merge_requests" and verb == "POST":
            made = self._new_request(sent["title"], sent["description"], sent["source_branch"], sent["target_branch"])
            return (201, self._lab_request(made), {}) if made else (409, {"message": ["exists already"]}, {})
        if path == "/merge_requests":
            head = query.get("source_branch", "")
            rows = [self._lab_request(each) for each in reversed(self.requests.values()) if head in ("", each.head)]
            return 200, rows, {}
        if path == "/pipelines":
            sha = query.get("sha", "")
            state = "failed" if sha in self.failing else "success"
            return 200, [{"id": 3, "sha": sha, "status": state, "web_url": f"{self.url}/p/3"}] if sha else [], {}
        if path == "/pipelines/3/jobs":
            return 200, [{"id": 7, "name": "test", "status": "failed"}], {}
        if path == "/jobs/7/trace":
            return 200, LOG, {}
        found = re.fullmatch(r"/(issues|merge_requests)/(\d+)(/notes)?", path)
        thread = (self.issues if found[1] == "issues" else self.requests).get(int(found[2])) if found else None
        if not found or thread is None:
            return 404, {"message": "404 Not Found"}, {}
        if found[3]:
            if verb == "POST":
                return 201, self._lab_note(self.write(thread, sent["body"], self.user)), {}
            system = {"id": 0, "body": "changed the label", "system": True, "author": self._lab_person("owner")}
            return 200, [system, *map(self._lab_note, thread.notes)], {}
        if verb == "PUT":
            self.edit(thread, title=sent["title"], body=sent["description"])
        return 200, self._lab_issue(thread) if found[1] == "issues" else self._lab_request(thread), {}

    def _lab_issue(self, each: Thread) -> dict[str, Any]:
        return {
            "iid": each.number, "title": each.title, "description": each.body, "author": self._lab_person(each.by),
            "labels": each.labels, "state": "opened" if each.open else "closed",
            "updated_at": f"2026-01-01T{each.stamp}", "web_url": f"{self.url}/issues/{each.number}",
        }  # fmt: skip

    def _lab_request(self, each: Thread) -> dict[str, Any]:
        state = "merged" if each.merged_as else "opened" if each.open else "closed"
        return {
            "iid": each.number, "title": each.title, "description": each.body, "state": state,
            "source_branch": each.head, "target_branch": each.base, "sha": self.tip(each.head),
            "merge_commit_sha": each.merged_as or None, "has_conflicts": each.open and self._conflicts(each),
            "web_url": f"{self.url}/mr/{each.number}",
        }  # fmt: skip

    def _lab_person(self, name: str) -> dict[str, Any]:
        return {"id": sum(name.encode()), "username": name}

    def _lab_note(self, each: Note) -> dict[str, Any]:
        path, _, line = each.place.partition(":")
        position = {"new_path": path, "new_line": int(line or 0)} if path else None
        return {
            "id": each.id, "body": each.body, "system": False, "author": self._lab_person(each.by),
            "position": position,
        }  # fmt: skip
