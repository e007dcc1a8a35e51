"""The layout of a JavaScript project: where its tests are, and how they name and load its modules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from agents import STYLES, Loading, Requirements, TestCase, TestFile
from file_system import (
    Exported,
    FileManager,
    FileSystemError,
    exports_of,
    is_javascript,
    is_test_file,
    parse_javascript,
)
from testing import Package, read_package

DRAFT_NAME = "ai-agents-draft"
_TEST_NAME = re.compile(r"(?P<stem>.+)(?P<mark>[._-](?:test|spec)|Spec|Test)(?P<suffix>\.[cm]?[jt]sx?)$")
_IMPORTED = re.compile(r'^import .+ from "([^"]+)";$')


def javascript_imports(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """Names that the modules at `paths` export, and the modules' own names -> the statement that imports them.

    The paths are relative to the repository; the writer of a file makes them relative to the file.
    """
    found: dict[str, str] = {}
    for path in paths:
        exported = _exported(root, path)
        if exported is None:
            continue
        for name in exported.names:
            found.setdefault(name, f'import {{ {name} }} from "{path}";')
        if exported.default_name:
            found.setdefault(exported.default_name, f'import {exported.default_name} from "{path}";')
    for path in paths:
        stem = PurePosixPath(path).stem
        if stem.isidentifier() and stem != "index":
            found.setdefault(stem, f'import * as {stem} from "{path}";')
    return found


def new_javascript_test(root: Path, requirements: Requirements, endings: Sequence[str]) -> str:
    """An unused path for new tests, beside the existing tests and named like them.

    `endings`: suffixes of the name to try, in order.
    """
    target = PurePosixPath(requirements.target_file)
    stem = re.sub(r"[^\w$-]+", "-", requirements.symbols[0] if requirements.symbols else target.stem)
    folder, mark, suffix = _place(root, target)
    free = next(ending for ending in endings if not (root / folder / f"{stem}{ending}{mark}{suffix}").exists())
    return str(PurePosixPath(folder) / f"{stem}{free}{mark}{suffix}")


def draft_test(root: Path, requirements: Requirements) -> str:
    """Path of JavaScript tests while they are tried out; never committed."""
    folder, mark, suffix = _place(root, PurePosixPath(requirements.target_file))
    return str(PurePosixPath(folder) / f"{DRAFT_NAME}{mark}{suffix}")


def javascript_test_file(root: Path, path: str, framework: str, cases: Sequence[TestCase]) -> TestFile:
    """The test file at `path`, and how it loads what `cases` import."""
    runner = _style_of(root, path, framework)
    esm = is_esm(root, path)
    imported = {found[1] for case in cases for line in case.imports if (found := _IMPORTED.match(line))}
    loading: Mapping[str, Loading] = {module: _loading(root, module, runner, esm) for module in imported}
    return TestFile(path, runner, esm or runner == "vitest", loading)


def _style_of(root: Path, path: str, framework: str) -> str:
    """Whose style new tests are written in: the framework's; of a script that calls another, that one's."""
    if framework in STYLES:
        return framework
    if framework != "script":
        return "node"
    for package in _packages(root, path):
        words = re.findall(r"[\w-]+", package.test_script)
        if found := next((name for name in STYLES if name in words and name != "node"), ""):
            return found
    return "plain"


def _packages(root: Path, path: str) -> list[Package]:
    """What the package.json files above a file say, the nearest first."""
    found = (read_package(root / folder) for folder in PurePosixPath(path).parents)
    return [package for package in found if package is not None]


def is_esm(root: Path, path: str) -> bool:
    """Whether a file is, or would be, an ES module: by its extension, its content, or the package.json above it."""
    suffix = PurePosixPath(path).suffix
    if suffix in (".cjs", ".cts"):
        return False
    if suffix != ".js":
        return True
    exported = _exported(root, path)
    if exported is not None and (exported.esm or exported.nodes):
        return exported.esm
    for folder in PurePosixPath(path).parents:
        package = read_package(root / folder)
        if package is not None:
            return package.esm
    return False


def _loading(root: Path, module: str, runner: str, test_esm: bool) -> Loading:
    package = next(iter(_packages(root, module)), None)
    if runner == "jest":
        native = package is not None and (package.esm or "vm-modules" in package.test_script)
        return "import" if native else "require"
    if is_esm(root, module):
        return "import"
    return "require" if runner not in ("vitest", "jest") and not test_esm else "import-default"


def _place(root: Path, target: PurePosixPath) -> tuple[str, str, str]:
    """Folder, mark and extension of new tests: those of most tests; `test/name.test.js` if there are none."""
    named = [
        (str(path.parent), found["mark"], found["suffix"])
        for path in FileManager(root).find_files("**/*")
        if is_javascript(path.name) and is_test_file(path.as_posix()) and (found := _TEST_NAME.match(path.name))
    ]
    typed = target.suffix in (".ts", ".tsx", ".mts", ".cts")
    if not named:
        folder = next((name for name in ("test", "tests", "__tests__") if (root / name).is_dir()), "test")
        return folder, ".test", ".ts" if typed else target.suffix.replace("x", "")
    folders, marks, suffixes = (Counter(part) for part in zip(*named, strict=True))
    folder = folders.most_common(1)[0][0]
    if not is_test_file(f"{folder}/x.js"):
        folder = str(target.parent)  # tests are beside what they test
    return folder, marks.most_common(1)[0][0], suffixes.most_common(1)[0][0]


def _exported(root: Path, path: str) -> Exported | None:
    """What a module exports; None if it is missing or cannot be read."""
    files = FileManager(root)
    try:
        return exports_of(parse_javascript(path, files.read_file(path))) if files.exists(path) else None
    except FileSystemError:
        return None
