"""Effects that add up over several drugs: one ingredient over its daily ceiling, sedation, QT, serotonin,
anticholinergic load, and the kidney's "triple whammy"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import exposure_amount, listed_products, per_day_within, shown
from attending.guardrails.checks.case import Case, Exposure, curated, drugs_of
from attending.guardrails.checks.indication import of_patient
from attending.guardrails.checks.limits import daily_ceiling
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class _Load:
    id: str
    shown: str
    classes: tuple[str, ...]
    at_least: int
    severity: Severity
    check: str


_LOADS: Final = (
    _Load(
        "cns", "drugs that depress the nervous system",
        ("cns_depressant", "opioid", "benzodiazepine", "z_drug", "barbiturate", "gabapentinoid", "muscle_relaxant",
         "sedating_antihistamine"),
        3, Severity.MAJOR, "opioid and benzodiazepine boxed warnings; AGS Beers criteria",
    ),
    _Load("anticholinergic", "anticholinergic drugs", ("anticholinergic",), 2, Severity.MODERATE, "AGS Beers criteria"),
    _Load("qt", "drugs that prolong the QT interval", ("qt_prolonging",), 2, Severity.MAJOR, "labels, QT prolongation"),
    _Load(
        "serotonergic", "serotonergic drugs",
        ("serotonergic", "ssri", "snri", "tca", "maoi", "triptan"), 3, Severity.MAJOR, "labels, serotonin syndrome",
    ),
)  # fmt: skip


_DYING: Final = Sieved(
    r"\b(?:end[- ]of[- ]life|last (?:hours|days|weeks) of life|dying(?! (?:for|to)\b)"
    r"|anticipatory (?:medicines|medication|prescri\w+)"
    r"|just[- ]in[- ]case (?:medicines|box|bag)|comfort (?:care|measures) only|actively dying)\b",
    re.I,
)


def _dying(case: Case) -> bool:
    return case.once(
        "dying", lambda: any(of_patient(case.told, match) for match in _DYING.finditer(case.told))
    )


def stacking(case: Case) -> Iterator[Finding]:
    yield from _summed(case)
    yield from _loads(case)
    yield from _triple_whammy(case)


def _summed(case: Case) -> Iterator[Finding]:
    """Acetaminophen in Percocet and in Tylenol: each within its limit, together above the ingredient's ceiling."""
    for exposure in case.unique_given():
        parts: dict[str, Decimal] = {}
        alone: dict[Decimal, str] = {}
        named = {e.text.lower() for e in case.given if e.drug == exposure.drug}
        last = exposure
        for other in case.given:
            if other.drug != exposure.drug or other.statement is None or other.statement.total:
                continue
            amount = exposure_amount(other, case)
            if amount is None or amount.unit != "mg" or amount.per_kg or amount.per_m2:
                continue
            daily = per_day_within(other.statement, amount, case, index=other.index)
            if daily is not None:
                key = other.text.lower()
                plain = other.mention is None or len(other.mention.drugs) < 2
                if plain and alone.setdefault(daily, key) != key:
                    # "Eliquis (apixaban) 5 mg": one product under two names.
                    continue
                parts[key] = max(parts.get(key, Decimal(0)), daily)
                last = other
        for name, daily in listed_products(case, exposure.drug, besides=named).items():
            if exposure.new or _beside(case, exposure, name):
                parts.setdefault(name.lower(), daily)
        if len(parts) < 2:
            continue
        total = sum(parts.values(), Decimal(0))
        ceiling = daily_ceiling(case, exposure.drug)
        if ceiling is not None and total > ceiling.amount and max(parts.values()) <= ceiling.amount:
            yield case.finding(
                Code.STACKING,
                last,
                Severity.MAJOR,
                ceiling.provenance,
                f"{exposure.drug} adds up to {shown(total, 'mg')} a day over {len(parts)} products; "
                f"the ceiling is {shown(ceiling.amount, 'mg')}",
                drugs=(exposure.drug,),
            )


def _beside(case: Case, exposure: Exposure, listed: str) -> bool:
    """Whether a product of the list goes on beside the one that the output orders: a combination of which the output
    gives not every ingredient, so that it was not split into its parts."""
    drugs = set(drugs_of(listed, case.lexicon))
    given = {e.drug for e in case.given} | case.ended
    plain = exposure.mention is not None and len(exposure.mention.drugs) == 1
    return plain and len(drugs) > 1 and not drugs <= given


def _loads(case: Case) -> Iterator[Finding]:
    given = [e for e in case.unique_given() if not case.is_local(e)]
    names = {e.drug for e in given}
    given = _at_one_time(case, [e for e in given if not e.later])
    taking = [e for e in case.taking if e.drug not in names]
    for load in _LOADS:
        inside = [e for e in given if case.of_class(e.drug, *load.classes)]
        if not any(e.new for e in inside):
            continue
        drugs = sorted({e.drug for e in (*inside, *taking) if case.of_class(e.drug, *load.classes)})
        if load.id == "cns" and _dying(case):
            continue  # small doses together are what comfort asks for (NICE NG31, care of the dying adult)
        if len(drugs) >= load.at_least:
            yield case.finding(
                Code.STACKING,
                next(e for e in reversed(inside) if e.new),
                load.severity,
                curated(f"stacking-{load.id}", load.check),
                f"{len(drugs)} {load.shown} together: {', '.join(drugs)}",
                drugs=drugs,
            )


def _at_one_time(case: Case, given: list[Exposure]) -> list[Exposure]:
    """Of drugs that the text compares or gives in turn, one: they are never together."""
    kept: list[Exposure] = []
    for exposure in given:
        if all(frozenset((exposure.drug, one.drug)) not in case.plan.turns for one in kept):
            kept.append(exposure)
    return kept


def _triple_whammy(case: Case) -> Iterator[Finding]:
    given = [e for e in case.unique_given() if not case.is_local(e)]
    names = {e.drug for e in given}
    everyone: list[Exposure] = [*given, *(e for e in case.taking if e.drug not in names)]
    legs = [
        [e for e in everyone if case.of_class(e.drug, "nsaid") and e.drug != "aspirin"],
        [e for e in everyone if case.of_class(e.drug, "acei", "arb", "arni", "renin_inhibitor")],
        [
            e
            for e in everyone
            if case.of_class(e.drug, "diuretic", "loop_diuretic", "thiazide", "potassium_sparing")
        ],
    ]
    started = [e for leg in legs for e in leg if e.origin != "list" and e.new]
    if all(legs) and started:
        yield case.finding(
            Code.STACKING,
            started[-1],
            Severity.MAJOR,
            curated("stacking-triple-whammy", "NSAID labels, section 7, ACE inhibitors, ARBs and diuretics"),
            "an NSAID, a renin-angiotensin blocker and a diuretic together: acute kidney injury",
            drugs=sorted({e.drug for leg in legs for e in leg}),
        )
