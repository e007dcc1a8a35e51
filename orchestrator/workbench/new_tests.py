"""Where new tests belong in a repository."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

from agents import Requirements
from file_system import FileManager, is_javascript
from orchestrator.workbench.javascript import new_javascript_test
from testing import read_pytest_settings


def new_test_file(
    root: Path, requirements: Requirements, task_id: str, collected: Collection[str], place: str = ""
) -> str:
    """An unused path below `root` for the new tests, beside the `collected` ones: the files with tests that the suite
    of the project in the folder `place` collects."""
    own = task_id[-6:]
    if is_javascript(requirements.target_file):
        return new_javascript_test(root, requirements, ["", *(f"-{own}-{n}" for n in range(20))])
    bare = next((name for name in ("tests", "test") if (root / place / name).is_dir()), "tests")
    bare = f"{place}/{bare}".lstrip("/")
    in_python = [path for path in collected if path.endswith(".py") and path.startswith(f"{place}/" if place else "")]
    folder, beginning, ending = place_of_tests(requirements.target_file, in_python) or (bare, "test_", "")
    stem = requirements.symbols[0] if requirements.symbols else PurePosixPath(requirements.target_file).stem
    name = re.sub(r"\W+", "_", stem).strip("_").lower()
    taken = {path.name for path in FileManager(root).find_files("*.py")}
    suffixes = ["", f"_{own}", *(f"_{count}" for count in range(1, 20))]
    free = next(suffix for suffix in suffixes if f"{beginning}{name}{suffix}{ending}.py" not in taken)
    file = f"{beginning}{name}{re.sub(r'[^A-Za-z0-9_]', '_', free)}{ending}.py"
    theirs = read_pytest_settings(root / place)
    if not theirs.collects_file(file):
        file = _fitting(theirs.files, f"{name}{re.sub(r'[^A-Za-z0-9_]', '_', free)}") or file
        folder = folder if in_python or not theirs.test_paths else f"{place}/{theirs.test_paths[0]}".lstrip("/")
    return f"{folder}/{file}" if folder else file


def _fitting(patterns: Sequence[str], name: str) -> str:
    """`name` as a file that one of the globs of the project's own settings collects; empty if none says how."""
    found = (pattern.replace("*", name) for pattern in patterns if pattern.count("*") == 1 and pattern.endswith(".py"))
    return next((file for file in found if re.fullmatch(r"\w+\.py", file)), "")


def place_of_tests(target: str, collected: Collection[str]) -> tuple[str, str, str] | None:
    """The folder of a new test file for the code in `target`, and what its name begins and ends with; None without
    `collected`, the test files that the project's own suite collects.

    Beside the tests of the same module, else where most tests are that are near it.
    """
    if not collected:
        return None
    path, tests = PurePosixPath(target), [PurePosixPath(test) for test in sorted(collected)]

    def nearness(test: PurePosixPath) -> tuple[bool, int]:
        pairs = zip(path.parent.parts, test.parent.parts, strict=False)
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return test.stem.removeprefix("test_").removesuffix("_test") == path.stem, shared

    best = max(map(nearness, tests))
    folder = Counter(test.parent for test in tests if nearness(test) == best).most_common(1)[0][0]
    beside = [test.stem for test in tests if test.parent == folder]
    ends = sum(stem.endswith("_test") and not stem.startswith("test_") for stem in beside) * 2 > len(beside)
    beginning, ending = ("", "_test") if ends else ("test_", "")
    return ("" if folder == PurePosixPath() else folder.as_posix()), beginning, ending
