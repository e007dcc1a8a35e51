"""GitHub: docs.github.com/en/rest (issues, pulls, collaborators, branches, actions)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from forge.errors import ForgeRefused
from forge.http import ForgeClient
from forge.models import Access, Checks, Issue, Person, Remark, Request, Thread
from forge.pipelines import GitHubActions, check_runs, checks_of, statuses, together

_WRITERS = ("admin", "maintain", "write", "owner")


class GitHub:
    """One repository of GitHub."""

    size = ("per_page", 100)

    def __init__(self, client: ForgeClient, repository: str) -> None:
        self._client, self._repository = client, repository
        self._at = f"/repos/{repository}"

    def close(self) -> None:
        self._client.close()

    def access(self) -> Access:
        found = self._client.get(self._at)
        scopes = self._client.head(self._at).get("x-oauth-scopes", "")
        permissions = found.get("permissions") or {}
        return Access(
            repository=str(found["full_name"]),
            may_push=permissions.get("push"),
            scopes=[each.strip() for each in scopes.split(",") if each.strip()],
            lacks=self._lacks(),
        )

    def _lacks(self) -> dict[str, str]:
        looked = {
            "/issues": ("issues", "Issues: read and write"),
            "/pulls": ("pull requests", "Pull requests: read and write"),
            "/actions/runs": ("pipelines", "Actions: read"),
        }
        return self._client.unreadable(self._at, looked)

    def has_label(self, name: str) -> bool:
        return any(each["name"].lower() == name.lower() for each in self._all("/labels"))

    def issues(self, label: str) -> list[Issue]:
        rows = self._all("/issues", state="open", labels=label, sort="created", direction="asc")
        return [self._issue(each) for each in rows if "pull_request" not in each]

    def issue(self, number: int) -> Issue | None:
        found = self._client.find(f"{self._at}/issues/{number}")
        return None if not found or found.get("pull_request") else self._issue(found)

    def remarks(self, thread: Thread, number: int) -> list[Remark]:
        said = [
            Remark(f"c{each['id']}", person_of(each["user"]), each["body"] or "")
            for each in self._all(f"/issues/{number}/comments")
        ]
        return said + self._reviews(number) if thread == "request" else said

    def _reviews(self, number: int) -> list[Remark]:
        found = [
            Remark(
                f"r{each['id']}",
                person_of(each["user"]),
                each["body"] or "",
                wants_changes=each["state"] in ("CHANGES_REQUESTED", "REQUEST_CHANGES"),
            )
            for each in self._all(f"/pulls/{number}/reviews")
            if each["state"] != "PENDING"
        ]
        return found + [
            Remark(f"l{each['id']}", person_of(each["user"]), each["body"] or "", place=place_of(each))
            for each in self._all(f"/pulls/{number}/comments")
        ]

    def comment(self, thread: Thread, number: int, body: str) -> None:
        self._client.send("POST", f"{self._at}/issues/{number}/comments", {"body": body})

    def may_write(self, person: Person) -> bool:
        found = self._client.find(f"{self._at}/collaborators/{quote(person.name, safe='')}/permission")
        return bool(found) and (found.get("permission") in _WRITERS or found.get("role_name") in _WRITERS)

    def tip(self, branch: str) -> str:
        found = self._client.find(f"{self._at}/branches/{quote(branch)}")
        commit = found["commit"] if found else {}
        return str(commit.get("sha") or commit.get("id") or "")

    def requests_of(self, head: str) -> list[Request]:
        owner = self._repository.partition("/")[0]
        return [self._request(each) for each in self._all("/pulls", head=f"{owner}:{head}", state="all")]

    def open_request(self, head: str, base: str, title: str, body: str) -> Request:
        values = {"head": head, "base": base, "title": title, "body": body}
        return self._request(self._client.send("POST", f"{self._at}/pulls", values))

    def reword_request(self, number: int, title: str, body: str) -> None:
        self._client.send("PATCH", f"{self._at}/pulls/{number}", {"title": title, "body": body})

    def request(self, number: int) -> Request | None:
        found = self._client.find(f"{self._at}/pulls/{number}")
        return self._request(found) if found else None

    def checks(self, branch: str, commit: str) -> Checks:
        at = f"{self._at}/commits/{commit}"
        return together(
            checks_of(GitHubActions(self._client, self._repository), branch, commit),
            check_runs(self._readable(f"{at}/check-runs", "check_runs")),
            statuses(self._readable(f"{at}/status", "statuses"), "state"),
        )

    def _readable(self, path: str, key: str) -> list[Any]:
        """What a list holds; nothing where the token may not read it."""
        try:
            return (self._client.get(path, per_page="100") or {}).get(key) or []
        except ForgeRefused:
            return []

    def _all(self, path: str, **query: str) -> list[Any]:
        return list(self._client.pages(self._at + path, self.size, **query))

    def _issue(self, found: Mapping[str, Any]) -> Issue:
        return Issue(
            number=found["number"],
            title=found["title"] or "",
            body=found["body"] or "",
            author=person_of(found["user"]),
            labels=[each["name"] for each in found["labels"] or []],
            is_open=found["state"] == "open",
            updated=str(found["updated_at"]),
            url=str(found["html_url"]),
        )

    def _request(self, found: Mapping[str, Any]) -> Request:
        merged = bool(found.get("merged") or found.get("merged_at"))
        return Request(
            number=found["number"],
            title=found["title"] or "",
            body=found.get("body") or "",
            head=found["head"]["ref"],
            commit=found["head"]["sha"],
            base=found["base"]["ref"],
            state="merged" if merged else "open" if found["state"] == "open" else "closed",
            url=str(found["html_url"]),
            merged_as=str(found.get("merge_commit_sha") or "") if merged else "",
            conflicts=found.get("mergeable") is False and not merged,
        )


def person_of(found: Mapping[str, Any] | None) -> Person:
    """Who it was; an account that was deleted is nobody."""
    return Person(found["id"], str(found["login"])) if found else Person(0, "")


def place_of(found: Mapping[str, Any]) -> str:
    """The file and line that a note is about."""
    line = found.get("line") or found.get("original_line") or found.get("position")
    return f"{found.get('path') or ''}:{line}" if line else str(found.get("path") or "")
