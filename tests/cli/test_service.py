"""`service …`, and the daemon as systemd sees it: a real socket, the real process."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli import app
from monitoring import Supervisor
from orchestrator import TaskOrchestrator
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.house import stop
from tests.orchestrator.in_process import services_of
from tests.orchestrator.scripts import team

__all__ = ["make_house"]


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's end of the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        yield heard


def hear(listener: socket.socket, wanted: str, seconds: float) -> list[str]:
    """What comes until a message with `wanted` in it does, which is the last; without it what comes in that time."""
    messages, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        listener.settimeout(left)
        try:
            messages.append(listener.recv(4096).decode())
        except TimeoutError:
            break
        if wanted in messages[-1]:
            break
    return messages


def test_systemd_hears_of_start_life_and_end(
    make_house: MakeHouse, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = make_house(team())
    environment = house._environment() | {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "1000000"}
    monkeypatch.setattr(house, "_environment", lambda: environment)
    with house.daemon() as daemon:
        assert hear(listener, "READY=1", 100)[-1] == "READY=1"
        assert [hear(listener, "WATCHDOG=1", 60)[-1] for _ in range(3)] == ["WATCHDOG=1"] * 3
        assert stop(daemon) == 0
        assert hear(listener, "STOPPING=1", 60)[-1].startswith("STOPPING=1")
    with house.daemon() as daemon:
        hear(listener, "READY=1", 100)
        assert stop(daemon, signal.SIGABRT) == -signal.SIGABRT  # as the watchdog ends a daemon that hangs
    assert "task_orchestrator.py" in (house.folder / "daemon.log").read_text()  # where it stood


def test_a_main_loop_that_hangs_gives_no_sign_of_life(
    make_house: MakeHouse, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = make_house(team())
    environ = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "200000"}
    released, fails = threading.Event(), threading.Event()

    def hangs(_: bool) -> bool:
        released.wait(60)
        if fails.is_set():
            raise ValueError("a round that fails is no loop that hangs")
        return False

    with services_of(house) as services:
        orchestrator = TaskOrchestrator(services, supervisor=Supervisor(environ))
        monkeypatch.setattr(orchestrator, "_round", hangs)
        loop = threading.Thread(target=orchestrator.run)
        loop.start()
        try:
            hear(listener, "READY=1", 100)
            assert hear(listener, "never", 0.5).count("WATCHDOG=1") <= 1
            fails.set()
            released.set()
            assert [hear(listener, "WATCHDOG=1", 60)[-1] for _ in range(4)] == ["WATCHDOG=1"] * 4
        finally:
            released.set()
            orchestrator.request_stop()
            loop.join(20)


# -- the commands -----------------------------------------------------------------------------------------------------


def service(*words: str, config: Path | None = None) -> Result:
    return CliRunner().invoke(app, [*(["--config", str(config)] if config else []), "service", *words])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folders, and a PATH without systemctl."""
    for variable, folder in (("XDG_CONFIG_HOME", "etc"), ("XDG_STATE_HOME", "state"), ("PATH", "bin")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / folder))
    return tmp_path


def configuration(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    file.write_text("git: {repository_url: 'https://example.org/library.git'}\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("words", [["install"], ["install", "--user"]])
def test_where_systemd_does_not_run_the_error_says_what_to_do(home: Path, words: list[str]) -> None:
    done = service(*words, config=configuration(home))
    assert done.exit_code == 1
    told = " ".join(done.stderr.split())
    assert "systemd does not run here" in told and "docker compose up -d" in told and "install --print" in told
    assert [*home.glob("etc/**/*.service")] == []


def test_print_shows_the_unit_of_this_program_and_changes_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configuration(home / "at 50%")
    before = sorted(home.rglob("*"))
    text = service("install", "--print", "--user", config=config).stdout
    assert f'main.py --config "{home}/at 50%%/config.yaml" run\n' in text and "User=" not in text
    monkeypatch.chdir(config.parent)
    text = service("install", "--print", "--user").stdout  # the program finds it, as at the terminal
    assert f"WorkingDirectory={home}/at 50%%\n" in text and "main.py run\n" in text
    assert f"Environment=PATH={home}/bin\n" in text
    (home / "repository").mkdir()
    text = service("install", "--print", "--repo", str(home / "repository"), config=config).stdout
    assert f" run --repo {home}/repository\n" in text and "User=ai-agents\n" in text
    state = [f'"{home}/at 50%%/{folder}"' for folder in ("data", "logs", "workspace")]
    assert f"ReadWritePaths={' '.join(state)} {home}/repository\n" in text  # beside the configuration it names
    (home / "repository").rmdir()
    assert sorted(home.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--name", "a/b"], "cannot be the name of a service"),
        (["--name", "agents@other"], "call the file, or its folder, other instead of"),
        (["--name", "agents@library", "--repo", "https://example.org/x.git"], "set git.repository_url there"),
    ],
)
def test_a_name_that_cannot_be_a_service_is_refused(home: Path, words: list[str], told: str) -> None:
    done = service("install", "--print", "--user", *words, config=configuration(home / "library"))
    assert done.exit_code == 2 and told in " ".join(done.stderr.split())


def test_a_service_is_installed_once_and_leaves_what_it_names(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands with a stand-in for systemctl, which notes its calls: systemd cannot run in the tests' container."""
    calls = home / "calls"
    (home / "bin" / "systemctl").write_text(
        f"""#!/bin/sh
echo "$*" >> {calls}
case "$*" in
  *enable*) echo enabled > {home}/enabled;;
  *restart*) echo active > {home}/active;;
  *property=UnitFileState*)
    read e < {home}/enabled; read a < {home}/active; echo "UnitFileState=$e"; echo "ActiveState=$a";;
esac
"""
    )
    (home / "bin" / "systemctl").chmod(0o755)
    unit, config = home / "etc/systemd/user/agents@.service", home / "state/agents/projects/library/config.yaml"
    name = ["--user", "--name", "agents@library"]
    monkeypatch.chdir(configuration(home / "somewhere").parent)
    assert json.loads(service("status", *name, "--json").stdout)["installed"] is False

    installed = service("install", *name)
    assert installed.exit_code == 0, installed.stderr
    made = ("daemon-reload", "enable agents@library", "restart agents@library")
    assert [call for call in calls.read_text().splitlines() if "show" not in call] == [
        f"--user {call}" for call in made
    ]
    assert config.read_text() == (home / "somewhere/config.yaml").read_text()
    assert f"--config {home}/state/agents/projects/%i/config.yaml run" in unit.read_text()
    assert (home / "etc/agents/credentials").stat().st_mode & 0o777 == 0o700

    config.write_text(config.read_text() + "# mine\n")
    calls.unlink()
    assert service("install", *name).exit_code == 0
    assert [call for call in calls.read_text().splitlines() if "show" not in call] == []
    assert config.read_text().endswith("# mine\n")
    state = json.loads(service("status", *name, "--json").stdout)
    assert state | {"installed": True, "enabled": True, "active": "active", "config": str(config)} == state

    (unit.parent / "default.target.wants").mkdir()
    other = unit.parent / "default.target.wants" / "agents@other.service"
    other.symlink_to(unit)
    assert "stays: agents@other" in service("uninstall", *name).stdout
    other.unlink()
    left = service("uninstall", *name).stdout
    assert not unit.exists() and config.exists()
    assert str(config) in left and str(config.parent / "data") in left and str(home / "etc/agents") in left
    again = service("uninstall", *name)
    assert again.exit_code == 0 and "There is no service" in again.stdout
