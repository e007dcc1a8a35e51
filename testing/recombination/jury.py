"""Runs candidates against the tests in a process of its own, which may loop, crash or eat memory without harm."""

from __future__ import annotations

import ast
import contextlib
import importlib
import marshal
import os
import resource
import select
import signal
import struct
import sys
import types
from collections.abc import Iterator, Sequence
from types import CodeType, ModuleType

_SECONDS = 0.1
"""What one candidate may take for all tests; those that loop for ever must not eat the time of the search."""
_MEMORY = 1 << 30
_HEADER = struct.Struct("<II")
_RESULT = struct.Struct("<I")
MOST_TESTS = 30


def module_of(name: str, imports: Sequence[ast.stmt]) -> ModuleType:
    """The project's module of that name, or a new one; with the imports of all solutions, as far as they work."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        module = ModuleType(name)
        sys.modules[name] = module
        package, _, last = name.rpartition(".")
        with contextlib.suppress(ImportError):
            setattr(importlib.import_module(package or name), last, module)
    for node in imports:
        with contextlib.suppress(Exception):
            exec(compile(ast.Module([node], []), "<imports>", "exec"), vars(module))  # noqa: S102  # in the sandbox
    return module


class Jury:
    """Judges candidates: which tests pass with this code in the module."""

    def __init__(self, module: ModuleType, name: str, tests: Sequence[Sequence[str]]) -> None:
        self._module = module
        self._name = name
        self._tests = [compile("\n".join(lines), "<test>", "exec") for lines in tests[:MOST_TESTS]]
        self.everything = (1 << len(self._tests)) - 1
        self._raises = _raises()  # imported here once, not by every worker
        self._worker: tuple[int, int, int] | None = None

    def passed(self, code: CodeType, expected: int) -> int:
        """The tests that pass with `code`, as bits. When none passes beyond `expected`, the others are not run.

        A candidate that does not end in time passes nothing.
        """
        pid, asking, answering = self._worker or self._start()
        body = marshal.dumps(code)
        try:
            os.write(asking, _HEADER.pack(len(body), expected))
            view = memoryview(body)
            while view:
                view = view[os.write(asking, view) :]
            if select.select([answering], [], [], _SECONDS)[0]:
                answer = os.read(answering, _RESULT.size)
                if len(answer) == _RESULT.size:
                    return int(_RESULT.unpack(answer)[0]) & self.everything
        except BrokenPipeError:
            pass
        self._end(pid, asking, answering)
        return 0

    def _start(self) -> tuple[int, int, int]:
        question_read, question_write = os.pipe()
        answer_read, answer_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(question_write)
            os.close(answer_read)
            try:
                self._serve(question_read, answer_write)
            finally:
                os._exit(1)
        os.close(question_read)
        os.close(answer_write)
        self._worker = (pid, question_write, answer_read)
        return self._worker

    def _end(self, pid: int, asking: int, answering: int) -> None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(asking)
        os.close(answering)
        self._worker = None

    # -- in the worker

    def _serve(self, asking: int, answering: int) -> None:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        with os.fdopen(asking, "rb") as questions:
            while header := questions.read(_HEADER.size):
                length, expected = _HEADER.unpack(header)
                code = marshal.loads(questions.read(length))  # noqa: S302  # from the parent, over its own pipe
                os.write(answering, _RESULT.pack(self._judge(code, expected)))

    def _judge(self, code: CodeType, expected: int) -> int:
        try:
            exec(code, vars(self._module))  # noqa: S102  # in the sandbox
        except BaseException:  # noqa: BLE001  # whatever a model wrote
            return 0
        self._export()
        passed = 0
        missing = [index for index in range(len(self._tests)) if not expected >> index & 1]
        for index in missing:
            passed |= _holds(self._tests[index], self._raises) << index
        if not passed and expected:
            return 0
        for index in set(range(len(self._tests))) - set(missing):
            passed |= _holds(self._tests[index], self._raises) << index
        return passed

    def _export(self) -> None:
        """Packages that hand the function on hold the present one."""
        function = vars(self._module).get(self._name)
        package = self._module.__name__
        while package := package.rpartition(".")[0]:
            if package in sys.modules:
                setattr(sys.modules[package], self._name, function)


def _holds(test: CodeType, raises: object) -> bool:
    try:
        exec(test, {"__name__": "candidate_test", "pytest": raises})  # noqa: S102  # in the sandbox
    except BaseException:  # noqa: BLE001  # assertion or whatever a model's code raises
        return False
    return True


def _raises() -> object:
    """pytest, or what of it a project without pytest needs here."""
    try:
        return importlib.import_module("pytest")
    except ImportError:
        return types.SimpleNamespace(raises=_expect)


@contextlib.contextmanager
def _expect(error: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except error:
        return
    raise AssertionError(f"did not raise {error.__name__}")
