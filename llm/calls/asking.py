"""How one call is made: which model it may ask, what is reserved for it, when it is tried again, and when it waits."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from time import monotonic, time_ns
from typing import TYPE_CHECKING, TypeVar

from llm.calls.budget import Budget, BudgetRefused
from llm.calls.circuit_breakers import Circuits
from llm.calls.in_flight import CallUnderWay, Patience
from llm.calls.ledger_rows import entry
from llm.calls.sending import Sender
from llm.errors import (
    LLMError,
    ModelUnknown,
    Overloaded,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
    RateLimited,
)
from llm.providers.openai_compatible import EMBEDDED
from llm.request import Answer, CallContext, Request, Turn
from monitoring import AlertKind, alert, get_logger

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = get_logger(__name__)

Result = TypeVar("Result")

_TOTAL_TIMEOUTS = 3
"""All tries of one round of a call begin within this many times its timeout."""
_BUSY_PAUSE = 2.0
"""Seconds until a call that does not fit the budget checks whether others used less than they reserved."""
_MOST_PROVEN = 2
"""Rounds that fail while a small request is answered; then the request is to blame."""
_FIRST_ROUND_PAUSE = 5.0
"""Seconds before the second of these rounds; each later pause is twice as long, up to `llm.outage_retry`."""
_FORBIDDEN = 403
"""The status by which some refuse a single request, and others a key."""
_SMALL, _SMALL_ANSWER = "Answer with the word yes.", 16
_MOST_ROUNDS = 5
"""Rounds that may fail while the same model answers other calls; after that the request itself is to blame."""
_LONGEST_PAUSE = 30.0
_EXTRA_PAUSE = 0.25
"""A Retry-After is extended by at most this fraction, so that callers do not all return at the same instant."""


@dataclass(frozen=True)
class Granted:
    """An answer, the request that it answers, and the reservation that is still open for it."""

    request: Request
    answer: Answer
    reservation: int
    seconds: float


@dataclass
class Asking:
    """One call on its way to an answer, in the thread that wants it."""

    call: CallUnderWay
    context: CallContext
    patience: Patience
    sender: Sender
    budget: Budget
    circuits: Circuits
    retries: int
    patient: bool
    clock: Callable[[], datetime]
    failed_rounds: int = 0
    """Rounds that failed although the model had answered other calls since the round before."""
    answered_before: int = -1

    def first_of(self, asked: Sequence[Request]) -> Granted:
        """The answer of the first of `asked` whose provider is not out. Raises LLMError."""
        failed: list[Request] = []
        while True:
            request = self._choose([each for each in asked if self.patient or each not in failed])
            try:
                granted = self._proven(request) if self.patient else self._in_rounds(request)
            except BudgetRefused as refusal:
                self.circuits.release(request)
                self._wait_for_budget(refusal)
            except ProviderError as error:
                if not error.outage or self.call.over.is_set():
                    self.circuits.release(request)
                    self.call.check()
                    raise
                self.circuits.trip(request, error)
                failed.append(request)
                self._go_on_after(error, request, others=any(each not in failed for each in asked))
            except BaseException:
                self.circuits.release(request)
                raise
            else:
                return granted

    def _proven(self, request: Request) -> Granted:
        """As `_in_rounds`. Where that fails again and again while the same model answers a small request, the request
        is to blame and not the provider: raises ProviderRefused, and the queue goes on."""
        try:
            return self._in_rounds(request)
        except ProviderError as failed:
            error = failed
        for number in range(_MOST_PROVEN):
            if not self._may_be_to_blame(request, error) or not self._answers_a_small_one(request, number):
                raise error
            self.circuits.succeeded(request)
            self.call.over.wait(min(_FIRST_ROUND_PAUSE * 2**number, self.circuits.longest_pause))
            self.call.check()
            try:
                return self._in_rounds(request)
            except ProviderError as again:
                error = again
        if not self._may_be_to_blame(request, error):
            raise error
        self.circuits.succeeded(request)
        told = f"{error} (it answers other requests, but fails on this one again and again)"
        raise ProviderRefused(told) from error

    def _may_be_to_blame(self, request: Request, error: ProviderError) -> bool:
        """A limit of the rate, a model that is not there, a wrong key and an empty account say nothing of a single
        request. A slow answer may: a prompt that takes longer than `llm.timeout` would hold up all others for ever."""
        others = isinstance(error, RateLimited | Overloaded | ModelUnknown) or request.provider == EMBEDDED.name
        account = isinstance(error, ProviderRefused) and error.status != _FORBIDDEN
        return error.outage and not others and not account and not self.call.over.is_set()

    def _answers_a_small_one(self, request: Request, number: int) -> bool:
        """Whether the model answers a request of a few words, which costs next to nothing."""
        small = Request(
            request.provider, request.model, "", (Turn("user", _SMALL),), request.temperature, _SMALL_ANSWER
        )
        context = replace(self.context, step=f"{self.context.step} small {number} {time_ns()}")
        try:
            granted = self._once(small, watched=False)
        except (LLMError, BudgetRefused):
            return False
        cost = self.budget.prices.usd(small, granted.answer)
        call = entry(small, context, granted.answer, cost=cost, cached=False, seconds=granted.seconds)
        self.budget.record(call, granted.reservation, small, granted.answer)
        return True

    def trial(self, request: Request) -> Granted:
        """One try that the circuit breakers do not count."""
        while True:
            try:
                return self._once(request, watched=False)
            except BudgetRefused as refusal:
                self._wait_for_budget(refusal)

    def _choose(self, asked: Sequence[Request]) -> Request:
        """The first that may be asked. When none may, a patient call waits and another takes the first one anyway."""
        while True:
            chosen = next((each for each in asked if self.circuits.enter(each)), None)
            if chosen or not self.patient:
                return chosen or asked[0]
            seconds, error = self.circuits.outlook(asked)
            reason = f"{asked[0].provider} is out: {error}" if error else f"{asked[0].provider} is out"
            if error:
                self._report_outage(asked, error)
            self.patience.wait("provider", reason, self.clock() + timedelta(seconds=max(seconds, 0.1)))

    def _in_rounds(self, request: Request) -> Granted:
        return _with_retries(
            partial(self._once, request, watched=True),
            retries=self.retries,
            seconds=self.sender.timeout(request) * _TOTAL_TIMEOUTS,
            over=self.call.over,
            hopeless=lambda: self.patient and self.circuits.is_open(request),
        )

    def _once(self, request: Request, *, watched: bool) -> Granted:
        """One try, with its own reservation. The circuit breakers learn how it ends if it is `watched`."""
        self.sender.wait_for_rate(request, self.call)
        reservation = self.budget.reserve(request, self.context)
        if not self.circuits.is_open(request):
            self.patience.over()
        begun = monotonic()
        try:
            answer = self.sender.send(request, self.call)
        except LLMError as error:
            self._release(reservation, request, error, begun, cut_off=self.call.given_up)
            if watched and isinstance(error, ProviderError) and error.outage:
                self.circuits.failed(request, error)
            elif watched and not self.call.given_up:
                self.circuits.succeeded(request)
            raise
        except Exception as error:  # a bug of ours: what it may have cost counts, and nothing stays reserved
            self._release(reservation, request, LLMError(str(error)), begun, cut_off=True)
            raise
        if watched:
            self.circuits.succeeded(request)
        return Granted(request, answer, reservation, monotonic() - begun)

    def _release(self, reservation: int, request: Request, error: LLMError, begun: float, *, cut_off: bool) -> None:
        seconds = monotonic() - begun
        self.budget.release(reservation, request, self.context, error, cut_off=cut_off, seconds=seconds)

    def _wait_for_budget(self, refusal: BudgetRefused) -> None:
        if refusal.busy:
            self.call.sleep(_BUSY_PAUSE)
        elif self.patient and refusal.goes_on_at:
            self.budget.report_pause(refusal)
            self.patience.wait("budget", refusal.reason, refusal.goes_on_at)
        else:
            raise refusal.exhausted() from None

    def _go_on_after(self, error: ProviderError, request: Request, *, others: bool) -> None:
        """Raises `error` when no model is left to ask, or when the request itself is to blame."""
        if not self.patient:
            if not others:
                raise error
            log.warning("the call goes to the next model", agent=self.context.agent, problem=str(error))
            return
        answered = self.circuits.successes(request)
        self.failed_rounds += answered > self.answered_before >= 0
        self.answered_before = answered
        if self.failed_rounds >= _MOST_ROUNDS:
            raise ProviderUnavailable(f"{error} (it answers other requests, but fails on this one again and again)")
        if not error.retryable:
            self._report_outage([request], error)

    def _report_outage(self, asked: Sequence[Request], error: ProviderError) -> None:
        """Alert the owner, once in an outage."""
        if not self.circuits.take_unreported(asked[0]):
            return
        remedy = "" if error.retryable else "; fix the cause, the provider is tried again every few minutes"
        alert(
            AlertKind.PROVIDER, f"{asked[0].provider} out", f"model calls wait or go to llm.fallback: {error}{remedy}"
        )


def _with_retries(
    action: Callable[[], Result], *, retries: int, seconds: float, over: threading.Event, hopeless: Callable[[], bool]
) -> Result:
    """Run `action`; after a retryable ProviderError again, at most `retries` times, and not beginning after `seconds`.

    Between two tries it waits what the provider asked for (Retry-After), else a random time under 1, 2, 4 … 30 s.
    It does not wait beyond `seconds`, nor while it is `hopeless`, but raises the error at once. `over` ends a wait
    early.
    """
    from tenacity import Retrying, retry_if_exception, sleep_using_event, stop_after_attempt, stop_before_delay

    controller = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, ProviderError) and error.retryable and not hopeless()),
        wait=_pause,
        stop=stop_after_attempt(retries + 1) | stop_before_delay(seconds),
        before_sleep=_log_retry,
        sleep=sleep_using_event(over),
        reraise=True,
    )
    return controller(action)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ProviderError) and error.retry_after is not None:
        return error.retry_after * (1 + random.uniform(0, _EXTRA_PAUSE))  # noqa: S311  # spreads callers, hides nothing
    return random.uniform(0, min(_LONGEST_PAUSE, 2.0 ** (state.attempt_number - 1)))  # noqa: S311


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = round(state.next_action.sleep, 2) if state.next_action else None
    log.warning("model call failed; trying again", attempt=state.attempt_number, wait=pause, problem=str(error))
