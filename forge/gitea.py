"""Gitea and Forgejo: docs.gitea.com/api. What they took over from GitHub is in `github.py`."""

from __future__ import annotations

from forge.github import GitHub, person_of, place_of
from forge.models import Checks, Issue, Remark, Request
from forge.pipelines import statuses


class Gitea(GitHub):
    """One repository of a Gitea or Forgejo."""

    size = ("limit", 50)

    def _lacks(self) -> dict[str, str]:
        looked = {
            "/issues": ("issues", "issue: read and write"),
            "/pulls": ("pull requests", "repository: read and write"),
        }
        return self._client.unreadable(self._at, looked)

    def issues(self, label: str) -> list[Issue]:
        rows = self._all("/issues", state="open", type="issues", labels=label)
        found = [self._issue(each) for each in rows if not each.get("pull_request")]
        return sorted(found, key=lambda issue: issue.number)

    def _reviews(self, number: int) -> list[Remark]:
        found = []
        for each in self._all(f"/pulls/{number}/reviews"):
            if each["state"] == "PENDING":
                continue
            wants = each["state"] == "REQUEST_CHANGES"
            found.append(Remark(f"r{each['id']}", person_of(each["user"]), each["body"] or "", wants_changes=wants))
            found += [
                Remark(f"l{line['id']}", person_of(line["user"]), line["body"] or "", place=place_of(line))
                for line in self._client.get(f"{self._at}/pulls/{number}/reviews/{each['id']}/comments") or []
            ]
        return found

    def requests_of(self, head: str) -> list[Request]:
        rows = self._all("/pulls", state="all", sort="recentupdate")
        return [self._request(each) for each in rows if each["head"]["ref"] == head]

    def checks(self, branch: str, commit: str) -> Checks:
        found = self._client.find(f"{self._at}/commits/{commit}/status")
        return statuses((found or {}).get("statuses") or [], "status")
