"""Runs candidates against the tests in a process of its own, which may loop, crash or eat memory without harm."""

from __future__ import annotations

import ast
import contextlib
import importlib
import itertools
import marshal
import os
import re
import resource
import select
import signal
import struct
import sys
import types
import zlib
from collections.abc import Iterator, Sequence
from types import CodeType, FrameType, ModuleType
from typing import Any

from .probes import RESULT, Probe

_SECONDS = 1.0
"""After which a worker that does not answer is replaced: it waits for something, or the machine is busy."""
_PROCESSOR_SECONDS = 0.02
"""What one candidate may take for all tests, where a good one takes a hundredth of it: many loop for ever, and those
must not eat the time of the search. Processor time, since the machine may be busy with something else."""
_MEMORY = 1 << 30
_HEADER = struct.Struct("<II")
_RESULT = struct.Struct("<I")
_PROBE_SECONDS = 0.005
_PROBE = 0xFFFFFFFF
"""In the place of the expected tests: run the probes instead."""
_SHOWN = 0x80000000
"""With the place of a probe: give its outcome in words."""
_LINES = 0xFFFFFFFE
"""In the place of the expected tests: report which lines they run."""
_MOST_LINES = 1024
_SLOWER = 25
"""Times the processor time that tests get while their lines are noted."""
_WORDS = struct.Struct("<500s")
_MOST_ITEMS = 100
_ADDRESS = re.compile(rb" at 0x[0-9a-f]+")
_RAISES = b"raises "
RAISED = 0x80000000
"""Set in the number of an outcome that is an exception."""
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


def identity(code: CodeType) -> object:
    """What a code object does, without where it stands in a file: equal for programs that cannot be told apart."""
    constants = tuple(identity(item) if isinstance(item, CodeType) else (type(item), item) for item in code.co_consts)
    return (code.co_code, code.co_names, code.co_varnames, code.co_argcount, constants)


class Jury:
    """Judges candidates: which tests pass with this code in the module."""

    def __init__(
        self,
        module: ModuleType,
        name: str,
        tests: Sequence[Sequence[str]],
        *,
        also: Sequence[str] = (),
        seconds: float = _PROCESSOR_SECONDS,
    ) -> None:
        """`also`: what else candidates define. `seconds` of processor time a candidate has for all tests."""
        self._module = module
        self._names = (name, *also)
        self._processor_seconds = seconds
        self._seconds = max(_SECONDS, 3 * seconds)
        self._tests = [compile("\n".join(lines), "<test>", "exec") for lines in tests[:MOST_TESTS]]
        self.everything = (1 << len(self._tests)) - 1
        self._probes: Sequence[Probe] = ()
        self._raises = _raises()  # imported here once, not by every worker
        self._holders: dict[str, list[ModuleType]] = {}
        self._worker: tuple[int, int, int] | None = None

    def passed(self, code: CodeType, expected: int) -> int:
        """The tests that pass with `code`, as bits. When none passes beyond `expected`, the others are not run.

        A candidate that does not end in time passes nothing.
        """
        answer = self._asked(code, expected, _RESULT.size, self._seconds)
        return int(_RESULT.unpack(answer)[0]) & self.everything if answer else 0

    def outcomes(self, code: CodeType, probes: Sequence[Probe]) -> tuple[int, ...]:
        """What comes of each of `probes` with `code`, as numbers that are equal for equal outcomes.

        Each time for the same probes: a worker knows those with which it was started.
        """
        if self._probes is not probes:
            self._probes = probes
            self.end()
        longest = self._seconds + 10 * _PROBE_SECONDS * len(probes)
        answer = self._asked(code, _PROBE, _RESULT.size * len(probes), longest)
        return struct.unpack(f"<{len(probes)}I", answer) if answer else tuple(range(len(probes)))

    def shown(self, code: CodeType, probe: int) -> str:
        """In words what comes of the probe in that place of those that were asked last; empty when it is too long."""
        words = _WORDS.unpack(self._asked(code, _SHOWN | probe, _WORDS.size, self._seconds) or bytes(_WORDS.size))[0]
        return str(words.rstrip(b"\0"), "utf-8")

    def lines_run(self, code: CodeType) -> set[int]:
        """The lines of `code`, which is compiled from text, that any of the tests runs; none where that takes long."""
        answer = self._asked(code, _LINES, _MOST_LINES // 8, self._seconds * _SLOWER)
        bits = int.from_bytes(answer, "little")
        return {line for line in range(_MOST_LINES) if bits >> line & 1}

    def _asked(self, code: CodeType, what: int, size: int, seconds: float) -> bytes:
        """The worker's answer; nothing when it did not come in time."""
        _, asking, answering = self._worker or self._start()
        body = marshal.dumps(code)
        try:
            os.write(asking, _HEADER.pack(len(body), what))
            view = memoryview(body)
            while view:
                view = view[os.write(asking, view) :]
            if select.select([answering], [], [], seconds)[0]:
                answer = os.read(answering, size)
                if len(answer) == size:
                    return answer
        except BrokenPipeError:
            pass
        self.end()
        return b""

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

    def end(self) -> None:
        """End the worker; the next candidate gets a new one."""
        if self._worker:
            pid, asking, answering = self._worker
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
        signal.signal(signal.SIGVTALRM, _end_of_time)
        self._holders = _holders(self._module, self._names)
        with os.fdopen(asking, "rb") as questions:
            while header := questions.read(_HEADER.size):
                length, expected = _HEADER.unpack(header)
                code = marshal.loads(questions.read(length))  # noqa: S302  # from the parent, over its own pipe
                os.write(answering, self._answer(code, expected))

    def _answer(self, code: CodeType, expected: int) -> bytes:
        # Again and again, for candidates that catch whatever is raised in them.
        seconds = self._processor_seconds * (_SLOWER if expected == _LINES else 1)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds, seconds)
        try:
            if expected == _LINES:
                return self._lines_run(code)
            if expected == _PROBE:
                return struct.pack(f"<{len(self._probes)}I", *map(_number, self._probed(code, self._probes)))
            if expected & _SHOWN:
                [outcome] = self._probed(code, [self._probes[expected ^ _SHOWN]])
                return _WORDS.pack(outcome if len(outcome) < _WORDS.size else b"")
            return _RESULT.pack(self._judge(code, expected))
        except _Late:
            if expected == _LINES:
                return bytes(_MOST_LINES // 8)
            return b"" if expected & _SHOWN else _RESULT.pack(0)
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def _probed(self, code: CodeType, probes: Sequence[Probe]) -> Iterator[bytes]:
        self._define(code)
        for probe in probes:
            names: dict[str, object] = {}
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, _PROBE_SECONDS, _PROBE_SECONDS)
                exec(probe.code, names)  # noqa: S102  # in the sandbox
                outcome = _shown(names[RESULT])
            except BaseException as error:  # noqa: BLE001  # whatever a model wrote
                outcome = _RAISES.decode() + type(error).__name__
            yield _ADDRESS.sub(b"", outcome.encode("utf-8", "replace"))

    def _lines_run(self, code: CodeType) -> bytes:
        lines: set[int] = set()

        def trace(frame: FrameType, event: str, _: object) -> Any:
            if frame.f_code.co_filename != code.co_filename:
                return None
            if event == "line" and frame.f_lineno < _MOST_LINES:
                lines.add(frame.f_lineno)
            return trace

        self._define(code)
        sys.settrace(trace)
        try:
            for test in self._tests:
                _holds(test, self._raises)
        finally:
            sys.settrace(None)
        return sum(1 << line for line in lines).to_bytes(_MOST_LINES // 8, "little")

    def _judge(self, code: CodeType, expected: int) -> int:
        try:
            self._define(code)
        except _Late:
            raise
        except BaseException:  # noqa: BLE001  # whatever a model wrote
            return 0
        passed = 0
        missing = [index for index in range(len(self._tests)) if not expected >> index & 1]
        for index in missing:
            passed |= _holds(self._tests[index], self._raises) << index
        if not passed and expected:
            return 0
        for index in set(range(len(self._tests))) - set(missing):
            passed |= _holds(self._tests[index], self._raises) << index
        return passed

    def _define(self, code: CodeType) -> None:
        """Bring `code` into the module. A method goes into its class; modules that hold what is new get that of it."""
        names = vars(self._module)
        owner, _, last = self._names[0].rpartition(".")
        if owner:
            here = {**names}
            exec(code, names)  # noqa: S102  # in the sandbox
            setattr(names[owner], last, names.pop(last))
            names.update({last: here[last]} if last in here else {})
            return
        exec(code, names)  # noqa: S102  # in the sandbox
        for name in self._names:
            for holder in self._holders[name]:
                setattr(holder, name, names.get(name))


def _shown(result: object) -> str:
    """A value in words; of an iterator what it gives."""
    return f"iter({list(itertools.islice(result, _MOST_ITEMS))!r})" if isinstance(result, Iterator) else repr(result)


def _number(outcome: bytes) -> int:
    number = zlib.crc32(outcome) & ~RAISED
    return number | RAISED if outcome.startswith(_RAISES) else number


class _Late(BaseException):
    """A candidate used up its time."""


def _end_of_time(number: int, frame: object) -> None:
    raise _Late


def _holders(module: ModuleType, names: Sequence[str]) -> dict[str, list[ModuleType]]:
    """The packages of `module`, and the modules that have imported one of `names` from it."""
    packages, package = [], module.__name__
    while package := package.rpartition(".")[0]:
        packages += [sys.modules[package]] if package in sys.modules else []
    loaded = [other for other in list(sys.modules.values()) if isinstance(other, ModuleType)]
    present = {name: vars(module).get(name) for name in names}
    return {
        name: [
            *packages,
            *(
                other
                for other in loaded
                if there is not None and vars(other).get(name) is there and other is not module
            ),
        ]
        for name, there in present.items()
    }


def _holds(test: CodeType, raises: object) -> bool:
    try:
        exec(test, {"__name__": "candidate_test", "pytest": raises})  # noqa: S102  # in the sandbox
    except _Late:
        raise
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
