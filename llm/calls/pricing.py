"""What a call costs, from the published prices that genai-prices keeps."""

from __future__ import annotations

from llm.request import Answer, Request
from monitoring import get_logger

log = get_logger(__name__)

_PRICED = ("openai", "anthropic")
_unpriced: set[tuple[str, str]] = set()


def cost_usd(request: Request, answer: Answer) -> float | None:
    """US dollars for one call; 0 for the embedded model, None when the price is not known (said once in the log)."""
    provider, model = request.provider, request.model
    if provider == "local":
        return 0.0
    if provider in _PRICED:
        from genai_prices import Usage, calc_price

        usage = Usage(
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cache_read_tokens=answer.cached_tokens,
            cache_write_tokens=answer.written_tokens,
        )
        try:
            return float(calc_price(usage, model_ref=model, provider_id=provider).total_price)
        except LookupError:
            pass
    if (provider, model) not in _unpriced:
        _unpriced.add((provider, model))
        log.warning("no price is known for this model; it is counted in tokens only", provider=provider, model=model)
    return None


def worst_usd(request: Request, input_tokens: int) -> float:
    """The most that a call with so many tokens in may cost; 0 where no price is known.

    Nothing is taken to be in the provider's cache, and whatever costs more when it is put there is taken to be.
    """

    def cost(written: int) -> float:
        longest = Answer("", True, input_tokens, request.max_tokens, cached_tokens=0, written_tokens=written)
        return cost_usd(request, longest) or 0.0

    return max(cost(0), cost(input_tokens))
