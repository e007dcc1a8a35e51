"""What is in the code base: source files, which file defines a name, how to import it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from griffe import (
    Alias,
    AliasResolutionError,
    Attribute,
    Breakage,
    BreakageKind,
    Class,
    CyclicAliasError,
    Function,
    GriffeError,
    Module,
    Object,
    Parameter,
    find_breaking_changes,
    load,
)
from pydantic import BaseModel

from agents import module_names
from config import ONE_PARSER
from file_system import CodeMap, FileManager, is_javascript, is_test_file, readable_text
from file_system.code.outline import definition_line, parsed
from file_system.syntax import NOT_PYTHON
from monitoring import get_logger
from orchestrator.workbench.javascript import javascript_imports

log = get_logger(__name__)

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
    dotted_names = module_names((path for path in files if path.endswith(".py")), files)
    for dotted in dotted_names.values():
        parent, _, last = dotted.rpartition(".")
        # In examples a package has its own name, a module its last part.
        imports.setdefault(dotted.split(".")[0], f"import {dotted.split('.')[0]}")
        if parent:
            imports.setdefault(last, f"from {parent} import {last}")
    for module in modules:
        for name in module.names():
            if "." not in name and not name.startswith("_") and name not in symbols:
                symbols[name] = module.path
                if module.path in dotted_names:
                    imports[name] = f"from {dotted_names[module.path]} import {name}"
    if len(dotted_names) < len(modules):
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
    paths = {name: path for path, name in module_names(sources, sources).items()}
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


def lost_names(before: Path, after: Path, paths: Iterable[str]) -> list[str]:
    """`path:name` of the public top-level names that the files at `paths` defined in `before` and that can no longer be
    had from them in `after`. What they import from elsewhere now can."""
    changed = set(paths)
    defined, kept = (
        {
            f"{module.path}:{name}"
            for module in CodeMap.of(root).modules
            if module.path in changed
            for name in module.names()
            if not any(part.startswith("_") for part in name.split("."))
        }
        for root in (before, after)
    )
    files = FileManager(after)
    for path in {name.partition(":")[0] for name in defined - kept if ".py:" in name}:
        imported = [
            alias.asname or alias.name
            for node in parsed(readable_text(files, path)) or ()
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        kept |= {
            name for name in defined if name.startswith(f"{path}:") and name.split(":")[1].split(".")[0] in imported
        }
    return sorted(defined - kept)


class Surface(BaseModel):
    """How the public names of some modules differ between two trees."""

    changes: list[str] = []
    """A line each: what is gone, and what is called in another way."""
    compared: list[str] = []
    """The packages and modules that were compared."""
    unread: list[str] = []
    """Those that could not be."""


def surface_changes(before: Path, after: Path, paths: Iterable[str]) -> Surface:
    """What of the public surface of the Python files at `paths` is not in `after` as it is in `before`, for those who
    import it: names that are gone from where they can be imported, other parameters, plain values, bases,
    `__all__`. New names and annotations make no difference. The code is read by griffe and not run."""
    found = Surface()
    for place, package in sorted({_package_of(path) for path in paths}):
        try:
            old = _read_package(before / place, package)
            if old is None:
                continue  # it is new
            new = _read_package(after / place, package)
            if new is None:
                found.changes.append(f"{package} is gone")
                continue
            breaking = [told for breakage in find_breaking_changes(old, new) if (told := _told(breakage))]
            found.changes += dict.fromkeys([*breaking, *_differences(old, new)])
            found.compared.append(package)
        except (GriffeError, *NOT_PYTHON, KeyError, AttributeError) as problem:
            log.warning("the public surface cannot be read", package=package, problem=str(problem)[:300])
            found.unread.append(package)
    return found


def _package_of(path: str) -> tuple[str, str]:
    """The folder that a Python file is imported from, and its topmost package or module."""
    parts = path.removesuffix(".py").split("/")
    place = parts.pop(0) if parts[0] in ("src", "lib") and len(parts) > 1 else ""
    return place, parts[0]


def _read_package(folder: Path, name: str) -> Module | None:
    if not ((folder / name).is_dir() or (folder / f"{name}.py").is_file()):
        return None
    try:
        with ONE_PARSER:
            read = load(
                name, search_paths=[folder], allow_inspection=False, resolve_aliases=True, resolve_external=False,
                store_source=False,
            )  # fmt: skip
    except ImportError:
        return None
    return read if isinstance(read, Module) else None


def _told(breakage: Breakage) -> str:
    """A difference in words; empty for one that callers do not see."""
    path = breakage.obj.path
    match breakage.kind:
        case BreakageKind.OBJECT_REMOVED:
            return f"{path} is gone"
        case BreakageKind.CLASS_REMOVED_BASE:
            bases = [str(base).rpartition(".")[2] for base in breakage.old_value]
            kept = {str(base).rpartition(".")[2] for base in breakage.new_value}
            lost = [base for base in bases if base not in kept and not base.startswith("_")]
            return f"{path} is no {lost[0]} any more" if lost else ""
        case BreakageKind.ATTRIBUTE_CHANGED_TYPE | BreakageKind.ATTRIBUTE_CHANGED_VALUE:
            return ""
        case BreakageKind.RETURN_CHANGED_TYPE:
            return ""
        case kind:
            parameter = breakage.old_value if isinstance(breakage.old_value, Parameter) else breakage.new_value
            name = f"({parameter.name})" if isinstance(parameter, Parameter) else ""
            return f"{path}{name}: {kind.value.lower()}"


def _differences(old: Object, new: Object, seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """What breaks no caller and still is another surface, or what griffe does not compare: further parameters, plain
    values, `__all__`, coroutines that are none any more, bases from outside the package."""
    if isinstance(old, Module) and isinstance(new, Module) and _exports(old) != _exports(new):
        yield f"{old.path}: __all__ was changed"
    for name, member in old.all_members.items():
        other = new.all_members.get(name)
        try:
            if other is None or not member.is_public or member.path in seen:
                continue
            one, two = (each.final_target if isinstance(each, Alias) else each for each in (member, other))
        except (AliasResolutionError, CyclicAliasError):
            continue
        if isinstance(one, Function) and isinstance(two, Function):
            known = {parameter.name for parameter in one.parameters}
            further = [parameter.name for parameter in two.parameters if parameter.name not in known]
            if further and len(two.parameters) > len(one.parameters):
                yield f"{member.path}({further[0]}): parameter was added"
            if ("async" in one.labels) != ("async" in two.labels):
                yield f"{member.path}: {'is no coroutine any more' if 'async' in one.labels else 'became a coroutine'}"
        elif isinstance(one, Attribute) and isinstance(two, Attribute):
            if _is_other_value(str(one.value), str(two.value)):
                yield f"{member.path}: value was changed"
        elif isinstance(one, Module | Class) and isinstance(two, Module | Class) and not isinstance(member, Alias):
            if isinstance(one, Class) and isinstance(two, Class):
                kept = _ancestors(two)
                lost = [base for base in map(_last, one.bases) if base not in kept and not base.startswith("_")]
                yield from (f"{member.path} is no {base} any more" for base in lost)
            yield from _differences(one, two, seen | {member.path})


def _exports(module: Module) -> set[str] | None:
    return None if module.exports is None else {str(name) for name in module.exports}


def _last(base: object) -> str:
    return str(base).partition("[")[0].rpartition(".")[2]


def _ancestors(found: Class, depth: int = 10) -> set[str]:
    """Names of the bases of a class, and of theirs as far as they are known."""
    names = {_last(base) for base in found.bases}
    if depth:
        names |= {
            name for base in found.resolved_bases if isinstance(base, Class) for name in _ancestors(base, depth - 1)
        }
    return names


def _is_other_value(before: str, after: str) -> bool:
    """Whether both are plain values, and differ."""
    try:
        return bool(ast.literal_eval(before) != ast.literal_eval(after))
    except (*NOT_PYTHON, TypeError):
        return False


def is_source(path: str) -> bool:
    """Whether a file is the project's own code: no test, documentation or script."""
    name = path.rsplit("/", 1)[-1]
    if is_test_file(path) or path.startswith(_NOT_SOURCES) or name in _NOT_SOURCE_NAMES:
        return False
    return not _NO_SCRIPT_SOURCE.search(name)
