"""What each mode does where the sandbox does not work: refuse with the remedy, or run and say so loudly."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from monitoring.counters import SANDBOX_RUNS
from testing import Mount, Sandbox, SandboxLimits, SandboxUnavailable
from testing.sandbox.confinement import base_interpreter, closed_folder, on_host
from testing.sandbox.sandbox import sandbox_remedy
from testing.sandbox.user import identity_for

PYTHON_REACHABLE = os.getuid() != 0 or closed_folder(base_interpreter().executable, identity_for("nobody")) is None

ROOT = Path(__file__).parents[2]


def unconfined(bwrap: Path, limits: SandboxLimits | None = None) -> Sandbox | None:
    """A sandbox that falls to tier 4; None, after the refusal is checked, where root's Python is out of reach for
    anyone else. These tests run as an ordinary user too, by test_the_walls_stand_for_an_ordinary_user_too."""
    sandbox = Sandbox("best_effort", bwrap=bwrap, limits=limits)
    if PYTHON_REACHABLE:
        return sandbox
    assert sandbox.probe().tier is None
    assert "which is closed to 'nobody'" in sandbox.probe().detail
    return None


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A bwrap that says what it says in a container with the default seccomp profile."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: Creating new namespace failed: Operation not permitted' >&2\nexit 1\n")
    program.chmod(0o755)
    return program


@pytest.mark.probe("hostile")
def test_required_refuses_with_the_remedy(broken: Path) -> None:
    sandbox = Sandbox("required", bwrap=broken)
    probe = sandbox.probe()
    assert probe.tier is None
    assert "Creating new namespace failed" in probe.detail
    with pytest.raises(SandboxUnavailable, match=r"Cannot run 'touch' confined: .*security_opt") as refused:
        sandbox.run(["touch", str(broken.parent / "ran")], cwd="/", timeout=60)
    assert not (broken.parent / "ran").exists()
    assert refused.value.remedy == probe.remedy


@pytest.mark.probe("hostile")
def test_required_refuses_when_a_wall_is_missing(tmp_path: Path) -> None:
    naive = tmp_path / "bwrap"  # runs the command without confining it
    naive.write_text('#!/bin/sh\nwhile [ "$1" != "prlimit" ]; do shift; done\nexec "$@"\n')
    naive.chmod(0o755)
    probe = Sandbox("required", bwrap=naive).probe()
    assert probe.tier is None
    assert "walls missing: " in probe.detail and "no network" in probe.detail


def test_a_bwrap_that_cannot_be_started_is_told() -> None:
    probe = Sandbox(bwrap=Path("/nonexistent/bwrap")).probe()
    assert probe.tier is None and "/nonexistent/bwrap" in probe.detail


def test_without_bubblewrap_the_remedy_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testing.sandbox.sandbox.find_bwrap", lambda: None)
    assert "apt-get install bubblewrap" in Sandbox().probe().remedy


@pytest.mark.skipif(os.getuid() != 0, reason="only root chooses another user")
@pytest.mark.parametrize("user", ["root", "no-such-user"])
def test_root_refuses_an_unfit_user(user: str) -> None:
    with pytest.raises(SandboxUnavailable, match=r"sandbox\.user"):
        Sandbox(user=user).run(["true"], cwd="/", timeout=60)


def test_best_effort_runs_with_a_clean_environment_and_limits(broken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    with capture_logs() as logs:
        sandbox = unconfined(broken, SandboxLimits(open_files=77))
        if sandbox is None:
            return
        result = sandbox.run(["sh", "-c", "env; id -u; ulimit -n"], cwd="/", timeout=60)
        sandbox.run(["true"], cwd="/", timeout=60)
    loud = [entry for entry in logs if entry["log_level"] == "warning"]
    assert len(loud) == 1 and "WITHOUT A SANDBOX" in loud[0]["event"]
    assert result.tier == 4
    assert "canary" not in result.output
    assert result.output.split()[-2:] == ["65534" if os.getuid() == 0 else str(os.getuid()), "77"]


def test_best_effort_kills_what_it_knows_of(broken: Path) -> None:
    sandbox = unconfined(broken)
    if sandbox is None:
        return
    counted = SANDBOX_RUNS.numbers().get(("4", "timeout"), 0)
    result = sandbox.run(["sh", "-c", "trap '' TERM; (sleep 60) & sleep 60"], cwd="/", timeout=0.5)
    assert result.killed_reason == "timeout" and result.seconds < 10
    assert SANDBOX_RUNS.numbers()["4", "timeout"] == counted + 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root changes its user")
def test_best_effort_says_when_the_user_cannot_reach_the_folder(broken: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "work").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(SandboxUnavailable, match="closed to "):
        Sandbox("best_effort", bwrap=broken).run(["true"], mounts=[Mount(closed / "work", "/work")], timeout=60)


def test_off_runs_as_the_daemon_and_warns(tmp_path: Path) -> None:
    sandbox = Sandbox("off")
    with capture_logs() as logs:
        result = sandbox.run(
            ["sh", "-c", "pwd; cat /work/file"], mounts=[Mount(tmp_path, "/work", writable=True)], timeout=60
        )
    assert [entry["log_level"] for entry in logs] == ["warning"]
    assert result.tier == 0
    assert result.output.splitlines()[0] == str(tmp_path)


def test_sandbox_paths_are_written_back_where_nothing_is_mounted() -> None:
    mounts = [Mount(Path("/h/run"), "/work"), Mount(Path("/h/venv"), "/env/venv"), Mount(Path("/h/env"), "/env")]
    assert on_host("/env/venv/bin/python", mounts) == "/h/venv/bin/python"
    assert on_host("--x=/work/a:/env/b:/workshop:/a/work", mounts) == "--x=/h/run/a:/h/env/b:/workshop:/a/work"


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("bwrap: setting up uid map: Permission denied", "AppArmor"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "ProtectKernelTunables"),
        ("bwrap: No permissions to create new namespace", "security_opt"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "systempaths=unconfined"),
        ("something else", "to see why"),
    ],
)
def test_remedies(detail: str, words: str) -> None:
    assert words in sandbox_remedy(detail)


def test_limits_that_the_daemon_was_started_with_are_kept_and_refuse_no_run() -> None:
    program = (
        "from testing import Sandbox\n"
        "ran = Sandbox().run(['sh', '-c', 'ulimit -n; ulimit -f'], cwd='/', timeout=60)\n"
        "print(ran.exit_code, *ran.output.split())\n"
    )
    shell = f"ulimit -n 256 -f 100000; exec {shlex.quote(sys.executable)} -c {shlex.quote(program)}"
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True)
    code, descriptors, blocks = done.stdout.split()[-3:]
    assert (code, descriptors, int(blocks) in (100_000, 200_000)) == ("0", "256", True), done.stderr
