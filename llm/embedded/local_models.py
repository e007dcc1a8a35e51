"""Which model is the embedded one: `llm.local_model` and the table of open models in `local_models.yaml`.

How `llm.local_model` is written:

- `auto`: the largest model of the table for which this machine has the memory and the cores.
- A name of the table, such as `qwen3.5-9b`.
- `hf:owner/repository/file.gguf`: any other GGUF file of the model hub.
- The path of a GGUF file: with a slash, or with the ending `.gguf`.

A file of the table keeps what the table says of it wherever it comes from. Any other is served as a small model with
8192 tokens of context unless the owner says more in `llm.capabilities`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psutil
import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from config import ConfigProblem, LLMSettings, cache_folder
from llm.errors import NotConfigured
from llm.providers.openai_compatible import EMBEDDED
from llm.providers.registry import resolve_provider

AUTO = "auto"
_HUB = "hf:"
_HUB_FILE = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>[\w.-]+(?:/[\w.-]+)*\.gguf)")
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
_DATA = Path(__file__).with_name("local_models.yaml")


class Wheels(BaseModel):
    """Packages of PyPI that hold a file in parts; they are called `package`, followed by 1, 2, 3 …"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    version: str
    parts: int
    part_size: int
    """Bytes of each part but the last."""


class LocalModel(BaseModel):
    """A model that the daemon can run itself; `local_models.yaml` explains the fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """As the owner writes it in `llm.local_model`."""
    file: str
    """Its path in the repository; of the owner's own file its name."""
    repository: str = ""
    own_path: Path | None = None
    """The owner's own file, which is never downloaded."""
    gigabytes: float = 0
    """0: not known before it is there."""
    memory_gb: float = 0
    cores: int = 1
    context_tokens: int = 8192
    slots: int = 2
    profile: Literal["small", "middle"] = "small"
    thinks: bool = True
    slowness: float = 1
    threads: int = 16
    sha256: str | None = None
    size: int | None = None
    wheels: Wheels | None = None

    @property
    def served_name(self) -> str:
        """Its name in requests and in the ledger."""
        return Path(self.file).stem

    @property
    def path(self) -> Path:
        """Where its file is, or will be: the owner's own place, or the user's cache folder."""
        if self.own_path is not None:
            return self.own_path
        models = cache_folder() / "models"
        in_table = any((known.repository, known.file) == (self.repository, self.file) for known in local_models())
        return models / self.file if in_table else models / self.repository / self.file

    def lacks(self, machine: Machine) -> str:
        """What `machine` has too little of, in words; empty when the model fits."""
        lacking = []
        if self.memory_gb > machine.memory_gb:
            lacking.append(f"{self.memory_gb:g} GB of memory")
        if self.cores > machine.cores:
            lacking.append(f"{self.cores} cores")
        return f"needs {' and '.join(lacking)}" if lacking else ""


@cache
def local_models() -> tuple[LocalModel, ...]:
    """The table, the smallest model first."""
    return TypeAdapter(tuple[LocalModel, ...]).validate_python(yaml.safe_load(_DATA.read_text(encoding="utf-8")))


def local_model(settings: LLMSettings, machine: Machine | None = None) -> LocalModel:
    """The embedded model that `settings` mean on `machine` (this one by default).

    Where the embedded model is the team's main one, `llm.capabilities.context_tokens` sets the context it is served
    with. Raises NotConfigured when `llm.local_model` means no model.
    """
    model = find_local_model(settings.local_model, machine)
    stated = settings.capabilities.context_tokens
    if stated and resolve_provider(settings) == EMBEDDED.name:
        return model.model_copy(update={"context_tokens": stated})
    return model


def find_local_model(text: str, machine: Machine | None = None) -> LocalModel:
    """The model that is written as `text`; the module says how. Raises NotConfigured."""
    if text == AUTO:
        return largest_for(machine or this_machine())
    if named := next((model for model in local_models() if model.name == text), None):
        return named
    if text.startswith(_HUB):
        return _hub_file(text)
    if "/" in text or text.endswith(".gguf"):
        path = Path(text).expanduser()
        return _like_the_table(LocalModel(name=text, file=path.name, own_path=path))
    names = [model.name for model in local_models()]
    close = difflib.get_close_matches(text.lower(), names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise NotConfigured(
        f"{text!r} is no embedded model; {hint}write auto, {', '.join(names)}, hf:owner/repository/file.gguf or the "
        "path of a GGUF file"
    )


def largest_for(machine: Machine) -> LocalModel:
    """The largest model of the table that `machine` has room for; the smallest one if it has room for none."""
    fitting = [model for model in local_models() if not model.lacks(machine)]
    return fitting[-1] if fitting else local_models()[0]


def served_model(name: str) -> LocalModel | None:
    """The model of the table with this name in requests, or None."""
    return next((model for model in local_models() if model.served_name == name), None)


def local_model_problems(settings: LLMSettings) -> list[ConfigProblem]:
    """What is wrong with `llm.local_model`, whether or not the embedded model is used."""
    try:
        find_local_model(settings.local_model)
    except NotConfigured as problem:
        return [ConfigProblem("llm.local_model", repr(settings.local_model), str(problem))]
    return []


def _hub_file(text: str) -> LocalModel:
    found = _HUB_FILE.fullmatch(text.removeprefix(_HUB))
    if found is None or ".." in text:
        raise NotConfigured(
            f"{text!r} names no file of the model hub; write hf:owner/repository/file.gguf, as in "
            f"hf:{local_models()[1].repository}/{local_models()[1].file}"
        )
    if _PART.search(text):
        raise NotConfigured(
            f"{text!r} is one part of a model in several files; choose a model in one file, or join the parts with "
            "llama-gguf-split --merge and give the path of the result"
        )
    repository, file = found["repository"], found["file"]
    same = next((model for model in local_models() if (model.repository, model.file) == (repository, file)), None)
    return same or _like_the_table(LocalModel(name=text, repository=repository, file=file))


def _like_the_table(model: LocalModel) -> LocalModel:
    """`model` with what the table says of a file of this name, else what follows from its size if it is there."""
    if (same := served_model(model.served_name)) is not None:
        kept = {"name", "file", "repository", "own_path"}
        return same.model_copy(update={"sha256": None, "size": None, "wheels": None, **model.model_dump(include=kept)})
    smallest = local_models()[0]
    size = model.path.stat().st_size / 1e9 if model.path.is_file() else 0
    return model.model_copy(update={"gigabytes": round(size, 1), "slowness": max(1, size / smallest.gigabytes)})


@dataclass(frozen=True)
class Machine:
    """Memory in GB (10⁹ bytes) and cores that this process may use."""

    memory_gb: float
    cores: int


@cache
def this_machine() -> Machine:
    """The machine this process runs on, within the limits of its control group."""
    return limited(Machine(psutil.virtual_memory().total / 1e9, len(os.sched_getaffinity(0))))


def limited(
    machine: Machine, *, groups: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> Machine:
    """`machine` within `memory.max` and `cpu.max` of the process's control group and of those above it (cgroup v2)."""
    memory, cores = machine.memory_gb, machine.cores
    for group in _own_groups(groups, membership):
        if (most := _words(group / "memory.max")) and most[0].isdigit():
            memory = min(memory, int(most[0]) / 1e9)
        share = _words(group / "cpu.max")  # "QUOTA PERIOD", both in microseconds, or "max PERIOD"
        if len(share) == 2 and share[0].isdigit():
            cores = min(cores, max(1, int(share[0]) // int(share[1])))
    return Machine(memory, cores)


def _own_groups(groups: Path, membership: Path) -> Iterator[Path]:
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    own = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/")
    group = groups / own.strip("/")
    yield group
    while group != groups and group.is_relative_to(groups):
        group = group.parent
        yield group


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
