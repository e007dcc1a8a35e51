"""Whether n-gram speculative decoding makes the embedded model faster where an answer repeats what the prompt holds.

    python -m bench.speculation                    without, and with two kinds of it
    python -m bench.speculation --kinds NONE NGRAM_SIMPLE --repeat 3 --json
    python -m bench.speculation --home HOME        with the developer's questions of a run of bench/coding.py

Without a run the model is asked, as the developer is for a bug, to write functions of this repository again with one
change: most of an answer stands in its prompt. llama.cpp then guesses the next tokens from what followed the same ones
before, and the model checks the guesses in one go. Each kind is served by a process of its own; the machine should be
doing nothing else.
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

from llm import model_status

_ROOT = Path(__file__).parents[1]
_MOST_FUNCTIONS = 3
_LONGEST, _SHORTEST = 60, 18
"""Lines of a function that is asked for."""
_ANSWER_TOKENS = 700
_MOST_QUESTIONS = 40
_PREFIX = "COMMON_SPECULATIVE_TYPE_"
Messages: TypeAlias = list[dict[str, str]]


class Speed(BaseModel):
    """How fast one kind was."""

    kind: str
    answers: int
    tokens: int
    """Written in all."""
    written_per_second: float
    """Median over the answers."""
    seconds: float
    """In all, reading the prompts included."""


def measure(kind: str, repeat: int, home: Path | None) -> Speed:
    """Serve the embedded model in this process, and ask it."""
    asked = _recorded(home) if home else [question for number in range(repeat) for question in _rewritings(number)]
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model_status().path)
    params.hostnames, params.port, params.n_ctx, params.n_parallel = ["127.0.0.1"], 0, 8192, 1
    threads = len(os.sched_getaffinity(0))
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.ui = False
    params.speculative.types = [getattr(xllamacpp.common_speculative_type, _PREFIX + kind)]
    server = xllamacpp.Server(params)
    begun = time.monotonic()
    told = [_ask(server.listening_address, messages) for messages in asked]
    return Speed(
        kind=kind,
        answers=len(told),
        tokens=sum(int(timings["predicted_n"]) for timings in told),
        written_per_second=round(statistics.median(timings["predicted_per_second"] for timings in told), 1),
        seconds=round(time.monotonic() - begun, 1),
    )


def _recorded(home: Path) -> list[Messages]:
    """What the developer was asked in a recorded run, but for answers that were begun."""
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
    """Functions of this repository to be written again."""
    asked = [
        f"# {number} {path}\n```python\n{code}\n```\n\nWrite the function `{name}` again, with every comment taken out "
        "and its first parameter renamed to `given`. One ```python block."
        for path, name, code in _functions()
    ]
    return [[{"role": "user", "content": question}] for question in asked]


def _functions() -> list[tuple[str, str, str]]:
    """Path, name and source of functions of middling length, the same ones each time."""
    found = []
    for path in sorted(_ROOT.glob("file_system/*.py")):
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
    """Measure each kind in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=["NONE", "NGRAM_SIMPLE", "NGRAM_MOD"])
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--home", type=Path, help="what `bench.coding --home` left")
    parser.add_argument("--json", action="store_true", help="a JSON document for each kind instead of a table")
    chosen = parser.parse_args()
    if len(chosen.kinds) == 1:
        told = measure(chosen.kinds[0], chosen.repeat, chosen.home)
        print(told.model_dump_json(), flush=True)
        os._exit(0)  # the server's own threads do not end
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
