"""`direct` against a real sshd: releases, switches, ways back, and everything that can be in the way."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from config import DeploymentSettings
from deployment import DeploymentError, DeploymentManager, EnvironmentBusy, NothingBefore, NotPromoted
from deployment.errors import AccessDenied, CommandFailed, HostAway, HostDiskFull, HostKeyRefused
from memory import MemoryStore
from tests.deployment.hosts import Repository, TestHost, free_port, run

Make = Callable[..., DeploymentManager]
KINDS = (pytest.param("restart", marks=pytest.mark.long), "blue_green")


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> tuple[TestHost, dict[str, Any]]:
    """A host, and an environment on it for each of the two ways to switch."""
    if request.param == "restart":
        host: TestHost = request.getfixturevalue("host")
        return host, host.settings()
    host = request.getfixturevalue("nginx_host")
    return host, host.blue_green()


def statuses(store: MemoryStore) -> list[tuple[str, str]]:
    return [(row.kind, row.status) for row in reversed(store.deployments.history())]


def test_what_is_good_goes_live_and_what_is_not_is_taken_back(
    place: tuple[TestHost, dict[str, Any]], manager: Make, repository: Repository, store: MemoryStore
) -> None:
    host, settings = place
    deployer = manager(staging=settings)
    first = repository.commit()
    assert deployer.deploy("staging")
    for odd, said in (("sick", "database is away"), ("crash", "")):
        repository.commit(odd)
        assert not deployer.deploy("staging")
        row = store.deployments.history()[0]
        assert row.status == "rolled_back" and said in row.detail and f"{first[:12]} is live again" in row.detail
        assert f"{row.artifact['release']}.failed" in host.listed()
        assert host.live().endswith(first[:12]) and deployer.check_status("staging").healthy
    second = repository.commit()
    assert deployer.deploy("staging") and deployer.check_status("staging").commit == second
    assert deployer.rollback("staging") and deployer.check_status("staging").commit == first
    with pytest.raises(NothingBefore):
        deployer.rollback("staging")
    assert statuses(store) == [
        ("deploy", "replaced"), ("deploy", "rolled_back"), ("deploy", "rolled_back"), ("deploy", "replaced"),
        ("rollback", "live"),
    ]  # fmt: skip
    assert "serving" in deployer.logs("staging", 50)
    assert not (host.releases / "deploy.lease").exists(), "nobody holds the host any more"


def test_a_first_deployment_that_fails_is_a_failure_with_nothing_to_return_to(
    place: tuple[TestHost, dict[str, Any]], manager: Make, repository: Repository, store: MemoryStore
) -> None:
    host, settings = place
    deployer = manager(staging=settings)
    repository.commit("crash" if settings["restart"] else "sick")
    assert not deployer.deploy("staging")
    assert statuses(store) == [("deploy", "failed")]
    assert host.live() == "" and deployer.check_status("staging").commit == ""
    repository.commit()
    assert deployer.deploy("staging"), "the next one finds the place free"


def test_an_answer_of_another_version_is_not_healthy(
    host: TestHost, manager: Make, repository: Repository, store: MemoryStore
) -> None:
    """The service is up and says 200, but it is the old one: the restart did nothing."""
    first = repository.commit()
    deployer = manager(staging=host.settings())
    assert deployer.deploy("staging")
    repository.commit(**{"more.txt": "more"})
    still = manager(staging=host.settings(restart="true"))
    assert not still.deploy("staging")
    assert f"names the version '{first}'" in store.deployments.history()[0].detail


def test_an_unknown_and_a_changed_host_key_are_refused_with_the_remedy(
    host: TestHost, manager: Make, repository: Repository, store: MemoryStore
) -> None:
    repository.commit()
    known = host.known_hosts.read_text()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host.folder / "other")
    other = " ".join((host.folder / "other.pub").read_text().split()[:2])
    changed = f"[127.0.0.1]:{host.ssh_port} {other}\n"
    for text, words in (("", "is not known"), (changed, "is not the one in")):
        host.known_hosts.write_text(text)
        with pytest.raises(HostKeyRefused, match=words) as refused:
            manager(staging=host.settings()).deploy("staging")
        assert f"ssh-keyscan -p {host.ssh_port} 127.0.0.1" in str(refused.value)
        assert host.known_hosts.read_text() == text, "nothing was learned by itself"
        assert not host.releases.exists()
    host.known_hosts.write_text(known)
    assert manager(staging=host.settings()).deploy("staging")
    assert [status for _, status in statuses(store)] == ["failed", "failed", "live"]


def test_a_host_that_is_away_or_shuts_us_out_is_told_from_one_that_fails(
    host: TestHost, manager: Make, repository: Repository
) -> None:
    repository.commit()
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host.folder / "stranger")
    with pytest.raises(AccessDenied, match="Permission denied"):
        manager(staging=host.settings(identity_file=str(host.folder / "stranger"))).deploy("staging")
    with pytest.raises(HostAway, match="refused"):
        manager(staging=host.settings(port=free_port())).deploy("staging")
    with pytest.raises(ValidationError, match="host"):
        manager(staging=host.settings(host="-oProxyCommand=touch /tmp/owned")).deploy("staging")
    with pytest.raises(CommandFailed, match=r"build on 127\.0\.0\.1 ended with 3: no compiler"):
        manager(staging=host.settings(build="echo no compiler; exit 3")).deploy("staging")
    with pytest.raises(CommandFailed, match=r"build on 127\.0\.0\.1 took too long"):
        manager(staging=host.settings(build="sleep 60", timeout=0.5)).deploy("staging")


def test_shared_paths_survive_releases_and_lead_out_of_none(
    host: TestHost, manager: Make, repository: Repository
) -> None:
    settings = host.settings(shared=["var/uploads", "settings.env"], keep=2)
    (host.releases / "shared").mkdir(parents=True)
    (host.releases / "shared" / "settings.env").write_text("KEY=1\n")
    deployer = manager(staging=settings)
    for number in range(4):
        repository.commit(**{"number.txt": str(number)})
        assert deployer.deploy("staging")
        uploads = host.releases / "current" / "var" / "uploads"
        (uploads / f"{number}.txt").write_text("kept")
    assert sorted(file.name for file in uploads.iterdir()) == [f"{number}.txt" for number in range(4)]
    assert (host.releases / "current" / "settings.env").read_text() == "KEY=1\n"
    assert len(host.listed()) == 2, "what is live, and the one before it"
    outside = host.folder / "outside"
    outside.mkdir()
    (repository.folder / "var").symlink_to(outside)
    repository.commit()
    with pytest.raises(DeploymentError, match="var/uploads leads out of the release"):
        deployer.deploy("staging")
    assert not list(outside.iterdir())


def test_hooks_run_in_the_release_in_their_order_and_one_that_fails_late_takes_nothing_back(
    host: TestHost, manager: Make, repository: Repository, store: MemoryStore
) -> None:
    trace = host.folder / "trace"
    hooks = {name: f'echo {name} "$COMMIT" "$PWD" >> {trace}' for name in ("build", "before_switch", "after_switch")}
    commit = repository.commit()
    hooks["after_switch"] += "; exit 5"
    assert manager(staging=host.settings(**hooks)).deploy("staging")
    release = host.releases / "releases" / host.live()
    assert trace.read_text().splitlines() == [
        f"{name} {commit} {release}" for name in ("build", "before_switch", "after_switch")
    ]
    row = store.deployments.history()[0]
    assert row.status == "live" and "after_switch on 127.0.0.1 ended with 5" in row.detail


def test_two_deployments_of_one_environment_never_run_at_once(
    host: TestHost, manager: Make, repository: Repository, store: MemoryStore, tmp_path: Path
) -> None:
    repository.commit()
    begun = host.folder / "begun"
    slow = f"touch {begun}; while [ ! -e {host.folder}/go ]; do sleep 0.05; done"
    first = threading.Thread(target=manager(staging=host.settings(build=slow)).deploy, args=("staging",))
    first.start()
    try:
        while not begun.exists():
            first.join(0.05)
        with pytest.raises(EnvironmentBusy, match="by-hand"):
            manager(staging=host.settings()).deploy("staging")
        elsewhere = MemoryStore(f"sqlite:///{tmp_path}/elsewhere.db")  # another daemon knows nothing of the first
        elsewhere.migrate()
        settings = DeploymentSettings.model_validate({"environments": {"staging": host.settings()}})
        with pytest.raises(EnvironmentBusy, match=f"{host.releases} is being deployed by by-hand"):
            DeploymentManager(settings, elsewhere.deployments, repository).deploy("staging")
        elsewhere.close()
    finally:
        (host.folder / "go").touch()
        first.join(60)
    assert statuses(store) == [("deploy", "live")]


def test_production_takes_only_what_is_live_in_staging(
    host: TestHost, manager: Make, repository: Repository, tmp_path: Path
) -> None:
    staging = host.settings()
    production = host.settings(folder=str(host.releases.parent / "production"), promote_from="staging")
    deployer = manager(staging=staging, production=production)
    first = repository.commit()
    with pytest.raises(NotPromoted):
        deployer.deploy("production")
    assert deployer.deploy("staging")
    second = repository.commit(**{"more.txt": "x"})
    with pytest.raises(NotPromoted, match=second[:12]):
        deployer.deploy("production", second)
    assert deployer.deploy("production") and deployer.check_status("production").commit == first


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"this user may mount nothing: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_of_the_host_changes_nothing_and_says_so(
    host: TestHost, manager: Make, repository: Repository, small_disk: Path
) -> None:
    settings = host.settings(folder=str(small_disk / "shop"))
    settings["restart"] = settings["restart"].replace(str(host.releases), str(small_disk / "shop"))
    deployer = manager(staging=settings)
    good = repository.commit()
    assert deployer.deploy("staging")
    repository.commit(**{"large.txt": "x" * 3_000_000})
    with pytest.raises(HostDiskFull, match="No space left"):
        deployer.deploy("staging")
    status = deployer.check_status("staging")
    assert status.healthy and status.commit == good
    repository.commit(**{"large.txt": ""})
    assert deployer.deploy("staging"), "the half of a release that was left is in nobody's way"
