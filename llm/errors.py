"""What can go wrong with a model call, and with having a model at all."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from monitoring.errors import FailureReason, KnownError

if TYPE_CHECKING:
    from llm.request import Answer


class LLMError(KnownError):
    """Anything of this folder. The message says what was attempted, the limit met and the next step."""

    reason = FailureReason.PROVIDER_ERROR
    billed: Answer | None = None
    """What the provider counts for a call without an answer that can be used."""
    recorded = False
    """Whether the try that ended so has its row in the ledger."""


class NotConfigured(LLMError):
    """The settings are not enough to ask the chosen provider: a key, an address or a model name is missing."""

    exits_with = 2


class ProviderError(LLMError):
    """A provider did not answer. `retryable`: the same request may succeed later.

    `outage`: the provider is at fault and not the request; when it works again, the same request may succeed.
    """

    def __init__(
        self, message: str, *, retryable: bool, retry_after: float | None = None, outage: bool | None = None
    ) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.outage = retryable if outage is None else outage
        self.retry_after = retry_after
        """Seconds the provider asked to wait, if it did."""


class ProviderUnavailable(ProviderError):
    """Rate limits, server errors, cut connections or unusable answers, up to the last try."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, retryable=True, retry_after=retry_after)


class RateLimited(ProviderUnavailable):
    """More requests or tokens a minute than the account may have."""


class Overloaded(ProviderUnavailable):
    """The server has too much to do, or what stands before it does not reach it."""


class NoAnswer(ProviderUnavailable):
    """What came as a success is no answer: an error, a web page, nothing."""


class ProviderTimeout(ProviderUnavailable):
    """No answer in the time a call may take."""


class ProviderRefused(ProviderError):
    """The request was turned down (key, model name, quota, content): asking again at once will not help."""

    def __init__(self, message: str, *, status: int | None = None, outage: bool = False, parameter: str = "") -> None:
        super().__init__(message, retryable=False, outage=outage)
        self.status = status
        """HTTP status, if there was one."""
        self.parameter = parameter
        """The parameter that it does not take, if that is why."""


class ModelUnknown(ProviderRefused):
    """The provider has no such model, or not for this key; its other models may answer."""


class BudgetExhausted(LLMError):
    """The call might exceed a limit of the budget and was not made.

    `goes_on_at`: when it can be made without anybody doing anything; None: never.
    """

    reason = FailureReason.BUDGET_EXHAUSTED
    blocks = True

    def __init__(self, message: str, *, goes_on_at: datetime | None = None) -> None:
        super().__init__(message)
        self.goes_on_at = goes_on_at


class Interrupted(BaseException):
    """The daemon stops while a call waits for its turn. The step that made the call runs again after the restart.

    Not an `Exception`, so that nothing mistakes it for a failure of the work.
    """


class PromptTooLong(LLMError):
    """Prompt and answer do not fit into the model's context."""


class TruncatedOutput(LLMError):
    """The answer reached its token limit; `partial` is what arrived."""

    def __init__(self, message: str, *, partial: str) -> None:
        super().__init__(message)
        self.partial = partial


class InvalidOutput(LLMError):
    """No answer fitted the schema, though the model was shown what was wrong; `answer` is the last one."""

    reason = FailureReason.INVALID_OUTPUT
    blocks = True

    def __init__(self, message: str, *, answer: str) -> None:
        super().__init__(message)
        self.answer = answer


class ModelMissing(LLMError):
    """The embedded model's file is missing."""


class ModelFetchFailed(LLMError):
    """The embedded model could not be downloaded from any source, or the file is not the right one."""


class LocalServerFailed(ProviderError):
    """The embedded model's server does not start, though it was tried several times, or it was stopped."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False, outage=True)
