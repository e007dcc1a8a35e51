"""GitLab: docs.gitlab.com/ee/api (issues, notes, merge requests, members, branches, pipelines)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from forge.http import ForgeClient
from forge.models import Access, Checks, Issue, Person, Remark, Request, RequestState, Thread
from forge.pipelines import GitLabCi, checks_of

_SIZE = ("per_page", 100)
_DEVELOPER = 30
"""The access level from which on one may push."""
_STATES: dict[str, RequestState] = {"opened": "open", "locked": "open", "merged": "merged"}


class GitLab:
    """One project of GitLab."""

    def __init__(self, client: ForgeClient, repository: str) -> None:
        self._client, self._repository = client, repository
        self._at = f"/projects/{quote(repository, safe='')}"

    def close(self) -> None:
        self._client.close()

    def access(self) -> Access:
        found = self._client.get(self._at)
        token = self._client.find("/personal_access_tokens/self") or {}
        permissions = found.get("permissions") or {}
        levels = [each["access_level"] for each in permissions.values() if each]
        looked = {
            "/issues": ("issues", "the scope api"),
            "/merge_requests": ("merge requests", "the scope api"),
            "/pipelines": ("pipelines", "the scope api"),
        }
        return Access(
            repository=str(found["path_with_namespace"]),
            may_push=max(levels) >= _DEVELOPER if levels else None,
            scopes=token.get("scopes") or [],
            lacks=self._client.unreadable(self._at, looked),
        )

    def has_label(self, name: str) -> bool:
        return any(each["name"] == name for each in self._all("/labels"))

    def issues(self, label: str) -> list[Issue]:
        return [self._issue(each) for each in self._all("/issues", state="opened", labels=label, sort="asc")]

    def issue(self, number: int) -> Issue | None:
        found = self._client.find(f"{self._at}/issues/{number}")
        return self._issue(found) if found else None

    def remarks(self, thread: Thread, number: int) -> list[Remark]:
        notes = self._all(f"/{_FOLDER[thread]}/{number}/notes", sort="asc", order_by="created_at")
        return [
            Remark(f"n{each['id']}", _person(each["author"]), each["body"] or "", place=_place(each.get("position")))
            for each in notes
            if not each["system"]
        ]

    def comment(self, thread: Thread, number: int, body: str) -> None:
        self._client.send("POST", f"{self._at}/{_FOLDER[thread]}/{number}/notes", {"body": body})

    def may_write(self, person: Person) -> bool:
        found = self._client.find(f"{self._at}/members/all/{person.id}")
        return bool(found) and found.get("state", "active") == "active" and found["access_level"] >= _DEVELOPER

    def tip(self, branch: str) -> str:
        found = self._client.find(f"{self._at}/repository/branches/{quote(branch, safe='')}")
        return str(found["commit"]["id"]) if found else ""

    def requests_of(self, head: str) -> list[Request]:
        return [self._request(each) for each in self._all("/merge_requests", source_branch=head, state="all")]

    def open_request(self, head: str, base: str, title: str, body: str) -> Request:
        values = {"source_branch": head, "target_branch": base, "title": title, "description": body}
        return self._request(self._client.send("POST", f"{self._at}/merge_requests", values))

    def reword_request(self, number: int, title: str, body: str) -> None:
        self._client.send("PUT", f"{self._at}/merge_requests/{number}", {"title": title, "description": body})

    def request(self, number: int) -> Request | None:
        found = self._client.find(f"{self._at}/merge_requests/{number}")
        return self._request(found) if found else None

    def checks(self, branch: str, commit: str) -> Checks:
        return checks_of(GitLabCi(self._client, self._repository), branch, commit)

    def _all(self, path: str, **query: str) -> list[Any]:
        return list(self._client.pages(self._at + path, _SIZE, **query))

    def _issue(self, found: Mapping[str, Any]) -> Issue:
        return Issue(
            number=found["iid"],
            title=found["title"] or "",
            body=found["description"] or "",
            author=_person(found["author"]),
            labels=found["labels"],
            is_open=found["state"] == "opened",
            updated=str(found["updated_at"]),
            url=str(found["web_url"]),
        )

    def _request(self, found: Mapping[str, Any]) -> Request:
        state = _STATES.get(found["state"], "closed")
        merged = found.get("merge_commit_sha") or found.get("squash_commit_sha") or found.get("sha")
        return Request(
            number=found["iid"],
            title=found["title"] or "",
            body=found.get("description") or "",
            head=found["source_branch"],
            commit=str(found.get("sha") or ""),
            base=found["target_branch"],
            state=state,
            url=str(found["web_url"]),
            merged_as=str(merged or "") if state == "merged" else "",
            conflicts=bool(found.get("has_conflicts")) and state == "open",
        )


_FOLDER = {"issue": "issues", "request": "merge_requests"}


def _person(found: Mapping[str, Any] | None) -> Person:
    return Person(found["id"], str(found["username"])) if found else Person(0, "")


def _place(position: Mapping[str, Any] | None) -> str:
    if not position:
        return ""
    path, line = position.get("new_path") or position.get("old_path") or "", position.get("new_line")
    return f"{path}:{line}" if line else str(path)
