"""The supervisor around the sandbox: limits hold, killing leaves nothing alive. Runs as root and as a user."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from testing import Mount, RunKilled, Sandbox, SandboxLimits, discard_folder
from testing.sandbox.confinement import base_interpreter
from tests.testing.conftest import Probe


def eventually(holds: Callable[[], bool], seconds: float = 120) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def alive(mark: str) -> list[int]:
    return [process.pid for process in psutil.process_iter(["cmdline"]) if mark in (process.info["cmdline"] or [])]


@pytest.mark.probe("hostile")
def test_a_run_that_ignores_every_signal_ends_at_its_time(probe: Probe) -> None:
    code = """
import signal
for number in set(signal.valid_signals()) - {9, 19}:
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
print('started', flush=True)
while True: pass
"""
    result = probe(code, timeout=1)
    assert result.killed_reason == "timeout"
    assert result.exit_code == 137
    assert result.output == "started\n"
    assert result.seconds >= 1


@pytest.mark.probe("hostile")
def test_endless_output_is_stopped_and_its_end_kept(probe: Probe) -> None:
    result = probe("import sys\nn=0\nwhile True: sys.stdout.write(f'{n} ' * 1000); n += 1")
    assert result.killed_reason == "output"
    assert 64 << 20 < result.output_bytes < 70 << 20
    assert (1 << 20) - 10 <= len(result.output) <= 1 << 20


def test_output_within_the_limit_is_kept_whole_and_in_order(probe: Probe) -> None:
    result = probe(
        "import os\nfor n in range(3): os.write(1, b'out\\n'); os.write(2, b'err\\n')\nos.write(1, b'\\xff')"
    )
    assert result.output == "out\nerr\n" * 3 + "�"
    assert result.killed_reason is None


@pytest.mark.probe("hostile")
def test_a_fork_bomb_is_killed(probe: Probe) -> None:
    code = f"""
import os, time  # of {os.getpid()}
while True:
    try:
        if os.fork() == 0: time.sleep(60)
    except OSError: pass
"""
    result = probe(code, limits=SandboxLimits(processes=64))
    assert result.killed_reason == "processes"
    assert result.seconds < 15
    assert alive(code) == []


@pytest.mark.probe("hostile")
@pytest.mark.parametrize(
    "balloon",
    [
        "import mmap; m = mmap.mmap(-1, 1 << 30)\nfor i in range(0, 1 << 30, 4096): m[i] = 1",  # shared: no RLIMIT_DATA
        "import os, time\nfor _ in range(4): os.fork()\nx = bytearray(40 << 20); time.sleep(20)",  # 16 × 40 MiB
    ],
    ids=["shared mapping", "many processes"],
)
def test_memory_of_all_processes_together_is_bounded(probe: Probe, balloon: str) -> None:
    result = probe(balloon, limits=SandboxLimits(memory_bytes=256 << 20))
    assert result.killed_reason == "memory"


OUT_OF_SIGHT = {
    "unix sockets, enlarged": "held = []\nwhile len(held) < 900:\n    one, other = socket.socketpair()\n"
    "    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 24); one.setblocking(False); held += [one, other]\n"
    "    try:\n        while True: one.send(bytes(1 << 18))\n    except BlockingIOError: pass\ntime.sleep(20)\n",
    "unix sockets": "for _ in range(3): os.fork()\nheld = []\nwhile True:\n    try:\n"
    "        one, other = socket.socketpair()\n        one.setblocking(False)\n        held += [one, other]\n"
    "        while True: one.send(bytes(1 << 16))\n    except BlockingIOError: pass\n"
    "    except OSError: time.sleep(20)\n",
    "UDP": "held = []\nsender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\nwhile len(held) < 900:\n"
    "    held.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))\n    held[-1].bind(('127.0.0.1', 0))\n"
    "    held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)\n"
    "    for _ in range(300): sender.sendto(bytes(60000), held[-1].getsockname())\ntime.sleep(20)\n",
    "TCP": "server = socket.create_server(('127.0.0.1', 0)); held = []\nwhile len(held) < 400:\n"
    "    held.append(socket.create_connection(server.getsockname())); held[-1].setblocking(False)\n"
    "    held.append(server.accept()[0])\n    try:\n        while True: held[-2].send(bytes(1 << 18))\n"
    "    except BlockingIOError: pass\ntime.sleep(20)\n",
    "page tables": "import mmap\nfor _ in range(40):\n    if os.fork() == 0:\n"
    "        held = mmap.mmap(-1, 1 << 34, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, mmap.PROT_READ)\n"
    "        for place in range(0, 1 << 34, 1 << 21): held[place]\n        time.sleep(20)\ntime.sleep(20)\n",
    "empty files": "n = 0\nwhile n < 900_000:\n    os.close(os.open(f'/tmp/{n}', os.O_CREAT)); n += 1\n"
    "time.sleep(20)\n",
}


@pytest.mark.probe("hostile")
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=name, marks=pytest.mark.long if name in ("unix sockets, enlarged", "page tables") else ())
        for name, code in OUT_OF_SIGHT.items()
    ],
)
def test_memory_of_the_kernel_counts(probe: Probe, code: str) -> None:
    result = probe(f"import os, socket, time\n{code}", limits=SandboxLimits(memory_bytes=128 << 20), timeout=60)
    assert result.killed_reason == "memory", result


@pytest.mark.probe("hostile")
@pytest.mark.parametrize(
    "hide",
    [
        "import os, time; f = open('/work/x', 'wb'); os.unlink('/work/x')\n",
        "import os, time; os.mkdir('/work/d'); f = open('/work/d/x', 'wb'); os.chmod('/work/d', 0)\n",
    ],
    ids=["unlinked", "in a closed folder"],
)
def test_what_is_written_out_of_sight_counts_as_disk(probe: Probe, hide: str) -> None:
    code = hide + "for _ in range(200): f.write(os.urandom(1 << 20)); f.flush(); os.fsync(f.fileno())\ntime.sleep(20)"
    assert probe(code, limits=SandboxLimits(disk_bytes=64 << 20)).killed_reason == "disk"


@pytest.mark.probe("hostile")
def test_one_process_asking_for_too_much_gets_a_memory_error(probe: Probe) -> None:
    result = probe("x = bytearray(3 << 30)", limits=SandboxLimits(memory_bytes=256 << 20))
    assert result.killed_reason is None
    assert "MemoryError" in result.output


def test_pages_shared_between_processes_are_counted_once(probe: Probe) -> None:
    code = """
import os, time
x = bytearray(120 << 20)
children = [os.fork() for _ in range(3)]
time.sleep(0.6)
if all(children): [os.waitpid(child, 0) for child in children]
"""
    result = probe(code, limits=SandboxLimits(memory_bytes=200 << 20))
    assert (result.killed_reason, result.exit_code) == (None, 0)


@pytest.mark.probe("hostile")
@pytest.mark.parametrize(
    "fill",
    [
        "n=0\nwhile True: open(f'/work/{n}', 'wb').write(bytes(1 << 20)); n += 1",
        "import time\nfor n in range(3100): open(f'/work/{n}', 'wb').close()\ntime.sleep(20)",
        "import os, time\nfor n in range(2500): open(f'/work/{n}', 'wb').close()\ntime.sleep(1.5)\n"
        "for n in range(9000): open(f'/work/x{n}', 'wb').close()\ntime.sleep(0.5)\n"
        "for n in range(9000): os.unlink(f'/work/x{n}')",
    ],
    ids=["bytes", "files", "files for a moment"],
)
def test_what_is_written_is_bounded(probe: Probe, fill: str) -> None:
    result = probe(fill, limits=SandboxLimits(disk_bytes=32 << 20, disk_files=3000))
    assert result.killed_reason == "disk"


@pytest.mark.probe("hostile")
def test_folders_too_deep_to_be_counted_are_no_way_out(sandbox: Sandbox) -> None:
    code = "import os, time\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')\ntime.sleep(20)"
    work = Path(tempfile.mkdtemp(dir="/dev/shm"))  # deleting thousands of folders takes seconds on some disks
    sandbox.hand_over(work)
    result = sandbox.run(
        [str(base_interpreter().executable), "-c", code], mounts=[Mount(work, "/work", writable=True)], timeout=60,
        limits=SandboxLimits(free_disk_bytes=0),
    )  # fmt: skip
    assert result.killed_reason == "disk"
    discard_folder(work)
    assert not work.exists()


@pytest.mark.probe("hostile")
def test_one_file_and_the_memory_disks_are_bounded(probe: Probe) -> None:
    code = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for path, count in [('/work/big', 300), ('/tmp/big', 300), ('/dev/shm/big', 100)]:
    try:
        with open(path, 'wb') as file:
            for _ in range(count): file.write(bytes(1 << 20))
        print('FILLED', path)
    except OSError as error: print(error.errno)
"""
    result = probe(code, limits=SandboxLimits(file_bytes=8 << 20, memory_bytes=1 << 30))
    assert result.output.split() == [str(27)] * 3  # EFBIG, wherever

    result = probe(code, limits=SandboxLimits(file_bytes=1 << 30, disk_bytes=1 << 30, memory_bytes=1 << 30))
    assert result.output.split()[-2:] == ["28", "28"]  # ENOSPC

    result = probe(code, limits=SandboxLimits(file_bytes=1 << 30, disk_bytes=1 << 30, memory_bytes=128 << 20))
    assert result.killed_reason == "memory"  # what lies in /tmp is in it


@pytest.mark.probe("hostile")
def test_double_forked_survivors_are_gone_when_the_command_ends(probe: Probe) -> None:
    mark = f"3{os.getpid()}.25"
    code = f"""
import os, subprocess
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: subprocess.Popen(['sleep', '{mark}'], start_new_session=True)
    os._exit(0)
os.wait()
while not any('{mark}' in open(f'/proc/{{p}}/cmdline').read() for p in os.listdir('/proc') if p.isdigit()): pass
"""
    result = probe(code)
    assert result.exit_code == 0
    assert result.seconds < 15
    assert alive(mark) == []


def test_a_label_and_then_everything_is_killed() -> None:
    sandbox = Sandbox("required", user="nobody")  # one of its own, since it is closed for good
    mark = f"4{os.getpid()}.25"
    killed: set[str] = set()

    def run(label: str) -> None:
        try:
            sandbox.run(["sh", "-c", f"setsid sleep {mark} & sleep {mark}"], cwd="/", timeout=60, label=label)
        except RunKilled:
            killed.add(label)

    threads = {label: threading.Thread(target=run, args=(label,)) for label in ("a", "b", "c")}
    for thread in threads.values():
        thread.start()
    assert eventually(lambda: len(alive(mark)) == 6)
    assert sandbox.kill("a") == 1
    threads["a"].join(10)
    assert killed == {"a"}
    assert len(alive(mark)) == 4
    assert sandbox.close() == 2
    for thread in threads.values():
        thread.join(10)
    assert killed == {"a", "b", "c"}
    assert alive(mark) == []
    assert sandbox.close() == 0
    with pytest.raises(RunKilled):  # nothing begins any more
        sandbox.run(["true"], cwd="/", timeout=60)


@pytest.mark.probe("hostile")
def test_killed_at_once_nothing_is_left_behind(sandbox: Sandbox) -> None:
    mark = f"5{os.getpid()}.25"

    def run() -> None:
        with suppress(RunKilled):
            sandbox.run(["sleep", mark], cwd="/", timeout=60)

    for delay in (0, 0.001, 0.003, 0.006, 0.01, 0.015):
        thread = threading.Thread(target=run)
        thread.start()
        assert eventually(lambda: bool(sandbox._running))
        time.sleep(delay)  # at another moment of the set-up each time
        assert sandbox.kill("") == 1
        thread.join(10)
        assert not thread.is_alive()
    assert alive(mark) == []


@pytest.mark.probe("hostile")
def test_a_daemon_killed_takes_its_sandboxes_with_it() -> None:
    mark = f"6{os.getpid()}.25"
    command = ["sh", "-c", f"setsid sleep {mark} & sleep {mark}"]
    code = f"from testing import Sandbox; Sandbox().run({command}, cwd='/', timeout=60)"
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as daemon:
        assert eventually(lambda: len(alive(mark)) == 2)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    assert eventually(lambda: not alive(mark))


def open_descriptors() -> int:
    gc.collect()  # what earlier tests left to it would be closed between two counts
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_leaked(sandbox: Sandbox) -> None:
    sandbox.run(["true"], cwd="/", timeout=60)
    before = open_descriptors()
    for _ in range(5):
        sandbox.run(["true"], cwd="/", timeout=60)
    assert open_descriptors() == before


def test_a_run_that_may_not_begin_leaks_none_either() -> None:
    sandbox = Sandbox("required", user="nobody")
    sandbox.run(["true"], cwd="/", timeout=60)
    sandbox.close()
    before = open_descriptors()
    with pytest.raises(RunKilled):
        sandbox.run(["true"], cwd="/", timeout=60)
    assert open_descriptors() == before


def test_the_exit_code_is_the_commands_own(sandbox: Sandbox, tmp_path: Path) -> None:
    assert sandbox.run(["sh", "-c", "exit 42"], cwd="/", timeout=60).exit_code == 42
    missing = sandbox.run(["no-such-program"], cwd="/", timeout=60)
    assert missing.exit_code != 0 and "no-such-program" in missing.output
    elsewhere = sandbox.run(
        [str(base_interpreter().executable), "-c", "import os; print(os.getcwd())"],
        mounts=[Mount(tmp_path, "/data")], cwd="/data", timeout=60,
    )  # fmt: skip
    assert elsewhere.output == "/data\n"
