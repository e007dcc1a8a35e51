"""What calls cost, in US dollars: by the owner's `llm.prices`, else by the published prices of genai-prices."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from config import BudgetSettings, LLMSettings, PriceSettings, caller
from llm.lineup import ServedModel
from llm.providers.openai_compatible import EMBEDDED
from llm.providers.registry import PROVIDERS
from llm.request import Answer, Request
from monitoring import get_logger

log = get_logger(__name__)

_MILLION = 1_000_000
_told: set[tuple[str, str]] = set()
"""Models whose missing price is in the log already."""
_telling = threading.Lock()
_A_CALL = Answer("", truncated=False, input_tokens=1000, output_tokens=1000, cached_tokens=0)


class Prices:
    """The prices of all models. Thread-safe."""

    def __init__(self, stated: Mapping[str, PriceSettings]) -> None:
        """`stated`: the owner's, by `provider:model` or the model's name alone."""
        self._stated = stated

    def usd(self, request: Request, answer: Answer) -> float | None:
        """US dollars for one call; 0 for the embedded model, None when the price is not known (logged once)."""
        found = self._usd(request.provider, request.model, answer)
        if found is None:
            with _telling:
                is_new = (request.provider, request.model) not in _told
                _told.add((request.provider, request.model))
            if is_new:
                log.warning("no price is known for this model; it is counted in tokens only",
                            provider=request.provider, model=request.model)  # fmt: skip
        return found

    def unknown(self, models: Sequence[ServedModel]) -> list[ServedModel]:
        """Those of the models whose price is not known."""
        return [each for each in dict.fromkeys(models) if self._usd(each.provider, each.name, _A_CALL) is None]

    def charged(self, models: Sequence[ServedModel]) -> list[ServedModel]:
        """Those of the models that cost money. One of a provider that bills does, whether its price is known or not."""
        known = {each: self._usd(each.provider, each.name, _A_CALL) for each in dict.fromkeys(models)}
        return [each for each, usd in known.items() if usd or (usd is None and PROVIDERS[each.provider].price_id)]

    def _usd(self, provider: str, model: str, answer: Answer) -> float | None:
        if provider == EMBEDDED.name:
            return 0.0
        if stated := self._stated.get(f"{provider}:{model}") or self._stated.get(model):
            return _by(stated, answer)
        if price_id := PROVIDERS[provider].price_id:
            from genai_prices import Usage, calc_price

            try:
                usage = Usage(
                    input_tokens=answer.input_tokens,
                    output_tokens=answer.output_tokens,
                    cache_read_tokens=answer.cached_tokens,
                    cache_write_tokens=answer.written_tokens,
                )
                return float(calc_price(usage, model_ref=model, provider_id=price_id).total_price)
            except LookupError:
                pass
        return None


def _by(price: PriceSettings, answer: Answer) -> float:
    cached = price.input if price.cached_input is None else price.cached_input
    fresh = max(answer.input_tokens - answer.cached_tokens, 0)
    return (fresh * price.input + answer.cached_tokens * cached + answer.output_tokens * price.output) / _MILLION


def unbounded(models: Sequence[ServedModel], settings: LLMSettings, budget: BudgetSettings) -> str:
    """Why a limit in money bounds nothing, with the remedy; empty if it does, or if tokens are limited, too."""
    in_tokens = (budget.day_tokens, budget.month_tokens, budget.agent_day_tokens)
    if not budget.limits_money or any(in_tokens):
        return ""
    unknown = Prices(settings.prices).unknown(models)
    if not unknown:
        return ""
    named = ", ".join(map(str, unknown))
    return (
        f"budget limits money, but no price is known for {named}, so nothing would stop it: state one in llm.prices "
        f"(US dollars for a million tokens; 0 for a server of your own: `{caller()} config set llm.prices "
        f"'{{{unknown[0].name}: {{input: 0, output: 0}}}}'`), or limit tokens as well (budget.day_tokens)"
    )


def unlimited(models: Sequence[ServedModel], settings: LLMSettings, budget: BudgetSettings) -> str:
    """That a model costs money while nothing limits a day or a month, and nobody means that; else empty."""
    if any((budget.no_limit, budget.day_usd, budget.month_usd, budget.day_tokens, budget.month_tokens)):
        return ""
    charged = Prices(settings.prices).charged(models)
    return f"{charged[0]} costs money, and nothing limits what it may spend" if charged else ""
