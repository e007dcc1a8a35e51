"""Starts what serves a web page, asks for the page as its users would, and has a browser take a picture of it.

    python -I page.py TASK.json RESULT.json

The task: the shell `command` that serves it, the `addresses` of pages, the `browser` (empty for none), and `seconds`
until it answers. The result: `pages`, each with its `address`, `status` and `title`; `problem` says why one is missing.
The picture of page N is N.png beside the result.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_SAID = "said.txt"
_MOST_BYTES = 1_000_000
_ONE_ANSWER = 10.0
_PICTURE_SECONDS = 30.0
_SIZE = "1280,900"


def main(task_file: str, result_file: str) -> None:
    """Start, ask, take the pictures."""
    task: dict[str, Any] = json.loads(Path(task_file).read_text("utf-8"))
    found: dict[str, Any] = {"pages": [], "problem": ""}
    folder = Path(result_file).parent
    with (folder / _SAID).open("wb") as said:
        served = subprocess.Popen(
            ["/bin/sh", "-c", task["command"]], stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )  # the sandbox ends it
    end = time.monotonic() + float(task["seconds"])
    for number, address in enumerate(task["addresses"], 1):
        page = _asked(address, served, end, folder / _SAID)
        if isinstance(page, str):
            found["problem"] = page
            break
        found["pages"].append(page)
        if task["browser"]:
            _picture(task["browser"], address, folder / f"{number}.png")
        Path(result_file).write_text(json.dumps(found), "utf-8")
    Path(result_file).write_text(json.dumps(found), "utf-8")


def _asked(address: str, served: subprocess.Popen[bytes], end: float, said: Path) -> dict[str, Any] | str:
    """What the page answers, once it does; or why it does not."""
    while True:
        try:
            with urllib.request.urlopen(address, timeout=_ONE_ANSWER) as answer:  # noqa: S310  an address on loopback
                return _told(address, answer.status, answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as answer:
            return _told(address, answer.code, answer.read(_MOST_BYTES))
        except (OSError, ValueError) as problem:
            words = said.read_text("utf-8", "replace").strip()[-300:]
            if (code := served.poll()) is not None and code != 0:
                return f"what serves it ended with exit code {code}: {words}"
            if time.monotonic() > end:
                return f"{address} does not answer ({problem}): {words}"
            time.sleep(0.1)


def _told(address: str, status: int, body: bytes) -> dict[str, Any]:
    title = re.search(r"<title[^>]*>([^<]{0,200})", body.decode("utf-8", "replace"), re.IGNORECASE)
    return {"address": address, "status": status, "title": " ".join(title[1].split()) if title else ""}


def _picture(browser: str, address: str, picture: Path) -> None:
    # The browser has no walls of its own inside those of the sandbox, which allow none.
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    options += [
        "--hide-scrollbars",
        "--virtual-time-budget=5000",
        f"--window-size={_SIZE}",
        f"--user-data-dir={picture.parent}/browser",
    ]
    started = subprocess.Popen(
        [browser, *options, f"--screenshot={picture}", address],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
    )  # fmt: skip
    try:
        started.wait(_PICTURE_SECONDS)
    except subprocess.TimeoutExpired:  # a page that never rests
        os.killpg(started.pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
