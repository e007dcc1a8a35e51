from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from testing import end_orphans
from testing.sandbox.confinement import find_bwrap
from tests.testing.test_supervision import alive, eventually


def sleepers(mark: str) -> int:
    return sum(psutil.Process(pid).name() == "sleep" for pid in alive(mark))


def test_what_a_killed_daemon_left_in_the_sandbox_is_ended(tmp_path: Path) -> None:
    bwrap = find_bwrap()
    assert bwrap is not None
    left, other = tmp_path / "run-1-a", tmp_path / "run-2-b"
    mark = f"7{os.getpid()}.25"  # this test may run elsewhere on the machine, too
    shell = ["--ro-bind", "/", "/", "--dev", "/dev", "--unshare-pid", "sleep", mark]
    runs = [subprocess.Popen([str(bwrap), "--setenv", "RUN", str(folder), *shell]) for folder in (left, other)]
    reader = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(left)])
    try:
        assert eventually(lambda: sleepers(mark) == 2)
        assert end_orphans(f"{tmp_path}/run-1-") >= 1
        runs[0].wait(120)
        assert runs[1].poll() is None
        assert reader.poll() is None
        assert end_orphans(f"{tmp_path}/run-1-") == 0
        assert end_orphans(f"{tmp_path}/run-2-") >= 1
        runs[1].wait(120)
    finally:
        end_orphans(f"{tmp_path}/run-")
        for process in (*runs, reader):
            process.kill()
            process.wait(120)
    assert eventually(lambda: alive(mark) == [])
