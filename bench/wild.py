"""Repositories as people have them: does a right answer land in each, or is it refused with a true reason?

    python -m bench.wild [NAME …] [--json]

Each repository is made anew, small, after a kind of public bug report; a scripted model without tools gives the right
answer, and a real daemon works until it is idle. A repository is `right` if what was expected came of it: the answer
landed (and the suite was run), or it was refused with the expected words before or after the work. Anything else is
`wrong`. What cannot run here (no npm registry) is left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.flow_runs import ROOT
from bench.wild_repositories import ALL, JAVASCRIPT, Wild
from tests.support import Answer, Request, ScriptedModelServer

_SECONDS = 300


@dataclass
class Outcome:
    """What came of one repository."""

    name: str
    right: bool
    came: str
    """`landed`, `refused` or `neither`."""
    seconds: float
    calls: int
    told: str = ""


def run(name: str, wild: Wild, folder: Path) -> Outcome:
    """Make the repository, let a daemon work on it until it is idle, and compare with what was expected."""
    repository = folder / "repository"
    git_settings = folder / "gitconfig"
    git_settings.write_text("[user]\n\tname = Owner\n\temail = owner@localhost\n[init]\n\tdefaultBranch = main\n")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(git_settings)}
    _make(wild, repository, environment)
    typed = "a, b" if wild.target.endswith(".js") else "a: int, b: int) -> int"
    signature = f"add({typed})" if wild.target.endswith(".js") else f"add({typed}"
    goal = f"Add `{signature}` to {wild.target}. `add(1, 2)` returns `3` and `add(-1, 1)` returns `0`."
    language = "js" if wild.target.endswith(".js") else "python"

    def rule(request: Request) -> Answer:
        schema = str(request.schema)
        marks = {"assertions": {"assertions": []}, "tasks": {"tasks": []},
                 "approved": {"approved": True, "score": 9, "criteria": [], "issues": [], "reasoning": "fine"},
                 "give_up": {"action": "give_up", "reason": "Nothing else to try."}}  # fmt: skip
        found = next((answer for mark, answer in marks.items() if mark in schema), None)
        return found or f"### {wild.target}\n```{language}\n{wild.right}```\n"  # type: ignore[return-value]

    with ScriptedModelServer(rule) as server:
        values: dict[str, dict[str, object]] = {
            "llm": {"provider": "openai_compatible", "base_url": server.url, "model": "scripted", "api_key": "k-test",
                    "profile": "strong", "capabilities": {"tools": False}, "max_retries": 1},
            "file_system": {"workspace_path": str(folder / "workspace"), "data_path": str(folder / "data")},
            "monitoring": {"logs_path": str(folder / "logs")}, "project": {"tasks_from": []},
            "orchestrator": {"check_interval": 1},
        }  # fmt: skip
        for section, changes in wild.settings.items():
            values.setdefault(section, {}).update(changes)
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(values))
        main = [sys.executable, str(ROOT / "main.py"), "--config", str(config), "--repo", str(repository)]
        begun = time.monotonic()
        try:
            command = [*main, "run", "--until-idle", "--goal", goal]
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, env=environment
            )
            said = done.stderr
        except subprocess.TimeoutExpired:
            return Outcome(name, False, "neither", time.monotonic() - begun, len(server.requests), "it does not end")
        listed = subprocess.run([*main, "approvals", "list", "--json"], capture_output=True, text=True, env=environment)
        said += listed.stdout
        calls = len(server.requests)
    tip = _git(repository, environment, "rev-parse", "--verify", "--quiet", "agents/integration")
    landed = bool(tip) and b"add" in _git(
        repository, environment, "show", f"agents/integration:{wild.landed or wild.target}"
    )
    came = "landed" if landed else "refused" if done.returncode else "neither"
    if wild.expected:
        right = came == "refused" and re.search(wild.expected, said, re.DOTALL) is not None
    else:
        target = _git(repository, environment, "show", f"agents/integration:{wild.target}")
        right = landed and done.returncode == 0 and wild.holds(target)
    return Outcome(name, right, came, time.monotonic() - begun, calls, "" if right else said[-1500:])


def _make(wild: Wild, repository: Path, environment: Mapping[str, str]) -> None:
    repository.mkdir()
    _git(repository, environment, "init", "-q")
    for path, content in wild.files.items():
        file = repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    if wild.files:
        _git(repository, environment, "add", "-A")
        _git(repository, environment, "commit", "-q", "-m", "first")
    if wild.after:
        subprocess.run(["sh", "-ec", wild.after], cwd=repository, env=dict(environment), check=True)


def _git(repository: Path, environment: Mapping[str, str], *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=repository, env=dict(environment), capture_output=True).stdout


def main() -> int:
    """Run the named repositories, all by default; exit code 1 if one goes wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(ALL)):
        parser.error(f"unknown: {', '.join(unknown)}; there are: {', '.join(ALL)}")
    online = subprocess.run(["npm", "ping"], capture_output=True, check=False).returncode == 0
    outcomes, left_out = [], []
    for name, wild in ALL.items():
        if given.names and name not in given.names:
            continue
        if name in JAVASCRIPT and not online:
            left_out.append(name)
            continue
        with tempfile.TemporaryDirectory(prefix="ai-agents-wild-") as folder:
            Path(folder).chmod(0o755)  # tests run as a user of their own
            outcomes.append(run(name, wild, Path(folder)))
        if not given.json:
            last = outcomes[-1]
            verdict = "right" if last.right else "WRONG"
            print(
                f"{verdict}  {name:24} {last.came:8} {last.calls} calls  {last.seconds:5.0f} s  {last.told}", flush=True
            )
    landed = sum(each.right and each.came == "landed" for each in outcomes)
    refused = sum(each.right and each.came == "refused" for each in outcomes)
    wrong = [each.name for each in outcomes if not each.right]
    if given.json:
        print(json.dumps({"outcomes": [vars(each) for each in outcomes], "left_out": left_out}, indent=2))
    else:
        print(f"{landed} landed, {refused} refused with a true reason, {len(wrong)} wrong {wrong or ''}")
        if left_out:
            print(f"left out, because npm reaches no registry: {', '.join(left_out)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
