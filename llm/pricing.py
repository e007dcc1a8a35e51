"""What a call costs, from the published prices that genai-prices keeps."""

from __future__ import annotations

from monitoring import get_logger

log = get_logger(__name__)

_PRICED = ("openai", "anthropic")
_unpriced: set[tuple[str, str]] = set()


def cost_usd(provider: str, model: str, input_tokens: int, output_tokens: int, cached_tokens: int) -> float | None:
    """US dollars for one call; 0 for the embedded model, None when the price is not known (said once in the log).

    `input_tokens` includes `cached_tokens`, those the provider read from its own cache at a lower price.
    """
    if provider == "local":
        return 0.0
    if provider in _PRICED:
        from genai_prices import Usage, calc_price

        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached_tokens)
        try:
            return float(calc_price(usage, model_ref=model, provider_id=provider).total_price)
        except LookupError:
            pass
    if (provider, model) not in _unpriced:
        _unpriced.add((provider, model))
        log.warning("no price is known for this model; it is counted in tokens only", provider=provider, model=model)
    return None
