"""How long the map of a repository takes: built for the first time, and again with a cache.

    python -m bench.repository_map                        a generated repository of 360 files in five languages
    python -m bench.repository_map path/to/repository     any other
    python -m bench.repository_map --repeat 5 --json

Figures are medians of wall-clock and CPU seconds; other work on the machine makes the former longer. Each repetition
builds the map with an empty cache, with a full one, and with a full one after one file in twenty has changed. To build
means to read the files, to parse them or take them from the cache, and to render the map for a task.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from file_system import RepositoryMap
from file_system.code.languages import language_of

GENERATED_FILES = 360
_TASK = "Let `quote_12` in shop/part_03 return what `quote_7` does, and mend its callers."
_BUDGET_TOKENS = 2000
Seconds = tuple[float, float]
"""Wall-clock and CPU seconds."""
_CHANGED = 20
"""One in so many files is changed."""
_FUNCTIONS = 12
_FORMS = {
    "py": (
        "from shop.part_{other:02}.module_{far} import quote_{far}\n\n\nclass Desk{number}:\n",
        '    def quote_{n}(self, amount: int, label: str = "x") -> int:\n        """What {n} costs."""\n'
        "        return quote_{far}(amount) + {n}\n\n",
    ),
    "ts": (
        "import {{ quote_{far} }} from '../part_{other:02}/module_{far}';\n\nexport class Desk{number} {{}}\n",
        "export function quote_{n}(amount: number, label = 'x'): number {{ return quote_{far}(amount) + {n}; }}\n",
    ),
    "go": (
        "package shop\n\ntype Desk{number} struct {{ amount int }}\n\n",
        "func (d *Desk{number}) Quote_{n}(amount int) int {{ return quote_{far}(amount) + {n} }}\n",
    ),
    "rs": (
        "pub struct Desk{number} {{ amount: u32 }}\n\n",
        "pub fn quote_{n}(amount: u32) -> u32 {{ quote_{far}(amount) + {n} }}\n",
    ),
    "js": (
        "class Desk{number} {{}}\n",
        "export function quote_{n}(amount, label) {{ return quote_{far}(amount) + {n}; }}\n",
    ),
}


@dataclass(frozen=True)
class Figures:
    """Medians of (wall-clock seconds, CPU seconds)."""

    files: int
    kilobytes: int
    cold: Seconds
    cached: Seconds
    some_changed: Seconds
    map_characters: int
    repetitions: int


def generate(folder: Path, files: int = GENERATED_FILES) -> None:
    """Write a repository of modules that use each other, more than half in Python, the rest in four other languages."""
    kinds = ("py", "py", "py", "ts", "go", "py", "py", "py", "rs", "js")
    for number in range(files):
        kind = kinds[number % len(kinds)]
        head, function = _FORMS[kind]
        far = (number * 7 + 3) % files
        values = {"number": number, "far": far, "other": far % 12}
        text = head.format(**values) + "".join(
            function.format(**values, n=number + files * place) for place in range(_FUNCTIONS)
        )
        path = folder / "shop" / f"part_{number % 12:02}" / f"module_{number}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def measure(repository: Path, repetitions: int) -> Figures:
    """Time the map of a copy of `repository`."""
    rows: list[tuple[Seconds, Seconds, Seconds]] = []
    with tempfile.TemporaryDirectory(prefix="repository-map-") as place:
        copy = Path(place, "repository")
        ignored = shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__")
        shutil.copytree(repository, copy, symlinks=True, ignore=ignored)
        for number in range(repetitions):
            cache = Path(place, f"cache-{number}")
            cold, found, text = _built(copy, cache)
            cached = _built(copy, cache)[0]
            for path in sorted(found.tags)[::_CHANGED]:
                with (copy / path).open("a", encoding="utf-8") as file:
                    file.write("\n")
            rows.append((cold, cached, _built(copy, cache)[0]))
        size = sum(path.stat().st_size for path in copy.rglob("*") if path.is_file() and language_of(path.name))
    cold, cached, changed = (_median(column) for column in zip(*rows, strict=True))
    return Figures(len(found.tags), size // 1024, cold, cached, changed, len(text), repetitions)


def _built(repository: Path, cache: Path) -> tuple[Seconds, RepositoryMap, str]:
    clock, cpu = time.perf_counter(), time.process_time()
    found = RepositoryMap.of(repository, cache)
    text = found.render(_BUDGET_TOKENS, about=_TASK)
    return (time.perf_counter() - clock, time.process_time() - cpu), found, text


def _median(column: Sequence[Seconds]) -> Seconds:
    clock, cpu = zip(*column, strict=True)
    return statistics.median(clock), statistics.median(cpu)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench.repository_map", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("repository", type=Path, nargs="?")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.repository:
        figures = measure(given.repository, given.repeat)
    else:
        with tempfile.TemporaryDirectory(prefix="generated-") as folder:
            generate(Path(folder))
            figures = measure(Path(folder), given.repeat)
    if given.json:
        print(json.dumps(asdict(figures)))
        return 0
    print(f"{figures.files} files, {figures.kilobytes} KiB, medians of {figures.repetitions}")
    print("                          clock        CPU")
    for name, (clock, cpu) in {
        "built for the first time": figures.cold,
        "all files cached": figures.cached,
        f"one in {_CHANGED} changed": figures.some_changed,
    }.items():
        print(f"{name:24}{clock:7.3f}{cpu:11.3f} s")
    print(f"the map has {figures.map_characters} characters")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
