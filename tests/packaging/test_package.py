"""The package as a user installs it: built, installed into an environment of its own, and used from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from config.editing import set_values
from tests.orchestrator.house import ROOT, git, make_repository
from tests.orchestrator.scripts import ADD_TASK, team
from tests.support import ScriptedModelServer

UV = Path(sys.prefix) / "bin" / "uv"
_NOT_SHIPPED = re.compile(
    r"^nightcrew/(ai_agents_client|tests|bench|docs|data|logs|workspace)/|\.pyc$|\.env|__pycache__|\.gguf$|\.db$"
)


def uv(*words: str, folder: Path) -> None:
    done = subprocess.run([UV, *words], cwd=folder, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Installed:
    """The program in an environment of its own, and a user with an empty home."""

    program: Path
    home: Path
    wheel: Path

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = ("PATH", "TMPDIR", "LANG")
        environment = {name: os.environ[name] for name in kept if name in os.environ} | {"HOME": str(self.home)}
        folder = self.home / "empty"
        folder.mkdir(exist_ok=True)
        return subprocess.run(
            [self.program, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=200
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("package")
    uv("build", "--quiet", "--out-dir", str(folder / "dist"), str(ROOT), folder=folder)
    [wheel] = (folder / "dist").glob("*.whl")
    uv("venv", "--quiet", "--python", sys.executable, str(folder / "venv"), folder=folder)
    uv("pip", "install", "--quiet", "--no-deps", "--python", str(folder / "venv"), str(wheel), folder=folder)
    # What it depends on is that of the tests, already compiled; that the wheel asks for the same is a test of its own.
    [packages] = (folder / "venv" / "lib").glob("python*/site-packages")
    (packages / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    (folder / "venv" / "bin" / "uv").symlink_to(UV)
    (folder / "home").mkdir()
    return Installed(folder / "venv" / "bin" / "nightcrew", folder / "home", wheel)


def test_the_wheel_holds_the_program_and_nothing_else(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"nightcrew", "ai_agents_client"}
    assert not [name for name in names if "sample_project" not in name and _NOT_SHIPPED.search(name)]
    folders = ("agents", "api", "cli", "config", "deployment", "llm", "memory", "orchestrator", "owner", "testing")
    tracked = git(ROOT, "ls-files", *folders)
    assert {f"nightcrew/{name}" for name in tracked.splitlines()} | {"nightcrew/config.example.yaml"} <= {*names}
    assert {*git(ROOT, "ls-files", "ai_agents_client").splitlines()} <= {*names}


def test_the_client_is_imported_without_the_daemon(installed: Installed) -> None:
    script = (
        "import sys, ai_agents_client as c; print(c.Client.tasks.__name__, {'nightcrew', 'fastapi'} & {*sys.modules})"
    )
    python = installed.program.with_name("python")
    done = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("tasks set()\n", "")


def test_the_wheel_asks_for_what_is_pinned(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        [name] = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        asked = re.findall(r"(?m)^Requires-Dist: (.+)$", wheel.read(name).decode())
    files = [ROOT / "requirements.txt", ROOT / "requirements-installed.txt"]
    pinned = [line for file in files for line in file.read_text("utf-8").splitlines() if line and line[0] != "#"]

    def plain(line: str) -> tuple[str, str, str]:
        needed = Requirement(line)
        return canonicalize_name(needed.name), str(needed.specifier), str(needed.marker)

    assert sorted(map(plain, asked)) == sorted(map(plain, pinned))


def test_from_nothing_to_a_landed_task(installed: Installed) -> None:
    assert re.fullmatch(r"nightcrew \d+\.\d+\.\d+\n", installed("--version").stdout)
    bare = installed()
    assert bare.returncode == 0 and "nightcrew init" in bare.stdout, bare.stdout + bare.stderr
    assert installed("status").returncode == 2
    assert installed("--repo", "https://localhost/none.git", "task", "list").returncode == 0
    assert [path.name for path in installed.home.rglob("*")] == ["empty"]

    repository = make_repository(installed.home / "mine")
    with ScriptedModelServer(team()) as server:
        model = ("--base-url", server.url, "--model", "scripted", "--no-try")
        done = installed("--repo", str(repository), "init", "--yes", *model)
        assert done.returncode == 0, done.stdout + done.stderr
        values = {"llm.profile": "strong", "llm.capabilities.tools": False}
        set_values(installed.home / ".config" / "nightcrew" / "config.yaml", values)
        assert installed("task", "add", "Add add", "-d", ADD_TASK).returncode == 0
        done = installed("run", "--until-idle")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "def add" in git(repository, "show", "agents/integration:calc.py")
    hidden = {path.relative_to(installed.home).as_posix() for path in installed.home.glob(".*/*")}
    assert {".config/nightcrew", ".local/share", ".local/state"} <= hidden
    assert not [*(installed.home / "empty").iterdir()]
