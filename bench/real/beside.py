"""The same tasks and the same player in mini-swe-agent, a single agent with a shell that proves nothing: what a task
costs there.

It runs on the host, in the cached tree of the library, with the environment that the judges use; the judge decides as
it does for the product. mini-swe-agent is not among the requirements: `--mini` names a Python that has it.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from bench.real.hand import Hand, Heard
from bench.real.oracle import Usage, counted
from bench.real.real_tasks import FileChange, Library, RealTask
from bench.real.run import RealResult
from bench.real.sources import Workplace
from tests.support import Reply, Request, ScriptedModelServer

_AGENT = """
import os, sys, yaml
from pathlib import Path
import minisweagent
from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.litellm_model import LitellmModel
url, folder, task = sys.argv[1:]
config = yaml.safe_load((Path(minisweagent.__file__).parent / "config" / "mini.yaml").read_text())
agent = {name: config["agent"][name] for name in ("system_template", "instance_template")}
given = config["model"] | {"model_kwargs": {"api_base": url, "api_key": "oracle"}, "cost_tracking": "ignore_errors"}
model = LitellmModel(model_name="openai/gpt-5", **given)
environment = LocalEnvironment(cwd=folder, env=config["environment"]["env"], timeout=120)
DefaultAgent(model, environment, step_limit=12, **agent).run(task)
"""
_EDIT = """python - <<'EOF'
from pathlib import Path
path = Path({path!r})
text = path.read_text()
for old, new in [
{pairs}
]:
    assert text.count(old) == 1, old
    text = text.replace(old, new)
path.write_text(text)
EOF"""
_SUBMIT = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT"


def run_beside(tasks: Sequence[RealTask], libraries: Mapping[str, Library], mini: Path) -> int:
    """Run the tasks one after the other, print a line each, and return 0 if all are right."""
    right = 0
    for task in tasks:
        result = _run(task, libraries[task.library], mini)
        right += result.right is True
        print(result.line, flush=True)
    return 0 if right == len(tasks) else 1


def _run(task: RealTask, library: Library, mini: Path) -> RealResult:
    place, usage, started = Workplace(library), Usage(), time.monotonic()
    place.reset()
    player: list[Generator[Reply, Heard, None]] = []
    sent: list[str] = []

    def answer(request: Request) -> Reply:
        if player:
            reply = player[0].send(Heard(tuple(_output(text) for _, text in request.results), ""))
        else:
            player.append(_single(Hand(task, [], "single", request)))
            reply = next(player[0])
        return counted(usage, "single", sent, request, reply)

    server = ScriptedModelServer(answer)
    try:
        with tempfile.TemporaryDirectory() as home:
            words = f"{task.title}\n\n{task.description}"
            done = subprocess.run(
                [str(mini), "-c", _AGENT, server.url, str(place.tree), words],
                capture_output=True, text=True, timeout=600,
                env={
                    **os.environ,
                    "MSWEA_GLOBAL_CONFIG_DIR": home, "MSWEA_CONFIGURED": "true", "MSWEA_SILENT_STARTUP": "1",
                    "PATH": f"{place.python.parent}{os.pathsep}{os.environ['PATH']}",
                },
            )  # fmt: skip
    finally:
        server.stop()
    judged = place.judge(task.judge)
    right = bool(judged.outcomes) and not judged.failed
    return RealResult(
        task=task.id, library=library.key, kind=task.kind, landed=True, right=right, status="submitted",
        reason="" if right else (done.stderr or judged.output)[-600:], calls=usage.calls, calls_by_role=usage.by_role,
        by_call=usage.by_call, input_tokens=usage.input_tokens, cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens, seconds=round(time.monotonic() - started, 1), log=[],
    )  # fmt: skip


def _single(hand: Hand) -> Generator[Reply, Heard, None]:
    """Look as QA and the developer do, both at once; write tests and change and run them; submit."""
    task = hand.task
    known = [
        f"grep -rn {shlex.quote(look.search)} . | head -60"
        if look.search
        else f"nl -ba {shlex.quote(look.path)} | sed -n '{look.first_line or 1},{look.last_line or 400}p'"
        for look in task.look
    ]
    if known:
        _see(hand, (yield _bash(*known)))
    changes = [*task.tests, *task.change]
    if looks := hand.looks(changes):
        commands = [
            f"grep -n -F -C {call['around']} -e {shlex.quote(str(call['text']))} {shlex.quote(str(call['files']))}"
            for _, call in looks
        ]
        _see(hand, (yield _bash(*commands)))
    tests = [change.path for change in task.tests if change.path.endswith(".py") and "conftest" not in change.path]
    run = f"git diff --stat; python -m pytest -q {shlex.join(tests)} 2>&1 | tail -15" if tests else "git diff --stat"
    yield _bash(*map(_command, changes), run)
    while True:
        yield _bash(_SUBMIT)


def _see(hand: Hand, heard: Heard) -> None:
    hand.see(heard.text.replace("\r", ""))


def _bash(*commands: str) -> Reply:
    return Reply.tools(*(("bash", {"command": command}) for command in commands))


def _command(change: FileChange) -> str:
    path = shlex.quote(change.path)
    if change.content is not None:
        return f"mkdir -p $(dirname {path}); cat > {path} <<'EOF'\n{change.content.rstrip()}\nEOF"
    if change.move_to:
        return f"mkdir -p $(dirname {shlex.quote(change.move_to)}); git mv {path} {shlex.quote(change.move_to)}"
    if change.delete:
        return f"git rm -q {path}"
    pairs = "\n".join(f"({edit.old!r}, {edit.new!r})," for edit in change.edits)
    return _EDIT.format(path=change.path, pairs=pairs)


def _output(text: str) -> str:
    """What a command printed, from the JSON that mini-swe-agent shows of it; numbers of lines as ours are."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    return str(found.get("output", "")) + str(found.get("output_head", "")) + str(found.get("output_tail", ""))
