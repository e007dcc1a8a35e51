"""`durable_objects` against the real workerd: state is kept, no version is let in that has not answered for real
objects, and what was cut short anywhere is put right."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployment import DeploymentError, DeploymentManager
from deployment.errors import GatewayAway, HostDiskFull, ProgramMissing, Unhealthy
from deployment.gateway import client
from memory import MemoryStore
from tests.deployment.hosts import Repository, free_port
from tests.deployment.workers import Machine, a_machine, commit

Make = Callable[..., DeploymentManager]
long = pytest.mark.long


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with a_machine(tmp_path) as made:
        yield made


def test_what_is_good_goes_live_and_what_is_not_is_taken_back_with_its_state(
    machine: Machine, manager: Make, repository: Repository, store: MemoryStore
) -> None:
    deployer = manager(staging=machine.settings())
    first = commit(repository)
    assert deployer.deploy("staging"), store.deployments.history()[0].detail
    assert machine.ask("/healthz")["greeting"] == 'a "quoted" // word'
    for _ in range(3):
        machine.ask("/apples", "POST")
    for odd, said in (
        ("crash", "a module is missing"), ("migration", "the migration failed half-way"), ("sick", "database is away"),
    ):  # fmt: skip
        commit(repository, odd)
        with pytest.raises(Unhealthy, match=said):  # on the copy, before anything was changed
            deployer.deploy("staging")
        assert store.deployments.history()[0].status == "failed"
        assert deployer.check_status("staging").commit == first and machine.ask("/apples") == {"count": 3}
    commit(repository, "public")  # only seen once it is public
    assert not deployer.deploy("staging")
    assert store.deployments.history()[0].status == "rolled_back"
    assert machine.ask("/apples") == {"count": 3}
    second = commit(repository)
    assert deployer.deploy("staging"), store.deployments.history()[0].detail
    machine.ask("/apples", "POST")
    assert deployer.rollback("staging"), "by hand"
    status = deployer.check_status("staging")
    assert status.healthy and status.commit == first != second
    assert machine.ask("/apples") == {"count": 4}, "a way back by hand loses nothing that was written since"
    assert "counting" in deployer.logs("staging", 50)


def has_ended(pid: int) -> bool:
    """Whether a process ends within some seconds; one that nobody has waited for counts."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_killed_gateway_leaves_the_service_up_and_the_next_one_takes_over(
    machine: Machine, manager: Make, repository: Repository
) -> None:
    deployer = manager(staging=machine.settings())
    first = commit(repository)
    assert deployer.deploy("staging")
    machine.ask("/apples", "POST")
    old = machine.status()
    os.kill(old["pid"], signal.SIGKILL)
    assert has_ended(old["pid"])
    assert machine.ask("/apples") == {"count": 1}, "nobody outside sees that"
    assert deployer.check_status("staging").commit == first
    new = machine.status()
    assert new["pid"] != old["pid"] and new["services"][0]["pid"] != old["services"][0]["pid"]
    assert has_ended(old["services"][0]["pid"]), "never two on one state"
    os.kill(new["services"][0]["pid"], signal.SIGKILL)
    assert machine.ask("/apples") == {"count": 1}, "what crashes is started again, and who asks meanwhile waits"
    assert machine.status()["services"][0]["restarts"] == 1


def test_a_daemon_that_is_killed_during_the_switch_finds_it_done(
    machine: Machine, manager: Make, repository: Repository, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository)
    assert manager(staging=machine.settings()).deploy("staging")
    machine.ask("/apples", "POST")
    second = commit(repository, **{"more.txt": "more"})

    class Killed(BaseException):
        """The daemon ends here."""

    whole = client.ask

    def ask(folder: Path, verb: str, /, **given: Any) -> Any:
        if verb == "switch":
            with pytest.raises(GatewayAway):
                whole(folder, verb, **given | {"timeout": 0.001})
            raise Killed
        return whole(folder, verb, **given)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(client, "ask", ask)
        manager(staging=machine.settings()).deploy("staging")
    row = store.deployments.history()[0]
    store.deployments.unlock("staging", row.owner)
    end = time.monotonic() + 20
    while machine.status()["services"][0]["phase"] != "public" and time.monotonic() < end:
        time.sleep(0.02)
    later = manager(staging=machine.settings())
    later.take("staging", "later")
    assert later.reconcile("staging", 0) == [row.id]
    store.deployments.unlock("staging", "later")
    assert store.deployments.get(row.id).status == "live"
    assert later.check_status("staging").commit == second and machine.ask("/apples") == {"count": 1}
    assert manager(staging=machine.settings()).deploy("staging"), "and the next one finds the place free"


@long
def test_requests_during_a_switch_wait_and_none_is_lost(
    machine: Machine, manager: Make, repository: Repository
) -> None:
    deployer = manager(staging=machine.settings())
    commit(repository)
    assert deployer.deploy("staging")
    over, counted = threading.Event(), []

    def clients() -> None:
        while not over.is_set():
            counted.append(machine.ask("/apples", "POST")["count"])  # fails if one is refused

    threads = [threading.Thread(target=clients) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for odd in ("", "migration", ""):
            commit(repository, odd, **{"more.txt": f"{time.time()}"})
            if odd:
                with pytest.raises(Unhealthy):
                    deployer.deploy("staging")
            else:
                assert deployer.deploy("staging")
        assert deployer.rollback("staging")
        os.kill(machine.status()["pid"], signal.SIGKILL)
        assert deployer.check_status("staging").healthy, "the next gateway has taken over"
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert sorted(counted) == list(range(1, len(counted) + 1)), "each was counted once"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"this user may mount nothing: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_changes_nothing_and_says_so(
    machine: Machine, manager: Make, repository: Repository, small_disk: Path
) -> None:
    deployer = manager(staging=machine.settings(folder=str(small_disk / "shop")))
    good = commit(repository)
    (small_disk / "shop").mkdir()
    assert deployer.deploy("staging")
    machine.ask("/apples", "POST")
    commit(repository, **{"large.txt": "x" * 45_000_000})
    with pytest.raises(HostDiskFull, match="No space left"):
        deployer.deploy("staging")
    (small_disk / "shop" / "state" / "Counter" / "much").write_bytes(b"x" * 15_000_000)  # as much state
    commit(repository, **{"large.txt": ""})
    assert not deployer.deploy("staging")
    status = deployer.check_status("staging")
    assert status.healthy and status.commit == good and machine.ask("/apples") == {"count": 1}
    machine.end()


def test_secrets_reach_the_worker_and_no_file_of_a_release(
    machine: Machine, manager: Make, repository: Repository, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text("# of the shop\nGREETING=a=secret\nCOMMIT=not this\n")
    good = commit(repository)
    with pytest.raises(DeploymentError, match="none"):
        manager(staging=machine.settings(env_file=str(tmp_path / "none"))).deploy("staging")
    assert manager(staging=machine.settings(env_file=str(tmp_path / "env"))).deploy("staging")
    assert machine.ask("/healthz") == {"version": good, "greeting": "a=secret", "label": "good"}
    assert not [file for file in machine.folder.rglob("*") if file.is_file() and b"a=secret" in file.read_bytes()]


def test_services_call_each_other_and_their_objects_where_it_is_seen(
    machine: Machine, manager: Make, repository: Repository, tmp_path: Path
) -> None:
    other = free_port()
    stock = machine.settings(service="stock", folder=str(tmp_path / "srv" / "stock"), listen=f"127.0.0.1:{other}")
    stock["health"] |= {"url": f"http://127.0.0.1:{other}/healthz"}
    deployer = manager(shop=machine.settings(), stock=stock)
    commit(repository)
    assert deployer.deploy("shop") and deployer.deploy("stock")
    assert machine.ask("/far?to=http://stock/pears", "POST") == {"count": 1}
    assert machine.ask("/far?to=http://stock/.objects/Counter/pears/anything", "POST") == {"count": 2}
    with pytest.raises(AssertionError, match="no service 'nobody' is live here; there are: shop, stock"):
        machine.ask("/far?to=http://nobody/")
    seen = client.ask(machine.gateway, "calls", limit=10)
    pairs = {(each["from"], each["to"]): each for each in seen["pairs"]}
    assert set(pairs) == {("shop", "stock"), ("shop", "stock Counter"), ("shop", "nobody")}
    assert pairs["shop", "nobody"]["failed"] == 1 and 0 < pairs["shop", "stock Counter"]["p50_ms"] < 5000
    assert [call["status"] for call in seen["newest"]] == [200, 200, 502]


def test_what_only_the_owner_can_put_right_is_told_with_the_remedy(
    machine: Machine, manager: Make, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository)
    with pytest.raises(ProgramMissing, match="npm install --prefix"):
        manager(staging=machine.settings(workerd=str(tmp_path / "none"))).deploy("staging")
    with pytest.raises(DeploymentError, match=r"no file of the commit or its build"):
        manager(staging=machine.settings(build="rm -r src")).deploy("staging")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    machine.end()
    with pytest.raises(GatewayAway, match="gateway run --folder"):
        manager(staging=machine.settings()).deploy("staging")
