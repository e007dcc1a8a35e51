"""The filter's program, interpreted as the kernel would, for both processors."""

from __future__ import annotations

import errno
import struct

import pytest

from testing.sandbox.seccomp import ARCHITECTURES, filter_program

ALLOW, KILL = 0x7FFF0000, 0x80000000
X86_64, AARCH64 = 0xC000003E, 0xC00000B7
NEW_USER = 0x10000000


def decide(program: bytes, arch: int, number: int, *arguments: int) -> int:
    """A classic-BPF machine over `struct seccomp_data`; gives the action."""
    filled = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    data = struct.pack("<IIQ6Q", number, arch, 0, *filled)
    steps = list(struct.iter_unpack("<HBBI", program))
    position = accumulator = 0
    while True:
        code, if_true, if_false, value = steps[position]
        position += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x06:
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            position += if_true if holds else if_false


def refusal(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_every_listed_call_is_refused_and_others_pass(machine: str, arch: int) -> None:
    table = ARCHITECTURES[machine]
    program = filter_program(machine)
    assert program is not None
    assert {decide(program, arch, number) for number in table.denied.values()} == {refusal(errno.EPERM)}
    assert {decide(program, arch, number) for number in table.absent.values()} == {refusal(errno.ENOSYS)}
    special = {table.clone, table.unshare, table.ioctl, table.socket, table.socketpair}
    assert not special & {*table.denied.values(), *table.absent.values()}
    others = set(range(463)) - special - {*table.denied.values(), *table.absent.values()}
    assert {decide(program, arch, number) for number in others} == {ALLOW}
    assert decide(program, arch, 463) == decide(program, arch, 0x40000000) == refusal(errno.ENOSYS)


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_arguments_decide_where_a_call_is_needed(machine: str, arch: int) -> None:
    table = ARCHITECTURES[machine]
    program = filter_program(machine)
    assert program is not None
    thread = 0x003D0F00  # what libc passes for a new thread
    assert decide(program, arch, table.clone, thread) == decide(program, arch, table.clone, 17) == ALLOW
    assert decide(program, arch, table.clone, NEW_USER | 17) == refusal(errno.EPERM)
    assert decide(program, arch, table.unshare, 0x400) == ALLOW  # CLONE_FILES
    assert decide(program, arch, table.unshare, 0x80) == refusal(errno.EPERM)  # CLONE_NEWTIME
    assert decide(program, arch, table.ioctl, 0, 0x5401) == ALLOW
    assert decide(program, arch, table.ioctl, 0, 0xFFFFFFFF00005412) == refusal(
        errno.EPERM
    )  # the kernel cuts to 32 bits
    assert [decide(program, arch, table.socket, family) for family in (1, 2, 10, 16)] == [ALLOW] * 4
    assert decide(program, arch, table.socket, 40) == refusal(errno.EAFNOSUPPORT)
    assert decide(program, arch, table.socketpair, 1) == ALLOW


def test_a_foreign_processors_calls_kill() -> None:
    program = filter_program("x86_64")
    assert program is not None
    assert decide(program, 0x40000003, 1) == KILL  # i386


def test_a_processor_without_a_table_has_no_program() -> None:
    assert filter_program("riscv64") is None
