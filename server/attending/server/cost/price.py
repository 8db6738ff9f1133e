"""Price of one provider call from `genai-prices`, the table shipped in the installed package (no network)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version

MICROS = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Price:
    """`micros` is millionths of `currency`, rounded up, or None when not known; then `basis` says why."""

    micros: int | None
    currency: str | None
    basis: str


def price(
    price_provider: str | None, model: str, input_tokens: int | None, output_tokens: int | None
) -> Price:
    """The price of a call, or an unknown price with its reason; never zero for want of knowledge.

    `price_provider` is the provider's id in genai-prices (such as `openai`), None where no price is published,
    as for the embedded model. Reasons: usage_not_reported, no_price_table, model_not_priced.
    """
    if input_tokens is None or output_tokens is None:
        return Price(None, None, "usage_not_reported")
    if price_provider is None:
        return Price(None, None, "no_price_table")
    import genai_prices

    usage = genai_prices.Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        found = genai_prices.calc_price(usage, model_ref=model, provider_id=price_provider)
    except (LookupError, ValueError):
        return Price(None, None, "model_not_priced")
    micros = int((found.total_price * MICROS).to_integral_value(ROUND_CEILING))
    return Price(
        micros, "USD", f"genai-prices {version('genai-prices')} {found.provider.id}/{found.model.id}"
    )
