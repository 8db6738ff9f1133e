"""The largest unit strength of each drug by route, from the FDA NDC directory: what a backstop rests on where no limit
is known.

A vial or ampoule has no unit strength, and neither has a liquid that is sprayed, dropped or spread: a drug with such a
product by a route has no row for it. By mouth a liquid or powder counts by the tablespoon, since some drugs come in
small tablets and are drunk by the gram.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from attending.guardrails.finding import Basis
from attending.guardrails.knowledge.assemble.facts import PROVENANCE
from attending.guardrails.knowledge.assemble.vocabulary import APPROVED, Vocabulary
from attending.guardrails.knowledge.importers import fda_ndc

COLUMNS: Final = ("drug", "route", "strength", "unit", "per", *PROVENANCE)
TABLESPOON: Final = Decimal(15)
"""mL of a liquid, or g of a powder."""
_PURE: Final = Decimal(990)
"""mg in a gram of the substance itself."""
_INJECTED: Final = frozenset(
    {"intravenous", "intramuscular", "subcutaneous", "intrathecal", "epidural", "intradermal"}
)
_DRUNK: Final = frozenset({"oral"})
_WORN: Final = frozenset({"transdermal", "topical", "vaginal"})
_WHOLE: Final = frozenset({"rectal", "vaginal"})
"""Routes by which the whole container is given: an enema."""

_Key = tuple[str, str, str, str]
_Held = tuple[Decimal, str, str]


def build(known: Vocabulary) -> list[dict[str, str]]:
    """The rows of the strengths table: one for drug, route, unit and what it is per; of products with one strength the
    first by code is cited.

    Only drugs with an approved product by the route have one: of what is sold without approval (vitamins, minerals) the
    directory lists too little to know the largest.
    """
    largest: dict[_Key, _Held] = {}
    approved: set[tuple[str, str]] = set()
    uncounted: set[tuple[str, str]] = set()
    for product in known.products:
        for substance, strength in zip(product.substances, product.strengths, strict=True):
            drug = known.namer.drug(substance)
            if drug is None:
                continue
            for route in product.routes - _INJECTED:
                if product.category in APPROVED:
                    approved.add((drug, route))
                unit = None if strength is None else _unit(strength, route)
                if strength is None or unit is None:
                    uncounted.add((drug, route))
                    continue
                key = (drug, route, strength.unit, "h" if strength.per == "h" else "")
                held = largest.get(key)
                found = (unit, product.code, _told(strength, unit))
                if held is None or (-found[0], found[1]) < (-held[0], held[1]):
                    largest[key] = found
    return [
        _row(key, largest[key])
        for key in sorted(largest)
        if key[:2] in approved and (key[:2] not in uncounted or key[1] in _DRUNK)
    ]


def _unit(strength: fda_ndc.Strength, route: str) -> Decimal | None:
    """What one unit holds; None for a form that is not counted by this route."""
    if strength.per == "" or (strength.per == "h" and route in _WORN):
        return strength.amount / strength.size
    if route in _WHOLE:
        return strength.amount
    if route in _DRUNK and strength.per == "g":
        # "25 mg in 0.025 g" is a tablet by its weight; "1000 mg in 1 g" is the bare substance, which no spoon measures
        if strength.size < 1:
            return strength.amount
        if strength.unit == "mg" and strength.amount >= strength.size * _PURE:
            return None
    if route in _DRUNK:
        return max(strength.amount, strength.amount / strength.size * TABLESPOON)
    return None


def _told(strength: fda_ndc.Strength, unit: Decimal) -> str:
    if strength.per in ("", "h") or unit == strength.amount:
        return ""
    per = strength.per
    each = f"{_plain(strength.amount)} {strength.unit} in {_plain(strength.size)} {per}"
    return f", {TABLESPOON} {per} of {each}"


def _row(key: _Key, held: _Held) -> dict[str, str]:
    drug, route, unit, per = key
    amount, code, told = held
    words = "-".join(part for part in (drug, route, unit, per) if part)
    return {
        "drug": drug,
        "route": route,
        "strength": _plain(amount),
        "unit": unit,
        "per": per,
        "basis": Basis.SOURCE_ROW.value,
        "rule_id": f"ndc-strength:{words.replace(' ', '-')}",
        "source": f"FDA NDC directory, April 2019, product {code}{told}",
    }


def _plain(value: Decimal) -> str:
    return f"{round(value, 6).normalize():f}"
