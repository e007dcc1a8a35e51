"""Product: pins down what a task is about. Code looks first; a model is asked only for what code cannot know."""

from __future__ import annotations

import builtins
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from agents.answers import FileChoice, Requirements
from agents.base import BaseAgent
from agents.errors import UnusableAnswer
from agents.stated.examples import called_names, stated_examples
from agents.stated.javascript_examples import JAVASCRIPT_GLOBALS, called_javascript_names, javascript_examples
from agents.stated.javascript_rendering import imported_javascript
from agents.stated.owner_tests import imported_names
from file_system import is_javascript
from llm import CallContext
from memory import Task

_PATH = re.compile(r"(?<![\w/.-])((?:[\w.-]+/)*[\w.-]+\.(?:py|[cm]?[jt]sx?))\b")
_SIGNATURE = re.compile(
    r"`(?:def |class |(?:export )?(?:async )?function )?([A-Za-z_][\w.]*)\([^`\n]*\)(?:\s*->[^`\n]*)?`"
)
_DEFINITION = re.compile(r"(?m)^\s*(?:def|class|(?:export\s+)?(?:default\s+)?(?:async\s+)?function)\s+([A-Za-z_]\w*)")
_NAME = re.compile(r"`([A-Za-z_]\w*)(?:\(\))?`")
_NO_FILES = frozenset({"node", "next", "nuxt", "vue", "react", "express", "three", "d3", "deno", "angular", "ember"})
"""Names of products that are written like files: Node.js."""
_NAMED = re.compile(
    r"\b(?:function|class|method|helper)\s+`?([A-Za-z_]\w*)`?\s*\(|"
    r"\b(?:function|class|method|helper)\s+`([A-Za-z_]\w*)`"
)


class ProductAgent(BaseAgent):
    name = "product"
    role = "product manager"
    duty = "You decide what a task means: which file it belongs in and what must be true when it is done."
    working = (
        "The task does not say where its work belongs. Look until you know, then call finish_requirements with the one "
        "file that the work is mainly in and the functions, methods or classes to add or change: the developer sees "
        "that file and no other. Ask the owner only what neither the task nor the code can answer."
    )
    opening = "find_place"

    def requirements_from_text(
        self, task: Task, files: Sequence[str], symbols: Mapping[str, str]
    ) -> Requirements | None:
        """Requirements as far as the task's own words settle them; None when the file remains open.

        `files`: repository paths of the project's source files; `symbols`: defined name -> path. What the words leave
        open, the owner's tests may show: they import what they test.
        """
        text = f"{task.title}\n{task.description}"
        if _in_javascript(text, files):
            tested = imported_javascript(task.tests, task.tests_file, files)
            wanted = wanted_javascript(text) or [name for _, name in tested]
        else:
            tested = _tested(task.tests, files, symbols)
            wanted = wanted_symbols(text) or [name for _, name in tested]
        path = _named_file(text, files) or next(
            (symbols[top] for name in wanted if (top := name.partition(".")[0]) in symbols), None
        )
        if path is None:
            path = _named_module(text, files) or next((path for path, _ in tested), None)
        if path is None and len(files) == 1:
            path = files[0]
        if path is None:
            return None
        found = _requirements(path, wanted, files)
        return found if is_javascript(path) else _with_tested(found, text, tested, files, symbols)

    def requirements_of(self, path: str, symbols: Sequence[str], files: Sequence[str]) -> Requirements:
        """The requirements of work on `symbols` in the file at `path`, as product has found them."""
        return _requirements(path, [*symbols], files).model_copy(update={"chosen_by": "model"})

    def choose_file(self, task: Task, outline: str, files: Sequence[str], context: CallContext) -> Requirements:
        """Ask the model in which of `files` the task belongs.

        Raises `UnusableAnswer` when it names none of them.
        """
        prompt = self._prompt("choose_file", task, outline=outline)
        choice = self.structured(prompt, FileChoice, context, temperature=0.0)
        path = choice.file.strip().strip("`").removeprefix("./")
        if path not in files:
            raise UnusableAnswer(f"{path!r} is none of the {len(files)} source files of the repository")
        text = f"{task.title}\n{task.description}"
        chosen = _requirements(path, wanted_javascript(text) if is_javascript(path) else wanted_symbols(text), files)
        return chosen.model_copy(update={"chosen_by": "model"})


def wanted_symbols(text: str) -> list[str]:
    """Names of the functions, methods (`Class.method`) and classes that `text` asks for, most certain first."""
    found = _named_definitions(text)
    for example in stated_examples(text):
        found += [name.split(".")[-1] for name in called_names(example)]
    known = set(sys.stdlib_module_names) | set(dir(builtins)) | _STDLIB_CALLABLES
    # A method named with its class is enough: neither of the two is wanted by itself.
    known |= {part for name in found if "." in name for part in name.split(".")}
    return [name for name in dict.fromkeys(found) if name not in known]


def _symbol(dotted: str) -> str:
    """`Class.method` as it is; of `module.function` and `value.method` the last name."""
    *before, last = dotted.split(".")
    return f"{before[-1]}.{last}" if before and before[-1][:1].isupper() else last


def wanted_javascript(text: str) -> list[str]:
    """As `wanted_symbols`, where the work is in JavaScript: `sum` and `range` are no built-in functions there."""
    found = [name.partition(".")[0] for name in _named_definitions(text)]  # of a method its class
    for example in javascript_examples(text):
        found += [name.partition(".")[0] for name in called_javascript_names(example.call) if "(" not in name]
    return [name for name in dict.fromkeys(found) if name not in JAVASCRIPT_GLOBALS]


def _named_definitions(text: str) -> list[str]:
    found = [_symbol(match[1]) for match in _SIGNATURE.finditer(text)]
    found += _DEFINITION.findall(text)
    return found + [first or second for first, second in _NAMED.findall(text)]


def _in_javascript(text: str, files: Sequence[str]) -> bool:
    """Whether the work is in JavaScript: the file that the task names is, else most of the files are."""
    named = _named_file(text, files)
    if named is not None:
        return is_javascript(named)
    return sum(map(is_javascript, files)) * 2 > len(files)


_STDLIB_CALLABLES = {
    "date",
    "datetime",
    "timedelta",
    "time",
    "timezone",
    "Decimal",
    "Fraction",
    "Path",
    "Counter",
    "OrderedDict",
    "defaultdict",
    "deque",
    "partial",
    "raises",
    "approx",
}


def module_names(paths: Iterable[str], files: Sequence[str]) -> dict[str, str]:
    """Dotted import names of Python files, by their paths: packages are the folders that hold an `__init__.py`."""
    packages = {file.rpartition("/")[0] for file in files if file.endswith("/__init__.py")}
    return {path: _dotted(path, packages) for path in paths}


def _dotted(path: str, packages: Collection[str]) -> str:
    parts = path.removesuffix(".py").split("/")
    start = len(parts) - 1
    while start > 0 and "/".join(parts[:start]) in packages:
        start -= 1
    if start == len(parts) - 1 and parts[0] in ("src", "lib"):
        start = min(start, 1)
    dotted = ".".join(parts[start:])
    return dotted.removesuffix(".__init__")


def _files_of(files: Sequence[str]) -> dict[str, str]:
    """Dotted name -> Python file."""
    return {name: file for file, name in module_names((one for one in files if one.endswith(".py")), files).items()}


def _tested(tests: str, files: Sequence[str], symbols: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the owner's tests import from the project, as (path, name): first the names that are not there yet."""
    dotted = _files_of(files)
    found = [(symbols.get(name, dotted[module]), name) for module, name in imported_names(tests) if module in dotted]
    return sorted(found, key=lambda pair: pair[1] in symbols)


def _with_tested(
    found: Requirements,
    text: str,
    tested: Sequence[tuple[str, str]],
    files: Sequence[str],
    symbols: Mapping[str, str],
) -> Requirements:
    """`found`, and what the owner's tests show in addition: functions of its file that the words only name (an option
    is described with the function that reads it), and names wanted of other files.
    """
    if not tested:
        return found
    own_package = f"{found.target_file.rpartition('/')[0]}/__init__.py"  # it hands out what its modules define
    homes = {found.target_file, own_package}
    elsewhere = {name: path for path, name in tested if name not in symbols and path not in homes}
    named = [name for name in _NAME.findall(text) if symbols.get(name) == found.target_file]
    own = [name for name in dict.fromkeys([*found.symbols, *named]) if name not in elsewhere]
    if not own:
        return found
    further = [
        _requirements(path, [name for name in elsewhere if elsewhere[name] == path], files)
        for path in dict.fromkeys(elsewhere.values())
    ]
    return found.model_copy(update={"symbols": own, "further": further})


def _requirements(path: str, wanted: list[str], files: Sequence[str]) -> Requirements:
    module = module_names([path], [*files, path])[path] if path.endswith(".py") else ""
    return Requirements(target_file=path, module=module, symbols=wanted, new_file=path not in files)


def _named_file(text: str, files: Sequence[str]) -> str | None:
    for match in _PATH.finditer(text):
        named = match[1].removeprefix("./")
        if ".." in named.split("/"):
            continue
        if named in files:
            return named
        if PurePosixPath(named).stem.casefold() in _NO_FILES and "/" not in named:
            continue
        endings = [file for file in files if file.endswith("/" + named)]
        if len(endings) == 1:
            return endings[0]
        if not endings:
            return _new_file(named, files)
    return None


def _new_file(named: str, files: Sequence[str]) -> str | None:
    """Where a file that does not exist yet belongs: as written, or beside the package of the same name."""
    if "/" in named:
        folder = named.rsplit("/", 1)[0]
        folders = {file.rsplit("/", 1)[0] for file in files if "/" in file}
        whole = [home for home in folders if home == folder or home.endswith("/" + folder)]
        return f"{min(whole, key=len)}/{named.rsplit('/', 1)[1]}" if whole else named
    if is_javascript(named):
        homes = Counter(file.rpartition("/")[0] for file in files if is_javascript(file))
        home = homes.most_common(1)[0][0] if homes else ""
        return f"{home}/{named}" if home else named
    packages = sorted({file.rsplit("/", 1)[0] for file in files if file.endswith("/__init__.py")}, key=len)
    return f"{packages[0]}/{named}" if packages else named


def _named_module(text: str, files: Sequence[str]) -> str | None:
    dotted = {PurePosixPath(file).stem: file for file in files if not file.endswith(".py")} | _files_of(files)
    mentioned = [name for name in re.findall(r"(?<![\w.])([A-Za-z_]\w*(?:\.\w+)+)", text) if name in dotted]
    if mentioned:
        return dotted[mentioned[0]]
    for word in re.findall(r"\b([A-Za-z_]\w*) module\b|\bmodule `?([A-Za-z_]\w*)`?", text):
        name = word[0] or word[1]
        matching = [file for module, file in dotted.items() if module.split(".")[-1] == name]
        if len(matching) == 1:
            return matching[0]
    return None
