"""A deployment that is cut short before or after any of the commands that it runs on the host: whoever comes next goes
on with it or puts it right, and what nginx sends requests to is never a version that has not answered."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployment import DeploymentManager
from deployment.docker import Docker
from deployment.ssh import Host
from memory import MemoryStore
from tests.deployment.engine import an_engine
from tests.deployment.engine import commit as commit_image
from tests.deployment.hosts import Repository, TestHost

Make = Callable[..., DeploymentManager]
GOOD = ("the upload", "the start of the new copy", "the switch", "after_switch or clearing up")
BAD = ("the way back", "stopping the new copy", "putting the release aside")


class Killed(BaseException):
    """The process ends here."""


def cut(monkeypatch: pytest.MonkeyPatch, what: str, *, after: bool) -> None:
    """End before or after the command of that name."""
    whole = Host.run

    def run(self: Host, name: str, script: str, **given: Any) -> subprocess.CompletedProcess[str]:
        if name == what and not after:
            raise Killed
        done = whole(self, name, script, **given)
        if name == what:
            raise Killed
        return done

    monkeypatch.setattr(Host, "run", run)


POINTS = [
    pytest.param(what, after, id=f"{'after' if after else 'before'} {what}",
                 marks=() if (what, after) == ("the switch", True) else pytest.mark.long)
    for what in (*GOOD, *BAD) for after in (False, True)
]  # fmt: skip


@pytest.mark.parametrize(("what", "after"), POINTS)
def test_one_that_is_cut_short_anywhere_is_gone_on_with_or_put_right(
    nginx_host: TestHost,
    manager: Make,
    repository: Repository,
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    after: bool,
) -> None:
    settings = nginx_host.blue_green()
    first = repository.commit()
    assert manager(staging=settings).deploy("staging")
    second = repository.commit("sick" if what in BAD else "", **{"more.txt": "more"})
    with monkeypatch.context() as patch, pytest.raises(Killed):
        cut(patch, what, after=after)
        manager(staging=settings).deploy("staging")
    row = store.deployments.history()[0]
    assert row.finished_at is None, "its end was not seen"
    store.deployments.unlock("staging", row.owner)  # as when its task is over
    later = manager(staging=settings)
    later.take("staging", "later")
    assert later.reconcile("staging", 0) == [row.id]
    store.deployments.unlock("staging", "later")
    ended = store.deployments.get(row.id)
    health = later.check_status("staging")
    assert health.healthy and ended.finished_at
    switched = what == GOOD[3] or (what == "the switch" and after)
    assert (ended.status, health.commit) == (
        ("live", second) if switched else ("failed", first) if what == "the upload" else ("rolled_back", first)
    ), ended.detail
    third = repository.commit(**{"more.txt": "still more"})
    assert manager(staging=settings).deploy("staging")
    assert manager(staging=settings).check_status("staging").commit == third
    left = sorted(file.name for file in nginx_host.state.glob("*.pid"))
    assert len(left) == 1, "one copy runs, and those before it have ended"


DOCKER_GOOD = ("the build", "the push", "the start", "route", "removing a container")


@pytest.mark.long
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", DOCKER_GOOD)
def test_containers_that_were_switched_half_way_are_put_right(
    manager: Make,
    repository: Repository,
    store: MemoryStore,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    what: str,
    after: bool,
) -> None:
    with an_engine(tmp_path / "engine", with_nginx=True) as engine:
        settings = engine.two_ports()
        first = commit_image(repository)
        assert manager(staging=settings).deploy("staging")
        second = commit_image(repository, **{"more.txt": "more"})
        whole_docker, whole_route = Docker._docker, Docker._route

        def docker(self: Docker, name: str, *words: str, **given: Any) -> str:
            if name == what and not after:
                raise Killed
            done = whole_docker(self, name, *words, **given)
            if name == what:
                raise Killed
            return done

        def route(self: Docker, port: int) -> None:
            if what == "route" and not after:
                raise Killed
            whole_route(self, port)
            if what == "route":
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Docker, "_docker", docker)
            patch.setattr(Docker, "_route", route)
            manager(staging=settings).deploy("staging")
        row = store.deployments.history()[0]
        store.deployments.unlock("staging", row.owner)
        later = manager(staging=settings)
        later.take("staging", "later")
        later.reconcile("staging", 0)
        store.deployments.unlock("staging", "later")
        ended, health = store.deployments.get(row.id), later.check_status("staging")
        routed = what == "removing a container" or (what == "route" and after)
        built_only = what in ("the build", "the push")
        assert health.healthy and (ended.status, health.commit) == (
            ("live", second) if routed else ("failed" if built_only else "rolled_back", first)
        ), ended.detail
        assert len(engine.docker("ps", "--quiet").split()) == 1, "one container runs"
        third = commit_image(repository, **{"more.txt": "still more"})
        assert manager(staging=settings).deploy("staging")
        assert manager(staging=settings).check_status("staging").commit == third
