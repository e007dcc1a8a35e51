"""Run as a program: take on the container's system call filter, drop root, launch the sandbox, report as JSON.

`docker` needs a daemon and an image; libseccomp turns the same profile into the same filter without either.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EQUAL = 4  # SCMP_CMP_EQ
_ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
_NOBODY = 65534


class Argument(TypedDict):
    index: int
    value: int
    op: str


class Rule(TypedDict, total=False):
    names: list[str]
    action: str
    errnoRet: int
    args: list[Argument]
    includes: dict[str, list[str]]


class Profile(TypedDict):
    defaultAction: str
    defaultErrnoRet: int
    syscalls: list[Rule]


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp` of seccomp.h."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    ]


def library() -> ctypes.CDLL:
    """libseccomp, which Debian's apt itself needs. Raises OSError where it is missing."""
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_init.argtypes = [ctypes.c_uint32]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
    seccomp.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    seccomp.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison),
    ]  # fmt: skip
    return seccomp


def take_on(seccomp: ctypes.CDLL, profile: Profile) -> None:
    """Confine this process, as the container runtime does, to what the profile allows on this machine."""
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    default = _ERRNO | profile["defaultErrnoRet"]
    context = seccomp.seccomp_init(default)
    arch = _ARCHES[platform.machine()]
    for rule in profile["syscalls"]:
        if arch not in rule.get("includes", {}).get("arches", [arch]):
            continue
        action = _ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else _ERRNO | rule["errnoRet"]
        arguments = rule.get("args", [])
        assert all(argument["op"] == "SCMP_CMP_EQ" for argument in arguments)
        compared = (Comparison * len(arguments))(*(Comparison(a["index"], _EQUAL, a["value"], 0) for a in arguments))
        for name in rule["names"]:
            number = seccomp.seccomp_syscall_resolve_name(name.encode())
            if number < 0:
                continue  # not known here; the runtime leaves such names out too
            failed = seccomp.seccomp_rule_add_array(context, action, number, len(arguments), compared)
            assert not failed, f"{name}: {os.strerror(-failed)}"
    failed = seccomp.seccomp_load(context)
    assert not failed, os.strerror(-failed)


def launch_sandbox() -> subprocess.CompletedProcess[str]:
    """bubblewrap with every kind of namespace and mount that the product's sandbox asks of it, around `uname -n`."""
    beside_python = Path(sys.executable).parent
    bwrap = shutil.which("bwrap", path=f"{os.environ['PATH']}:{beside_python}")
    assert bwrap, "bubblewrap is not installed"
    namespaces = "--unshare-user --unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --unshare-net"
    walls = "--disable-userns --die-with-parent --new-session --cap-drop ALL --uid 1000 --gid 1000 --hostname sandbox"
    folders = "--ro-bind / / --proc /proc --dev /dev --size 1048576 --tmpfs /tmp --remount-ro /"
    command = [bwrap, *f"{namespaces} {walls} {folders}".split(), "uname", "-n"]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120)


def outcome_of(seccomp: ctypes.CDLL, name: str) -> str:
    """How a system call without arguments ends: "EPERM", "ENOSYS", … or "allowed"."""
    number = seccomp.seccomp_syscall_resolve_name(name.encode())
    libc = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    if libc.syscall(number, 0, 0, 0, 0, 0, 0) >= 0:
        return "allowed"
    return errno.errorcode[ctypes.get_errno()]


def main(profile: Path, calls: list[str]) -> None:
    seccomp = library()
    take_on(seccomp, json.loads(profile.read_text(encoding="utf-8")))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    ran = launch_sandbox()
    print(json.dumps({
        "exit_code": ran.returncode,
        "output": ran.stdout + ran.stderr,
        "calls": {name: outcome_of(seccomp, name) for name in calls},
    }))  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
