"""Which toolchains are found, and npm's settings without its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from testing import EnvironmentSetupError, find_toolchain
from testing.javascript.npm_settings import npm_settings
from testing.toolchains import require_toolchain


def test_a_toolchain_in_a_home_folder_is_shown_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "node"
    program.write_text("#!/bin/sh\necho v20.0.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    find_toolchain.cache_clear()
    try:
        found = require_toolchain("node")
        assert (found.version, found.path) == ("v20.0.0", f"{tmp_path}/bin")
        assert [mount.target for mount in found.mounts] == [str(tmp_path)]
        monkeypatch.setenv("PATH", str(tmp_path))
        find_toolchain.cache_clear()
        assert find_toolchain("node") is None
        with pytest.raises(EnvironmentSetupError, match="apt-get install nodejs npm"):
            require_toolchain("node")
    finally:
        find_toolchain.cache_clear()


def test_npm_settings_are_told_without_secrets(tmp_path: Path) -> None:
    certificates = tmp_path / "own.pem"
    certificates.write_text("")
    (tmp_path / ".npmrc").write_text(
        f"registry=https://npm.example.org/\n//npm.example.org/:_authToken=t0ken\n@own:registry = https://u:p@x.org/\n"
        f"; comment\ncafile={certificates}\nproxy=${{SECRET}}\n"
    )
    found = npm_settings({"HOME": str(tmp_path), "npm_config_registry": "https://other.example.org/", "NPM_TOKEN": "t"})
    assert found.env == {
        "npm_config_registry": "https://other.example.org/",
        "npm_config_cafile": str(certificates),
    }
    assert [mount.source for mount in found.mounts] == [certificates]
