"""Whether n-gram speculative decoding makes the embedded model faster if an answer repeats parts of its prompt.

    python -m bench.speculation                    without it, and with two kinds of it
    python -m bench.speculation --kinds NONE NGRAM_SIMPLE --repeat 3 --json
    python -m bench.speculation --home HOME        with the developer's prompts of a run of `bench.coding`

With speculative decoding llama.cpp guesses the next tokens from what followed the same tokens before, and the model
checks all guesses in one pass. Without `--home` the model is asked to rewrite functions of this repository with a small
change, like a developer who fixes a bug, so most of each answer is in its prompt. Each kind runs in its own process.
The machine should be doing nothing else.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from llm import find_local_model

_ROOT = Path(__file__).parents[1]
_MOST_FUNCTIONS = 3
_LONGEST, _SHORTEST = 60, 18
"""Limits for the number of lines of a function to rewrite."""
_ANSWER_TOKENS = 700
_MOST_QUESTIONS = 40
_PREFIX = "COMMON_SPECULATIVE_TYPE_"
Messages: TypeAlias = list[dict[str, str]]


class Speed(BaseModel):
    """The speed of one kind."""

    kind: str
    answers: int
    tokens: int
    """Tokens written in all answers."""
    written_per_second: float
    """Median over the answers."""
    seconds: float
    """For all answers, including reading the prompts."""


def measure(kind: str, repeat: int, home: Path | None) -> Speed:
    """Serve the embedded model in this process and measure its answers."""
    prompts = _recorded(home) if home else [question for number in range(repeat) for question in _rewritings(number)]
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(find_local_model("auto").path)
    params.hostnames, params.port, params.n_ctx, params.n_parallel = ["127.0.0.1"], 0, 8192, 1
    threads = len(os.sched_getaffinity(0))
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.ui = False
    params.speculative.types = [getattr(xllamacpp.common_speculative_type, _PREFIX + kind)]
    server = xllamacpp.Server(params)
    started = time.monotonic()
    answers = [_ask(server.listening_address, messages) for messages in prompts]
    return Speed(
        kind=kind,
        answers=len(answers),
        tokens=sum(int(timings["predicted_n"]) for timings in answers),
        written_per_second=round(statistics.median(timings["predicted_per_second"] for timings in answers), 1),
        seconds=round(time.monotonic() - started, 1),
    )


def _recorded(home: Path) -> list[Messages]:
    """The developer's prompts of a recorded run, without those that begin the answer for the model."""
    found: list[Messages] = []
    for database in sorted((home / "data").glob("repository-*/agents.db")):
        with closing(sqlite3.connect(database)) as connection:
            prompts = connection.execute(
                "SELECT prompt FROM model_calls WHERE agent = 'developer' ORDER BY id"
            ).fetchall()
        for (prompt,) in prompts:
            parts = re.split(r"(?m)^\[(system|user|assistant)\]\n", prompt)[1:]
            messages = [
                {"role": role, "content": text.strip()} for role, text in zip(parts[::2], parts[1::2], strict=True)
            ]
            if messages[-1]["role"] == "user" and messages not in found:
                found.append(messages)
    return found[:: max(len(found) // _MOST_QUESTIONS, 1)][:_MOST_QUESTIONS]


def _rewritings(number: int) -> list[Messages]:
    """Prompts that ask to rewrite functions of this repository with a small change."""
    asked = [
        f"# {number} {path}\n```python\n{code}\n```\n\nWrite the function `{name}` again, with every comment taken out "
        "and its first parameter renamed to `given`. One ```python block."
        for path, name, code in _functions()
    ]
    return [[{"role": "user", "content": question}] for question in asked]


def _functions() -> list[tuple[str, str, str]]:
    """Path, name and source of functions of medium length, the same ones each time."""
    found = []
    for path in sorted(_ROOT.glob("file_system/**/*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            code = ast.get_source_segment(source, node) or ""
            if isinstance(node, ast.FunctionDef) and _SHORTEST <= len(code.splitlines()) <= _LONGEST:
                found.append((path.name, node.name, code))
    return found[:_MOST_FUNCTIONS]


def _ask(address: str, messages: Messages) -> dict[str, Any]:
    body = {"messages": messages, "max_tokens": _ANSWER_TOKENS, "temperature": 0}
    url = f"{address if '://' in address else 'http://' + address}/v1/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=900) as response:
        timings: dict[str, Any] = json.load(response)["timings"]
    return timings


def main() -> int:
    """Measure each kind in its own process and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["NONE", "NGRAM_SIMPLE", "NGRAM_MOD"])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--home", type=Path, help="the folder given to `bench.coding --home`")
    parser.add_argument("--json", action="store_true", help="a JSON document for each kind instead of a table")
    chosen = parser.parse_args()
    if len(chosen.kinds) == 1:
        speed = measure(chosen.kinds[0], chosen.repeat, chosen.home)
        print(speed.model_dump_json(), flush=True)
        os._exit(0)  # the server's threads would keep the process alive
    for kind in chosen.kinds:
        command = [sys.executable, "-m", "bench.speculation", "--kinds", kind, "--repeat", str(chosen.repeat)]
        command += ["--home", str(chosen.home.resolve())] if chosen.home else []
        done = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT)
        if done.returncode:
            print(f"{kind}: {done.stderr[-500:]}", file=sys.stderr)
            continue
        speed = Speed.model_validate_json(done.stdout.splitlines()[-1])
        row = f"{kind:16}{speed.answers:>4} answers{speed.tokens:>7} tokens{speed.written_per_second:>8} tokens/s"
        print(speed.model_dump_json() if chosen.json else f"{row}{speed.seconds:>8} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
