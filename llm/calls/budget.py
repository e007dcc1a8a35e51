"""The budget of one client: the worst case of a call is reserved before it, its real use is settled after it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from config import BudgetSettings
from llm.calls.ledger_rows import failed
from llm.calls.prices import Prices
from llm.errors import BudgetExhausted, LLMError, ProviderTimeout
from llm.request import Answer, CallContext, Request, estimate_tokens
from memory import Claim, LimitState, MemoryStore, ModelCall
from monitoring import AlertKind, alert, get_logger

log = get_logger(__name__)

_NANO = 1_000_000_000
_TEMPLATE_TOKENS, _TURN_TOKENS = 64, 16
"""What a provider's chat template adds to a request and to each of its messages, at most."""
_OWNERS = {"task": "the task's budget", "agent_day": "the agent's budget for the day", "day": "the day's budget",
           "month": "the month's budget"}  # fmt: skip
_LONGEST_FIRST = ("task", "month", "day", "agent_day")


class BudgetRefused(Exception):
    """A call does not fit into a limit at the moment.

    `busy`: it would fit if the calls under way used less than they reserved, so asking again soon may help.
    `goes_on_at`: when the next period of the limit begins; None when waiting for that does not help.
    """

    def __init__(self, state: LimitState, wanted: float, goes_on_at: datetime | None) -> None:
        self.state, self.goes_on_at = state, goes_on_at
        self.busy = state.reserved > 0 and state.used + wanted <= state.limit
        self.reason = f"{_owner(state)} of {_amount(state.limit, state.unit)} is used up"
        self._wanted = wanted
        super().__init__(self.reason)

    def exhausted(self) -> BudgetExhausted:
        """The error that ends the task, with what to do."""
        state, setting = self.state, f"budget.{self.state.name}"
        next_call = f"the next call may take up to {_amount(self._wanted, state.unit)}"
        if self._wanted > state.limit:
            return BudgetExhausted(
                f"{next_call}, more than all of {setting} ({_amount(state.limit, state.unit)}): raise it, or lower "
                "max_tokens or reasoning; then restart the daemon and `task retry`"
            )
        stated = f"{self.reason}: {_amount(state.used, state.unit)} are used, and {next_call}"
        if self.goes_on_at is None:
            return BudgetExhausted(f"{stated}; raise {setting}, restart the daemon, then `task retry`")
        return BudgetExhausted(
            f"{stated}; `task retry` after {self.goes_on_at:%Y-%m-%d %H:%M} UTC, or raise {setting}",
            goes_on_at=self.goes_on_at,
        )


class Budget:
    """Reserves and settles for one client. Thread-safe."""

    def __init__(
        self, settings: BudgetSettings, prices: Prices, store: MemoryStore, clock: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self.prices = prices
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._paused: set[tuple[str, str]] = set()

    def reserve(self, request: Request, context: CallContext) -> int:
        """Reserve the worst case of `request`; gives the reservation's id. Raises BudgetRefused."""
        tokens, now = input_tokens(request), self._clock()
        claim = Claim(
            task_id=context.task_id,
            agent=context.agent,
            tokens=tokens + request.output_limit,
            nano_usd=round(self._worst_usd(request, tokens) * _NANO),
            model=f"{request.provider}:{request.model}",
            at=now,
        )
        reserved = self._store.budgets.reserve(claim, self._settings)
        if reserved.id is None:
            raise _refusal(reserved.over, claim, now)
        return reserved.id

    def record(self, call: ModelCall, reservation: int, request: Request, answer: Answer) -> None:
        """Write the answered call into the ledger and settle its reservation by its real use, in one transaction."""
        counted = input_tokens(request)
        if answer.input_tokens > counted or answer.output_tokens > request.output_limit:
            log.warning("a call took more tokens than were reserved", model=request.model, counted=counted,
                        input=answer.input_tokens, limit=request.output_limit, output=answer.output_tokens)  # fmt: skip
        self._report(self._store.ledger.record_call(call, reservation, self._settings))

    def release(
        self,
        reservation: int,
        request: Request,
        context: CallContext,
        error: LLMError,
        *,
        cut_off: bool = False,
        seconds: float = 0.0,
    ) -> None:
        """End the reservation of a try without an answer. One that cost something gets a row in the ledger.

        The provider has at least read one that was `cut_off` or took too long, so its input counts as spent; what the
        provider itself counts for one without a usable answer, does, too; others cost nothing.
        """
        if error.billed is None and (cut_off or isinstance(error, ProviderTimeout)):
            tokens = input_tokens(request)
            error.billed = Answer("", truncated=False, input_tokens=tokens, output_tokens=0, cached_tokens=0)
            usd = self._worst_usd(request, tokens) - self._worst_usd(request, 0)
        else:
            usd = self.prices.usd(request, error.billed) or 0.0 if error.billed else 0.0
        if error.billed is None:
            self._report(self._store.budgets.settle(reservation, tokens=0, nano_usd=0, budget=self._settings))
            return
        cost = None if self.prices.usd(request, error.billed) is None else usd
        try:
            call = failed(request, context, error, seconds, cost)
            self._report(self._store.ledger.record_call(call, reservation, self._settings))
        except (ValueError, TypeError, OverflowError, RecursionError):  # the row cannot be stored, but the cost counts
            tokens = error.billed.input_tokens + error.billed.output_tokens
            nano_usd = round(usd * _NANO)
            self._report(
                self._store.budgets.settle(reservation, tokens=tokens, nano_usd=nano_usd, budget=self._settings)
            )
        error.recorded = True

    def report_pause(self, refusal: BudgetRefused) -> None:
        """Alert the owner that calls wait for a new period, once for each limit and period."""
        state = refusal.state
        with self._lock:
            if (state.name, state.subject) in self._paused:
                return
            self._paused.add((state.name, state.subject))
        alert(
            AlertKind.BUDGET,
            f"{state.name} {state.subject} reached",
            f"{refusal.reason} ({state.subject}); work goes on at {refusal.goes_on_at:%Y-%m-%d %H:%M} UTC, or after a "
            f"restart with a higher budget.{state.name}",
        )

    def _worst_usd(self, request: Request, input_tokens: int) -> float:
        """The most that a call with so many tokens in may cost; 0 where no price is known.

        It assumes that the provider has nothing in its cache, and puts all input there if that costs more.
        """

        def cost(written: int) -> float:
            longest = Answer("", True, input_tokens, request.output_limit, cached_tokens=0, written_tokens=written)
            return self.prices.usd(request, longest) or 0.0

        return max(cost(0), cost(input_tokens))

    def _report(self, crossed: Sequence[LimitState]) -> None:
        for state in crossed:
            alert(
                AlertKind.BUDGET,
                f"{state.name} {state.subject}",
                f"{state.used / state.limit:.0%} of {_owner(state)} is used: {_amount(state.used, state.unit)} of "
                f"{_amount(state.limit, state.unit)} ({state.subject}, budget.{state.name})",
            )


def input_tokens(request: Request) -> int:
    """How many tokens the provider reads for `request`, at worst."""
    schema = json.dumps(request.schema.schema) if request.schema else ""
    around = _TEMPLATE_TOKENS + _TURN_TOKENS * len(request.turns)
    return estimate_tokens(request.text() + schema) + around + sum(thought.tokens for thought in request.thoughts())


def _refusal(over: Sequence[LimitState], claim: Claim, now: datetime) -> BudgetRefused:
    """Of several limits the one to report: first one that waiting does not help, then the one that lasts longest."""

    def wanted(state: LimitState) -> float:
        return claim.nano_usd / _NANO if state.unit == "usd" else claim.tokens

    def helpless(state: LimitState) -> bool:
        return state.scope == "task" or wanted(state) > state.limit

    def order(state: LimitState) -> tuple[bool, bool, int]:
        fits_alone = state.used + wanted(state) <= state.limit
        return fits_alone, not helpless(state), _LONGEST_FIRST.index(state.scope)

    first = min(over, key=order)
    return BudgetRefused(first, wanted(first), None if helpless(first) else _period_end(first.scope, now))


def _period_end(scope: str, now: datetime) -> datetime:
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if scope == "month":
        return (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    return today + timedelta(days=1)


def _owner(state: LimitState) -> str:
    agent = f" ({state.subject.partition(' ')[2]})" if state.scope == "agent_day" else ""
    return _OWNERS[state.scope] + agent


def _amount(value: float, unit: str) -> str:
    if unit == "tokens":
        return f"{value:,.0f} tokens"
    return f"{value:.2f} USD" if value >= 1 or value == 0 else f"{value:.4f} USD"
