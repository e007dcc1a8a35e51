"""`ci_cd`: a push to a branch begins the forge's pipeline, which deploys; it is followed by the commit until it ends.

The way back is a push, too: a new commit with the files of the version before, so the branch never loses its history,
and the pipeline runs again. What a failing job printed is in the error.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import forge
from config import CiCdEnvironment
from deployment.errors import DeploymentError, ForgeAway, ForgeRefused, PipelineFailed
from deployment.gauges import Gauge
from deployment.target import Live, Release, Workshop
from forge import ForgeClient, GitHubActions, GitLabCi, Pipelines, Run, tail

PIPELINE = "the pipeline "
"""How the words begin in which a pipeline's failure is told."""


class CiCd:
    """Deploys by a forge's pipeline."""

    name: ClassVar[str] = "ci_cd"

    def __init__(self, settings: CiCdEnvironment, workshop: Workshop) -> None:
        self._settings = settings
        self._workshop = workshop
        self._client: ForgeClient | None = None

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

    def gauges(self) -> list[Gauge]:
        """None are kept."""
        return []

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
                printed = tail(text) or "(it printed nothing)"
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
    def _api(self) -> _Pipelines:
        chosen = self._settings
        github = chosen.provider == "github_actions"
        if self._client is None:
            token = chosen.token.get_secret_value() if chosen.token else ""
            self._client = ForgeClient("github" if github else "gitlab", chosen.api, token)
        if github:
            return _Pipelines(GitHubActions(self._client, chosen.repository, chosen.workflow))
        return _Pipelines(GitLabCi(self._client, chosen.repository))


class _Pipelines:
    """The same pipelines, with errors that say what they mean for a deployment."""

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines

    def runs(self, branch: str, commit: str = "") -> list[Run]:
        with _told():
            return self._pipelines.runs(branch, commit)

    def failed_job(self, run: Run) -> tuple[str, str]:
        """A log that cannot be read is said to be so: the deployment has failed in any case."""
        try:
            return self._pipelines.failed_job(run)
        except forge.ForgeRefused as refused:
            return "", f"(the log cannot be read: HTTP {refused.status})"
        except forge.ForgeError as problem:
            raise ForgeAway(str(problem)) from problem

    def cancel(self, run: Run) -> None:
        with _told():
            self._pipelines.cancel(run)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except forge.ForgeRefused as refused:
        raise ForgeRefused(refused.what, refused.status, refused.said) from refused
    except forge.ForgeError as problem:
        raise ForgeAway(str(problem)) from problem
