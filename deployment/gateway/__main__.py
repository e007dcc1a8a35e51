"""Runs a gateway until it is told to end; a second one for the same folder ends at once, as there is one already."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socketserver
import sys
import threading
from pathlib import Path
from typing import Any

from deployment.gateway.files import Trouble, listening, lock
from deployment.gateway.routes import Calls, Routes
from deployment.gateway.service import Service

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LOOK_SECONDS = 0.2
_MOST_LINE = 100_000


class Gateway:
    """All services of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "services"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._services: dict[str, Service] = {}
        self.calls = Calls()
        self.over = threading.Event()
        for file in sorted(self._folder.glob("*.json")):
            self.service(file.stem).recover()

    def service(self, name: str) -> Service:
        """The service of that name, which may be a new one. Raises `Trouble`."""
        if not _NAME.fullmatch(name):
            raise Trouble("refused", f"{name!r} is no name of a service")
        with self._guard:
            if name not in self._services:
                self._services[name] = Service(name, self._folder / f"{name}.json")
            return self._services[name]

    def find(self, name: str) -> tuple[str, Path]:
        """Where a service is called. Raises `Trouble`."""
        with self._guard:
            found = self._services.get(name)
            there = sorted(each.name for each in self._services.values() if each.live)
        if found is None or not found.live:
            raise Trouble("refused", f"no service {name[:64]!r} is live here; there are: {', '.join(there) or 'none'}")
        return found.live["listen"], found.private

    def look_after(self) -> None:
        """Watch over the services until the end."""
        while not self.over.wait(_LOOK_SECONDS):
            for each in [*self._services.values()]:
                try:
                    each.look_after()
                except Exception as problem:  # noqa: BLE001 - one that fails takes no other down
                    print(f"{each.name}: {problem}", flush=True)

    def end(self) -> None:
        """End all services."""
        for each in [*self._services.values()]:
            each.end()

    def answer(self, asked: dict[str, Any]) -> Any:
        """Do what is asked for. Raises `Trouble`."""
        verb, name = asked["verb"], asked.get("service", "")
        if verb == "status":
            known = [self._services[each] for each in sorted(self._services)]
            told = [each.settled_status() if name else each.status() for each in known if name in ("", each.name)]
            return {"pid": os.getpid(), "services": told}
        if verb == "calls":
            return self.calls.seen(int(asked.get("limit", 0)))
        service = self.service(name)
        match verb:
            case "rehearse":
                return service.rehearse(Path(asked["folder"]), Path(asked["release"]))
            case "switch":
                place, release, number = Path(asked["folder"]), Path(asked["release"]), asked["number"]
                return service.switch(place, release, number, asked["commit"], asked["lease"])
            case "settle":
                return service.settle(asked["number"])
            case "undo":
                return service.undo(asked["number"], asked["why"], asked["previous"])
        raise Trouble("refused", f"the gateway does not know {verb!r}; it may be older than the daemon: restart it")


class _Control(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, gateway: Gateway) -> None:
        super().__init__(str(path), _Answers, bind_and_activate=False)
        self.socket.close()
        self.socket = listening(path)
        self.gateway = gateway


class _Answers(socketserver.StreamRequestHandler):
    server: _Control

    def handle(self) -> None:
        line = self.rfile.readline(_MOST_LINE)
        if not line:
            return
        try:
            told: dict[str, Any] = {"answer": self.server.gateway.answer(json.loads(line))}
        except Trouble as problem:
            told = {"kind": problem.kind, "error": problem.text}
        except Exception as problem:  # noqa: BLE001 - whoever asks is told
            told = {"kind": "refused", "error": f"{type(problem).__name__}: {problem}"}
        with contextlib.suppress(OSError):  # who asked may have been killed; what was asked for is done
            self.wfile.write(json.dumps(told).encode() + b"\n")


def main(folder: Path) -> int:
    """Run it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        held = lock(folder / "gateway.lock", 0)
    except Trouble:
        print(f"a gateway runs for {folder} already", file=sys.stderr)
        return 0
    os.set_inheritable(held, False)
    gateway = Gateway(folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: gateway.over.set())
    servers = [_Control(folder / "control.sock", gateway), Routes(folder / "routes.sock", gateway.find, gateway.calls)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"gateway {os.getpid()} for {folder}", flush=True)
    gateway.look_after()
    gateway.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
