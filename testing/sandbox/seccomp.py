"""The system calls that sandboxed code may not make, assembled to a classic BPF program for `bwrap --seccomp`.

libseccomp is not assumed: slim images and user installs lack it, and the program needed is a flat table.
Numbers are those of the kernel's `unistd_64.h` (x86_64) and `asm-generic/unistd.h` (aarch64); calls added since
Linux 5.1 have one number on both. What is denied and why: the notes beside each group.
"""

from __future__ import annotations

import errno
import platform
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000

_LOAD, _JUMP_EQ, _JUMP_GE, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGUMENTS = 0, 4, 16

# Namespaces: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. unshare() also knows NEWTIME (0x80),
# which in clone() is part of the exit signal.
_CLONE_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_UNSHARE_NAMESPACES = _CLONE_NAMESPACES | 0x80

# Calls newer than this table (462 is mseal, Linux 6.10) do not exist for the sandbox: libc falls back. The x32 ABI
# of x86_64 (the same calls from 0x40000000 on) goes with them.
_FIRST_UNKNOWN = 463


@dataclass(frozen=True)
class Architecture:
    """What differs between processors: the audit number and the call numbers."""

    audit: int
    denied: dict[str, int]
    absent: dict[str, int]
    clone: int
    unshare: int
    ioctl: int
    socket: int
    socketpair: int
    setsockopt: int


_DENIED_EVERYWHERE = {  # one number on every architecture
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433,
    "pidfd_getfd": 438, "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443,
    "statmount": 457, "listmount": 458,
}  # fmt: skip
_ABSENT_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427,
    "clone3": 435,  # its flags lie in memory a filter cannot read; libc then falls back to clone
    "memfd_secret": 447,
}  # fmt: skip

_X86_64 = Architecture(
    audit=0xC000003E,
    denied={
        # another root or other mounts
        "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "open_by_handle_at": 304,
        "sethostname": 170, "setdomainname": 171, "fanotify_init": 300,
        # other processes' memory and descriptors
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312,
        # the kernel's own large attack surfaces, and keys kept outside any namespace
        "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248, "request_key": 249,
        # attributes of files in memory are memory that no size bounds
        "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
        # the machine itself
        "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
        "create_module": 174, "get_kernel_syms": 177, "query_module": 178, "acct": 163, "swapon": 167, "swapoff": 168,
        "reboot": 169, "quotactl": 179, "nfsservctl": 180, "syslog": 103, "settimeofday": 164, "clock_settime": 227,
        "clock_adjtime": 305, "adjtimex": 159, "vhangup": 153, "lookup_dcookie": 212, "_sysctl": 156, "sysfs": 139,
        "ustat": 136, "uselib": 134, "iopl": 172, "ioperm": 173, "modify_ldt": 154,
        **_DENIED_EVERYWHERE,
    },
    # memfd, System V segments and queues hold memory that neither rlimits nor the resident-set watchdog see
    absent={"memfd_create": 319, "shmget": 29, "msgget": 68, **_ABSENT_EVERYWHERE},
    clone=56, unshare=272, ioctl=16, socket=41, socketpair=53, setsockopt=54,
)  # fmt: skip

_AARCH64 = Architecture(
    audit=0xC00000B7,
    denied={
        "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "open_by_handle_at": 265,
        "sethostname": 161, "setdomainname": 162, "fanotify_init": 262,
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272,
        "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "keyctl": 219, "add_key": 217, "request_key": 218,
        "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7,
        "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273, "delete_module": 106,
        "acct": 89, "swapon": 224, "swapoff": 225, "reboot": 142, "quotactl": 60, "nfsservctl": 42, "syslog": 116,
        "settimeofday": 170, "clock_settime": 112, "clock_adjtime": 266, "adjtimex": 171, "vhangup": 58,
        "lookup_dcookie": 18,
        **_DENIED_EVERYWHERE,
    },
    absent={"memfd_create": 279, "shmget": 194, "msgget": 186, **_ABSENT_EVERYWHERE},
    clone=220, unshare=97, ioctl=29, socket=198, socketpair=199, setsockopt=208,
)  # fmt: skip

ARCHITECTURES = {"x86_64": _X86_64, "aarch64": _AARCH64, "arm64": _AARCH64}

# vsock reaches the hypervisor whatever the network namespace says; netlink is what lists the interfaces.
_SOCKET_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
# SO_SNDBUF, SO_RCVBUF and their forced kinds: done, says the kernel, and leaves the size as it is. What is in buffers
# is memory that is only counted by their usual size.
_BUFFER_SIZES = (7, 8, 32, 33)
_TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX


def filter_program(machine: str | None = None) -> bytes | None:
    """The program for `machine` (as `platform.machine()` names it), or None where no table is kept for it."""
    architecture = ARCHITECTURES.get(machine or platform.machine())
    return _assemble(architecture) if architecture else None


Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant


def _assemble(arch: Architecture) -> bytes:
    program: list[Instruction] = [
        (_LOAD, 0, 0, _OFFSET_ARCH),
        (_JUMP_EQ, 1, 0, arch.audit),
        _answer(_KILL),
        (_LOAD, 0, 0, _OFFSET_NUMBER),
        (_JUMP_GE, 0, 1, _FIRST_UNKNOWN),
        _refuse(errno.ENOSYS),
    ]
    for number in arch.denied.values():
        program += _when_call(number, [_refuse(errno.EPERM)])
    for number in arch.absent.values():
        program += _when_call(number, [_refuse(errno.ENOSYS)])
    program += _when_call(arch.clone, _refuse_flags(0, _CLONE_NAMESPACES))
    program += _when_call(arch.unshare, _refuse_flags(0, _UNSHARE_NAMESPACES))
    program += _when_call(arch.ioctl, _refuse_values(1, _TERMINAL_INJECTION, errno.EPERM))
    program += _when_call(arch.setsockopt, _refuse_values(2, _BUFFER_SIZES, 0))
    for number in (arch.socket, arch.socketpair):
        program += _when_call(number, _allow_values(0, _SOCKET_FAMILIES, errno.EAFNOSUPPORT))
    program.append(_answer(_ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _answer(action: int) -> Instruction:
    return (_RETURN, 0, 0, action)


def _refuse(number: int) -> Instruction:
    return _answer(_ERRNO | number)


def _when_call(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then` runs only for this call; it must end in a return, as it may have loaded an argument over the number."""
    return [(_JUMP_EQ, 0, len(then), number), *then]


def _argument(index: int) -> Instruction:
    return (_LOAD, 0, 0, _OFFSET_ARGUMENTS + 8 * index)  # the low half: both processors are little-endian


def _refuse_flags(index: int, mask: int) -> list[Instruction]:
    return [_argument(index), (_JUMP_SET, 0, 1, mask), _refuse(errno.EPERM), _answer(_ALLOW)]


def _refuse_values(index: int, values: Iterable[int], error: int) -> list[Instruction]:
    tests = [step for value in values for step in ((_JUMP_EQ, 0, 1, value), _refuse(error))]
    return [_argument(index), *tests, _answer(_ALLOW)]


def _allow_values(index: int, values: Iterable[int], error: int) -> list[Instruction]:
    tests = [step for value in values for step in ((_JUMP_EQ, 0, 1, int(value)), _answer(_ALLOW))]
    return [_argument(index), *tests, _refuse(error)]
