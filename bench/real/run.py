"""Runs the tasks through the product, with the oracle as its model, and judges what landed.

Each task has a repository, a configuration and a daemon of its own: `task add`, then `run --until-idle`. What counts is
on the landing branch: the hidden judge decides. Results are JSON lines in `bench/results`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType

import yaml
from pydantic import BaseModel

from bench.flow_runs import ROOT
from bench.real.oracle import CallSize, Oracle
from bench.real.real_tasks import Library, RealTask
from bench.real.sources import Workplace, git, make_repository

MODEL = "gpt-5"
"""A name whose profile is strong and has tools; the oracle answers whatever it is called."""
_BRANCH = "agents/integration"
_RESULTS = ROOT / "bench" / "results"
_TASK_SECONDS = 1200
_STOP_SECONDS = 20
_LONGEST_NOTE = 200
"""Characters of a note in the results; `oracle.log` has all of it."""


class RealResult(BaseModel):
    """How a task ended."""

    task: str
    library: str
    kind: str
    landed: bool
    right: bool | None = None
    """What the judge says of what landed; None if nothing did."""
    status: str
    reason: str = ""
    calls: int
    calls_by_role: dict[str, int]
    by_call: list[CallSize] = []
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    seconds: float
    log: list[str]
    """What the oracle noted, "flow said no" above all."""

    @property
    def line(self) -> str:
        verdict = "landed, right" if self.right else "landed, WRONG" if self.landed else "not landed"
        share = self.cached_tokens / self.input_tokens if self.input_tokens else 0.0
        tokens = f"{self.input_tokens:7,} in  {share:4.0%} cached  {self.output_tokens:6,} out"
        why = "" if self.right else self.reason
        return f"{self.task:40} {verdict:14} {self.calls:3} calls  {tokens}  {self.seconds:6.1f} s  {why}".rstrip()


def run_tasks(
    tasks: Sequence[RealTask],
    libraries: Mapping[str, Library],
    *,
    checkout: Path = ROOT,
    fallible: bool = False,
    set_up: bool = False,
    as_json: bool = False,
    home: Path | None = None,
) -> int:
    """Run the tasks one after the other, print a line each, and return 0 if all landed and are right.

    `checkout`: the product that is run. `set_up`: give the command that sets a project up, which the team finds
    otherwise. `home`: where repositories, databases and logs stay.
    """
    signal.signal(signal.SIGTERM, _ended_by_signal)
    _RESULTS.mkdir(parents=True, exist_ok=True)
    started = time.strftime("%Y%m%d-%H%M%S")
    file = _RESULTS / f"{started}-real-{'fallible' if fallible else 'oracle'}.jsonl"
    results: list[RealResult] = []
    with ExitStack() as stack, file.open("w", encoding="utf-8") as lines:
        root = (home or Path(stack.enter_context(tempfile.TemporaryDirectory()))).resolve()
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o755)  # tests run as a user of their own
        for task in tasks:
            result = run_task(task, libraries[task.library], root, checkout, fallible=fallible, set_up=set_up)
            results.append(result)
            lines.write(result.model_dump_json() + "\n")
            lines.flush()
            print(result.model_dump_json() if as_json else result.line, flush=True)
    right, wrong = sum(result.right is True for result in results), sum(result.right is False for result in results)
    calls, tokens = sum(result.calls for result in results), sum(result.input_tokens for result in results)
    print(f"{right} of {len(results)} landed and are right, {wrong} wrong; {calls} calls, {tokens:,} tokens in",
          file=sys.stderr)  # fmt: skip
    print(f"results: {file}", file=sys.stderr)
    return 0 if right == len(results) else 1


def _ended_by_signal(number: int, _: FrameType | None) -> None:
    """Leave the run as an exception does, so that the daemon is ended."""
    sys.exit(128 + number)


def run_task(
    task: RealTask, library: Library, root: Path, checkout: Path, *, fallible: bool = False, set_up: bool = False
) -> RealResult:
    """Run one task in a folder of its own below `root`, which keeps all of it."""
    place = Workplace(library)
    home = root / task.id
    number = 1
    while home.exists():
        number += 1
        home = root / f"{task.id}-{number}"
    home.mkdir()
    repository = home / library.name
    make_repository(library, repository)
    with Oracle(task, library.right_setup, fallible=fallible) as oracle:
        config = _configuration(
            library.right_setup if set_up else "", home, root / "data", repository, oracle.server.url
        )
        started = time.monotonic()
        product = [sys.executable, str(checkout / "main.py"), "--config", str(config)]
        problem = _work(product, task, home) or (_let_go_on(product, home) if _approved(product, home) else "")
        seconds = round(time.monotonic() - started, 1)
    status, reason = _ended(product, home)
    landed = status == "completed" and _BRANCH in git(repository, "branch", "--format=%(refname:short)")
    right = None
    if landed:
        place.fetch(repository, _BRANCH)
        judged = place.judge(task.judge)
        right = bool(judged.outcomes) and not judged.failed
        if not right:
            (home / "judge.txt").write_text(judged.output, encoding="utf-8")
            reason = f"the judge failed on {', '.join(sorted(judged.failed))}"
    (home / "oracle.log").write_text("\n".join(oracle.log), encoding="utf-8")
    usage = oracle.usage
    return RealResult(
        task=task.id, library=library.key, kind=task.kind, landed=landed, right=right,
        status=status, reason=" ".join(f"{reason} {problem}".split())[:600],
        calls=usage.calls, calls_by_role=usage.by_role, by_call=usage.by_call, input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens, output_tokens=usage.output_tokens, seconds=seconds,
        log=[line[:_LONGEST_NOTE] for line in oracle.log],
    )  # fmt: skip


def _configuration(setup: str, home: Path, data: Path, repository: Path, url: str) -> Path:
    own: dict[str, dict[str, object]] = {
        "llm": {"provider": "openai_compatible", "base_url": url, "model": MODEL, "api_key": "oracle"},
        "git": {"repository_url": str(repository), "landing": "integration", "integration_branch": _BRANCH},
        "file_system": {"workspace_path": str(home / "workspace"), "data_path": str(data)},
        "monitoring": {"logs_path": str(home / "logs")},
        "project": {"goal": "", "tasks_from": []},
    }
    if setup:
        own["testing"] = {"setup_command": setup}
    path = home / "config.yaml"
    path.write_text(yaml.safe_dump(own), encoding="utf-8")
    return path


def _work(product: Sequence[str], task: RealTask, home: Path) -> str:
    """Give the team the task and let it work until it is idle. Returns what went wrong with the daemon itself."""
    described = home / "task.md"
    described.write_text(task.description, encoding="utf-8")
    added = subprocess.run(
        [*product, "task", "add", "--file", str(described), "--", task.title], capture_output=True, text=True, cwd=home
    )
    if added.returncode:
        return f"task add: {added.stdout}{added.stderr}"
    return _let_go_on(product, home)


def _approved(product: Sequence[str], home: Path) -> bool:
    """Whether a change waited for the owner, who approves it: files of configuration land with that alone."""
    waiting = subprocess.run([*product, "approvals", "list", "--json"], capture_output=True, text=True, cwd=home)
    gates = [row["id"] for row in json.loads(waiting.stdout or "[]") if row["kind"] == "gate"]
    for task_id in gates:
        subprocess.run([*product, "approvals", "approve", task_id], capture_output=True, cwd=home, check=True)
    return bool(gates)


def _let_go_on(product: Sequence[str], home: Path) -> str:
    """Let the daemon work until it is idle. Returns what went wrong with it itself."""
    with (home / "daemon.log").open("a", encoding="utf-8") as log:
        daemon = subprocess.Popen(
            [*product, "run", "--until-idle"], stdout=log, stderr=log, start_new_session=True, cwd=home
        )
        try:
            code = daemon.wait(_TASK_SECONDS)
        except subprocess.TimeoutExpired:
            return f"the daemon was not idle after {_TASK_SECONDS} s"
        finally:
            _end(daemon)
    return "" if code in (0, 1) else f"the daemon ended with {code}: {(home / 'daemon.log').read_text()[-600:]}"


def _end(daemon: subprocess.Popen[bytes]) -> None:
    """End the daemon, which may work still, and then what it may have left."""
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            daemon.wait(_STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(daemon.pid, signal.SIGKILL)
    daemon.wait()


def _ended(product: Sequence[str], home: Path) -> tuple[str, str]:
    """Status and reason of the task that was added; the product may have added others."""
    listed = subprocess.run([*product, "task", "list", "--json"], capture_output=True, text=True, cwd=home)
    if listed.returncode:
        return "unknown", f"task list: {listed.stdout}{listed.stderr}"
    tasks = json.loads(listed.stdout)
    if not tasks:
        return "unknown", "there is no task"
    first = min(tasks, key=lambda task: str(task["created_at"]))
    return str(first["status"]), f"{first.get('reason') or ''} {first.get('reason_detail') or ''}".strip()
