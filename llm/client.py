"""The one client of all model calls: text, structured answers and conversations with tools, for any agent."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from config import AgentSettings, BudgetSettings, LLMSettings, ReasoningLevel
from llm.calls.budget import input_tokens
from llm.calls.continuing import continued, with_more_room
from llm.calls.ledger_rows import redacted
from llm.calls.prices import unbounded
from llm.calls.responder import Responder, Terms, fitted, with_room
from llm.embedded.server import LocalModelServer
from llm.errors import InvalidOutput, NotConfigured, TruncatedOutput
from llm.lineup import Lineup
from llm.profile_book import ProfileBook
from llm.profiles import ModelProfile, Reasoning
from llm.providers.openai_compatible import EMBEDDED
from llm.request import Answer, CallContext, OutputSchema, Reply, Request, Tool, Turn, Window
from memory import MemoryStore
from monitoring import get_logger, redact, whole_text

log = get_logger(__name__)

M = TypeVar("M")

_LONGER_WITH_TOOLS = 4
"""Factor on the configured length limit for a message that may write whole files in its calls."""
_MOST_OBJECTIONS = 2
_MOST_SAID = 200
"""Characters of an answer of no use that its error cites."""
"""How often a model is asked again when its answer does not fit the schema."""


class LLMClient:
    """Asks models for the agents. Thread-safe.

    `agents`: settings of the agents by name; what an agent does not set comes from `settings`.
    `local`: the embedded model's server; needed if it may answer (`uses_embedded_model`), started by the first call.
    `budget`: what may be spent. `patient`: calls wait for as long as it takes when a budget's day or month is used up
    or no provider answers; otherwise they fail. `clock` gives the day and month (UTC). `heard` gives what the agent
    of a call was told by the owner, which stands at the end of its system prompt.
    Raises NotConfigured when a key, an address or a model name is missing.

    The agent of a call's context decides its model, unless the call names one of the agent's `escalations`.
    """

    def __init__(
        self,
        settings: LLMSettings,
        agents: Mapping[str, AgentSettings],
        store: MemoryStore,
        local: LocalModelServer | None = None,
        *,
        budget: BudgetSettings | None = None,
        patient: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        heard: Callable[[CallContext], str] = lambda _: "",
    ) -> None:
        self._settings = settings
        self._agents = agents
        self._heard = heard
        self._lineup = Lineup(settings, agents)
        endpoints = self._lineup.endpoints
        if EMBEDDED.name in endpoints and local is None:
            raise NotConfigured("the embedded model is to answer, but it was given no server to run in")
        if problem := unbounded(self._lineup.all(), settings, budget or BudgetSettings()):
            raise NotConfigured(problem)
        self._reasoning = Reasoning(settings, agents)
        self._local_model = local.model if local else None
        terms = Terms(budget or BudgetSettings(), patient, clock, self._lineup.fallbacks(), self._reasoning)
        self._responder = Responder(settings, store, endpoints, local, terms)
        self._profiles = ProfileBook(settings, store, self._responder, endpoints)

    def generate(
        self,
        prompt: str,
        *,
        system: str = "",
        temperature: float | None = None,
        max_tokens: int | None = None,
        longer: int = 1,
        seed: int | None = None,
        opening: str = "",
        stop: Sequence[str] = (),
        context: CallContext,
        model: str | None = None,
    ) -> str:
        """The model's answer as text. Raises TruncatedOutput (with what arrived) when it reached its length limit.

        A model that repairs continues such an answer first, unless `max_tokens` or `opening` is given.

        `max_tokens` lowers the configured limit; `longer` multiplies it. `opening`: the beginning of the answer, which
        a model continues if its profile says that it `continues`; it is part of the result. `stop`: words at which the
        answer ends; they are not part of it.
        """
        turns = [Turn("user", prompt)]
        if opening:
            turns.append(Turn("assistant", opening))
        request = self._request(turns, system, temperature, max_tokens, context, model, longer=longer)
        request = replace(request, seed=seed, stop=tuple(stop))
        answer = self._responder.answer(request, context)
        if max_tokens is None and not opening:
            answer = self._continued(request, answer, context, model)
        if not answer.text.startswith(redact(opening)):  # some servers return the opening, too
            answer = replace(answer, text=opening + answer.text)
        if answer.truncated:
            raise TruncatedOutput(
                f"the answer of {request.model!r} for {context.agent} was cut off at {request.max_tokens} tokens; "
                "raise max_tokens or ask for less",
                partial=answer.text,
            )
        return answer.text

    def generate_structured(
        self,
        prompt: str,
        schema: type[M],
        *,
        system: str = "",
        temperature: float | None = None,
        max_tokens: int | None = None,
        context: CallContext,
        model: str | None = None,
    ) -> M:
        """The model's answer as a `schema`. If it does not fit, the model is shown why and asked again, at most twice.

        A model that repairs first gets more room for an answer that reached its length limit.
        Raises InvalidOutput when no answer fits.
        """
        adapter = TypeAdapter(schema)
        output = OutputSchema(getattr(schema, "__name__", "answer"), adapter.json_schema())
        request = self._request([Turn("user", prompt)], system, temperature, max_tokens, context, model, schema=output)
        longer = False
        for objections in range(_MOST_OBJECTIONS + 1):
            answer = self._responder.answer(request, context, is_usable=partial(_fits, adapter))
            try:
                return adapter.validate_json(answer.json_text())
            except ValidationError as error:
                problem = _problem(error, answer, request.max_tokens)
                log.warning("answer does not fit its schema", agent=context.agent, objections=objections, why=problem)
                if answer.truncated and not longer and self.profile(context.agent, model, ask=False).repairs:
                    request, longer = with_more_room(request), True
                else:
                    request = request.answered(answer.text, _objection(problem, answer))
        said = textwrap.shorten(answer.text, _MOST_SAID, placeholder="…")
        raise InvalidOutput(
            f"{request.model!r} gave {context.agent} no valid {output.name} in {_MOST_OBJECTIONS + 1} answers; "
            f"wrong with the last one: {problem}; it said: {said or 'nothing'}",
            answer=answer.text,
        )

    def converse(
        self,
        turns: Sequence[Turn],
        tools: Sequence[Tool],
        *,
        system: str = "",
        temperature: float | None = None,
        max_tokens: int | None = None,
        window: Window | None = None,
        context: CallContext,
        model: str | None = None,
    ) -> Reply:
        """The model's next message in a conversation in which it may call `tools`.

        `turns` begin with the user's. An assistant's turn with calls is followed by a user's turn with a result for
        each; `Reply.turn` gives the turn that continues the conversation. The returned calls have not been checked. The
        provider is asked to cache what stays the same from call to call (system, tools, earlier turns).

        A reply that reached its length limit is continued, or asked for again with more room, if the model repairs and
        `max_tokens` is not given.

        `window`: what the model takes. The answer's limit is lowered to what the conversation leaves of it. Raises
        PromptTooLong, without a call, when that is next to nothing, and when the provider says so.
        """
        request = self._request(turns, system, temperature, max_tokens, context, model, tools, _LONGER_WITH_TOOLS)
        estimated = input_tokens(request)
        room = None if window is None else window.tokens - window.taken(estimated)
        if room is not None:
            request = with_room(request, room, estimated)
        answer = first = self._responder.answer(request, context)
        if max_tokens is None:
            answer = self._continued(request, answer, context, model, room)
        return Reply(answer.text, answer.calls, answer.truncated, answer.thoughts, estimated, first.input_tokens)

    def needs(self, tools: Sequence[Tool], *, system: str, context: CallContext, model: str | None) -> tuple[int, int]:
        """Estimated tokens that `converse` sends besides the turns, and the tokens it lets the answer have."""
        request = self._request((), system, None, None, context, model, tools, _LONGER_WITH_TOOLS)
        return input_tokens(request), request.output_limit

    def profile(self, agent: str, model: str | None = None, *, ask: bool = True) -> ModelProfile:
        """What the agent's model, or the given one of its escalations, can do.

        An unknown model is tried out by four small calls the first time, unless `ask` is False.
        """
        return self._profiles.profile(self._lineup.of(agent, model), of_owner=model is None, ask=ask)

    def reasoning(self, agent: str, model: str | None = None) -> ReasoningLevel | None:
        """How much the agent's model, or the given one of its escalations, reasons; None: it is not told."""
        return self._reasoning.level(agent, self._lineup.of(agent, model))

    def escalations(self, agent: str) -> list[str]:
        """The models to try in turn after the agent's own, as `model` of the other methods takes them."""
        return self._lineup.escalations(agent)

    def give_up(self, task_id: str) -> int:
        """Cancel the calls under way for a task that was ended; gives how many. They raise ProviderRefused."""
        return self._responder.give_up(task_id)

    def waiting(self) -> set[str]:
        """Agents with a call that waits for the budget or a provider now."""
        return self._responder.waiting()

    def waited(self) -> set[str]:
        """Agents and ids of tasks with a call that waits for the budget or a provider, or did since the last time
        this was asked."""
        return self._responder.waited()

    def stop_waiting(self) -> None:
        """The daemon stops: waiting calls raise `Interrupted` at once, requests on the wire go on."""
        self._responder.stop_waiting()

    def close(self) -> None:
        """Cancel the calls under way and end the client's thread. The caller stops the embedded model's server."""
        self._responder.close()

    def _request(
        self,
        turns: Sequence[Turn],
        system: str,
        temperature: float | None,
        max_tokens: int | None,
        context: CallContext,
        model: str | None,
        tools: Sequence[Tool] = (),
        longer: int = 1,
        schema: OutputSchema | None = None,
    ) -> Request:
        asked = self._lineup.of(context.agent, model)
        agent = self._agents.get(context.agent, AgentSettings())
        chosen = (temperature, agent.temperature, self._settings.temperature)
        longest = (agent.max_tokens or self._settings.max_tokens) * longer
        request = Request(
            provider=asked.provider,
            model=asked.name,
            # What is sent is what is stored: a secret in a file must reach neither the provider nor the database.
            system=redact(whole_text(f"{system}\n\n{self._heard(context)}".strip())),
            turns=tuple(redacted(turn) for turn in turns),
            temperature=next(value for value in chosen if value is not None),
            max_tokens=min(longest, max_tokens or longest),
            tools=tuple(tools),
            schema=schema,
        )
        return fitted(self._reasoning.applied(request, context.agent), self._local_model)

    def _continued(
        self, request: Request, answer: Answer, context: CallContext, model: str | None, room: int | None = None
    ) -> Answer:
        """The whole answer. Of small models it is left as it is: they may go on for ever."""
        if not answer.truncated:
            return answer
        profile = self.profile(context.agent, model, ask=False)
        if not profile.repairs:
            return answer
        ask = partial(self._responder.answer, context=context)
        return continued(request, answer, ask, prefix=profile.continues and not request.tools, room=room)


def _fits(adapter: TypeAdapter[M], answer: Answer) -> bool:
    try:
        adapter.validate_json(answer.json_text())
    except ValidationError:
        return False
    return True


def _problem(error: ValidationError, answer: Answer, max_tokens: int) -> str:
    """What is wrong with an answer."""
    if answer.truncated:
        return f"it was cut off at {max_tokens} tokens"
    return "; ".join(
        f"{'.'.join(str(part) for part in detail['loc']) or 'the answer'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_context=False, include_input=False)[:10]
    )


def _objection(problem: str, answer: Answer) -> str:
    """The words in which a model is told what is wrong with its answer."""
    how = "shorter, with the whole JSON value" if answer.truncated else "with the whole JSON value, corrected"
    return f"Your answer is not valid: {problem}. Answer again, {how}."
