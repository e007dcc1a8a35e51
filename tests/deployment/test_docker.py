"""`docker` against a real engine and a real registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config import DeploymentSettings
from deployment import DeploymentManager
from deployment.errors import CommandFailed, EngineAway, HostKeyRefused, RegistryAway
from memory import MemoryStore
from tests.deployment.engine import TestEngine, an_engine, certificates, commit
from tests.deployment.hosts import Repository, a_host

Make = Callable[..., DeploymentManager]
long = pytest.mark.long


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[TestEngine]:
    with an_engine(tmp_path / "engine", with_nginx=True) as opened:
        yield opened


def stop_nginx(engine: TestEngine) -> None:
    process = engine.processes.pop("nginx")
    process.terminate()
    process.wait(20)


@long
@pytest.mark.parametrize("ports", [1, 2])
def test_what_is_good_goes_live_by_its_digest_and_what_is_not_is_taken_back(
    engine: TestEngine, manager: Make, repository: Repository, store: MemoryStore, ports: int
) -> None:
    if ports == 1:
        stop_nginx(engine)
    deployer = manager(staging=engine.settings() if ports == 1 else engine.two_ports())
    commit(repository, "crash")
    assert not deployer.deploy("staging")
    assert store.deployments.history()[0].status == "failed" and not engine.docker("ps", "--all", "--quiet")
    first = commit(repository)
    assert deployer.deploy("staging"), store.deployments.history()[0].detail
    image = store.deployments.history()[0].artifact["image"]
    assert image.startswith(f"127.0.0.1:{engine.registry_port}/shop@sha256:")
    for odd, said in (("sick", "database is away"), ("crash", "a module is missing" if ports == 2 else "")):
        commit(repository, odd)
        assert not deployer.deploy("staging")
        row = store.deployments.history()[0]
        assert row.status == "rolled_back" and said in row.detail and f"{first[:12]} is live again" in row.detail
        assert engine.docker("ps", "--all", "--format", "{{.Names}}") == "shop-2"
    second = commit(repository)
    assert deployer.deploy("staging") and deployer.check_status("staging").commit == second
    assert "serving" in deployer.logs("staging", 10)
    engine.stop_registry()  # the way back needs none
    assert deployer.rollback("staging")
    status = deployer.check_status("staging")
    assert status.healthy and status.commit == first
    assert engine.docker("inspect", "--format", "{{.Config.Image}}", "shop-6") == image
    commit(repository)
    with pytest.raises(RegistryAway, match="connection refused"):
        deployer.deploy("staging")
    assert deployer.check_status("staging") == status, "nothing was changed"


@long
def test_an_engine_behind_ssh_is_reached_with_a_known_host_key_only(
    engine: TestEngine, manager: Make, repository: Repository, tmp_path: Path
) -> None:
    stop_nginx(engine)
    commit(repository)
    with a_host(tmp_path / "host") as host:
        settings = engine.settings(
            engine=f"ssh://127.0.0.1:{host.ssh_port}",
            engine_socket=str(engine.socket),
            identity_file=str(host.folder / "id"),
            known_hosts=str(host.known_hosts),
        )
        known = host.known_hosts.read_text()
        host.known_hosts.write_text("")
        with pytest.raises(HostKeyRefused, match="is not known"):
            manager(staging=settings).deploy("staging")
        host.known_hosts.write_text(known)
        deployer = manager(staging=settings)
        assert deployer.deploy("staging")
        assert deployer.check_status("staging").healthy
        deployer.close()


@long
def test_an_engine_at_a_port_is_reached_by_those_with_a_certificate_only(
    manager: Make, repository: Repository, tmp_path: Path
) -> None:
    with an_engine(tmp_path / "engine", with_tls=True) as engine:
        first = commit(repository)

        def settings(tls: Path, name: str = "client") -> dict[str, Any]:
            files = {"tls_ca": tls / "ca.pem", "tls_cert": tls / f"{name}.pem", "tls_key": tls / f"{name}-key.pem"}
            given = {key: str(file) for key, file in files.items()}
            return engine.settings(engine=f"tcp://127.0.0.1:{engine.tls_port}", **given)

        ours, others = engine.folder / "tls", tmp_path / "others"
        certificates(others)
        for name in ("client.pem", "client-key.pem"):
            (ours / f"other-{name}").write_bytes((others / name).read_bytes())
        for tls, name in ((others, "client"), (ours, "other-client")):  # we do not trust it, and it does not trust us
            with pytest.raises(EngineAway, match="certificate"):
                manager(staging=settings(tls, name)).deploy("staging")
        deployer = manager(staging=settings(ours))
        assert deployer.deploy("staging")
        assert deployer.check_status("staging").commit == first
        commit(repository, "sick")
        assert not deployer.deploy("staging") and deployer.check_status("staging").commit == first
        assert "serving" in deployer.logs("staging", 10)


@long
def test_what_cannot_be_built_and_an_engine_that_is_away_change_nothing(
    engine: TestEngine, manager: Make, repository: Repository, tmp_path: Path
) -> None:
    stop_nginx(engine)
    deployer = manager(staging=engine.settings())
    repository.commit(Dockerfile="FROM base\nRUN exit 7\n")
    with pytest.raises(CommandFailed, match="the build"):
        deployer.deploy("staging")
    with pytest.raises(EngineAway, match=r"nowhere\.sock"):
        manager(staging=engine.settings(engine=f"unix://{tmp_path}/nowhere.sock")).deploy("staging")


DOCKER: dict[str, Any] = {
    "target": "docker", "image": "registry.example/shop", "container": "shop", "ports": [8000],
    "health": {"url": "http://shop.example"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"engine": "tcp://shop.example:2376"}, "who reaches it owns its machine"),
        ({"engine": "http://shop.example"}, "pattern"),
        ({"ports": [1, 2]}, "two ports need `route`"),
        ({"ports": [1, 1], "route": "true"}, "two different ports"),
        ({"health": {}}, "health.url is needed"),
        ({"registry_user": "me"}, "come together"),
        ({"image": "shop:latest; rm"}, "pattern"),
        ({"dockerfile": "../Dockerfile"}, "no path inside"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        DeploymentSettings.model_validate({"environments": {"staging": DOCKER | changes}})
