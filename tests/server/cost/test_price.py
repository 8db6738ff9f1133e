"""Unknown is unknown, never zero."""

from __future__ import annotations

import pytest
from attending.server.cost.price import price


def test_a_priced_model() -> None:
    paid = price("openai", "gpt-4o", 1000, 100)
    assert paid.micros is not None
    assert paid.micros > 0
    assert paid.currency == "USD"
    assert "genai-prices" in paid.basis


@pytest.mark.parametrize(
    ("provider", "model", "tokens_in", "tokens_out", "basis"),
    [
        ("openai", "gpt-4o", None, 10, "usage_not_reported"),
        ("openai", "gpt-4o", 10, None, "usage_not_reported"),
        (None, "smollm2-135m-instruct", 10, 10, "no_price_table"),
        ("openai", "no-such-model-anywhere", 10, 10, "model_not_priced"),
        ("no-such-provider", "gpt-4o", 10, 10, "model_not_priced"),
    ],
)
def test_unknown_has_a_reason_and_no_amount(
    provider: str | None, model: str, tokens_in: int | None, tokens_out: int | None, basis: str
) -> None:
    paid = price(provider, model, tokens_in, tokens_out)
    assert paid.micros is None
    assert paid.currency is None
    assert paid.basis == basis


def test_a_tiny_call_is_not_free() -> None:
    paid = price("openai", "gpt-4o-mini", 1, 0)
    assert paid.micros == 1
