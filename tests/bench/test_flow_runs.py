"""Task sets through a real daemon, with a scripted model server."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from bench import coding
from bench.figures import read_results
from bench.flow_runs import DaemonDied, run_set
from bench.task_sets import BenchTask, TaskSet
from tests.orchestrator.scripts import CALC, GOOD_ADD, team
from tests.support import ScriptedModelServer

HIDDEN = "from calc import add\n\n\ndef test_it() -> None:\n    assert add(1, 1) == {sum}\n"


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.fixture
def home(tmp_path: Path, shared_data: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "data").symlink_to(shared_data)  # all tests share its project environments
    return folder


def repository() -> dict[str, str]:
    return {
        "calc.py": CALC,
        "tests/test_calc.py": "from calc import double\n\n\ndef test_a():\n    assert double(1) == 2\n",
    }


def task(name: str, total: int, wanted: str = "`add(1, 2)` returns `3`") -> BenchTask:
    return BenchTask(
        id=name, repository="calc", title="Add add", instruction=f"Add `add(a: int, b: int)` to calc.py. {wanted}.",
        hidden_file="tests/test_hidden.py", hidden=HIDDEN.format(sum=total),
    )  # fmt: skip


def config(server: ScriptedModelServer) -> dict[str, dict[str, object]]:
    llm: dict[str, object] = {
        "provider": "openai_compatible",
        "base_url": server.url,
        "model": "m",
        "api_key": "k",
        "profile": "strong",
        "capabilities": {"tools": False},
    }
    return {"llm": llm, "orchestrator": {"max_approaches": 1}}


@pytest.mark.long
def test_results_say_what_landed_and_what_landed_wrongly(home: Path) -> None:
    tasks = [task("right", 2), task("impossible", 2, "`add(1, 2)` returns `4`")]
    other = [
        each.model_copy(update={"id": "wrong", "repository": "again", "hidden": HIDDEN.format(sum=9)})
        for each in tasks[:1]
    ]
    chosen = TaskSet(name="s", repositories={"calc": repository(), "again": repository()}, tasks=[*tasks, *other])
    with ScriptedModelServer(team()) as server:
        found = {result.task: result for result in run_set(chosen, config(server), parallel=2, home=home)}
    assert [(name, found[name].landed, found[name].wrong) for name in ("right", "wrong")] == [
        ("right", True, False),
        ("wrong", True, True),
    ]
    assert not found["impossible"].landed
    assert found["impossible"].reason == "loop_detected"
    assert found["right"].generations == 3
    assert found["right"].attempts == {"write": 1}
    assert found["right"].tokens > 0
    assert (home / "calc" / "logs" / "agents.log").is_file()


def test_a_daemon_that_does_not_start_is_told_with_its_words() -> None:
    chosen = TaskSet(name="s", repositories={"calc": repository()}, tasks=[task("a", 2)])
    with pytest.raises(DaemonDied, match="base_url"):
        list(run_set(chosen, {"llm": {"provider": "openai_compatible"}}, parallel=1))


@pytest.mark.long
def test_the_command_writes_a_results_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = task("right", 2).model_dump() | {"repository": repository()}
    (tmp_path / "mine.jsonl").write_text(json.dumps(entry), encoding="utf-8")
    monkeypatch.setattr(coding, "RESULTS", tmp_path / "results")
    with ScriptedModelServer(team(code=[GOOD_ADD])) as server:
        values = [f"llm.{key}={json.dumps(value)}" for key, value in config(server)["llm"].items()]
        monkeypatch.setattr(
            sys, "argv", ["coding", str(tmp_path / "mine.jsonl"), "--json", "--home", str(home), "--set", *values]
        )
        assert coding.main() == 0
    assert json.loads(capsys.readouterr().out)["landed"] == 1
    [file] = (tmp_path / "results").iterdir()
    info, results = read_results(file)
    assert (info.set, info.provider, [result.task for result in results]) == ("mine", "openai_compatible", ["right"])
    assert "api_key" not in file.read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize(("seed", "drawn"), [(0, {0, 1}), (1000, {1000, 1001})])
def test_another_seed_draws_other_samples(home: Path, seed: int, drawn: set[int]) -> None:
    chosen = TaskSet(name="s", repositories={"calc": repository()}, tasks=[task("right", 2)])
    wrong = [f"```python\ndef add(a, b):\n    return a - b - {number}\n```" for number in range(6)]
    with ScriptedModelServer(team(code=[*wrong, GOOD_ADD])) as server:
        small = config(server) | {"orchestrator": {"max_approaches": 3}}
        small["llm"]["profile"] = "small"
        list(run_set(chosen, small, parallel=1, seed=seed, home=home))
        seeds = {request.seed for request in server.requests}
    assert drawn <= seeds


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["nowhere.jsonl"], "no such file"), ([], "give a .jsonl"), (["SET", "--set", "x=1"], "SECTION.KEY=VALUE"),
     (["SET", "--only", "x"], "no task of")],
)  # fmt: skip
def test_a_wrong_call_says_what_to_give(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(json.dumps(task("a", 2).model_dump() | {"repository": repository()}), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["coding", *(str(file) if word == "SET" else word for word in arguments)])
    with pytest.raises(SystemExit, match="2"):
        coding.main()
    assert words in capsys.readouterr().err
