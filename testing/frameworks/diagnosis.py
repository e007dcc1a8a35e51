"""Why a test failed, told from its report: a false claim, the missing thing under test, or a mistake elsewhere."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from testing.results import Failure, FailureKind

MESSAGE_LENGTH, TRACEBACK_LENGTH = 2000, 8000
LONGEST_TOLD = 8000
"""What is looked at of what a test printed: patterns take their time on text that was made for it."""

_FRAME = re.compile(
    r'^(?:E\s+)?\s*File "(?P<file>[^"]+)", line (?P<line>\d+)|^(?P<path>[^\s:][^:]*):(?P<number>\d+): in '
)
_EXCEPTION = re.compile(r"^(?:[\w.<>]*\.)?(?P<name>[A-Za-z_]\w*)(?::|$)")
_SYNTAX = {"SyntaxError", "IndentationError", "TabError"}
_NO_MODULE = re.compile(r"No module named '([\w.]+)'")
_NO_NAME = re.compile(r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'")
_NO_MODULE_ATTRIBUTE = re.compile(r"^module '([\w.]+)' has no attribute '(\w+)'")
_NO_ATTRIBUTE = re.compile(r"^(?:type object )?'(\w+)'(?: object)? has no attribute '(\w+)'")
_NO_PARAMETER = re.compile(r"^([\w.<>]+)\(\) got an unexpected keyword argument '(\w+)'")
_TOO_MANY = re.compile(r"^([\w.<>]+)\(\) takes .*positional arguments? but")
_BUILTIN_TYPES = {name for name, value in vars(builtins).items() if isinstance(value, type)} | {
    "NoneType", "function", "method", "module", "generator", "coroutine", "builtin_function_or_method",
}  # fmt: skip


@dataclass(frozen=True)
class Symptom:
    """What the report says of one failure; `exception` is the type's name where the report gives it apart."""

    test_id: str
    message: str
    text: str
    exception: str = ""
    collected: bool = True


@dataclass(frozen=True)
class ProjectNames:
    """Tells modules of the project from those of others."""

    own: frozenset[str]
    installed: Callable[[str], bool]

    @classmethod
    def of(cls, modules: Sequence[str], installed: Callable[[str], bool]) -> ProjectNames:
        """`modules`: the project's Python files, relative to it. `installed` answers whether a top-level module lies in
        the environment."""
        inside = [module.removeprefix("src/").removeprefix("lib/") for module in modules]
        return cls(frozenset(module.partition("/")[0].removesuffix(".py") for module in inside), installed)

    def may_be_own(self, module: str) -> bool:
        """It is the project's, or nobody's yet: a module still to be written."""
        top = module.partition(".")[0]
        return top in self.own or not (top in sys.stdlib_module_names or self.installed(top))


def diagnose(symptom: Symptom, names: ProjectNames) -> Failure:
    """The failure with its kind, what is missing, and the project's part of its traceback."""
    exception, message = _exception(symptom)
    kind: FailureKind = "error" if symptom.collected else "collection"
    missing = None
    if exception in _SYNTAX:
        kind = "syntax"
    elif exception in ("AssertionError", "Failed"):
        kind = "assertion"
    else:
        missing = _missing(exception, message, names)
        kind = "missing" if missing else kind
    return Failure(
        test_id=symptom.test_id,
        kind=kind,
        message=f"{exception}: {message}".strip(": ")[:MESSAGE_LENGTH],
        traceback=project_frames(symptom.text)[-TRACEBACK_LENGTH:],
        missing=missing,
        location=_location(symptom.text),
    )


def _exception(symptom: Symptom) -> tuple[str, str]:
    """Type and message of the exception. pytest gives both in one line, and leaves the type of a plain assert out;
    of a file that could not be collected it gives only the traceback."""
    if symptom.exception:
        return symptom.exception, symptom.message
    message = symptom.message
    if not symptom.collected or not message:
        told = [line[1:].strip() for line in symptom.text.splitlines() if line.startswith("E ")]
        message = next((line for line in reversed(told) if _EXCEPTION.match(line)), message)
    message = re.sub(r'^failed on (?:setup|teardown) with "', "", message).removesuffix('"')
    if message.startswith("assert ") or message == "assert":
        return "AssertionError", message
    found = _EXCEPTION.match(message)
    return (found["name"], message[found.end() :].strip()) if found else ("", message)


def _missing(exception: str, message: str, names: ProjectNames) -> str | None:
    if exception in ("ModuleNotFoundError", "ImportError"):
        if found := _NO_MODULE.search(message):
            return found[1] if names.may_be_own(found[1]) else None
        if found := _NO_NAME.search(message):
            return f"{found[2]}.{found[1]}" if names.may_be_own(found[2]) else None
    if exception == "AttributeError":
        if found := _NO_MODULE_ATTRIBUTE.match(message):
            return f"{found[1]}.{found[2]}" if names.may_be_own(found[1]) else None
        if (found := _NO_ATTRIBUTE.match(message)) and found[1] not in _BUILTIN_TYPES:
            return f"{found[1]}.{found[2]}"
    if exception == "TypeError":
        if found := _NO_PARAMETER.match(message):
            return f"{found[1]}({found[2]})"
        if found := _TOO_MANY.match(message):
            return f"{found[1]}()"
    return (message or "implementation") if exception == "NotImplementedError" else None


def _project_path(match: re.Match[str]) -> str | None:
    """The frame's file relative to /work, None if it is not the project's."""
    path = (match["file"] or match["path"]).removeprefix("/work/")
    return None if path.startswith(("/", "<", "..")) else path


def _location(text: str) -> str | None:
    for line in reversed(text.splitlines()):
        found = _FRAME.match(line)
        if found and (path := _project_path(found)):
            return f"{path}:{found['line'] or found['number']}"
    return None


def project_frames(text: str) -> str:
    """`text` without the frames of pytest, unittest and the interpreter, and the lines that belong to them."""
    kept, skipping = [], False
    for line in text.splitlines():
        found = _FRAME.match(line)
        if found and not line.startswith("E"):
            skipping = _project_path(found) is None
        elif line.startswith("E ") or not line[:1].isspace():
            skipping = False
        if not skipping:
            kept.append(line)
    return "\n".join(kept).strip()
