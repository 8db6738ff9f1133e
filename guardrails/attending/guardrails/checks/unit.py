"""Units that cannot be right: milligrams for micrograms and the reverse, mass for units of activity, volume of a
high-alert drug without its concentration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.amounts import COUNTED, Amount, exposure_amount
from attending.guardrails.checks.case import Case, Exposure, curated, rule
from attending.guardrails.checks.limits import Ceiling, daily, exposure_ceilings, single
from attending.guardrails.clinical.statement import Dose, Span
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge.facts import Provenance
from attending.guardrails.sieve import Sieved

_MCG_USUAL_TOP: Final[dict[str, Decimal]] = {
    drug: Decimal(top)
    for drug, top in {
        "levothyroxine": "300", "liothyronine": "100", "digoxin": "500", "fentanyl": "200", "sufentanil": "100",
        "remifentanil": "100", "calcitriol": "2", "paricalcitol": "24", "misoprostol": "800", "octreotide": "500",
        "salmeterol": "100", "formoterol": "40", "tiotropium": "18", "fludrocortisone": "300", "desmopressin": "600",
        "dexmedetomidine": "100", "clonidine": "800", "ethinyl estradiol": "50", "exenatide": "10", "alprostadil": "40",
    }.items()
}  # fmt: skip
"""Drugs dosed in micrograms (or tenths of a mg), with a generous top of one dose in mcg."""
_UNITS_ONLY: Final = frozenset(
    {"heparin", "oxytocin", "epoetin alfa", "dalteparin", "alteplase units", "aldesleukin"}
)
_HIGH_ALERT_VOLUME: Final = (
    "opioid", "insulin", "heparin", "benzodiazepine",
)  # fmt: skip
_HIGH_ALERT_DRUGS_WORDS: Final = (
    "potassium chloride|digoxin|methotrexate|vincristine|ketamine|propofol|norepinephrine|epinephrine|"
    "chloral hydrate|midazolam|phenobarbital|phenytoin|morphine|oxycodone|methadone|hydromorphone"
)
_HIGH_ALERT_DRUGS: Final = frozenset(_HIGH_ALERT_DRUGS_WORDS.split("|"))
_INFUSED: Final = (
    "norepinephrine epinephrine phenylephrine dopamine dobutamine nitroprusside milrinone nitroglycerin "
    "remifentanil isoproterenol vasopressin dexmedetomidine fenoldopam"
)
_INFUSED_IN_MCG: Final = frozenset(_INFUSED.split())
_THOUSAND: Final = Decimal(1000)


def units(case: Case) -> Iterator[Finding]:
    seen: set[tuple[str, int]] = set()
    for exposure in case.given:
        statement = exposure.statement
        if (
            statement is None
            or statement.dose is None
            or exposure.origin != "output"
            or exposure.generic_class
        ):
            continue
        key = (exposure.drug, statement.dose.span.start)
        if key in seen:
            continue
        seen.add(key)
        dose = statement.dose
        found = (
            _infusion(case, exposure, dose)
            or _activity(case, exposure, dose)
            or _thousandfold(case, exposure, dose)
        )
        if found is None and statement.concentration is None:
            found = _volume(case, exposure, dose)
        if found is not None:
            yield found


def _activity(case: Case, exposure: Exposure, dose: Dose) -> Finding | None:
    """Insulin in mg or mL, heparin in mg, and a drug measured in mass given in units."""
    insulin = case.of_class(exposure.drug, "insulin") or exposure.drug.startswith("insulin")
    mass = dose.unit in ("g", "mg", "mcg", "ng")
    if insulin and (mass or dose.unit == "mL" or dose.unit in ("tablet", "mEq", "mmol")):
        return case.finding(
            Code.UNIT,
            exposure,
            Severity.MAJOR,
            rule(
                "insulin-units", "insulin is measured in units (USP Insulin monographs; ISMP high-alert list)"
            ),
            f"{exposure.drug} in {dose.unit}; insulin is measured in units",
            span=dose.span,
        )
    if exposure.drug in _UNITS_ONLY and mass:
        return _mismatch(
            case, exposure, dose, "units", curated("units-only", "label, dosage forms and strengths")
        )
    limits = [*exposure_ceilings(case, exposure, single), *exposure_ceilings(case, exposure, daily)]
    kinds = {c.unit for c in limits} - COUNTED
    if limits and "unit" in kinds and "mg" not in kinds and mass:
        return _mismatch(case, exposure, dose, "units", limits[0].provenance)
    if dose.unit == "unit" and kinds == {"mg"} and not insulin:
        return _mismatch(case, exposure, dose, "mass (mg, mcg)", limits[0].provenance)
    return None


_POUNDS: Final = Sieved(r"\b(?P<n>\d{1,3}(?:\.\d)?) ?(?:lbs?|pounds?)\b", re.I)
_KILOGRAMS: Final = Sieved(r"(?<![\d.,-])(?P<n>\d{1,3}(?:\.\d)?) ?(?:kg|kilos?|kilograms?)\b", re.I)
_TIMES: Final = Sieved(
    r"/ ?kg\b[^.;\n]{0,40}?[x\u00d7*] ?(?P<n>\d{1,3}(?:\.\d)?)(?![\d.])(?! ?(?:mg|mcg|ml|doses|days?|/ ?2\.2))",
    re.I,
)
"""A dose per kilogram multiplied out: "15 mg/kg = 15 x 44"."""
_NO_KILOGRAMS: Final = re.compile(
    r"\b(?:not|never|n't|instead of|rather than|wrong\w*|mistak\w*)\b[^.;\n]{0,30}\Z", re.I
)
_POUND: Final = Decimal("2.2046")


def pounds(case: Case) -> Iterator[Finding]:
    """A weight told in pounds that the text then counts with as kilograms: more than twice the dose."""
    text = case.judged.output
    told = _POUNDS.search(text) or _POUNDS.search(case.judged.prompt or "")
    if told is None:
        return
    kilograms = list(_KILOGRAMS.finditer(text))
    right = Decimal(told["n"]) / _POUND
    if any(abs(Decimal(m["n"]) - right) <= 1 for m in kilograms):
        return
    for again in (*kilograms, *_TIMES.finditer(text)):
        start = again.start("n")
        if again["n"] != told["n"] or _NO_KILOGRAMS.search(text, max(0, start - 50), start):
            continue
        yield case.finding(
            Code.UNIT,
            None,
            Severity.MAJOR,
            rule("pounds-as-kilograms", "ISMP targeted best practices: weigh and record in kilograms only"),
            f"{told['n']} pounds is counted as {told['n']} kg: a dose by weight comes to 2.2 times as much",
            span=Span(start, again.end()),
        )
        return


def _infusion(case: Case, exposure: Exposure, dose: Dose) -> Finding | None:
    """Milligrams a minute of a drug infused in micrograms (or in units) a minute."""
    if exposure.drug not in _INFUSED_IN_MCG or dose.per_time != "min" or dose.unit not in ("mg", "g"):
        return None
    return case.finding(
        Code.UNIT,
        exposure,
        Severity.CONTRAINDICATED,
        curated("microgram-infusion", f"{exposure.drug} label, dosage by infusion"),
        f"{exposure.drug} in {dose.unit} a minute; it is infused in micrograms (or units) a minute",
        span=dose.span,
    )


def _mismatch(case: Case, exposure: Exposure, dose: Dose, wanted: str, provenance: Provenance) -> Finding:
    return case.finding(
        Code.UNIT,
        exposure,
        Severity.MAJOR,
        provenance,
        f"{exposure.drug} in {dose.unit}; it is dosed in {wanted}",
        span=dose.span,
    )


_IN_THE_FLUID: Final = re.compile(
    r"\d ?(?:meq|mmol)(?: of)?(?: (?:kcl|potassium(?: chloride)?))? ?(?:/|per|in each|in every"
    r"|in a) ?l(?:it(?:er|re))?\b[^.;\n]{0,24}\Z",
    re.I,
)
"""A fluid with its additive per litre: "20 mEq KCl/L at 62 mL/h"."""


def _volume(case: Case, exposure: Exposure, dose: Dose) -> Finding | None:
    """Millilitres of a high-alert drug, where the concentration is not said."""
    if dose.unit not in ("mL", "teaspoon", "drop") or case.is_local(exposure):
        return None
    if not case.of_class(exposure.drug, *_HIGH_ALERT_VOLUME) and exposure.drug not in _HIGH_ALERT_DRUGS:
        return None
    said = case.judged.output[max(0, dose.span.start - 50) : dose.span.start]
    if dose.per_time in ("h", "min") and _IN_THE_FLUID.search(said):
        return None
    return case.finding(
        Code.UNIT,
        exposure,
        Severity.MAJOR,
        rule(
            "volume-without-concentration", "ISMP targeted best practices: dose of high-alert liquids by mass"
        ),
        f"{exposure.drug} by volume without a concentration: the dose is not known",
        span=dose.span,
    )


def _thousandfold(case: Case, exposure: Exposure, dose: Dose) -> Finding | None:
    amount = exposure_amount(exposure, case)
    if amount is None or amount.unit != "mg" or amount.per_m2 or dose.components:
        return None
    top = _top(case, exposure, amount)
    if top is None:
        return None
    ceiling, provenance = top
    value = amount.high
    if dose.unit in ("mg", "g") and value >= ceiling * 30 and value / _THOUSAND <= ceiling * 2:
        return case.finding(
            Code.UNIT,
            exposure,
            Severity.CONTRAINDICATED,
            provenance,
            f"{exposure.drug} {dose.text}: mg where micrograms are usual, about a thousandfold too much",
            span=dose.span,
        )
    small = dose.unit in ("mcg", "ng") and ceiling >= 20 and value * _THOUSAND <= ceiling * 2
    if small and value <= ceiling / 200:
        return case.finding(
            Code.UNIT,
            exposure,
            Severity.MAJOR,
            provenance,
            f"{exposure.drug} {dose.text}: micrograms where mg are usual, about a thousandfold too little",
            span=dose.span,
        )
    return None


def _top(case: Case, exposure: Exposure, amount: Amount) -> tuple[Decimal, Provenance] | None:
    """A generous top of one dose in mg (or mg/kg where the dose is per kilogram), and where it comes from."""
    found: list[Ceiling] = [
        c
        for c in (*exposure_ceilings(case, exposure, single), *exposure_ceilings(case, exposure, daily))
        if c.unit == "mg" and c.per_kg == amount.per_kg and not c.per_m2
    ]
    if found:
        best = max(found, key=lambda c: c.amount)
        return best.amount, best.provenance
    if amount.per_kg:
        return None
    known = _MCG_USUAL_TOP.get(exposure.drug)
    if known is None:
        return None
    return known / _THOUSAND, curated("microgram-drug", "label, dosage forms and strengths")
