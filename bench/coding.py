"""How many tasks of a set the team lands, what each costs, and how many landings are wrong.

    python -m bench.coding humaneval.jsonl              each task comes with its tests
    python -m bench.coding humaneval.jsonl --docstring  each task is only a docstring; the tests judge the result
    python -m bench.coding bench/tasks/own.yaml --set orchestrator.max_approaches=1 --label one-approach
    python -m bench.coding bench/tasks/own.yaml --without agreement
    python -m bench.coding bench/tasks/own.yaml --seed 1000
    python -m bench.coding --compare bench/results/A.jsonl bench/results/B.jsonl

Each repository of a set gets its own daemon, and tasks go through the real flow. The configured model answers; without
a key that is the embedded one. Results are JSON lines: the first describes the run, each further one is a task.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import structlog
import yaml

from bench.figures import RunInfo, compare, summary, table
from bench.flow_runs import ROOT, TaskResult, run_set
from bench.switches import PARTS
from bench.task_sets import TaskSet, read_task_set
from config import Settings
from llm import local_model, model_status, resolve_provider
from llm.providers.openai_compatible import EMBEDDED

RESULTS = ROOT / "bench" / "results"
_TAKEN = ("llm", "agents", "orchestrator", "testing", "sandbox")
"""Sections that are taken from the file given with `--config`."""


def main() -> int:
    """Run a set or compare two results; 0 if the run was completed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", type=Path, nargs="?", help="a .jsonl or .yaml file")
    parser.add_argument("--docstring", action="store_true", help="HumanEval: hide the tests")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="only these tasks")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N tasks")
    parser.add_argument("--parallel", type=int, default=1, metavar="N", help="work on N tasks at once")
    parser.add_argument("--config", type=Path, help=f"take {', '.join(_TAKEN)} from this configuration file")
    parser.add_argument("--set", dest="values", nargs="+", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--without", nargs="+", default=[], choices=PARTS, metavar="PART",
                        help=f"switch off parts of the method for small models: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draw other samples: add N to their seeds")
    parser.add_argument("--label", default="run", help="part of the name of the results file")
    parser.add_argument("--home", type=Path, help="leave repositories, databases, logs and environments in this folder")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("A", "B"), help="compare two results files")
    chosen = parser.parse_args()
    if chosen.compare:
        print(compare(*chosen.compare))
        return 0
    if not chosen.set or not chosen.set.is_file():
        parser.error(f"{chosen.set or 'SET'}: no such file; give a .jsonl or .yaml task set")
    try:
        tasks = _chosen(read_task_set(chosen.set, visible=not chosen.docstring), chosen.only, chosen.first)
        config = _config(chosen.config, chosen.values)
    except (ValueError, KeyError, yaml.YAMLError) as problem:
        parser.error(str(problem))
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    _run(tasks, config, chosen)
    return 0


def _run(tasks: TaskSet, config: dict[str, dict[str, object]], chosen: argparse.Namespace) -> None:
    llm = Settings.model_validate(config).llm
    provider = resolve_provider(llm)
    if provider == EMBEDDED.name and not model_status(local_model(llm)).ready:
        sys.exit("the embedded model is missing; get it with: python main.py model fetch")
    started = time.strftime("%Y%m%d-%H%M%S")
    info = RunInfo(
        set=tasks.name,
        label=chosen.label,
        commit=_git("rev-parse", "--short", "HEAD"),
        changed=bool(_git("status", "--porcelain", "--untracked-files=no")),
        prompts=_prompts(),
        config=_without_secrets(config),
        without=chosen.without,
        seed=chosen.seed,
        provider=provider,
        cores=os.cpu_count() or 0,
        parallel=chosen.parallel,
        begun=started,
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{started}-{tasks.name}-{chosen.label}.jsonl"
    results: list[TaskResult] = []
    with file.open("w", encoding="utf-8") as lines:
        lines.write(info.model_dump_json() + "\n")
        runs = run_set(
            tasks, config, parallel=chosen.parallel, without=chosen.without, seed=chosen.seed, home=chosen.home
        )
        for result in runs:
            results.append(result)
            lines.write(result.model_dump_json() + "\n")
            lines.flush()
            print(_line(result, len(results), len(tasks.tasks)), file=sys.stderr, flush=True)
    print(json.dumps(summary(results), indent=2) if chosen.json else table(results))
    print(f"results: {file}", file=sys.stderr)


def _chosen(tasks: TaskSet, only: Sequence[str], first: int | None) -> TaskSet:
    kept = [task for task in tasks.tasks if not only or task.id in only][:first]
    if not kept:
        raise ValueError(f"no task of {tasks.name} is named {', '.join(only)}")
    return tasks.model_copy(update={"tasks": kept})


def _config(file: Path | None, values: Sequence[str]) -> dict[str, dict[str, object]]:
    """The configuration of the daemon under test: the sections `_TAKEN` of `file`, changed by single `values`."""
    given = cast(dict[str, dict[str, object]], yaml.safe_load(file.read_text(encoding="utf-8")) if file else {})
    config = {name: dict(given[name]) for name in _TAKEN if given.get(name)}
    for value in values:
        name, equals, text = value.partition("=")
        section, _, key = name.partition(".")
        if not (equals and key):
            raise ValueError(f"--set {value}: write it as SECTION.KEY=VALUE")
        config.setdefault(section, {})[key] = yaml.safe_load(text)
    return config


def _without_secrets(config: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    return {
        section: {key: value for key, value in values.items() if not {"key", "token"} & set(key.split("_"))}
        for section, values in config.items()
    }


def _prompts() -> dict[str, str]:
    folder = ROOT / "agents" / "prompts"
    files = sorted(path for path in folder.iterdir() if path.suffix == ".j2")
    return {path.stem: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files}


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def _line(result: TaskResult, number: int, of: int) -> str:
    verdict = "WRONG" if result.wrong else "landed" if result.landed else f"{result.status} {result.reason}"
    return (
        f"{number:3}/{of} {result.task:24} {verdict:24} {result.strategy:10} generations {result.generations:2}  "
        f"tokens {result.tokens:6,}  {result.seconds:6.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
