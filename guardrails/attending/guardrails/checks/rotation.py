"""What an opioid replaces: the dose before a rotation, in morphine milligram equivalents a day.

Tolerance to one opioid is not tolerance to the next, so that a rotation begins below the equivalent dose (opioid
labels, section 2, conversion from other opioids). Where the ceilings of the CDC guideline do not hold, in cancer or
palliative care, a new opioid at twice the old dose or more is still an error of conversion.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import amount_of, listed_daily_mg, per_day
from attending.guardrails.checks.case import Case
from attending.guardrails.sieve import Sieved

_REPLACES: Final = Sieved(
    r"\b(?:rotat\w+|convert\w*|conversion|switch\w*|(?:chang|mov)\w+ (?:\w+ ){0,4}(?:to|from)|instead of|replac\w+)\b",
    re.I,
)


def replaced_mme(case: Case, new: Collection[str]) -> Decimal | None:
    """The equivalents a day of opioids other than `new` that the text ends or changes from; None where it replaces none
    or their dose is not told. The highest dose told of each counts."""
    highest: dict[str, Decimal] = {}
    texts = [case.output, *([case.prompt] if case.prompt is not None else [])]
    for statement in (s for text in texts for s in text.statements):
        for index, drug in enumerate(statement.mention.drugs):
            factor = case.knowledge.mme_factor(drug)
            if factor is None or drug in new or drug == "fentanyl" or statement.dose is None:
                continue
            amount = amount_of(statement.dose, case, statement.mention, index=index)
            daily = per_day(statement, amount) if amount is not None and amount.unit == "mg" else None
            if daily is not None and not (amount is not None and amount.scaled):
                highest[drug] = max(highest.get(drug, Decimal(0)), daily * factor.factor)
    for drug in case.recorded - frozenset(new):
        factor = case.knowledge.mme_factor(drug)
        listed = listed_daily_mg(case, drug) if factor is not None and drug != "fentanyl" else None
        if factor is not None and listed is not None:
            highest[drug] = max(highest.get(drug, Decimal(0)), listed * factor.factor)
    if not highest or not (highest.keys() & case.ended or _REPLACES.search(case.judged.output)):
        return None
    return sum(highest.values(), Decimal(0))


__all__ = ["replaced_mme"]
