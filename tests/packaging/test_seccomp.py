"""bwrap-seccomp.json: lets the sandbox start in a container, and forbids what Docker forbids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.under_profile import Profile, library

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "bwrap-seccomp.json"

FOR_BUBBLEWRAP = {"clone", "mount", "pivot_root", "sethostname", "umount2", "unshare"}

# What Docker allows only to containers with a capability, which ours has none of, and calls that read other processes.
FORBIDDEN = [
    "acct", "add_key", "bpf", "chroot", "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount",
    "fsopen", "init_module", "io_uring_setup", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie",
    "mount_setattr", "move_mount", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
    "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot", "request_key", "setdomainname",
    "setns", "settimeofday", "swapoff", "swapon", "syslog", "userfaultfd", "vhangup",
]  # fmt: skip


@pytest.fixture(scope="module")
def profile() -> Profile:
    loaded: Profile = json.loads(PROFILE.read_text(encoding="utf-8"))
    return loaded


def test_what_is_not_allowed_is_refused(profile: Profile) -> None:
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in profile["syscalls"] for name in rule["names"] if rule["action"] == "SCMP_ACT_ALLOW"}
    assert allowed >= FOR_BUBBLEWRAP
    assert not allowed & set(FORBIDDEN)
    assert "clone3" not in allowed


def test_no_name_stands_twice(profile: Profile) -> None:
    names = [name for rule in profile["syscalls"] if not rule.get("args") for name in rule["names"]]
    assert len(names) == len(set(names))


def test_only_four_kinds_of_sockets(profile: Profile) -> None:
    kinds = [rule["args"] for rule in profile["syscalls"] if rule["names"] == ["socket"]]
    assert [(only["index"], only["value"], only["op"]) for (only,) in kinds] == [
        (0, family, "SCMP_CMP_EQ") for family in (1, 2, 10, 16)
    ]


def test_the_sandbox_starts_under_it_and_the_kernel_refuses_the_rest() -> None:
    try:
        library()
    except OSError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("libseccomp.so.2 is not installed: apt-get install libseccomp2")
    run = subprocess.run(
        [sys.executable, "-m", "tests.packaging.under_profile", str(PROFILE), *FORBIDDEN, "clone3"],
        cwd=ROOT, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert (report["exit_code"], report["output"]) == (0, "sandbox\n")
    assert report["calls"].pop("clone3") == "ENOSYS"
    assert set(report["calls"].values()) == {"EPERM"}
