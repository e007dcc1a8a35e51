"""Real sandboxes and real environments. Nothing here skips for want of bubblewrap: without it these tests fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testing import (
    Environment,
    EnvironmentManager,
    Mount,
    Sandbox,
    SandboxLimits,
    SandboxResult,
    TestRunner,
    discard_folder,
)
from testing.sandbox.confinement import base_interpreter

Probe = Callable[..., SandboxResult]
Tree = Callable[[dict[str, str]], Path]


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    made = Sandbox("required", user="nobody", limits=SandboxLimits(memory_bytes=256 << 20, disk_bytes=16 << 20))
    probe = made.probe()
    assert probe.tier == 1, f"these tests need a working bubblewrap: {probe.detail} {probe.remedy}"
    return made


@pytest.fixture
def probe(sandbox: Sandbox, tmp_path: Path) -> Iterator[Probe]:
    """Runs Python code in the sandbox with `tmp_path/work` as its writable /work."""
    work = tmp_path / "work"
    work.mkdir()
    sandbox.hand_over(work)

    def run(
        code: str,
        *,
        sandbox: Sandbox = sandbox,
        timeout: float = 20,
        limits: SandboxLimits | None = None,
        label: str = "",
    ) -> SandboxResult:
        return sandbox.run(
            [str(base_interpreter().executable), "-I", "-c", code],
            mounts=[Mount(work, "/work", writable=True)],
            timeout=timeout,
            limits=limits,
            label=label,
        )

    yield run
    discard_folder(work)  # it may be deeper than pytest can delete


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Makes a new folder with the given files, as an exported git tree would be."""
    count = 0

    def make(files: dict[str, str]) -> Path:
        nonlocal count
        count += 1
        root = tmp_path / f"tree{count}"
        root.mkdir()
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    return make


@pytest.fixture(scope="session")
def manager(sandbox: Sandbox, shared_data: Path) -> EnvironmentManager:
    return EnvironmentManager(shared_data, sandbox)


@pytest.fixture(scope="session")
def base_environment(manager: EnvironmentManager, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """What a repository without dependency files gets: pytest alone."""
    return manager.ensure(tmp_path_factory.mktemp("empty"))


@pytest.fixture(scope="session")
def unittest_environment(manager: EnvironmentManager, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return manager.ensure(tmp_path_factory.mktemp("empty"), framework="unittest")


@pytest.fixture
def runner(sandbox: Sandbox) -> TestRunner:
    return TestRunner(sandbox)
