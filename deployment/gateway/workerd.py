"""One workerd process: started on sockets that are held for it, known to be ready, and surely ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deployment.gateway.files import Trouble, lock, read_json, read_variables, write_json

_READY_SECONDS = 20.0
_LOCK_SECONDS = 5.0
_STOP_SECONDS = 3.0
_LAST = 2000


class Workerd:
    """A process that runs. The lock of its state folder is its own, so it lasts exactly as long as the process."""

    def __init__(
        self,
        given: Mapping[str, Any],
        config: Path,
        state: Path,
        sockets: Mapping[str, socket.socket],
        log: Path,
        pid_file: Path,
    ) -> None:
        program, variables = given["workerd"], given.get("env_file")
        try:
            secrets = read_variables(Path(variables)) if variables else {}
        except (OSError, UnicodeDecodeError) as problem:
            raise Trouble("refused", f"env_file cannot be read: {problem}") from problem
        self.begun = time.monotonic()
        state.mkdir(parents=True, exist_ok=True)
        self._log, self._from = log, log.stat().st_size if log.exists() else 0
        held = lock(state.with_name(state.name + ".lock"), _LOCK_SECONDS)
        told, tells = os.pipe()
        opened = [f"--socket-fd={name}={each.fileno()}" for name, each in sockets.items()]
        command = [program, "serve", str(config), f"--directory-path=do-disk={state}", *opened, f"--control-fd={tells}"]
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    pass_fds=[tells, held, *(each.fileno() for each in sockets.values())],
                    env={**secrets, "PATH": os.environ.get("PATH", "")},
                    cwd=config.parent,
                    start_new_session=True,
                )  # fmt: skip
        except OSError as problem:
            os.close(told)
            raise Trouble("refused", f"{program} cannot be started: {problem}") from problem
        finally:
            os.close(held)
            os.close(tells)
        self._pid_file = pid_file
        try:
            write_json(pid_file, {"pid": self._process.pid, "begun": _begun(self._process.pid)})
            self._wait(told, len(sockets))
        except BaseException:
            self.stop(now=True)
            raise
        finally:
            os.close(told)

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def stop(self, *, now: bool = False) -> None:
        """End it: politely, and after some seconds for certain."""
        if self._process.poll() is None:
            self._process.kill() if now else self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._pid_file.unlink(missing_ok=True)

    def last_words(self) -> str:
        """What it has written."""
        try:
            with self._log.open("rb") as opened:
                opened.seek(self._from)
                return opened.read()[-_LAST:].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def _wait(self, told: int, sockets: int) -> None:
        """Wait until it listens at all sockets; the end of what it tells means that it has ended."""
        end, text = time.monotonic() + _READY_SECONDS, b""
        while time.monotonic() < end:
            if not select.select([told], [], [], max(0.0, end - time.monotonic()))[0]:
                break
            part = os.read(told, 65_536)
            if not part:
                self._process.wait(_STOP_SECONDS)
                code = self._process.returncode
                raise Trouble("unhealthy", f"workerd ended with {code} at its start: {self.last_words()}")
            text += part
            if sum(json.loads(line).get("event") == "listen" for line in text.splitlines(keepends=True)
                   if line.endswith(b"\n")) >= sockets:  # fmt: skip
                return
        raise Trouble("unhealthy", f"workerd did not listen within {_READY_SECONDS:g} s: {self.last_words()}")


def end_orphan(pid_file: Path) -> None:
    """End the process that a gateway left behind when it was killed; one that only has its number is let be."""
    left = read_json(pid_file)
    pid = int(left.get("pid", 0))
    if pid and left.get("begun") == _begun(pid):
        for sent in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sent)
            end = time.monotonic() + _STOP_SECONDS
            while _begun(pid) == left["begun"] and time.monotonic() < end:
                time.sleep(0.01)
    pid_file.unlink(missing_ok=True)


def _begun(pid: int) -> str:
    """When a process began, in the kernel's count; empty if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    fields: Sequence[str] = text.rpartition(")")[2].split()
    return "" if fields[0] == "Z" else fields[19]
