"""Web pages of a project, served and looked at in the sandbox, where nothing but loopback is a network."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, Field

from testing.environments.environment import Environment
from testing.errors import InvalidReport
from testing.frameworks.junit import report_bytes, report_text
from testing.measuring import page
from testing.sandbox.confinement import Mount, base_interpreter
from testing.sandbox.limits import GIB
from testing.sandbox.sandbox import Sandbox
from testing.sandbox.user import discard

_BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "headless_shell")
_DEBIAN = Path("/usr/lib/chromium/chromium")
"""What Debian's script `chromium` starts, which looks for settings where a sandbox has none."""
_START_SECONDS = 30.0
_PAGE_SECONDS = 60.0
_BROWSER_MEMORY = 2 * GIB
_MOST_BYTES = 4 << 20
_PNG = b"\x89PNG\r\n\x1a\n"


class PageTask(BaseModel):
    """What `measuring/page.py` is to do."""

    command: str
    addresses: list[str]
    browser: str = ""
    seconds: float = _START_SECONDS


class Page(BaseModel):
    """A page that answered."""

    address: str = Field(max_length=2000)
    status: int
    title: str = Field("", max_length=200)


class Pages(BaseModel):
    """What pages answered, and their pictures as PNG, empty where there is none. `problem`: why a page is missing."""

    pages: list[Page] = Field([], max_length=10)
    problem: str = Field("", max_length=2000)
    pictures: list[bytes] = []
    browser: str = ""
    """The program that took the pictures; empty if the machine has none."""


def find_browser() -> Path | None:
    """A browser of the machine that takes pictures without a screen: Chromium, or Chrome."""
    if _DEBIAN.is_file():
        return _DEBIAN
    found = (Path(program).resolve() for name in _BROWSERS if (program := shutil.which(name)))
    return next((program for program in found if program.name != "snap"), None)


def look_at_pages(
    sandbox: Sandbox,
    source: Path,
    environment: Environment,
    variables: dict[str, str],
    command: str,
    addresses: Sequence[str],
    *,
    label: str,
) -> Pages:
    """Serve the pages of the run folder `source`, which was prepared, by a shell command, and look at them.

    Raises SandboxUnavailable when nothing may be run.
    """
    browser, python = find_browser(), base_interpreter().executable
    task = PageTask(command=command, addresses=list(addresses), browser=os.fspath(browser or ""))
    out = Path(tempfile.mkdtemp(prefix="ai-agents-out-", dir=source.parent))
    mounts = [Mount(source, "/work", writable=True), Mount(out, "/out", writable=True), *environment.mounts]
    if browser is not None and not browser.is_relative_to("/usr"):
        mounts.append(Mount(browser.parent, os.fspath(browser.parent)))
    try:
        (out / "task.json").write_text(task.model_dump_json(), encoding="utf-8")
        shutil.copyfile(page.__file__, out / "page.py")
        sandbox.hand_over(out)
        ended = sandbox.run(
            [os.fspath(python), "-I", "/out/page.py", "/out/task.json", "/out/result.json"],
            mounts=mounts,
            cwd=environment.work,
            env=variables,
            timeout=_START_SECONDS + _PAGE_SECONDS * len(addresses),
            label=label,
            limits=replace(sandbox.limits, memory_bytes=max(sandbox.limits.memory_bytes, _BROWSER_MEMORY)),
        )
        try:
            found = Pages.model_validate_json(report_text(out / "result.json", _MOST_BYTES))
        except (InvalidReport, ValueError, RecursionError):
            return Pages(problem=f"it could not be looked at: {ended.killed_reason or ended.output[-300:].strip()}")
        if ended.killed_reason:
            found = found.model_copy(update={"problem": f"the rest was killed: {ended.killed_reason}"})
        pictures = [_picture(out / f"{number}.png") for number in range(1, len(found.pages) + 1)]
        return found.model_copy(update={"pictures": pictures, "browser": browser.name if browser else ""})
    finally:
        discard(out)


def _picture(file: Path) -> bytes:
    """What the browser wrote, which the project's code could have written, too: at least it is small and a picture."""
    try:
        written = report_bytes(file, _MOST_BYTES)
    except InvalidReport:
        return b""
    return written if written.startswith(_PNG) else b""
