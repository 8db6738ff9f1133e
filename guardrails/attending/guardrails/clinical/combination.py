"""The strengths of a fixed combination: "8/2 mg" of the two drugs of one product."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from attending.guardrails.clinical.amount import Amount, Kind, convert
from attending.guardrails.clinical.mentions import Named

_IN_MICROGRAMS = frozenset(
    {"formoterol", "salmeterol", "vilanterol", "indacaterol", "olodaterol", "umeclidinium"}
)
"""Inhaled drugs whose combinations are written without a unit ("160/4.5") and measured in micrograms."""
_MOST_AT_ONCE = 4
"""A total of so many times the product is a count of it; more is read as two strengths that fit nothing."""


def as_components(
    amount: Amount,
    named: Named | None,
    said: list[Amount],
    unreadable: list[Amount],
    *,
    combined: bool = False,
) -> Amount | None:
    """The amount, as strengths where a fixed combination has them; None where it is no dose of `named`. `said` are the
    amounts already given to the drug; strengths that fit no combination go to `unreadable`, unless the text names a
    product of as many ingredients (`combined`): "samples of the 24/26 mg strength"."""
    if amount.kind is Kind.COMPONENTS:
        return _components(amount, named, said, unreadable, combined=combined)
    if named is not None and amount.hyphen and amount.mass and len(named.drugs) > 1:
        return replace(amount, kind=Kind.COMPONENTS, components=(amount.low, amount.high))
    return amount


def _components(
    amount: Amount, named: Named | None, said: list[Amount], unreadable: list[Amount], *, combined: bool
) -> Amount | None:
    if _multiple_said(amount, said):
        return None
    if named is None or not 0 <= amount.start - named.end <= 14:
        if amount.unit and amount.reason and not combined:
            unreadable.append(amount)
        return None
    if len(named.drugs) < 2:
        if amount.unit and named.drugs:
            unreadable.append(replace(amount, reason=amount.reason or "two strengths of one ingredient"))
        return None
    unit = amount.unit or ("mcg" if _IN_MICROGRAMS & set(named.drugs) else "mg")
    scale = convert(Decimal(1), unit, "mg") or Decimal(1)
    return replace(amount, components=tuple(c * scale for c in amount.components))


def _multiple_said(amount: Amount, said: list[Amount]) -> bool:
    """ "8/2 mg, three films daily (24/6 mg)": the strengths said before, multiplied out."""
    for one in (a.components for a in said):
        if (
            len(one) == len(amount.components)
            and len({b / a for a, b in zip(one, amount.components, strict=True)}) == 1
        ):
            times = amount.components[0] / one[0]
            return times <= _MOST_AT_ONCE and (times * 2) % 1 == 0
    return False
