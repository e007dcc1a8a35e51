"""Counts the requests that are lost while a version is switched, for each way to switch, against real sshd, nginx,
Docker and workerd on this machine.

    python -m bench.deploy [--runs 3] [--way "direct, restart" …] [--json FILE]

Four threads ask the service without a pause longer than 5 ms, each time by a new connection, from before a deployment
begins until it has ended. A request is lost if it gets no answer, or one that is not 200. Docker needs root.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from config import DeploymentSettings
from deployment import DeploymentManager
from deployment.errors import Unhealthy
from memory import MemoryStore
from tests.deployment.engine import an_engine
from tests.deployment.engine import commit as commit_image
from tests.deployment.hosts import Repository, a_host
from tests.deployment.workers import a_machine
from tests.deployment.workers import commit as commit_worker

_THREADS, _PAUSE, _TIMEOUT = 4, 0.005, 5.0
_WORKERS = "durable_objects, workerd"
_WAYS = ("direct, restart", "direct, blue/green", "docker, one port", "docker, two ports", _WORKERS)
_MORE = {
    _WORKERS: (("a migration that spoils", "migration"), ("one that is bad in public only", "public")),
}
_CASES = (("a good version", ""), ("one that answers 500", "sick"), ("one that crashes at its start", "crash"))


@dataclass
class Counted:
    """What the clients saw during one switch."""

    way: str
    case: str
    run: int
    ended: str = ""
    seconds: float = 0.0
    asked: int = 0
    lost: int = 0
    longest_outage: float = 0.0
    """Seconds between the first lost request of a row and the next good one."""
    _since: dict[int, float] = field(default_factory=dict, repr=False)


@contextmanager
def load(port: int, path: str, counted: Counted, verb: str = "GET") -> Iterator[None]:
    """Clients that ask until the end of the block."""
    over, guard = threading.Event(), threading.Lock()

    def client(number: int) -> None:
        while not over.is_set():
            begun = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
            try:
                connection.request(verb, path)
                good = connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                good = False
            finally:
                connection.close()
            with guard:
                counted.asked += 1
                counted.lost += not good
                if good and number in counted._since:
                    outage = time.monotonic() - counted._since.pop(number)
                    counted.longest_outage = max(counted.longest_outage, outage)
                elif not good:
                    counted._since.setdefault(number, begun)
            over.wait(_PAUSE)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    try:
        yield
    finally:
        counted.seconds = round(time.monotonic() - begun, 2)
        over.set()
        for thread in threads:
            thread.join()
        counted.longest_outage = round(counted.longest_outage, 2)


def measure(way: str, runs: int, folder: Path) -> list[Counted]:
    """All cases of one way to switch."""
    found = []
    with ExitStack() as stack:
        repository = Repository.at(folder / "repository")
        if way.startswith("direct"):
            host = stack.enter_context(a_host(folder / "host", with_nginx=way.endswith("blue/green")))
            settings = host.blue_green() if way.endswith("blue/green") else host.settings()
            public, path, commit = host.public, "/healthz", repository.commit
        elif way == _WORKERS:
            machine = stack.enter_context(a_machine(folder))
            settings, public, path = machine.settings(), machine.port, "/apples"

            def commit(odd: str = "", **files: str) -> str:
                return commit_worker(repository, odd, **files)
        else:
            engine = stack.enter_context(an_engine(folder / "engine", with_nginx=way.endswith("two ports")))
            settings = engine.two_ports() if way.endswith("two ports") else engine.settings()
            public, path = engine.public, "/cgi-bin/healthz"

            def commit(odd: str = "", **files: str) -> str:
                return commit_image(repository, odd, **files)

        store = MemoryStore(f"sqlite:///{folder}/agents.db")
        stack.callback(store.close)
        store.migrate()
        chosen: dict[str, Any] = {"environments": {"staging": settings}}
        manager = DeploymentManager(DeploymentSettings.model_validate(chosen), store.deployments, repository)
        stack.callback(manager.close)
        commit()
        assert manager.deploy("staging"), store.deployments.history()[0].detail
        for number in range(1, runs + 1):
            for case, odd in (*_CASES, *_MORE.get(way, ()), ("the way back by hand", None)):
                if odd is not None:
                    commit(odd, **{"number.txt": f"{number} {case}"})
                counted = Counted(way, case, number)
                with (
                    load(public, path, counted, "POST" if way == _WORKERS else "GET"),
                    suppress(Unhealthy),
                ):  # found before anything was changed
                    manager.deploy("staging") if odd is not None else manager.rollback("staging")
                counted.ended = store.deployments.history()[0].status
                found.append(counted)
                told = f"{way:22} {case:30} run {number}: {counted.ended:12} {counted.seconds:6.2f} s, "
                told += f"{counted.lost} of {counted.asked} lost, longest {counted.longest_outage:.2f} s"
                print(told, flush=True)
    return found


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, choices=range(1, 11))
    parser.add_argument("--way", action="append", choices=_WAYS, help="may be repeated (default: all)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args()
    ways = given.way or _WAYS
    found: list[Counted] = []
    for way in ways:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            Path(folder).chmod(0o755)
            found += measure(way, given.runs, Path(folder))
    for way in ways:
        for case in dict.fromkeys(each.case for each in found):
            rows = [each for each in found if (each.way, each.case) == (way, case)]
            lost, asked = sum(each.lost for each in rows), sum(each.asked for each in rows)
            longest = max(each.longest_outage for each in rows)
            print(f"{way:22} {case:30} {len(rows)} runs: {lost} of {asked} lost, longest outage {longest:.2f} s")
    if given.json:
        plain = [{key: value for key, value in asdict(each).items() if key != "_since"} for each in found]
        given.json.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
