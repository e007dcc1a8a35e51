"""What the kernel holds of a run's limits, where it lets us make control groups."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from testing import Sandbox, SandboxLimits
from testing.sandbox.control_group import ControlGroup, Place, control_group, group_places, remove_old_groups

MIB = 1 << 20
needs_groups = pytest.mark.skipif(
    not group_places(), reason="NO CONTROL GROUP CAN BE MADE HERE: the kernel's own limits of a run were not tested"
)
BOMB = """
import os, time
made = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(30)
        made += 1
except BlockingIOError:
    print(made, flush=True)
    time.sleep(30)
"""


@needs_groups
@pytest.mark.parametrize(("size", "is_ended"), [(200, True), (20, False)])
def test_the_kernel_ends_what_takes_more_memory_without_a_look_from_outside(size: int, is_ended: bool) -> None:
    group = control_group(SandboxLimits(memory_bytes=100 * MIB))
    assert group is not None
    code = f"held = bytearray(b'x') * ({size} << 20)"
    ended = subprocess.run(group.entered(["python3", "-c", code]), stderr=subprocess.DEVNULL)
    assert (ended.returncode, group.is_out_of_memory) == (-9 if is_ended else 0, is_ended)
    group.remove()


@needs_groups
def test_no_more_processes_than_the_limit_and_a_few_are_there_for_a_moment() -> None:
    result = Sandbox(limits=SandboxLimits(processes=40)).run(["python3", "-c", BOMB], cwd="/", timeout=60)
    assert result.killed_reason == "processes"
    assert 35 < int(result.output) < 60


@needs_groups
def test_a_group_is_gone_with_its_run_and_those_of_dead_daemons_with_the_next_start() -> None:
    group = control_group(SandboxLimits())
    assert group is not None
    folders = [folder for _, folder in group._folders]
    started = subprocess.Popen(group.entered(["sleep", "60"]))
    try:
        assert all(folder.is_dir() for folder in folders)
    finally:
        started.kill()
        started.wait()
    group.remove()
    assert not any(folder.exists() for folder in folders)

    gone = subprocess.Popen(["true"])
    gone.wait()
    left = [place.folder / f"ai-agents-run-{gone.pid}-1" for place in group_places()]
    mine = [place.folder / f"ai-agents-run-{os.getpid()}-x" for place in group_places()]
    for folder in (*left, *mine):
        folder.mkdir(exist_ok=True)
    remove_old_groups()
    assert not any(folder.exists() for folder in left)
    assert all(folder.exists() for folder in mine)
    ControlGroup(list(zip(group_places(), mine, strict=True))).remove()


def lay(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_where_groups_can_be_made_is_read_from_both_versions(tmp_path: Path) -> None:
    me = tmp_path / "me"
    me.write_text("9:name=systemd:/\n5:pids:/a\n4:memory:/b/c\n0::/\n")
    first = lay(
        tmp_path / "1", {"memory/b/c/cgroup.procs": "", "pids/a/cgroup.procs": "", "unified/cgroup.controllers": ""}
    )
    assert group_places(first, me) == [Place("memory", first / "memory/b/c", 1), Place("pids", first / "pids/a", 1)]

    me.write_text("0::/system.slice/ours.service\n")
    ours = "system.slice/ours.service/"
    controllers = {"cgroup.controllers": "cpu memory pids\n", f"{ours}cgroup.controllers": "memory pids\n"}
    closed = lay(tmp_path / "2", {**controllers, f"{ours}cgroup.subtree_control": "", f"{ours}cgroup.procs": "1\n"})
    assert group_places(closed, me) == [], "it is systemd's, and was not left to us"
    assert not (closed / ours / "ai-agents-daemon").exists()

    enabled = lay(
        tmp_path / "3", {**controllers, f"{ours}cgroup.subtree_control": "memory pids\n", f"{ours}cgroup.procs": ""}
    )
    me.write_text("0::/system.slice/ours.service/ai-agents-daemon\n")
    place = enabled / ours
    assert group_places(enabled, me) == [Place("memory", place, 2), Place("pids", place, 2)]
    me.write_text("")
    assert group_places(enabled, me) == []


def test_a_container_hands_its_controllers_on_and_its_processes_make_room(tmp_path: Path) -> None:
    me = tmp_path / "me"
    me.write_text("0::/\n")
    root = lay(
        tmp_path / "root",
        {
            "cgroup.controllers": "memory pids\n",
            "cgroup.subtree_control": "",
            "cgroup.procs": "7\n",
            "cgroup.type": "domain\n",
        },
    )
    assert {place.controller for place in group_places(root, me)} == {"memory", "pids"}
    assert (root / "cgroup.subtree_control").read_text() == "+memory +pids"
    assert (root / "ai-agents-daemon/cgroup.procs").read_text() == "7"
