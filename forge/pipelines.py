"""Pipelines of GitHub Actions and GitLab CI: their runs for a commit, and what a failed job printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol
from urllib.parse import quote

from forge.http import ForgeClient
from forge.models import Checks, Run
from monitoring import redact

MOST_OUTPUT = 3000
"""Characters of a log that are kept, from its end."""
_TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z ", re.MULTILINE)
"""What GitHub writes before each line of a log."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Pipelines(Protocol):
    """The pipelines of one repository."""

    def runs(self, branch: str, commit: str = "") -> list[Run]:
        """The newest runs of a branch, or those of a commit on it."""

    def failed_job(self, run: Run) -> tuple[str, str]:
        """Name and log of a failed job; empty if there is none."""

    def cancel(self, run: Run) -> None:
        """Have a run end."""


def checks_of(pipelines: Pipelines, branch: str, commit: str) -> Checks:
    """What the pipelines of a commit say together."""
    runs = pipelines.runs(branch, commit)
    if bad := next((run for run in runs if run.state == "bad"), None):
        job, text = pipelines.failed_job(bad)
        printed = tail(text) or "(it printed nothing)"
        return Checks("bad", f"{bad.url} ended with {bad.word}; the job {job or '?'}:\n{printed}")
    if any(run.state == "running" for run in runs):
        return Checks("running")
    return Checks("good" if runs else "none")


def together(*found: Checks) -> Checks:
    """What all of them say: bad if one is, running if one is not over."""
    if bad := [each.told for each in found if each.state == "bad"]:
        return Checks("bad", "\n\n".join(bad))
    states = {each.state for each in found}
    return Checks("running" if "running" in states else "good" if "good" in states else "none")


def statuses(rows: Iterable[Mapping[str, Any]], state: str) -> Checks:
    """What commit statuses say, which programs beside the forge's own pipelines set. `state`: the key of theirs."""
    rows = list(rows)
    if bad := [each for each in rows if each.get(state) in ("failure", "error")]:
        return Checks("bad", "\n".join(_told(each, str(each[state])) for each in bad))
    if any(each.get(state) == "pending" for each in rows):
        return Checks("running")
    return Checks("good" if rows else "none")


def _told(row: Mapping[str, Any], word: str) -> str:
    return tail(f"{row.get('context')}: {row.get('description') or word} ({row.get('target_url') or '-'})")


def tail(text: str) -> str:
    """The end of what a job printed, without colours and secrets."""
    return redact(_COLOURS.sub("", text).strip())[-MOST_OUTPUT:]


class GitHubActions:
    """docs.github.com/en/rest/actions: workflow-runs and workflow-jobs."""

    def __init__(self, client: ForgeClient, repository: str, workflow: str = "") -> None:
        self._client = client
        self._place = f"/repos/{repository}/actions"
        self._workflow = workflow

    def runs(self, branch: str, commit: str = "") -> list[Run]:
        query = {"branch": branch, "per_page": "50"} | ({"head_sha": commit} if commit else {})
        found = self._client.get(f"{self._place}/runs", **query)["workflow_runs"]
        return [
            Run(
                each["id"],
                each["head_sha"],
                _github_state(each),
                each["conclusion"] or each["status"],
                each["html_url"],
            )
            for each in found
            if not self._workflow or each["path"].rpartition("/")[2].partition("@")[0] == self._workflow
        ]

    def failed_job(self, run: Run) -> tuple[str, str]:
        jobs = self._client.get(f"{self._place}/runs/{run.id}/jobs", per_page="100")["jobs"]
        for job in jobs:
            if job["conclusion"] in _GITHUB_BAD:
                text = self._client.log(f"{self._place}/jobs/{job['id']}/logs")
                return job["name"], _TIMESTAMP.sub("", text)
        return "", ""

    def cancel(self, run: Run) -> None:
        self._client.send("POST", f"{self._place}/runs/{run.id}/cancel")


def check_runs(rows: Iterable[Mapping[str, Any]]) -> Checks:
    """What the check runs of programs other than GitHub Actions say (docs.github.com/en/rest/checks/runs)."""
    rows = [each for each in rows if (each.get("app") or {}).get("slug") != "github-actions"]
    states = [_github_state(each) for each in rows]
    if bad := [each for each, state in zip(rows, states, strict=True) if state == "bad"]:
        return Checks("bad", "\n\n".join(map(_check_told, bad)))
    return Checks("running" if "running" in states else "good" if rows else "none")


def _check_told(run: Mapping[str, Any]) -> str:
    output = run.get("output") or {}
    said = "\n".join(filter(None, (output.get("title"), output.get("summary"), output.get("text"))))
    return f"{run.get('name')} ended with {run['conclusion']} ({run.get('details_url') or '-'}):\n{tail(said) or '-'}"


_GITHUB_BAD = ("failure", "cancelled", "timed_out", "action_required", "startup_failure", "stale")


def _github_state(run: Mapping[str, Any]) -> Literal["running", "good", "bad"]:
    if run["status"] != "completed":
        return "running"
    return "bad" if run["conclusion"] in _GITHUB_BAD else "good"


class GitLabCi:
    """docs.gitlab.com/ee/api: pipelines and jobs."""

    def __init__(self, client: ForgeClient, repository: str) -> None:
        self._client = client
        self._place = f"/projects/{quote(repository, safe='')}"

    def runs(self, branch: str, commit: str = "") -> list[Run]:
        query = {"ref": branch, "per_page": "50"} | ({"sha": commit} if commit else {})
        found = self._client.get(f"{self._place}/pipelines", **query)
        return [
            Run(each["id"], each["sha"], _gitlab_state(each["status"]), each["status"], each["web_url"])
            for each in found
        ]

    def failed_job(self, run: Run) -> tuple[str, str]:
        for job in self._client.get(f"{self._place}/pipelines/{run.id}/jobs", per_page="100"):
            if job["status"] in ("failed", "canceled") and not job.get("allow_failure"):
                return job["name"], self._client.log(f"{self._place}/jobs/{job['id']}/trace")
        return "", ""

    def cancel(self, run: Run) -> None:
        self._client.send("POST", f"{self._place}/pipelines/{run.id}/cancel")


def _gitlab_state(status: str) -> Literal["running", "good", "bad"]:
    if status in ("success", "skipped"):
        return "good"
    return "bad" if status in ("failed", "canceled", "canceling") else "running"
