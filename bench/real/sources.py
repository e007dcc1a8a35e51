"""Libraries as git repositories, with a virtual environment each, made from their source distributions.

    CACHE/sdists       source distributions, as the package index gave them
    CACHE/libraries    a folder for each: `tree`, a repository whose tag `as-released` is the library, and `venv`

`CACHE` is `bench` in the user's cache folder for AI Agents.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.real.real_tasks import Library
from config import cache_folder

AS_RELEASED = "as-released"
_SUITE_SECONDS = 600
_OWNER = {
    "GIT_AUTHOR_NAME": "Owner",
    "GIT_AUTHOR_EMAIL": "owner@localhost",
    "GIT_COMMITTER_NAME": "Owner",
    "GIT_COMMITTER_EMAIL": "owner@localhost",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


class SourceError(Exception):
    """A library could not be fetched or installed."""


@dataclass(frozen=True)
class SuiteRun:
    """How each test of a run ended, by its id."""

    outcomes: Mapping[str, str]
    """passed, failed or skipped."""
    output: str

    @property
    def passed(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome == "passed"}

    @property
    def failed(self) -> set[str]:
        return {test for test, outcome in self.outcomes.items() if outcome == "failed"}


def make_repository(library: Library, folder: Path) -> None:
    """Make `folder` a git repository with the library as its maintainers have it: without what a release adds."""
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(_sdist(library)) as archive:
            archive.extractall(temporary, filter="data")
        (extracted,) = Path(temporary).iterdir()
        for path in extracted.rglob("*.egg-info"):
            shutil.rmtree(path)
        (extracted / "PKG-INFO").unlink(missing_ok=True)
        shutil.copytree(extracted, folder, symlinks=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", f"{library.name} {library.version}")
    git(folder, "tag", library.version)


class Workplace:
    """The cached tree and environment of a library, for runs outside the product."""

    def __init__(self, library: Library) -> None:
        """Build what is not there yet. Raises `SourceError`."""
        self.library = library
        wanted = hashlib.sha256(
            library.model_dump_json(include={"sha256", "packages", "installs"}).encode()
        ).hexdigest()[:12]
        home = _cache() / "libraries" / f"{library.key}-{wanted}"
        self.tree, self._venv = home / "tree", home / "venv"
        if not (home / "ready").exists():
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            make_repository(library, self.tree)
            git(self.tree, "tag", AS_RELEASED)
            self._install()
            (home / "ready").touch()

    @property
    def python(self) -> Path:
        return self._venv / "bin" / "python"

    def reset(self, commit: str = AS_RELEASED) -> None:
        """Lay out the files of `commit`, without anything else."""
        git(self.tree, "checkout", "-q", "-f", "--detach", commit)
        git(self.tree, "clean", "-q", "-f", "-d", "-x")

    def fetch(self, repository: Path, branch: str) -> None:
        """Lay out the files of a branch of another repository."""
        git(self.tree, "fetch", "-q", "--no-tags", str(repository), branch)
        self.reset("FETCH_HEAD")

    def suite(self, *files: str) -> SuiteRun:
        """Run the library's suite, or the given files of it, with the project's own settings."""
        return self._pytest([*self.library.options, *(files or self.library.suite)])

    def judge(self, judge: str) -> SuiteRun:
        """Run a judge on the files that are laid out, without the project's settings."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "test_judge.py"
            file.write_text(judge, encoding="utf-8")
            return self._pytest(["-c", os.devnull, "--rootdir", folder, str(file)])

    def _pytest(self, arguments: Sequence[str]) -> SuiteRun:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            extra = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
            command = [str(self.python), "-m", "pytest", *extra, *arguments]
            variables = {**_clean_environment(self._venv), "PYTHONDONTWRITEBYTECODE": "1"}
            try:
                done = subprocess.run(
                    command, cwd=self.tree, env=variables, capture_output=True, text=True, timeout=_SUITE_SECONDS
                )
                output = done.stdout + done.stderr
            except subprocess.TimeoutExpired:
                return SuiteRun({"the whole run": "failed"}, f"no end after {_SUITE_SECONDS} s")
            return SuiteRun(outcomes_of(report), output) if report.exists() else SuiteRun({}, output)

    def _install(self) -> None:
        uv = [sys.executable, "-m", "uv"]
        _run([*uv, "venv", "-q", "--python", sys.executable, str(self._venv)])
        # One after the other: a package may depend on the library, and must not bring its own copy of it.
        installed = (
            [self.library.packages, ("-e", str(self.tree))] if self.library.installs else [self.library.packages]
        )
        for what in installed:
            _run([*uv, "pip", "install", "-q", "--python", str(self.python), *what])


def outcomes_of(report: Path) -> dict[str, str]:
    """Test id -> outcome, from a report in JUnit's XML. A test that also fails in its teardown has failed."""
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        tags = {child.tag for child in case}
        outcome = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
        if found.get(name) != "failed":
            found[name] = outcome
    return found


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` and return its output."""
    return _run(["git", "-C", str(folder), *arguments], {**os.environ, **_OWNER})


def _sdist(library: Library) -> Path:
    """The source distribution, fetched by pip and checked against its digest."""
    folder = _cache() / "sdists" / library.key
    if not (found := _archive(folder)):
        with tempfile.TemporaryDirectory() as temporary:
            pinned = Path(temporary) / "pinned.txt"
            pinned.write_text(f"{library.name}=={library.version} --hash=sha256:{library.sha256}\n", encoding="utf-8")
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", library.name]
            try:
                _run([*pip, "--require-hashes", "-d", str(folder), "-r", str(pinned)])
            except SourceError:  # it also reads the metadata, once the archive is there, and may dislike them
                if not _archive(folder):
                    raise
        found = _archive(folder)
    if not found or hashlib.sha256(found.read_bytes()).hexdigest() != library.sha256:
        raise SourceError(f"{library.key}: the source distribution in {folder} is not the one that is pinned")
    return found


def _archive(folder: Path) -> Path | None:
    return next(iter(folder.glob("*.tar.gz")), None)


def _cache() -> Path:
    return cache_folder() / "bench"


def _clean_environment(venv: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "GIT_"))}
    return {**kept, "VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{kept.get('PATH', '')}"}


def _run(command: Sequence[str], variables: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise SourceError(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout
