"""`durable_objects` at Cloudflare: `wrangler deploy` uploads, and Cloudflare's API says what is live and goes back.

A version carries the commit as its tag. Cloudflare keeps the objects' data itself: nothing here copies or returns it,
and it refuses to go back across a migration of classes.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from config import DurableObjectsEnvironment
from deployment.durable_objects import DURABLE_OBJECTS, run, run_build, unpack
from deployment.errors import CloudflareRefused, CommandFailed, DeploymentError, ProgramMissing
from deployment.gauges import Gauge
from deployment.target import Live, Release, Workshop
from deployment.workerd_config import read_wrangler

_SECONDS = 30.0
_TAG = "workers/tag"
_MOST_TAG = 25
"""Characters of a commit's hash that a version's tag takes."""
_MIGRATION = "10220"
_ACROSS = "Cloudflare does not go back across a migration of classes: put it right with a new version (`deploy`)"


class Cloudflare:
    """Deploys to Cloudflare Workers."""

    name: ClassVar[str] = DURABLE_OBJECTS

    def __init__(self, settings: DurableObjectsEnvironment, workshop: Workshop) -> None:
        self._settings = settings
        self._workshop = workshop

    def prepare(self, release: Release) -> dict[str, str]:
        """Build, and see that the commit can be bundled and that the account lets us in; nothing is uploaded."""
        self._versions()
        with tempfile.TemporaryDirectory(prefix="deploy-") as place:
            files = self._built(release, Path(place))
            self._wrangler("the trial of the upload", files, "--dry-run", "--outdir", str(Path(place, "out")))
        return {"tag": release.commit[:_MOST_TAG]}

    def activate(self, release: Release, previous: Release | None) -> str:
        """Upload it, which makes it live for everybody; what is live already is let be."""
        if self.check_status().commit == release.commit:
            return ""
        with tempfile.TemporaryDirectory(prefix="deploy-") as place:
            files = self._built(release, Path(place))
            tag = ["--tag", release.commit[:_MOST_TAG], "--message", f"deployment {release.number}: {release.commit}"]
            self._wrangler("wrangler deploy", files, "--var", f"COMMIT:{release.commit}", *tag)
        return ""

    def check_status(self) -> Live:
        """The version that gets all requests."""
        found = self._get(f"{self._script}/deployments", missing={"deployments": []})
        for version in (found.get("deployments") or [{}])[0].get("versions") or []:
            if version.get("percentage") == 100:
                name = version["version_id"]
                commit = self._commits().get(name, "")
                return Live(commit, f"version {name}")
        return Live()

    def rollback(self, failed: Release, previous: Release | None) -> str:
        """Send requests to the version before again. What has none before stays, since only a deletion, with all data,
        would end it."""
        if previous is None:
            return ""
        if self.check_status().commit == previous.commit:
            return ""
        wanted = next((name for name, commit in self._commits().items() if commit == previous.commit), "")
        if not wanted:
            raise DeploymentError(f"Cloudflare has no version of {previous.commit[:12]} any more; deploy it again")
        versions = [{"percentage": 100, "version_id": wanted}]
        given = {"strategy": "percentage", "versions": versions, "annotations": {"workers/message": "rolled back"}}
        self._asked("POST", f"{self._script}/deployments", given)
        return ""

    def settle(self, release: Release, previous: Release | None) -> None:
        """Cloudflare keeps versions itself."""

    def abandon(self, release: Release) -> None:
        """Nothing is held."""

    def logs(self, lines: int) -> str:
        """Cloudflare keeps no log that could be read later."""
        raise DeploymentError(
            f"Cloudflare's log can only be followed while it is written: `wrangler tail {self._settings.service}`, or "
            "see Observability in its dashboard"
        )

    def gauges(self) -> list[Gauge]:
        """None are kept."""
        return []

    def close(self) -> None:
        """Nothing is open."""

    @property
    def _script(self) -> str:
        chosen = self._settings
        return f"/accounts/{chosen.account_id}/workers/scripts/{quote(chosen.service, safe='')}"

    def _built(self, release: Release, place: Path) -> Path:
        """The files of the commit, ready to be bundled. No program of the repository's gets the token."""
        chosen, files = self._settings, place / "files"
        files.mkdir()
        unpack(self._workshop, release.commit, files)
        run_build(chosen, release.commit, files)
        wrangler = read_wrangler(files, chosen.config, chosen.worker_environment)
        if wrangler.get("build"):
            told = "it would run with your token; say how to build in `build` of the environment, which runs without it"
            raise DeploymentError(f"{chosen.config} has a `build`: {told}")
        if wrangler.get("account_id") not in (None, chosen.account_id):
            raise DeploymentError(f"{chosen.config} names another account than `account_id` of the environment")
        return files

    def _wrangler(self, what: str, files: Path, *options: str) -> None:
        chosen = self._settings
        found = str(chosen.wrangler) if chosen.wrangler else shutil.which("wrangler")
        if not found or not Path(found).exists():
            told = "install it with `npm install --global wrangler` (wrangler@4.80.0 for Node 20), or set `wrangler`"
            raise ProgramMissing(f"wrangler is not on the daemon's machine; {told}")
        named = ["--config", chosen.config, "--name", chosen.service]
        if chosen.worker_environment:  # its name is added to that of the worker, unless the file names it
            named += ["--env", chosen.worker_environment]
        assert chosen.token
        with tempfile.TemporaryDirectory(prefix="deploy-") as home:  # nobody's sign-in counts but the token
            variables = {
                "CLOUDFLARE_API_TOKEN": chosen.token.get_secret_value(), "CLOUDFLARE_ACCOUNT_ID": chosen.account_id,
                "CLOUDFLARE_API_BASE_URL": chosen.api, "WRANGLER_SEND_METRICS": "false", "CI": "true", "HOME": home,
                "XDG_CONFIG_HOME": home, "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV": "false", "NO_COLOR": "1",
                "WRANGLER_LOG_PATH": home, "WRANGLER_HIDE_BANNER": "true",
            }  # fmt: skip
            try:
                run(what, [found, "deploy", *named, *options], files, chosen.timeout, variables)
            except CommandFailed as problem:
                if "Authentication" in problem.output or "10000" in problem.output:
                    raise CloudflareRefused(what, problem.output) from problem
                raise

    def _versions(self) -> list[dict[str, Any]]:
        found = self._get(f"{self._script}/versions", missing={"items": []})
        return list(found.get("items") or [])

    def _commits(self) -> dict[str, str]:
        """Version -> the commit that it was made of, the newest first."""
        commits = {}
        for each in self._versions():
            notes = each.get("annotations") or {}
            message = str(notes.get("workers/message") or "").rpartition(" ")[2]
            tag = str(notes.get(_TAG) or "")
            commits[each["id"]] = message if tag and message.startswith(tag) else tag
        return commits

    def _get(self, path: str, missing: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._asked("GET", path, missing=missing)
        return found

    def _asked(self, verb: str, path: str, given: object = None, missing: object = None) -> Any:
        import httpx2  # for those who deploy so

        chosen = self._settings
        assert chosen.token
        try:
            answer = httpx2.request(
                verb, chosen.api.rstrip("/") + path, json=given, timeout=_SECONDS,
                headers={"Authorization": f"Bearer {chosen.token.get_secret_value()}"},
            )  # fmt: skip
        except httpx2.HTTPError as problem:
            raise CloudflareRefused(f"{verb} {path}", f"{type(problem).__name__}: {problem}") from problem
        if answer.status_code == 404 and missing is not None:
            return missing
        try:
            body = answer.json()
        except ValueError:
            body = {}
        if not answer.is_success or not body.get("success"):
            if _MIGRATION in answer.text or "migration" in answer.text.lower():
                raise DeploymentError(f"{_ACROSS} ({answer.text[:300]})")
            raise CloudflareRefused(f"{verb} {path}", f"HTTP {answer.status_code}: {answer.text[:500]}")
        return body["result"]
