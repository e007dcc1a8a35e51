"""What hostile code in the sandbox reaches of the host, beyond the walls of tests/testing/test_sandbox_walls.py."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from testing import Environment, Mount, Sandbox, SandboxLimits, TestRunner, discard_folder
from testing.sandbox.confinement import base_interpreter
from testing.sandbox.user import take
from tests.testing.conftest import Probe, Tree

pytestmark = pytest.mark.probe("hostile")


def test_a_unix_socket_of_the_host_is_not_reached(probe: Probe, tmp_path: Path) -> None:
    path = tmp_path / "work/docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "docker.sock"))
        server.listen()
        server.settimeout(0.5)
        path.symlink_to(tmp_path / "docker.sock")
        code = f"""
import socket
for address in [{str(tmp_path / "docker.sock")!r}, '/work/docker.sock', '/run/docker.sock', '/var/run/docker.sock']:
    s = socket.socket(socket.AF_UNIX)
    try: s.connect(address); print('REACHED', address)
    except OSError as error: print(error.errno)
"""
        assert "REACHED" not in probe(code).output
        with pytest.raises(TimeoutError):
            server.accept()


def test_no_process_of_the_host_is_seen_or_signalled(probe: Probe) -> None:
    with subprocess.Popen(["sleep", "30"]) as bystander:
        code = f"""
import os, signal
print('seen', [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 50])
for pid in ({bystander.pid}, {os.getpid()}, -1):
    try: os.kill(pid, signal.SIGKILL)
    except OSError as error: print(error.errno)
"""
        result = probe(code)
        assert bystander.poll() is None
        bystander.kill()
    assert "seen []" in result.output


def test_hard_links_do_not_reach_files_outside(probe: Probe, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    code = f"""
import os
for source in [{str(outside)!r}, '/usr/bin/env', '/etc/passwd', '/proc/self/exe']:
    try: os.link(source, '/work/hard'); open('/work/hard', 'w').write('x'); print('LINKED', source)
    except OSError as error: print(error.errno)
"""
    assert "LINKED" not in probe(code).output
    assert outside.read_text() == "untouched"


def test_links_planted_for_the_daemon_are_not_followed_by_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """`hand_over`, `take` and deletion work on the links themselves, not on what they point to."""
    outside, work = tmp_path / "outside", tmp_path / "work"
    outside.mkdir(mode=0o700)
    (outside / "key").write_text("kept")
    (outside / "key").chmod(0o600)
    work.mkdir()
    sandbox.hand_over(work)
    code = f"import os; os.symlink({str(outside)!r}, '/work/a'); os.symlink({str(outside / 'key')!r}, '/work/b')"
    sandbox.run(
        [str(base_interpreter().executable), "-c", code], mounts=[Mount(work, "/work", writable=True)], timeout=60
    )
    before = [(path.stat().st_uid, path.stat().st_mode) for path in (outside, outside / "key")]
    sandbox.hand_over(work)
    take(work)
    discard_folder(work)
    assert [(path.stat().st_uid, path.stat().st_mode) for path in (outside, outside / "key")] == before
    assert (outside / "key").read_text() == "kept"


def test_the_environment_of_the_tests_is_not_writable(
    runner: TestRunner, base_environment: Environment, tree: Tree
) -> None:
    body = """
import os, pathlib, site
def test_x():
    for folder in [*site.getsitepackages(), '/env/venv/bin', '/opt/ai-agents', '/usr/lib']:
        try: pathlib.Path(folder, 'planted.pth').write_text('import os')
        except OSError: continue
        raise AssertionError(folder)
"""
    before = sorted(base_environment.path.rglob("*.pth"))
    assert runner.run_tests(tree({"test_x.py": body}), base_environment).passed
    assert sorted(base_environment.path.rglob("*.pth")) == before


def test_reserved_address_space_is_not_taken_for_memory(probe: Probe) -> None:
    """Trap 7: a limit on address space would kill runtimes that reserve much and touch little."""
    code = "import mmap; m = mmap.mmap(-1, 8 << 30, flags=mmap.MAP_SHARED); m[0] = 1; print('reserved')"
    result = probe(code, limits=SandboxLimits(memory_bytes=256 << 20))
    assert (result.output, result.killed_reason) == ("reserved\n", None)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTOU])
def test_a_run_that_stops_itself_is_ended(probe: Probe, number: signal.Signals) -> None:
    result = probe(f"import os; os.kill(os.getpid(), {number.value}); import time; time.sleep(60)", timeout=1)
    assert result.killed_reason == "timeout" and result.seconds < 10


def test_the_terminal_of_the_daemon_is_not_there(probe: Probe) -> None:
    code = """
for path in ['/dev/tty', '/dev/console', '/dev/mem', '/dev/kmsg', '/dev/fuse', '/dev/kvm', '/dev/sda', '/dev/vda']:
    try: open(path, 'r+b', buffering=0); print('OPENED', path)
    except OSError as error: print(error.errno)
"""
    opened = [line for line in probe(code).output.splitlines() if "OPENED" in line]
    assert opened in ([], ["OPENED /dev/console"])  # bubblewrap gives a console only where there is a terminal


def test_a_descriptor_of_the_daemon_is_not_inherited(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("canary-4711")
    with (tmp_path / "secret").open() as secret:
        os.set_inheritable(secret.fileno(), True)
        code = "import os\nfor fd in range(3, 200):\n    try: print(fd, os.pread(fd, 99, 0))\n    except OSError: pass"
        result = sandbox.run([str(base_interpreter().executable), "-c", code], cwd="/", timeout=60)
    assert "canary" not in result.output


@pytest.mark.parametrize(
    ("title", "what"),
    [
        ("kernel settings", "os.write(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY), b'|/work/x')"),
        ("a program for binary formats", "os.write(os.open('/proc/sys/fs/binfmt_misc/register', os.O_WRONLY), b':x:')"),
        ("the daemon's oom score", "os.write(os.open('/proc/1/oom_score_adj', os.O_WRONLY), b'1000')"),
        ("memory of the init", "os.write(os.open('/proc/1/mem', os.O_WRONLY), b'x')"),
        ("a uid map", "os.write(os.open('/proc/self/uid_map', os.O_WRONLY), b'0 0 1')"),
        ("root by setuid", "os.setuid(0)"),
        ("another user", "os.setresuid(1, 1, 1)"),
        ("a device node", "os.mknod('/work/disk', 0o60666, os.makedev(8, 0))"),
        ("a set-user-id file of root", "os.chown('/work', 0, 0)"),
        ("a raw socket", "__import__('socket').socket(2, 3, 1)"),
        ("a packet socket", "__import__('socket').socket(17, 3)"),
        ("a higher limit", "__import__('resource').setrlimit(7, (9999, 9999))"),
        ("a better priority", "os.nice(-5)"),
    ],
)
def test_refused_by_the_kernel(probe: Probe, title: str, what: str) -> None:
    result = probe(f"import os\ntry:\n    {what}\n    print('GOT IT')\nexcept (OSError, ValueError) as e: print(e)")
    assert "GOT IT" not in result.output, title
    assert result.exit_code == 0, result.output
