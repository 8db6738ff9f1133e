"""What a text states about the person: age, sex, weight, pregnancy, kidney and liver function.

Only what is said of one person, plainly: general advice ("adults over 65", "if you are pregnant", "eGFR below 30")
states nothing, and two different values of one fact state nothing either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from attending.guardrails.clinical.person.age import AGE, read_age
from attending.guardrails.clinical.person.expecting import EXPECTING, read_expecting
from attending.guardrails.clinical.person.nursing import NURSING, read_nursing
from attending.guardrails.clinical.person.organs import ORGANS, read_organs
from attending.guardrails.clinical.person.pregnancy import PREGNANCY, read_pregnancy
from attending.guardrails.clinical.person.size import SIZE, read_size
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.patient import PatientContext
from attending.guardrails.sieve import Group

_T = TypeVar("_T")


def describe(parts: Sequence[str], names: frozenset[str] = frozenset()) -> PatientContext:
    """The fields that are read here, each None where the text says nothing of it or speaks of several people.

    Reads normalised sentences, each by itself; `names` are words that the text writes as names of people. Pure;
    raises nothing."""
    told = Told()
    readers: tuple[tuple[Group, Callable[[str], None]], ...] = (
        (AGE, lambda part: read_age(part, names, told)),
        (SIZE, lambda part: read_size(part, told)),
        (PREGNANCY, lambda part: read_pregnancy(part, told)),
        (NURSING, lambda part: read_nursing(part, told)),
        (ORGANS, lambda part: read_organs(part, told)),
    )
    whole = "\n".join(parts)
    likely = [(patterns, read) for patterns, read in readers if patterns.may_match(whole)]
    for part in parts if likely else ():
        for patterns, read in likely:
            if patterns.may_match(part):
                read(part)
    if EXPECTING.may_match(whole):
        read_expecting(parts, told)
    infants, days = told.infants, told.days
    if days and (True in told.lactating or set(days) <= set(infants)):
        # an age in days beside a nursing mother, or of whom she nurses, is the infant's
        infants, days = infants or days, []
    expecting = _one(told.pregnant)
    return PatientContext(
        age_years=_one(told.ages) if not days else None,
        age_days=_one(days) if not told.ages else None,
        # beside a nursing mother "son" is the child
        sex="female" if True in told.lactating else _one(told.sexes) or ("female" if expecting else None),
        pregnant=expecting,
        pregnancy_weeks=_one(told.weeks or told.weeks_about) if expecting else None,
        lactating=_one(told.lactating),
        infant_days=_one(infants),
        weight_kg=_one(told.weights),
        height_cm=_one(told.heights),
        egfr=_one(told.egfrs),
        crcl=_one(told.crcls),
        dialysis=_one(told.dialysis),
        child_pugh=_one(told.childs),
    )


def _one(values: list[_T]) -> _T | None:
    return values[0] if values and all(v == values[0] for v in values) else None
