"""When a call is tried again: on what, after how long, and when it is enough."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from llm.errors import ProviderError
from monitoring import get_logger

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = get_logger(__name__)

Result = TypeVar("Result")

_LONGEST_PAUSE = 30.0
_EXTRA_PAUSE = 0.25
"""At most this part of a Retry-After is waited longer, so that callers do not all come back in the same instant."""


def with_retries(
    action: Callable[[], Result], *, retries: int, seconds: float, over: threading.Event, hopeless: Callable[[], bool]
) -> Result:
    """Run `action`; on a retryable ProviderError again, at most `retries` times and not beginning after `seconds`.

    Between two tries it waits what the provider asked for (Retry-After), else a random time under 1, 2, 4 … 30 s.
    A wait that would end after `seconds`, or while it is `hopeless`, is not begun: the error is raised at once. `over`
    ends a wait early.
    """
    from tenacity import Retrying, retry_if_exception, sleep_using_event, stop_after_attempt, stop_before_delay

    controller = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, ProviderError) and error.retryable and not hopeless()),
        wait=_pause,
        stop=stop_after_attempt(retries + 1) | stop_before_delay(seconds),
        before_sleep=_tell,
        sleep=sleep_using_event(over),
        reraise=True,
    )
    return controller(action)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ProviderError) and error.retry_after is not None:
        return error.retry_after * (1 + random.uniform(0, _EXTRA_PAUSE))  # noqa: S311  # spreads callers, hides nothing
    return random.uniform(0, min(_LONGEST_PAUSE, 2.0 ** (state.attempt_number - 1)))  # noqa: S311


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = round(state.next_action.sleep, 2) if state.next_action else None
    log.warning("model call failed; trying again", attempt=state.attempt_number, wait=pause, problem=str(error))
