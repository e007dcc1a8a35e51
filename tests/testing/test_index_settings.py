from __future__ import annotations

from pathlib import Path

from testing.environments.index_settings import index_settings


def test_pip_settings_are_told_to_pip_and_uv(tmp_path: Path) -> None:
    machine, user = tmp_path / "machine.conf", tmp_path / "user.conf"
    machine.write_text("[global]\nindex-url = https://old.example/simple\ntimeout = 7\nno-index = true\n")
    user.write_text(
        "[global]\nindex-url = https://pypi.example/simple\n[install]\ntrusted-host = a.example b.example\n"
    )
    found = index_settings({"PIP_TIMEOUT": "99", "SECRET": "x"}, [machine, user])
    assert found.env == {
        "PIP_INDEX_URL": "https://pypi.example/simple",
        "UV_DEFAULT_INDEX": "https://pypi.example/simple",
        "PIP_TRUSTED_HOST": "a.example b.example",
        "UV_INSECURE_HOST": "a.example b.example",
        "PIP_TIMEOUT": "99",
        "UV_HTTP_TIMEOUT": "99",
        "PIP_NO_INDEX": "1",
    }
    assert found.uv_arguments == ["--no-index"]
    assert found.withheld == [] and found.mounts == []


def test_credentials_are_withheld_and_named() -> None:
    environ = {
        "PIP_INDEX_URL": "https://user:token@pypi.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://one.example/simple https://__token__@two.example/simple",
        "HTTPS_PROXY": "http://me:pw@proxy:3128",
        "NO_PROXY": "localhost",
    }
    found = index_settings(environ, [])
    assert sorted(found.withheld) == ["HTTPS_PROXY", "extra-index-url", "index-url"]
    assert found.env == {
        "PIP_EXTRA_INDEX_URL": "https://one.example/simple",
        "UV_INDEX": "https://one.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "NO_PROXY": "localhost",
    }


def test_local_folders_and_certificates_are_mounted(tmp_path: Path) -> None:
    wheels, index, certificate = tmp_path / "wheels", tmp_path / "pypi/simple", tmp_path / "ca.pem"
    (index / "idna").mkdir(parents=True)
    (tmp_path / "pypi/files").mkdir()
    (tmp_path / "pypi/files/idna-1.whl").touch()
    (tmp_path / "secret").touch()
    (index / "idna/index.html").write_text(
        '<a href="../../files/idna-1.whl#sha256=0">x</a> <a href="../../../secret">y</a> <a href="https://e/z">z</a>'
    )
    wheels.mkdir()
    certificate.touch()
    environ = {
        "PIP_FIND_LINKS": f"{wheels} {tmp_path}/gone",
        "PIP_EXTRA_INDEX_URL": index.as_uri(),
        "PIP_CERT": str(certificate),
        "REQUESTS_CA_BUNDLE": "/usr/share/ca.pem",
    }
    found = index_settings(environ, [])
    assert {mount.source for mount in found.mounts} == {wheels, index, tmp_path / "pypi/files", certificate}
    assert not any(mount.writable for mount in found.mounts)
    assert found.env["UV_FIND_LINKS"] == str(wheels)
    assert found.env["SSL_CERT_FILE"] == str(certificate)
