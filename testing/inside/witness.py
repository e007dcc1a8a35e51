"""Starts the tests in a child process and writes the report that the child sent: `witness.py REPORT COMMAND…`.

The code under test may write to every folder of the sandbox, so no file is believed. The child sends its report over a
pipe, behind a secret word that it got before any code of the project ran. When the child has ended, everything it left
running is killed; only then the report is written, and replaces whatever lies there. This program never imports the
project's code, and no process of its user can read or write its memory. It is the first process of the sandbox, which
the kernel lets nobody inside kill or stop, and its exit code is the run's.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from contextlib import suppress

_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_WORD = 32
_HEAD = _WORD + 16
_LARGEST = 33 << 20
SENDER = "AI_AGENTS_WITNESS"
"""Names the child's two descriptors, the word's and the report's, and the PYTHONPATH that it is to make its own once
the test framework is imported: no module of the project can take the framework's place."""


def main(report: str, command: list[str]) -> int:
    """Run `command`; gives its exit code, or 128 and the signal that ended it."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    word = os.urandom(_WORD // 2).hex().encode()
    word_out, word_in = os.pipe()
    sent_out, sent_in = os.pipe()
    os.write(word_in, word)
    os.close(word_in)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # others do nothing to the first process, unless it handles them
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        environment = dict(os.environ)
        path = environment.pop("PYTHONPATH", "")
        environment[SENDER] = f"{word_out},{sent_in},{path}"
        os.set_inheritable(word_out, True)
        os.set_inheritable(sent_in, True)
        os.execvpe(command[0], command, environment)  # noqa: S606
    os.close(word_out)
    os.close(sent_in)
    sent = _received(sent_out, child)
    status = os.waitpid(child, 0)[1]
    _end_all()
    _write(report, _content(sent, word))
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _received(pipe: int, child: int) -> bytes:
    """What was sent until the child's end; others that hold the pipe are not waited for."""
    parts: list[bytes] = []
    size = 0
    ended = os.pidfd_open(child)
    os.set_blocking(pipe, False)
    waiting = [pipe, ended]
    while ended in waiting:
        ready, _, _ = select.select(waiting, [], [])
        if ended in ready:
            waiting = [pipe]
        while pipe in waiting:
            try:
                part = os.read(pipe, 1 << 16)
            except BlockingIOError:
                break
            size += len(part)
            parts.append(part)
            if not part or size > _LARGEST:
                waiting.remove(pipe)
    os.close(pipe)
    os.close(ended)
    return b"".join(parts)


def _content(sent: bytes, word: bytes) -> bytes | None:
    """The one report that was sent behind the word; None when there is none, or anything else was sent."""
    head, content = sent[:_HEAD], sent[_HEAD:]
    return content if head == word + b"%016x" % len(content) else None


def _end_all() -> None:
    """Kill what the child left: its orphans are this process's children, and theirs become so as they die."""
    while True:
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:  # noqa: PTH123
                children = [int(pid) for pid in file.read().split()]
        except FileNotFoundError:  # a kernel that does not list them: the sandbox ends them with this process
            return
        if not children:
            return
        for pid in children:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _write(report: str, content: bytes | None) -> None:
    with suppress(FileNotFoundError):
        os.unlink(report)  # noqa: PTH108
    if content is not None:
        with os.fdopen(os.open(report, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as file:
            file.write(content)


class Sender:
    """The child's end."""

    def __init__(self) -> None:
        word_out, sent_in, path = os.environ.pop(SENDER).split(",", 2)
        self._pipe = int(sent_in)
        os.set_inheritable(self._pipe, False)
        self._word = os.read(int(word_out), _WORD)
        os.close(int(word_out))
        self._path = path

    def enter_project(self) -> None:
        """Make the project's modules importable as for `python -m`, PYTHONPATH included."""
        sys.path[0:0] = [os.getcwd(), *filter(None, self._path.split(":"))]  # noqa: PTH109
        if self._path:
            os.environ["PYTHONPATH"] = self._path

    def send(self, report: bytes) -> None:
        """Send the report; only once."""
        rest = memoryview(self._word + b"%016x" % len(report) + report)
        while rest:
            rest = rest[os.write(self._pipe, rest) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
