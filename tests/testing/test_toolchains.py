"""Which toolchains are found, and npm's settings without its secrets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from testing import EnvironmentSetupError, Sandbox, find_toolchain
from testing.environments.index_settings import npm_settings
from testing.environments.toolchains import require_toolchain


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    require_toolchain.cache_clear()
    yield
    require_toolchain.cache_clear()


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_of_a_node_in_a_home_folder_only_node_and_npm_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox
) -> None:
    home = tmp_path / "home"  # as with N_PREFIX=$HOME
    program(home / "bin" / "node", f'[ "$1" = -p ] && echo {home}/bin/node || echo v20.0.0')
    npm = home / "lib" / "node_modules" / "npm"
    for name in ("npm", "npx"):
        program(npm / "bin" / f"{name}-cli.js", f"cat $(dirname $(realpath $0))/../package.json; echo {name}")
        program(npm / "bin" / name, "echo of Windows")
        (home / "bin" / name).symlink_to(npm / "bin" / f"{name}-cli.js")
    (npm / "package.json").write_text("npm's own\n")
    (home / ".netrc").write_text("secret")
    program(home / "bin" / "deploy", "echo secret")
    monkeypatch.setenv("PATH", f"{home}/bin:/usr/bin:/bin")
    found = require_toolchain("node")
    assert found.version == "v20.0.0"
    script = f"node --version; npm; npx; cat {home}/.netrc; deploy; ls -A {home}; ls {home}/bin"
    path = {"PATH": f"{found.path}:/usr/bin:/bin"}
    seen = sandbox.run(["sh", "-c", script], mounts=found.mounts, env=path, cwd="/", timeout=60).output
    assert "v20.0.0\nnpm's own\nnpm\nnpm's own\nnpx\n" in seen
    assert "secret" not in seen and seen.endswith("bin\nlib\nnode\n")


def test_a_toolchain_that_was_missing_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/nowhere")
    assert find_toolchain("node") is None
    with pytest.raises(EnvironmentSetupError, match="apt-get install nodejs npm"):
        require_toolchain("node")
    program(tmp_path / "bin" / "node", "echo v20.0.0")
    assert find_toolchain("node") is not None


def test_no_file_of_a_repository_chooses_the_toolchain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin" / "rustc", "cat ./rust-toolchain.toml 2>/dev/null || echo rustc 1.90.0")
    program(tmp_path / "bin" / "go", "cat ./go.mod 2>/dev/null || echo go1.24 ${GOTOOLCHAIN:-auto}")
    for name in ("rust-toolchain.toml", "go.mod"):
        (tmp_path / name).write_text("chosen by the repository\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    assert require_toolchain("rust").version == "rustc 1.90.0"
    assert require_toolchain("go").version == "go1.24 local"


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
