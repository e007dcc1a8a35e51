"""A disk without room is shown to whoever looks, and which one: the work waits for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from config import ProjectPaths, Settings
from owner.disk import full_folders
from tests.cli.commands import entry, look
from tests.orchestrator.conftest import MakeHouse, make_house
from tests.orchestrator.scripts import team

__all__ = ["make_house"]

FULL = "/proc"
"""A file system without a free block, on every Linux."""


def test_a_full_folder_of_temporary_files_stands_in_the_status_and_at_the_doctor(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = make_house(team())
    house.submit()
    assert "full " not in look(house, "status").stdout and entry(house, "status")["full"] == []
    monkeypatch.setenv("TMPDIR", FULL)
    shown = look(house, "status").stdout
    assert f"full        {FULL} (temporary files) has 0.0 MB left: work waits; free some" in shown and "TMPDIR" in shown
    (told,) = cast("list[dict[str, str]]", entry(house, "status")["full"])
    assert (told["folder"], told["what"]) == (FULL, "temporary files")
    [check] = [each for each in json.loads(look(house, "doctor", "--json").stdout) if each["name"] == "disk"]
    assert check["state"] == "missing" and check["detail"].startswith(f"{FULL} (temporary files) has 0.0 MB left")
    assert "TMPDIR" in check["remedy"]


def test_the_folder_is_that_of_the_daemon_and_not_of_who_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    paths = ProjectPaths.of(Settings(), tmp_path)
    waits = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(
        waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": FULL}
    ) as daemon:
        assert daemon.stdout and daemon.stdout.readline()
        assert [each.folder for each in full_folders(paths, daemon.pid)] == [FULL]
        assert full_folders(paths, None) == []
        daemon.communicate(b"\n")


@pytest.mark.parametrize(
    ("name", "setting"),
    [("workspace", "file_system.workspace_path"), ("data", "file_system.data_path"), ("logs", "monitoring.logs_path")],
)
def test_each_folder_has_its_own_remedy(name: str, setting: str, tmp_path: Path) -> None:
    section, _, key = setting.partition(".")
    settings = Settings.model_validate({section: {key: f"{FULL}/not/there"}})
    found = {each.what: each.remedy for each in full_folders(ProjectPaths.of(settings, tmp_path), None)}
    assert setting in found[name] and (name == "logs" or "logs" not in found)
