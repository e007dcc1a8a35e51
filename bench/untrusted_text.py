"""How long it takes to read text from models, tests and repositories that is large or built to be slow to read.

    python -m bench.untrusted_text

Each text is read once as it is and once at twice the size. Time should grow with the size; a larger ratio points to a
pattern that backtracks.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from agents.stated.examples import stated_examples
from agents.stated.javascript_examples import javascript_examples
from agents.stated.properties import stated_properties
from file_system import CodeMap, FileManager
from git_ops import secrets_in
from monitoring import redact
from testing.frameworks.javascript_report import diagnose_javascript, read_javascript_report

_LONG_LINES = {"letters": "a", "tokens": "eyJ", "URLs": "://x:", "assignments": "secret="}
_TASKS: dict[str, tuple[Callable[[str], object], str]] = {
    "open calls in a task": (stated_examples, "`f("),
    "sessions in a task": (stated_examples, ">>> f(1)\n2\n"),
    "examples in a task": (stated_examples, "`f(1)` returns `2`, "),
    "JavaScript in a task": (javascript_examples, "`f(1)` returns `2`, "),
    "blanks in a task": (partial(stated_properties, symbols=["f"]), " "),
    "sentences in a task": (partial(stated_properties, symbols=["f"]), "e.g. "),
    "dots to be redacted": (redact, "a."),
}
_MODULE = "".join(f'def f{n}(a: int) -> int:\n    """Does {n}."""\n    return a + {n}\n\n\n' for n in range(30))


def main() -> None:
    """Print a table: kind of text, seconds for the text and for twice as much, and their ratio."""
    print(f"{'what':28}{'once':>9}{'twice':>9}{'ratio':>8}")
    for name, piece in _LONG_LINES.items():
        _row(f"secrets in {name}", partial(_secrets, piece))
    for name, (read, piece) in _TASKS.items():
        _row(name, partial(_task, read, piece))
    _row("report of jest", _jest)
    _row("code map", _code_map)
    _row("glob with 24 levels", _glob)


def _row(name: str, run: Callable[[int], object]) -> None:
    once, twice = _seconds(run, 1), _seconds(run, 2)
    print(f"{name:28}{once:9.3f}{twice:9.3f}{twice / max(once, 1e-6):8.1f}")


def _seconds(run: Callable[[int], object], times: int) -> float:
    started = time.perf_counter()
    run(times)
    return time.perf_counter() - started


def _secrets(piece: str, times: int) -> None:
    secrets_in(piece * (100_000 * times))


def _task(read: Callable[[str], object], piece: str, times: int) -> None:
    read((piece * 20_000)[: 15_000 * times])


def _jest(times: int) -> None:
    case = {"title": "a", "status": "failed", "failureMessages": ["Error\n at " + "a" * (200_000 * times)]}
    results = [{"name": "a.test.js", "status": "failed", "assertionResults": [case]}]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        report.write_text(json.dumps({"testResults": results}), encoding="utf-8")
        for symptom in read_javascript_report(report, Path(folder)).symptoms:
            diagnose_javascript(symptom)


def _code_map(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(300 * times):
            (Path(folder) / f"m{number}.py").write_text(_MODULE, encoding="utf-8")
        CodeMap.of(Path(folder)).render(20_000, focus=["f7"])


def _glob(times: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        deep = Path(folder) / "/".join(["a"] * (30 * times))
        deep.mkdir(parents=True)
        FileManager(Path(folder)).find_files("**/" * 24 + "x")


if __name__ == "__main__":
    main()
