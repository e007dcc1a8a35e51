"""The gateway's services, ended in the middle of each step that is written down: the next one puts them right, with the
state as it has to be."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config import DurableObjectsEnvironment
from deployment.errors import DeploymentError
from deployment.gateway import service as services
from deployment.gateway import workerd as processes
from deployment.gateway.files import Trouble, copy_state, lock
from deployment.gateway.service import Service
from deployment.workerd_config import read_wrangler, unique_keys, write_config
from tests.deployment.hosts import free_port
from tests.deployment.workers import WORKER, WRANGLER_FILE, workerd

long = pytest.mark.long


class Killed(BaseException):
    """The process ends here."""


class Bench:
    """A service's folder with two releases, and a gateway's part that is killed and comes back."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "shop", free_port()
        self.file = folder / "g" / "shop.json"
        self.file.parent.mkdir()
        for number, odd in ((1, ""), (2, "late"), (3, "")):
            place = self.folder / "releases" / str(number)
            (place / "files" / "src").mkdir(parents=True)
            (place / "files" / "wrangler.jsonc").write_text(WRANGLER_FILE)
            (place / "files" / "src" / "index.js").write_text(WORKER % {"odd": odd})
            (place / "files" / "src" / "label.js").write_text(f'export const LABEL = "{number}";\n')
            wrangler = read_wrangler(place / "files", "wrangler.jsonc")
            write_config(place, wrangler, commit=str(number) * 40, service="shop", routes=folder / "r.sock")
            (place / "release.json").write_text(
                json.dumps({"classes": unique_keys(wrangler), "probe": "/healthz", "health": "/healthz",
                            "workerd": str(workerd()), "listen": f"127.0.0.1:{self.port}"})
            )  # fmt: skip
        self.service = Service("shop", self.file)

    def switch(self, number: int) -> None:
        self.service.switch(self.folder, self.folder / "releases" / str(number), number, str(number) * 40, 600)

    def killed(self) -> None:
        """The gateway is gone: its sockets are closed by the kernel, and what it ran goes on."""
        for each in self.service._held.values():
            each.close()
        self.service = Service("shop", self.file)
        self.service.recover()

    def write(self) -> None:
        """What users have written: one object with two rows."""
        import http.client

        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request("POST", "/apples")
            assert connection.getresponse().status == 200
            connection.close()

    def rows(self) -> int:
        """What is in the state on the disk."""
        (file,) = [each for each in (self.folder / "state" / "Counter").glob("*.sqlite") if len(each.stem) == 64]
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as opened:
            count: int = opened.execute("SELECT count(*) FROM counts").fetchone()[0]
        return count

    def processes(self) -> int:
        """How many of workerd's run on the state."""
        found = [each for each in psutil.process_iter(["cmdline", "status"])
                 if f"do-disk={self.folder}/state" in " ".join(each.info["cmdline"] or [])]  # fmt: skip
        return len(found)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    workerd()
    made = Bench(tmp_path)
    yield made
    made.service.end()


def cut(monkeypatch: pytest.MonkeyPatch, what: str, number: int) -> None:
    """End the process at a point of the switch or the way back."""
    if what.startswith(("before ", "after ")):
        order, _, phase = what.partition(" ")
        whole = Service._enter

        def enter(self: Service, new: dict[str, Any], entered: str) -> None:
            if entered == phase and order == "before":
                raise Killed
            whole(self, new, entered)
            if entered == phase:
                raise Killed

        monkeypatch.setattr(Service, "_enter", enter)
    elif what == "half a copy":

        def half(state: Path, snapshot: Path) -> None:
            copy_state(state, snapshot)
            snapshot.rename(snapshot.with_name(snapshot.name + ".half"))
            raise Killed

        monkeypatch.setattr(services, "copy_state", half)
    else:
        whole_rename = Path.rename

        def rename(self: Path, target: Path) -> Path:
            moves = "state aside" if Path(target).name == "failed-state" else "snapshot back"
            done = whole_rename(self, target)
            if moves == what and (moves == "state aside" or Path(target).name == "state"):
                raise Killed
            return done

        monkeypatch.setattr(Path, "rename", rename)


GOOD = ("before copying", "after copying", "half a copy", "before trying", "after trying", "before public",
        "after public")  # fmt: skip
BAD = ("before restoring", "after restoring", "state aside", "snapshot back")
SHORT = ("half a copy", "state aside")


@pytest.mark.parametrize(
    "what", [pytest.param(each, marks=() if each in SHORT else long) for each in (*GOOD, *BAD)]
)  # fmt: skip
def test_a_gateway_that_ends_anywhere_in_a_switch_is_put_right_by_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    bench.switch(1)
    bench.service.settle(1)
    bench.write()
    number = 2 if what in BAD else 3
    with monkeypatch.context() as patch, pytest.raises(Killed):
        cut(patch, what, number)
        bench.switch(number)
    bench.killed()
    live = bench.service.status()
    expected = 3 if what == "after public" else 1
    assert live["live"]["number"] == expected and live["runs"], live
    assert bench.processes() == 1 and bench.rows() == 2
    bench.service.undo(number, "the daemon finds it cut short", bench.service._known["live"])
    assert bench.service.live["number"] == 1 and bench.rows() == 2 and bench.processes() == 1
    bench.service.end()
    bench.service = Service("shop", bench.file)
    bench.service.recover()
    assert bench.service.status()["runs"]


def test_objects_that_a_new_version_cannot_read_bring_back_code_and_state(bench: Bench) -> None:
    """It starts and is healthy by itself; only objects that are there already cannot be read, and it spoils them."""
    bench.switch(1)
    bench.service.settle(1)
    bench.write()
    for _ in range(2):  # asking again, after a crash of the daemon, gives the same answer and breaks nothing
        with pytest.raises(Trouble, match=r"the object Counter [0-9a-f]{12}… answers HTTP 500: this object cannot be"):
            bench.switch(2)
    assert bench.service.live["number"] == 1 and bench.rows() == 2 and bench.processes() == 1
    bench.switch(3)
    bench.write()
    with pytest.raises(Trouble, match="neither settled nor undone"):
        bench.switch(1)
    bench.service.settle(3)
    bench.write()
    bench.service.undo(
        3, "by hand", {**bench.service.live, "number": 1, "release": str(bench.folder / "releases" / "1")}
    )
    assert bench.service.live["number"] == 1 and bench.rows() == 6, "what is settled keeps what was written"


def test_two_never_run_on_one_state(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_LOCK_SECONDS", 0.1)
    bench.switch(1)
    bench.service.settle(1)
    with pytest.raises(Trouble, match=r"another process holds .*state\.lock"):
        lock(bench.folder / "state.lock", 0.1)
    with pytest.raises(Trouble, match="another process holds"):
        processes.Workerd(
            {"workerd": str(workerd())}, bench.folder / "releases" / "3" / "try.capnp", bench.folder / "state", {},
            bench.folder / "log", bench.folder / "pid",
        )  # fmt: skip


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "kv": (lambda all_: all_.update(kv_namespaces=[{"binding": "K"}]), "has kv_namespaces"),
    "services": (lambda all_: all_.update(services=[{"binding": "S"}]), "env.GATEWAY"),
    "no migration": (lambda all_: all_.update(migrations=[]), "no migration makes the class Book, Counter"),
    "another script": (
        lambda all_: all_["durable_objects"]["bindings"][0].update(script_name="other"), "called by env.GATEWAY"),
    "no date": (lambda all_: all_.pop("compatibility_date"), "compatibility_date"),
    "main outside": (lambda all_: all_.update(main="../../release.json"), "no file of the commit"),
    "no main": (lambda all_: all_.pop("main"), "no file of the commit"),
    "typescript": (lambda all_: all_.update(main="src/index.ts"), "have `build` make it"),
    "renamed from nothing": (
        lambda all_: all_["migrations"].append({"tag": "2", "renamed_classes": [{"from": "X", "to": "Y"}]}),
        "there is no class"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_what_workerd_cannot_do_is_refused_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "files" / "src").mkdir(parents=True)
    for each in ("index.js", "index.ts"):
        (tmp_path / "files" / "src" / each).write_text(WORKER % {"odd": ""})
    (tmp_path / "files" / "wrangler.jsonc").write_text(WRANGLER_FILE)
    change, told = CHANGES[name]
    wrangler = read_wrangler(tmp_path / "files", "wrangler.jsonc")
    change(wrangler)
    with pytest.raises(DeploymentError, match=told):
        write_config(tmp_path, wrangler, commit="c", service="shop", routes=tmp_path / "r")


def test_a_link_out_of_the_release_is_no_module(tmp_path: Path) -> None:
    (tmp_path / "files" / "src").mkdir(parents=True)
    (tmp_path / "files" / "src" / "index.js").write_text(WORKER % {"odd": ""})
    (tmp_path / "files" / "wrangler.jsonc").write_text(WRANGLER_FILE)
    (tmp_path / "secret.txt").write_text("a key")
    (tmp_path / "files" / "src" / "page.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(DeploymentError, match="leads out of the release"):
        write_config(
            tmp_path, read_wrangler(tmp_path / "files", "wrangler.jsonc"), commit="c", service="s", routes=tmp_path
        )


@pytest.mark.parametrize(
    ("migrations", "keys"),
    [
        ([{"new_sqlite_classes": ["A"]}, {"renamed_classes": [{"from": "A", "to": "B"}]}], {"B": "A"}),
        ([{"new_sqlite_classes": ["A", "B"]}, {"deleted_classes": ["A"]}], {"B": "B"}),
        ([{"new_classes": ["A"]}, {"deleted_classes": ["A"]}, {"new_sqlite_classes": ["A"]}], {"A": "A-2"}),
        ([{"new_sqlite_classes": ["A"]}, {"renamed_classes": [{"from": "A", "to": "B"}]},
          {"new_sqlite_classes": ["A"]}], {"B": "A", "A": "A-2"}),
    ],
)  # fmt: skip
def test_a_class_keeps_its_state_when_it_is_renamed_and_not_when_it_was_deleted(
    migrations: list[dict[str, Any]], keys: dict[str, str]
) -> None:
    assert unique_keys({"migrations": migrations}) == keys


WORKER_ENVIRONMENT: dict[str, Any] = {
    "target": "durable_objects", "service": "shop", "folder": "/srv/shop", "listen": "127.0.0.1:8787",
    "health": {"url": "http://127.0.0.1:8787/healthz"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"folder": None}, "needs `folder` and `listen`"),
        ({"listen": "127.0.0.1:0"}, "no port between"),
        ({"listen": "127.0.0.1:99999"}, "no port between"),
        ({"service": "Shop!"}, "pattern"),
        ({"provider": "cloudflare"}, "needs `account_id` and `token`"),
        ({"health": {}}, "health.url is needed"),
        ({"config": "/etc/wrangler.toml"}, "no path inside"),
        ({"api": "http://example.com"}, "pattern"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], told: str) -> None:
    DurableObjectsEnvironment.model_validate(WORKER_ENVIRONMENT)
    with pytest.raises(ValueError, match=told):
        DurableObjectsEnvironment.model_validate(WORKER_ENVIRONMENT | changes)
