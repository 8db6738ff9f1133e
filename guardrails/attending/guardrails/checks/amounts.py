"""How much is given: statements turned into comparable amounts per administration and per day.

Mass is in mg, everything else in its own unit. What cannot be known (a tablet of unknown strength, a dose per
kilogram without a weight) is None, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, active_medication, drugs_of
from attending.guardrails.checks.combination import FIRST_OF_TOTAL, component_of
from attending.guardrails.clinical.parse import parse
from attending.guardrails.clinical.statement import Dose, DrugMention, Frequency, Span, Statement

MG_PER: Final = {"g": Decimal(1000), "mg": Decimal(1), "mcg": Decimal("0.001"), "ng": Decimal("0.000001")}
COUNTED: Final = frozenset(
    "tablet capsule puff drop patch spray suppository ampoule application packet lozenge teaspoon".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Amount:
    """`low`..`high` of `unit` ("mg" for any mass) per administration, or per `per_time` where that is set.

    `per_kg` and `per_m2` stay set while the patient's size is not known.
    """

    low: Decimal
    high: Decimal
    unit: str
    span: Span
    per_kg: bool = False
    per_m2: bool = False
    per_time: str | None = None
    scaled: bool = False
    """True where a per-kg or per-m2 dose was multiplied by the patient's size."""


def body_surface_m2(case: Case) -> Decimal | None:
    """Mosteller: sqrt(height_cm x weight_kg / 3600)."""
    if case.context.weight_kg is None or case.context.height_cm is None:
        return None
    return (case.context.height_cm * case.context.weight_kg / Decimal(3600)).sqrt()


def to_base(value: Decimal, unit: str) -> tuple[Decimal, str]:
    """Mass to mg; other units unchanged."""
    return (value * MG_PER[unit], "mg") if unit in MG_PER else (value, unit)


def amount_of(dose: Dose, case: Case, mention: DrugMention, *, index: int = 0) -> Amount | None:
    """The dose of ingredient `index` of a mention, scaled by the patient's size where known; None where it cannot be
    known."""
    drugs, spelled = mention.drugs, not mention.brand
    low, high, unit = dose.low, dose.high, dose.unit
    if dose.components:
        if index >= len(dose.components) or len(dose.components) != len(drugs):
            return None
        component = component_of(drugs, dose.components, index, spelled=spelled)
        if component is None:
            return None
        low = high = component
        unit = "mg"
    elif len(drugs) > 1 and index > 0 and unit not in ("mL", *COUNTED):
        # "Augmentin 875 mg": which ingredient is meant is not said, so the first one named carries the strength.
        return None
    if unit in COUNTED or unit in ("mL", "percent", "kcal"):
        return None
    if not dose.components and not dose.per_kg and unit in MG_PER:
        share = FIRST_OF_TOTAL.get(drugs, Decimal(1))
        low, high = low * share, high * share
    low, base = to_base(low, unit)
    high, _ = to_base(high, unit)
    amount = Amount(low, high, base, dose.span, dose.per_kg, dose.per_m2, dose.per_time)
    factor = case.context.weight_kg if dose.per_kg else body_surface_m2(case) if dose.per_m2 else None
    if factor is None:
        return amount
    return Amount(low * factor, high * factor, base, dose.span, per_time=dose.per_time, scaled=True)


def exposure_amount(exposure: Exposure, case: Case) -> Amount | None:
    """The amount one exposure states, or None."""
    statement = exposure.statement
    if statement is None or statement.dose is None:
        return None
    amount = amount_of(statement.dose, case, statement.mention, index=exposure.index)
    if amount is not None and amount.scaled:
        return _capped(case, exposure, statement, amount)
    return amount


def _capped(case: Case, exposure: Exposure, statement: Statement, amount: Amount) -> Amount:
    """A dose by weight, but not more than the text itself says: "60 mg/kg (max 4,500 mg)"; whether that limit is too
    high is judged by itself."""
    for limit in (statement.single_limit, statement.daily_limit):
        most = amount_of(limit, case, statement.mention, index=exposure.index) if limit is not None else None
        if most is not None and not most.scaled and most.unit == amount.unit and most.high < amount.high:
            amount = replace(amount, low=min(amount.low, most.high), high=most.high)
    return amount


_PIECES: Final = COUNTED - {"tablet", "capsule", "teaspoon"}
_PIECE_WORD: Final = re.compile(
    r"\b(puff|inhalation|actuation|spray|patch|drop|suppositor|sachet|packet|enema)(?:s|es|y|ies)?\b", re.I
)
_PIECE_OF: Final = {
    "inhalation": "puff", "actuation": "puff", "suppositor": "suppository", "sachet": "packet",
}  # fmt: skip


def pieces_of(exposure: Exposure) -> Amount | None:
    """How many puffs, sprays, patches, drops or suppositories are taken at one time; None for a dose that is not
    counted so. "17 mcg: 20 puffs" is counted too, although its amount is known."""
    statement = exposure.statement
    dose = statement.dose if statement is not None else None
    if dose is None or dose.components:
        return None
    if dose.unit in _PIECES:
        return Amount(dose.low, dose.high, dose.unit, dose.span)
    word = _PIECE_WORD.search(dose.text) if dose.count is not None else None
    if word is None or dose.count is None:
        return None
    unit = word.group(1).lower()
    return Amount(dose.count, dose.count, _PIECE_OF.get(unit, unit), dose.span)


def times_per_day(frequency: Frequency | None) -> Decimal | None:
    """Highest number of administrations on one day that the words allow; None when they do not say.

    A dose repeated within the hour is repeated a few times, not all day: its count is not known.
    """
    if frequency is None:
        return None
    if frequency.once_only:
        return Decimal(1)
    if frequency.interval_hours is not None and frequency.interval_hours < 1:
        return None
    if frequency.times_per_day is not None:
        return max(Decimal(1), frequency.times_per_day)
    if frequency.interval_hours:
        return max(Decimal(1), Decimal(24) / frequency.interval_hours)
    return None


def interval_hours(frequency: Frequency | None) -> Decimal | None:
    """Shortest hours between administrations that the words allow; None when they do not say."""
    if frequency is None or frequency.once_only:
        return None
    if frequency.interval_hours:
        return frequency.interval_hours
    if frequency.times_per_day:
        return Decimal(24) / frequency.times_per_day
    return None


def per_day(statement: Statement, amount: Amount) -> Decimal | None:
    """The most that is taken on one day in `amount.unit`; None when the frequency is not said."""
    match amount.per_time:
        case "day":
            return amount.high
        case "h":
            return amount.high * 24
        case "min":
            return amount.high * 1440
        case "week":
            return amount.high
    times = times_per_day(statement.frequency)
    return None if times is None else amount.high * times


def per_day_within(statement: Statement, amount: Amount, case: Case, *, index: int = 0) -> Decimal | None:
    """`per_day`, but not more than what the text itself says not to exceed in 24 hours ("500 mg to 1 g every 4 to
    6 hours, no more than 4 g a day"); whether that limit is too high is judged by itself."""
    total = per_day(statement, amount)
    if total is None or statement.daily_limit is None:
        return total
    limit = amount_of(statement.daily_limit, case, statement.mention, index=index)
    if limit is None or (limit.unit, limit.per_kg, limit.per_m2) != (
        amount.unit,
        amount.per_kg,
        amount.per_m2,
    ):
        return total
    return min(total, max(limit.high, amount.low))


_CAME_ON: Final = re.compile(
    r"\b(?:came (?:to (?:us|me|the clinic|clinic)|in|here)|arrived|presented|transferred|first seen|established care|"
    r"(?-i:(?<=\n)|(?<![^\n]))(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]{0,6}(?: (?:19"
    r"|20)\d\d)?(?=:)|"
    r"started out|used to (?:take|be on)|inherited|at (?:intake|first visit))\b[^.;\n]{0,40}\Z",
    re.I,
)


def _of_the_past(case: Case, exposure: Exposure) -> bool:
    """True for the dose with which a patient came, where the text goes on with a smaller one of the drug: "came on
    oxycodone 80 mg a day, now 10 mg three times a day"."""
    text, start, statement = case.judged.output, exposure.span.start, exposure.statement
    if (
        statement is None
        or statement.dose is None
        or _CAME_ON.search(text, max(0, start - 80), start) is None
    ):
        return False
    if re.match(r"used to", text[max(0, start - 80) : start].rsplit(".", 1)[-1].strip(), re.I):
        return True
    return any(
        e.drug == exposure.drug
        and e.span.start > start
        and e.statement is not None
        and e.statement.dose is not None
        and e.statement.dose.unit == statement.dose.unit
        and e.statement.dose.high < statement.dose.high
        for e in case.given
    )


def daily_total(case: Case, drug: str) -> Decimal | None:
    """The most mg of `drug` that the output gives on one day over all its products; None where any part is
    unknown or nothing is said. Alternatives (statements without a common `sum_group`) are not added."""
    groups: dict[int | None, Decimal] = {}
    for exposure in case.given:
        if exposure.drug != drug or exposure.statement is None:
            continue
        amount = exposure_amount(exposure, case)
        if amount is None or amount.per_kg or amount.per_m2 or amount.unit != "mg":
            continue
        if _of_the_past(case, exposure):
            continue
        daily = per_day_within(exposure.statement, amount, case, index=exposure.index)
        if daily is None:
            continue
        group = exposure.statement.sum_group
        groups[group] = (
            groups.get(group, Decimal(0)) + daily
            if group is not None
            else max(groups.get(group, Decimal(0)), daily)
        )
    return max(groups.values()) if groups else None


def listed_statements(case: Case, drug: str) -> list[Statement]:
    """What the lines of the patient's own medication list say of a drug, each with a dose; empty for a drug that only
    the output puts there."""
    found: list[Statement] = []
    if drug not in case.recorded:
        return found
    for medication in case.context.medications or ():
        if not active_medication(medication.status) or drug not in drugs_of(medication.name, case.lexicon):
            continue
        line = " ".join(part for part in (medication.name, medication.dose, medication.frequency) if part)
        found.extend(
            statement
            for statement in parse(f"Take {line}", case.lexicon).statements
            if statement.dose is not None and drug in statement.mention.drugs
        )
    return found


def listed_products(case: Case, drug: str, *, besides: AbstractSet[str] = frozenset()) -> dict[str, Decimal]:
    """Product name -> most mg of `drug` a day, for the lines of the medication list whose dose can be read and
    which the output does not stop; products of the names `besides`, in lower case, are left out."""
    found: dict[str, Decimal] = {}
    if drug in case.ended:
        return found
    for medication in case.context.medications or ():
        if medication.name.lower() in besides or not active_medication(medication.status):
            continue
        if drug not in drugs_of(medication.name, case.lexicon):
            continue
        line = " ".join(part for part in (medication.name, medication.dose, medication.frequency) if part)
        for statement in parse(f"Take {line}", case.lexicon).statements:
            if statement.dose is None or drug not in statement.mention.drugs:
                continue
            index = statement.mention.drugs.index(drug)
            amount = amount_of(statement.dose, case, statement.mention, index=index)
            daily = None if amount is None or amount.unit != "mg" else per_day(statement, amount)
            if daily is not None:
                found[medication.name] = max(found.get(medication.name, Decimal(0)), daily)
    return found


def listed_daily_mg(case: Case, drug: str) -> Decimal | None:
    """The daily mg of a drug by the medication list, over all its products; None where no line can be read."""
    products = listed_products(case, drug)
    return sum(products.values(), Decimal(0)) if products else None


def shown(value: Decimal, unit: str) -> str:
    """A number a person reads: no exponent, at most three decimals, mg shown as g or mcg where that is usual."""
    if unit == "mg" and value != 0 and abs(value) < Decimal("0.5"):
        value, unit = value * 1000, "mcg"
    elif unit == "mg" and value >= 10_000:
        value, unit = value / 1000, "g"
    text = format(round(value, 3).normalize(), "f")
    return f"{text} {unit}"
