"""What is in the code base: source files, which file defines a name, how to import it."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from agents import module_name
from file_system import CodeMap, FileManager, is_javascript, is_test_file, readable_text
from file_system.code.outline import definition_line, parsed, unconditional
from orchestrator.workbench.javascript import javascript_imports

_OUTLINE_CHARACTERS = 6000
_MOST_IMPORTED = 12
_NOT_SOURCES = ("docs/", "doc/", "examples/", "example/", "scripts/", "benchmarks/")
_NOT_SOURCE_NAMES = ("setup.py", "conf.py", "conftest.py", "noxfile.py", "tasks.py")
_NO_SCRIPT_SOURCE = re.compile(r"\.config\.[cm]?[jt]s$|\.d\.[cm]?ts$|\.min\.js$")


class Sources(BaseModel):
    """The source files of a tree, without tests."""

    files: list[str]
    symbols: dict[str, str]
    """Public top-level name -> path of the file that defines it."""
    imports: dict[str, str]
    """A name that an example may use (function, module, package) -> the statement that imports it."""
    outline: str


def read_sources(root: Path) -> Sources:
    """Map the code below `root`."""
    code_map = CodeMap.of(root)
    modules = [module for module in code_map.modules if is_source(module.path)]
    files = [module.path for module in modules]
    symbols: dict[str, str] = {}
    imports: dict[str, str] = {}
    in_python = [module for module in modules if module.path.endswith(".py")]
    for module in in_python:
        dotted = module_name(module.path, files)
        parent, _, last = dotted.rpartition(".")
        # In examples a package has its own name, a module its last part.
        imports.setdefault(dotted.split(".")[0], f"import {dotted.split('.')[0]}")
        if parent:
            imports.setdefault(last, f"from {parent} import {last}")
    for module in modules:
        for name in module.names():
            if "." not in name and not name.startswith("_") and name not in symbols:
                symbols[name] = module.path
                if module in in_python:
                    imports[name] = f"from {module_name(module.path, files)} import {name}"
    if len(in_python) < len(modules):
        imports = javascript_imports(root, [path for path in files if is_javascript(path)]) | imports
    return Sources(
        files=files, symbols=symbols, imports=imports, outline=CodeMap(root, modules).render(_OUTLINE_CHARACTERS)
    )


def imported_definitions(root: Path, text: str, used: Collection[str] = ()) -> list[str]:
    """What the module `text` imports by name from the code below `root`, one line each: `Point = tuple[int, int]`.

    For classes in `used` the line also lists the attributes of their objects.
    """
    wanted = [node for node in parsed(text) or () if isinstance(node, ast.ImportFrom) and node.module]
    if not wanted:
        return []
    files = FileManager(root)
    sources = [path for found in files.find_files("*.py") if is_source(path := found.as_posix())]
    paths = {module_name(path, sources): path for path in sources}
    return [
        line
        for node in wanted
        if not node.level and (place := paths.get(str(node.module)))
        for alias in node.names
        if (line := definition_line(readable_text(files, place), alias.name, used))
    ][:_MOST_IMPORTED]


def importable(root: Path, text: str, words: str) -> list[str]:
    """The project's functions that `words` name and the module `text` lacks, one line each, with their import."""
    known = set(re.findall(r"[A-Za-z_]\w*", text))
    named = [
        name for name in dict.fromkeys(re.findall(r"`([A-Za-z_]\w*)(?:\([^`\n]*\))?`", words)) if name not in known
    ]
    if not named:
        return []
    sources, files = read_sources(root), FileManager(root)
    return [
        f"{line}  # {sources.imports[name]}"
        for name in named
        if (path := sources.symbols.get(name))
        and name in sources.imports
        and (line := definition_line(readable_text(files, path), name))
    ]


def public_names(root: Path, paths: list[str]) -> set[str]:
    """`path:name` of every public top-level name that the files at `paths` define."""
    return {
        f"{module.path}:{name}"
        for module in CodeMap.of(root).modules
        if module.path in paths
        for name in module.names()
        if not any(part.startswith("_") for part in name.split("."))
    }


def public_signatures(texts: Mapping[str, str]) -> dict[str, str]:
    """`path:name` of every public function, method and class of Python files -> how it is called: its parameters with
    their defaults, without annotations."""
    return {
        f"{path}:{name}": said
        for path, text in texts.items()
        if path.endswith(".py")
        for name, said in _signatures(parsed(text) or (), "")
    }


def _signatures(body: Iterable[ast.stmt], within: str) -> Iterator[tuple[str, str]]:
    for node in unconditional(list(body)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_") and not (within and node.name.startswith("__")):
            continue
        if isinstance(node, ast.ClassDef):
            yield within + node.name, "class"
            yield from _signatures(node.body, f"{within}{node.name}.")
            continue
        plain = copy.deepcopy(node.args)
        for argument in (*plain.posonlyargs, *plain.args, *plain.kwonlyargs, plain.vararg, plain.kwarg):
            if argument is not None:
                argument.annotation = None
        yield within + node.name, ast.unparse(plain)


def is_source(path: str) -> bool:
    """Whether a file is the project's own code: no test, documentation or script."""
    name = path.rsplit("/", 1)[-1]
    if is_test_file(path) or path.startswith(_NOT_SOURCES) or name in _NOT_SOURCE_NAMES:
        return False
    return not _NO_SCRIPT_SOURCE.search(name)
