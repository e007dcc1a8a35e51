"""One service: which release of it runs on which state, the switch to another, and the way back.

    FOLDER/releases/000012-1a2b3c4d5e6f/   its files, `serve.capnp`, `try.capnp` and `release.json`
    FOLDER/state/…                         the databases of its objects
    FOLDER/snapshots/12                    the state as it was before deployment 12
    FOLDER/failed-state                    what the last deployment that failed made of it

The listening socket stays open while nothing runs: connections wait in it. The new version first runs without it, on
the real state, and has to answer for objects of every class; so nobody but the gateway has seen it if it does not.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from deployment.gateway.files import (
    Trouble,
    copy_object,
    copy_state,
    listening,
    need_room,
    read_json,
    remove,
    size_of,
    write_json,
)  # fmt: skip
from deployment.gateway.probe import objects_of, probe
from deployment.gateway.public import PublicAddress, run_dry
from deployment.gateway.workerd import Workerd, end_orphan

_MOST_LOG = 10 * 1024 * 1024
_SLOWEST_RESTART = 10.0
_STEADY_SECONDS = 30.0


class Service:
    """A service that the gateway owns."""

    def __init__(self, name: str, file: Path) -> None:
        self.name = name
        self._file = file
        self._guard = threading.RLock()
        self._held: dict[str, PublicAddress] = {}
        self._private: socket.socket | None = None
        self._process: Workerd | None = None
        self._known: dict[str, Any] = read_json(file)
        self.restarts = 0
        self._delay, self._next_start = 0.1, 0.0

    @property
    def folder(self) -> Path:
        """Where everything of it lies."""
        return Path(self._known["folder"])

    @property
    def live(self) -> dict[str, Any]:
        """What runs or should; empty: nothing."""
        pending = self._known.get("pending") or {}
        return pending if pending.get("phase") == "public" else self._known.get("live") or {}

    # -- what the gateway does by itself ---------------------------------------------------------------------------

    def recover(self) -> None:
        """After a start of the gateway: put right what was cut short, and have run what should."""
        with self._guard:
            if self.live:
                with contextlib.suppress(Trouble):  # told again at the start
                    self._public(self.live["listen"], may_be_shared=True)
                run_dry(None)  # connections that what is left behind has taken
            end_orphan(self._file.with_suffix(".pid"))
            end_orphan(self._rehearsal)
            for left in Path(self._known.get("folder") or os.devnull).glob("rehearsal-*"):
                remove(left)
            pending = self._known.get("pending")
            if pending and pending["phase"] != "public":
                self._way_back(pending, "the gateway was ended in the middle of the switch")
            elif self.live:
                self._start_again(self.live)

    def look_after(self) -> None:
        """Start again what has crashed, each time later; keep the log from growing without end."""
        if not self._guard.acquire(blocking=False):
            return
        try:
            self._shorten_log()
            if self._process and self._process.runs():
                if time.monotonic() - self._process.begun > _STEADY_SECONDS:
                    self._delay = 0.1
            elif self.live and time.monotonic() >= self._next_start:
                self.restarts += 1
                self._start_again(self.live)
        finally:
            self._guard.release()

    def end(self) -> None:
        """End the process, and close the sockets."""
        with self._guard:
            self._stop(for_good=True)
            for each in self._held.values():
                each.close()
            self._held.clear()
            if self._private:
                self._private.close()
                self._private = None

    # -- what it is asked for ----------------------------------------------------------------------------------------

    def rehearse(self, folder: Path, release: Path) -> list[str]:
        """Run a release on a copy of some objects of every class, and see whether it answers for them."""
        given = read_json(release / "release.json")
        with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=folder) as place:
            state = Path(place, "state")
            for unique in given["classes"].values():
                (state / unique).mkdir(parents=True)
                files = [folder / "state" / unique / f"{each}.sqlite" for each in objects_of(folder / "state", unique)]
                need_room(folder, sum(file.stat().st_size for file in files))
                for file in files:
                    copy_object(file, state / unique / file.name)
            return self._proven(release, given, state, Path(place, "log"), self._rehearsal, create=True)

    def switch(self, folder: Path, release: Path, number: int, commit: str, lease: float) -> None:
        """Make a release live; for `lease` seconds nobody else may do so, unless it is settled or undone.

        Raises `Trouble` when the one before is live again, with its state.
        """
        with self._guard:
            self._belongs_to(folder)
            if (self.live.get("number"), self.live.get("release")) == (number, str(release)):
                return
            failed = self._known.get("failed") or {}
            if (failed.get("number"), failed.get("release")) == (number, str(release)):
                raise Trouble("unhealthy", failed["why"])
            if pending := self._known.get("pending"):
                if time.time() < pending["until"]:
                    told = "is neither settled nor undone; is there a second daemon for this service?"
                    raise Trouble("refused", f"deployment {pending['number']} of {self.name} {told}")
                self.settle(pending["number"])  # whoever began it is gone
            given = read_json(release / "release.json")
            new = {"number": number, "commit": commit, "release": str(release), "listen": given["listen"],
                   "until": time.time() + lease}  # fmt: skip
            self._public(new["listen"])  # before anything is stopped
            (folder / "state").mkdir(exist_ok=True)
            need_room(folder, size_of(folder / "state"))
            try:
                self._enter(new, "copying")
                self._stop()
                copy_state(folder / "state", self._snapshot(number))
                self._enter(new, "trying")
                self._proven(release, given, folder / "state", self._log, self._file.with_suffix(".pid"))
                self._enter(new, "public")
                self._start(new)
            except Trouble as problem:
                self._way_back(self._known.get("pending") or new | {"phase": "copying"}, problem.text)
                raise

    def settle(self, number: int) -> None:
        """It is to stay. The state before it is kept until the next one; what is older goes."""
        with self._guard:
            pending = self._known.get("pending") or {}
            if pending.get("number") == number:
                self._known |= {
                    "live": {k: v for k, v in pending.items() if k not in ("phase", "until")},
                    "pending": None,
                }
                self._save()
            for old in (self.folder / "snapshots").glob("*"):
                if old.name != str(number):
                    remove(old)
            self._close_unused()

    def undo(self, number: int, why: str, previous: dict[str, Any] | None) -> None:
        """Take deployment `number` back: its code, and if it was not settled, what it made of the state, too."""
        with self._guard:
            pending = self._known.get("pending") or {}
            if pending.get("number") == number:
                self._way_back(pending, why)
            live = self._known.get("live") or {}
            if live.get("number") == number or (previous and live.get("number") != previous["number"]):
                self._stop()
                self._known["live"] = previous
                self._save()
                self._close_unused()
            if self.live and not (self._process and self._process.runs()):
                self._start(self.live)

    def status(self) -> dict[str, Any]:
        """How it is."""
        runs = self._process is not None and self._process.runs()
        return {
            "service": self.name, "folder": self._known.get("folder", ""), "live": self.live or None, "runs": runs,
            "pid": self._process.pid if self._process and runs else None, "restarts": self.restarts,
            "phase": (self._known.get("pending") or {}).get("phase", ""),
        }  # fmt: skip

    def settled_status(self) -> dict[str, Any]:
        """How it is when the switch that is under way has ended."""
        with self._guard:
            return self.status()

    @property
    def private(self) -> Path:
        """The socket by which the gateway reaches its objects."""
        return self._file.with_suffix(".sock")

    # -- parts -------------------------------------------------------------------------------------------------------

    @property
    def _rehearsal(self) -> Path:
        """The file that says which process a rehearsal is."""
        return self._file.with_suffix(".rehearsal.pid")

    @property
    def _log(self) -> Path:
        return self.folder / "service.log"

    def _snapshot(self, number: int) -> Path:
        return self.folder / "snapshots" / str(number)

    def _belongs_to(self, folder: Path) -> None:
        known = self._known.get("folder")
        if known and Path(known) != folder:
            raise Trouble("refused", f"a service {self.name} is in {known} already; give each a `service` of its own")
        if not known:
            self._known["folder"] = str(folder)
            self._save()

    def _enter(self, new: dict[str, Any], phase: str) -> None:
        self._known["pending"] = {**new, "phase": phase}
        self._save()

    def _save(self) -> None:
        write_json(self._file, self._known)

    def _way_back(self, pending: dict[str, Any], why: str) -> None:
        """The state as it was, and the release before; each step may be repeated."""
        self._stop()
        number, state = pending["number"], self.folder / "state"
        snapshot, aside = self._snapshot(number), self.folder / "failed-state"
        if pending["phase"] == "copying":
            remove(snapshot)
        else:
            if pending["phase"] != "restoring":
                remove(aside)
                with contextlib.suppress(Trouble):  # a full disk is no reason to stay: the next step tells by itself
                    self._enter({k: v for k, v in pending.items() if k != "phase"}, "restoring")
            if snapshot.exists():
                if state.exists():
                    state.rename(aside) if not aside.exists() else remove(state)
                snapshot.rename(state)
        self._known |= {"pending": None, "failed": {"number": number, "release": pending["release"], "why": why}}
        with contextlib.suppress(Trouble):
            self._save()
        self._close_unused()
        if self.live:
            self._start_again(self.live)

    def _close_unused(self) -> None:
        for address in [each for each in self._held if each != self.live.get("listen")]:
            self._held.pop(address).close()

    def _proven(
        self, release: Path, given: dict[str, Any], state: Path, log: Path, pid: Path, *, create: bool = False
    ) -> list[str]:
        """Run a release where only we reach it. Raises `Trouble` unless it answers for objects of every class."""
        with tempfile.TemporaryDirectory(prefix="gateway-") as place:
            path = Path(place, "private.sock")
            with listening(path) as private:
                asked = {unique: objects_of(state, unique) for unique in given["classes"].values()}
                running = Workerd(given, release / "try.capnp", state, {"private": private}, log, pid)
                try:
                    return probe(path, given, asked, running.last_words, create=create)
                finally:
                    running.stop()

    def _start(self, release: dict[str, Any]) -> None:
        place, given = Path(release["release"]), read_json(Path(release["release"], "release.json"))
        if not given:
            raise Trouble("refused", f"{place} is not there any more")
        sockets = {"http": self._public(release["listen"]).socket, "private": self._private_socket()}
        pid = self._file.with_suffix(".pid")
        state = self.folder / "state"
        self._process = Workerd(given, place / "serve.capnp", state, sockets, self._log, pid)

    def _start_again(self, release: dict[str, Any]) -> None:
        """Start, or try again later."""
        try:
            self._start(release)
        except Trouble as problem:
            print(f"{self.name}: {problem}", flush=True)
            self._next_start = time.monotonic() + self._delay
            self._delay = min(2 * self._delay, _SLOWEST_RESTART)

    def _stop(self, *, for_good: bool = False) -> None:
        """End the process; connections that come from now on wait for the next."""
        if self._process:
            if not for_good and self._process.runs():
                for each in self._held.values():
                    each.renew()
            self._process.stop()
            self._process = None

    def _public(self, address: str, *, may_be_shared: bool = False) -> PublicAddress:
        if address not in self._held:
            self._held[address] = PublicAddress(address, may_be_shared=may_be_shared)
        return self._held[address]

    def _private_socket(self) -> socket.socket:
        if self._private is None:
            self._private = listening(self.private)
        return self._private

    def _shorten_log(self) -> None:
        if not self._known.get("folder"):
            return
        with contextlib.suppress(OSError):
            if self._log.stat().st_size > _MOST_LOG:
                self._log.with_suffix(".log.1").write_bytes(self._log.read_bytes()[-_MOST_LOG:])
                os.truncate(self._log, 0)
