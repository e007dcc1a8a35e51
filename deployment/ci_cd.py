"""`ci_cd`: a push to a branch begins the forge's pipeline, which deploys; it is followed by the commit until it ends.

The way back is a push, too: a new commit with the files of the version before, so the branch never loses its history,
and the pipeline runs again. What a failing job printed is in the error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol
from urllib.parse import quote

from config import CiCdEnvironment
from deployment.errors import MOST_OUTPUT, DeploymentError, ForgeAway, ForgeRefused, PipelineFailed
from deployment.target import Live, Release, Workshop
from monitoring import get_logger, redact

if TYPE_CHECKING:
    import httpx2

log = get_logger(__name__)

_SECONDS = 20.0
_TIMESTAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z ", re.MULTILINE)
"""What GitHub writes before each line of a log."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_TRIES = 3
PIPELINE = "the pipeline "
"""How the words begin in which a pipeline's failure is told."""


@dataclass(frozen=True)
class Run:
    """A pipeline's run for a commit."""

    id: int
    commit: str
    state: Literal["running", "good", "bad"]
    word: str
    """How the forge calls that."""
    url: str


class _Api(Protocol):
    """The part of a forge's REST API that is needed."""

    def runs(self, branch: str, commit: str = "") -> list[Run]:
        """The newest runs of a branch, or those of a commit on it."""

    def failed_job(self, run: Run) -> tuple[str, str]:
        """Name and log of a failed job; empty if there is none."""

    def cancel(self, run: Run) -> None:
        """Have a run end."""


class CiCd:
    """Deploys by a forge's pipeline."""

    name: ClassVar[str] = "ci_cd"

    def __init__(self, settings: CiCdEnvironment, workshop: Workshop) -> None:
        self._settings = settings
        self._workshop = workshop
        self._client: _Client | None = None

    def prepare(self, release: Release) -> dict[str, str]:
        """See that the forge lets us read its pipelines, before anything is pushed."""
        self._api.runs(self._settings.branch)
        return {}

    def activate(self, release: Release, previous: Release | None) -> str:
        """Push the commit, and follow its pipeline to a good end."""
        return self._deployed(release.commit)

    def check_status(self) -> Live:
        """The commit of the last good pipeline of the branch."""
        for run in self._api.runs(self._settings.branch):
            if run.state == "good":
                return Live(run.commit, f"pipeline {run.id} ({run.url})")
        return Live()

    def rollback(self, failed: Release, previous: Release | None) -> str:
        """Push a revert to the version before, and follow its pipeline. What has no version before stays pushed."""
        for run in self._api.runs(self._settings.branch, failed.version):
            if run.state == "running":
                self._api.cancel(run)
        return self._deployed(previous.commit) if previous else ""

    def settle(self, release: Release, previous: Release | None) -> None:
        """Nothing is left to do."""

    def abandon(self, release: Release) -> None:
        """Nothing was pushed."""

    def logs(self, lines: int) -> str:
        """The log of the failed job of the newest pipeline; how it went, if none failed."""
        runs = self._api.runs(self._settings.branch)
        if not runs:
            raise DeploymentError(f"no pipeline has run for {self._settings.branch}")
        job, text = self._api.failed_job(runs[0]) if runs[0].state == "bad" else ("", "")
        head = f"pipeline {runs[0].id} of {runs[0].commit[:12]}: {runs[0].word} ({runs[0].url})"
        return "\n".join([head, *([f"job {job}:", *text.splitlines()[-lines:]] if job else [])])

    def close(self) -> None:
        """Close the connection."""
        if self._client:
            self._client.close()
            self._client = None

    def _deployed(self, commit: str) -> str:
        """Push the files of a commit and follow the pipeline; the commit that is on the branch then."""
        pushed = self._workshop.source.bring(commit, self._settings.branch)
        self._follow(pushed)
        return pushed

    def _follow(self, commit: str) -> None:
        """Wait until all runs for a commit have ended. Raises `PipelineFailed` with what the failing job printed."""
        chosen, begun = self._settings, time.monotonic()
        while True:
            passed = time.monotonic() - begun
            try:
                runs = self._api.runs(chosen.branch, commit)
            except ForgeAway:
                if passed > chosen.pipeline_deadline:
                    raise
                runs = []
            else:
                if not runs and passed > chosen.begins_within:
                    raise PipelineFailed(
                        f"no pipeline began for {commit[:12]} within {chosen.begins_within:g} s; does one run at "
                        f"pushes to {chosen.branch}?"
                    )
            running = [run for run in runs if run.state == "running"]
            if bad := next((run for run in runs if run.state == "bad"), None):
                job, text = self._api.failed_job(bad)
                printed = _tail(text) or "(it printed nothing)"
                raise PipelineFailed(f"{PIPELINE}{bad.url} ended with {bad.word}; the job {job or '?'}:\n{printed}")
            if runs and not running:
                return
            if passed > chosen.pipeline_deadline:
                for run in running:
                    self._api.cancel(run)
                place = ", ".join(run.url for run in running)
                raise PipelineFailed(f"{PIPELINE}did not end within {chosen.pipeline_deadline:g} s: {place}")
            time.sleep(chosen.interval)

    @property
    def _api(self) -> _Api:
        if self._client is None:
            self._client = _Client(self._settings)
        kind = _GitHub if self._settings.provider == "github_actions" else _GitLab
        return kind(self._client, self._settings)


class _Client:
    """Requests to a forge, which may be away for a moment."""

    def __init__(self, settings: CiCdEnvironment) -> None:
        import httpx2  # for those who deploy so

        token = settings.token.get_secret_value() if settings.token else ""
        github = settings.provider == "github_actions"
        usual = "https://api.github.com" if github else "https://gitlab.com/api/v4"
        headers = {"User-Agent": "ai-agents"}
        if github:
            headers |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if token:
            headers |= {"Authorization": f"Bearer {token}"} if github else {"PRIVATE-TOKEN": token}
        self._http = httpx2.Client(base_url=(settings.api or usual).rstrip("/"), headers=headers, timeout=_SECONDS)

    def close(self) -> None:
        self._http.close()

    def json(self, path: str, **query: str) -> Any:
        return self._asked("GET", path, query).json()

    def text(self, path: str) -> str:
        """A log, which the forge may keep elsewhere: no token goes there."""
        answer = self._asked("GET", path, {})
        if answer.is_redirect:
            import httpx2

            try:
                answer = httpx2.get(answer.headers["location"], timeout=_SECONDS, follow_redirects=True)
            except httpx2.HTTPError as problem:
                return f"(the log cannot be read: {problem})"
        return answer.text if answer.is_success else f"(the log cannot be read: HTTP {answer.status_code})"

    def post(self, path: str) -> None:
        self._asked("POST", path, {})

    def _asked(self, verb: str, path: str, query: Mapping[str, str]) -> httpx2.Response:
        import httpx2

        said = ""
        for tried in range(_TRIES):
            try:
                answer = self._http.request(verb, path, params=dict(query))
            except httpx2.HTTPError as problem:
                said = f"{type(problem).__name__}: {problem}"
            else:
                if answer.is_success or answer.is_redirect:
                    return answer
                said = f"HTTP {answer.status_code}: {answer.text[-300:]}"
                if answer.status_code not in (429, 500, 502, 503, 504):
                    raise ForgeRefused(f"{verb} {path}", answer.status_code, answer.text)
            time.sleep(0.2 * (tried + 1))
        raise ForgeAway(f"the forge at {self._http.base_url} does not answer: {redact(said)}")


class _GitHub:
    """docs.github.com/en/rest/actions: workflow-runs and workflow-jobs."""

    def __init__(self, client: _Client, settings: CiCdEnvironment) -> None:
        self._client = client
        self._place = f"/repos/{settings.repository}/actions"
        self._workflow = settings.workflow

    def runs(self, branch: str, commit: str = "") -> list[Run]:
        query = {"branch": branch, "per_page": "50"} | ({"head_sha": commit} if commit else {})
        found = self._client.json(f"{self._place}/runs", **query)["workflow_runs"]
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
        jobs = self._client.json(f"{self._place}/runs/{run.id}/jobs", per_page="100")["jobs"]
        for job in jobs:
            if job["conclusion"] in _GITHUB_BAD:
                text = self._client.text(f"{self._place}/jobs/{job['id']}/logs")
                return job["name"], _TIMESTAMP.sub("", text)
        return "", ""

    def cancel(self, run: Run) -> None:
        self._client.post(f"{self._place}/runs/{run.id}/cancel")


_GITHUB_BAD = ("failure", "cancelled", "timed_out", "action_required", "startup_failure", "stale")


def _github_state(run: Mapping[str, Any]) -> Literal["running", "good", "bad"]:
    if run["status"] != "completed":
        return "running"
    return "bad" if run["conclusion"] in _GITHUB_BAD else "good"


class _GitLab:
    """docs.gitlab.com/ee/api: pipelines and jobs."""

    def __init__(self, client: _Client, settings: CiCdEnvironment) -> None:
        self._client = client
        self._place = f"/projects/{quote(settings.repository, safe='')}"

    def runs(self, branch: str, commit: str = "") -> list[Run]:
        query = {"ref": branch, "per_page": "50"} | ({"sha": commit} if commit else {})
        found = self._client.json(f"{self._place}/pipelines", **query)
        return [
            Run(each["id"], each["sha"], _gitlab_state(each["status"]), each["status"], each["web_url"])
            for each in found
        ]

    def failed_job(self, run: Run) -> tuple[str, str]:
        for job in self._client.json(f"{self._place}/pipelines/{run.id}/jobs", per_page="100"):
            if job["status"] in ("failed", "canceled") and not job.get("allow_failure"):
                return job["name"], self._client.text(f"{self._place}/jobs/{job['id']}/trace")
        return "", ""

    def cancel(self, run: Run) -> None:
        self._client.post(f"{self._place}/pipelines/{run.id}/cancel")


def _gitlab_state(status: str) -> Literal["running", "good", "bad"]:
    if status in ("success", "skipped"):
        return "good"
    return "bad" if status in ("failed", "canceled", "canceling") else "running"


def _tail(text: str) -> str:
    return redact(_COLOURS.sub("", text).strip())[-MOST_OUTPUT:]
