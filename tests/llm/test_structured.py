"""Answers that must fit a schema: asked for natively or by a tool, checked, asked again, given up."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel, Field, JsonValue

from llm import InvalidOutput, ProviderRefused
from memory import MemoryStore
from tests.llm.conftest import MODELS, MakeClient, context
from tests.support import Answer, Reply, Request, ScriptedModelServer


class Verdict(BaseModel):
    approved: bool
    score: float = Field(ge=0, le=10)
    issues: list[str] = []


GOOD: dict[str, JsonValue] = {"approved": True, "score": 8.5, "issues": ["none"]}
WRONG: dict[str, JsonValue] = {"approved": True, "score": 99}
ALL: list[tuple[str, str]] = [
    ("openai", "gpt-4o"),  # by a native JSON schema
    ("openai", "gpt-3.5-turbo"),
    ("anthropic", "claude-haiku-4-5"),  # native
    ("anthropic", "claude-3-haiku-20240307"),  # knows only tools
    ("openai_compatible", MODELS["openai_compatible"]),
]


@pytest.mark.parametrize(("provider", "model"), ALL)
def test_an_answer_fits_its_schema(provider: str, model: str, make_client: MakeClient) -> None:
    with ScriptedModelServer([GOOD]) as server:
        verdict = make_client(server, provider, model=model).generate_structured("ok?", Verdict, context=context())

        assert verdict == Verdict(approved=True, score=8.5, issues=["none"])
        [request] = server.requests
        assert request.schema is not None
        assert set(request.schema["properties"] if isinstance(request.schema["properties"], dict) else ()) == {
            "approved",
            "score",
            "issues",
        }


@pytest.mark.parametrize(("provider", "model"), ALL)
def test_a_wrong_answer_is_asked_again_with_what_is_wrong(
    provider: str, model: str, make_client: MakeClient, store: MemoryStore
) -> None:
    with ScriptedModelServer([WRONG, GOOD]) as server:
        verdict = make_client(server, provider, model=model).generate_structured("ok?", Verdict, context=context())

        assert verdict.score == 8.5
        again = server.requests[1]
        assert [message.role for message in again.messages] == ["user", "assistant", "user"]
        assert "99" in again.messages[1].text
        assert "score: Input should be less than or equal to 10" in again.prompt
    assert store.ledger.usage("task")[0].calls == 2


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_three_wrong_answers_are_enough(provider: str, make_client: MakeClient) -> None:
    with ScriptedModelServer(lambda request: WRONG) as server:
        with pytest.raises(InvalidOutput, match="no valid Verdict in 3 answers") as caught:
            make_client(server, provider).generate_structured("ok?", Verdict, context=context())
        assert len(server.requests) == 3
    assert "99" in caught.value.answer
    assert str(caught.value).endswith(
        "wrong with the last one: score: Input should be less than or equal to 10; it said: " + json.dumps(WRONG)
    )
    assert "\n" not in str(caught.value)


def test_a_replay_of_asking_again_asks_nobody(make_client: MakeClient) -> None:
    with ScriptedModelServer([WRONG, GOOD]) as server:
        first = make_client(server).generate_structured("ok?", Verdict, context=context())
        again = make_client(server).generate_structured("ok?", Verdict, context=context())
        assert again == first
        assert len(server.requests) == 2


def test_openai_holds_answers_to_their_schema_strictly(make_client: MakeClient) -> None:
    with ScriptedModelServer([GOOD]) as server:
        make_client(server).generate_structured("ok?", Verdict, context=context())
        [request] = server.requests
    wanted = json.loads(json.dumps(request.body["response_format"]))["json_schema"]
    assert wanted["strict"] is True
    assert wanted["schema"]["required"] == ["approved", "score", "issues"]


def test_a_fence_around_the_json_is_taken_off(make_client: MakeClient) -> None:
    with ScriptedModelServer(['```json\n{"approved": false, "score": 1}\n```']) as server:
        assert not make_client(server).generate_structured("ok?", Verdict, context=context()).approved


def test_a_server_without_json_schemas_is_asked_by_a_tool(make_client: MakeClient) -> None:
    def rule(request: Request) -> Answer:
        return GOOD if request.tools else Reply.status(400, "response_format is not supported")

    with ScriptedModelServer(rule) as server:
        client = make_client(server, "openai_compatible")
        for step in ("1", "2"):
            assert client.generate_structured("ok?", Verdict, context=context(step)).approved
        # once refused, not tried again
        assert [bool(request.tools) for request in server.requests] == [False, True, True]


def test_a_refusal_that_is_not_about_the_schema_stays_one(make_client: MakeClient) -> None:
    with (
        ScriptedModelServer(lambda request: Reply.status(400, "no")) as server,
        pytest.raises(ProviderRefused),
    ):
        make_client(server, "openai_compatible").generate_structured("ok?", Verdict, context=context())


def test_a_compatible_server_is_told_the_schema_in_words_too(make_client: MakeClient) -> None:
    with ScriptedModelServer([GOOD]) as server:
        client = make_client(server, "openai_compatible")
        client.generate_structured("ok?", Verdict, system="You judge.", context=context())
        assert server.requests[0].system.startswith("You judge.\n\nAnswer with one JSON value")


def test_an_answer_in_the_cache_that_does_not_fit_is_asked_for_anew(make_client: MakeClient) -> None:
    with ScriptedModelServer([WRONG, WRONG, WRONG, GOOD]) as server:
        client = make_client(server)
        with pytest.raises(InvalidOutput):
            client.generate_structured("ok?", Verdict, temperature=0, context=context("1"))
        # The server has been mended, and the owner tries the task again: another run, so another step.
        verdict = client.generate_structured("ok?", Verdict, temperature=0, context=context("1", workflow="run 2"))
        assert verdict.approved
        assert (
            client.generate_structured("ok?", Verdict, temperature=0, context=context("1", workflow="run 3")) == verdict
        )
        assert len(server.requests) == 4
