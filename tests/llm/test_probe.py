"""A model that nobody knows is tried out once: four small questions, checked by code, remembered."""

from __future__ import annotations

import json
import threading

import pytest

from llm import CallContext, LLMClient
from memory import MemoryStore
from orchestrator.small_models.method import SmallModels
from tests.llm.conftest import MakeClient, context
from tests.support import Answer, Reply, ScriptedModelServer
from tests.support.probe import RIGHT, asked


def able(client: LLMClient) -> dict[str, bool]:
    profile = client.profile("developer")
    return {ability: bool(getattr(profile, ability)) for ability in RIGHT}


def answering(**answers: Answer) -> ScriptedModelServer:
    return ScriptedModelServer(lambda request: (RIGHT | {"work": "done"} | answers)[asked(request)])


@pytest.mark.parametrize("provider", ["openai", "anthropic", "openai_compatible"])
def test_four_small_calls_are_made_once_and_stand_in_the_ledger(
    provider: str, make_client: MakeClient, store: MemoryStore
) -> None:
    with answering() as server:
        client = make_client(server, provider, model="nobody-knows")
        profile = client.profile("developer")
        assert profile.source == "probed"
        assert able(client) == dict.fromkeys(RIGHT, True)
        assert (profile.judges, SmallModels().suits(profile)) == (True, False)
        # another client, as after a restart
        assert make_client(server, provider, model="nobody-knows").profile("qa") == profile
        assert [asked(request) for request in server.requests] == list(RIGHT)
        assert all((request.max_tokens or 999) < 100 for request in server.requests)
    [row] = store.ledger.usage("agent")
    assert (row.key, row.calls) == ("probe", 4)
    assert row.input_tokens < 4000


WRONG: list[tuple[str, Answer]] = [
    ("tools", "I would read src/app/main.py."),
    ("tools", Reply.tool("read_lines", {"path": "src/app/main.py", "first_line": "10", "last_line": 25})),
    ("tools", Reply.tool("read_lines", '{"path": "src/app/main.py"')),
    ("tools", Reply.tool("read_file", {"path": "src/app/main.py", "first_line": 10, "last_line": 25})),
    ("tools", Reply.tools(*(("read_lines", json.dumps({"path": "src/app/main.py"})),) * 2)),
    ("tools", Reply.status(400, "nobody-knows does not support tools")),
    ("structured", "Heron, from 2019"),
    ("structured", {"name": "Heron", "year": 2019, "stable": True, "authors": ["Ada", "Grace"]}),
    ("edit_blocks", "    return min(seconds, 90)"),
    ("edit_blocks", "<<<<<<< SEARCH\nreturn min(seconds, 60)\n=======\nreturn min(seconds, 90)\n>>>>>>> REPLACE"),
    ("edit_blocks", "<<<<<<< SEARCH\n=======\n    return min(seconds, 90)\n>>>>>>> REPLACE"),
    ("repairs", "    return last - first"),
    ("repairs", "```python\ndef days(first, last):\n    return abs(last - first) + 1\n```"),
    ("repairs", "    return " + "-" * 90_000 + "1"),
    ("repairs", "I do not know."),
]


@pytest.mark.parametrize(("ability", "answer"), WRONG)
def test_a_wrong_answer_costs_the_ability_and_the_trust_in_its_judgement(
    ability: str, answer: Answer, make_client: MakeClient
) -> None:
    with answering(**{ability: answer}) as server:
        client = make_client(server, "openai_compatible", model="nobody-knows")
        assert able(client) == dict.fromkeys(RIGHT, True) | {ability: False}
        assert client.profile("developer").judges is False


RIGHT_TOO: list[tuple[str, Answer]] = [
    ("structured", '```json\n{"name": "Heron", "year": 2019, "stable": false, "authors": ["Ada", "Grace"]}\n```'),
    (
        "edit_blocks",
        "```python\n<<<<<<< SEARCH\ndef wait(seconds=TIMEOUT):\n    return min(seconds, 60)\n=======\n"
        "def wait(seconds=TIMEOUT):\n    return min(seconds, 90)\n>>>>>>> REPLACE\n```",
    ),
    ("repairs", "```python\ndef days(first, last):\n    return 1 + (last - first)\n```"),
    ("repairs", "return last - (first - 1)"),
]


@pytest.mark.parametrize(("ability", "answer"), RIGHT_TOO)
def test_there_is_more_than_one_right_answer(ability: str, answer: Answer, make_client: MakeClient) -> None:
    with answering(**{ability: answer}) as server:
        assert able(make_client(server, "openai_compatible", model="nobody-knows")) == dict.fromkeys(RIGHT, True)


def test_the_opinion_of_a_small_model_counts_for_nothing_even_if_it_manages_all(make_client: MakeClient) -> None:
    with answering() as server:
        profile = make_client(server, "openai_compatible", model="nobody-knows:3b").profile("developer")
    assert (profile.repairs, profile.judges, SmallModels().suits(profile)) == (True, False, True)


def test_a_provider_that_fails_fails_no_task_and_what_was_paid_is_not_paid_again(
    make_client: MakeClient, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(edit_blocks=Reply.status(503, "busy")) as server:
        client = make_client(server, "openai_compatible", model="nobody-knows")
        profile = client.profile("developer")
        assert (profile.source, SmallModels().suits(profile), profile.tools) == ("guessed", True, False)
        assert client.profile("developer") == profile  # it is left in peace for a while
        assert client.generate("work", context=context()) == "done"
        assert [asked(request) for request in server.requests] == ["tools", "structured", "edit_blocks", "work"]
        port = server.port
    with ScriptedModelServer(lambda request: RIGHT[asked(request)], port=port) as server:
        assert make_client(server, "openai_compatible", model="nobody-knows").profile("developer").source == "probed"
        assert [asked(request) for request in server.requests] == ["edit_blocks", "repairs"]


def test_agents_that_ask_at_once_share_one_trial(make_client: MakeClient) -> None:
    with answering() as server:
        client = make_client(server, "openai_compatible", model="nobody-knows")
        threads = [threading.Thread(target=client.profile, args=(name,)) for name in ("qa", "developer", "ceo")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 4


@pytest.mark.parametrize(
    "settings",
    [
        {"model": "qwen2.5-coder:7b"},
        {"model": "deepseek-chat"},
        {"model": "nobody-knows", "profile": "small"},
        {"model": "nobody-knows", "profile": "strong"},
        {"model": "nobody-knows", "capabilities": dict.fromkeys(RIGHT, True)},
    ],
)
def test_what_is_known_or_told_is_not_tried_out(settings: dict[str, object], make_client: MakeClient) -> None:
    with answering() as server:
        profile = make_client(server, "openai_compatible", **settings).profile("developer")
        assert server.requests == ()
    assert profile.source == ("guessed" if settings["model"] == "nobody-knows" else "known")


def test_to_look_is_not_to_ask(make_client: MakeClient) -> None:
    with answering() as server:
        client = make_client(server, "openai_compatible", model="nobody-knows")
        assert client.profile("developer", ask=False).source == "guessed"
        assert server.requests == ()
        client.profile("developer")
        assert client.profile("developer", ask=False).source == "probed"


def test_the_same_name_on_another_server_is_another_model(make_client: MakeClient) -> None:
    with answering() as one, answering(tools="no") as other:
        assert make_client(one, "openai_compatible", model="nobody-knows").profile("developer").tools
        assert not make_client(other, "openai_compatible", model="nobody-knows").profile("developer").tools


def test_the_questions_carry_no_address_into_the_database(make_client: MakeClient, store: MemoryStore) -> None:
    with answering() as server:
        make_client(server, "openai_compatible", model="nobody-knows").profile("developer")
        first = server.requests[0]
    assert "127.0.0.1" not in json.dumps(first.body)
    assert store.ledger.find_probe("openai_compatible", "", "nobody-knows") is None
    assert isinstance(context(), CallContext)
