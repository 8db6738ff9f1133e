"""Kidney function: eGFR and creatinine clearance, kept apart, against what labels say of the dose.

A label names one of the two. Where only the other is known it stands in, and the finding says so. A clearance is
computed (Cockcroft and Gault, Nephron 1976;16:31-41) for an adult whose age, sex, weight and creatinine are known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from attending.guardrails.checks.amounts import daily_total, shown
from attending.guardrails.checks.case import ADULT_YEARS, Case, Exposure
from attending.guardrails.context.fhir import EGFR_CODES
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge.facts import RenalRule

Measure = Literal["egfr", "crcl"]
DIALYSIS_EGFR: Final = Decimal(10)
"""What dialysis counts as where no value is given (kidney failure is below 15 mL/min/1.73 m2)."""
_CLEARANCE_CODES: Final = frozenset(
    {"crcl", "creatinine clearance", "creatinine_clearance", "2164-2", "35591-7", "35592-5"}
)
_NAMES: Final[dict[Measure, str]] = {"egfr": "eGFR", "crcl": "creatinine clearance"}


@dataclass(frozen=True, slots=True)
class KidneyFunction:
    """`value` in mL/min/1.73 m2 (egfr) or mL/min (crcl); `told` is how it is named to the reader."""

    value: Decimal
    measure: Measure
    told: str


def kidney(case: Case) -> Iterator[Finding]:
    """One finding per drug: the worst rule that the patient's kidney function falls under."""
    known = kidney_functions(case)
    if not known:
        return
    for exposure in case.unique_given():
        if case.is_local(exposure):
            continue
        best: Finding | None = None
        for rule in sorted(case.knowledge.renal_rules(exposure.drug), key=lambda r: r.below):
            function = known.get(rule.measure) or next(iter(known.values()))
            if function.value >= rule.below:
                continue
            found = _finding(case, exposure, rule, function)
            if found is not None and (best is None or found.severity.rank > best.severity.rank):
                best = found
        if best is not None:
            yield best


def kidney_functions(case: Case) -> dict[Measure, KidneyFunction]:
    """What is known of the two measures: stated, else from the record's labs, else computed; dialysis stands for both
    where neither is stated. Empty where nothing is known."""
    found: dict[Measure, KidneyFunction] = {}
    context = case.context
    if context.egfr is not None:
        found["egfr"] = _function(context.egfr, "egfr")
    if context.crcl is not None:
        found["crcl"] = _function(context.crcl, "crcl")
    for lab in context.labs or ():
        code = lab.code.strip().lower()
        if lab.code in EGFR_CODES or code in ("egfr", "gfr"):
            found.setdefault("egfr", _function(lab.value, "egfr"))
        elif code in _CLEARANCE_CODES:
            found.setdefault("crcl", _function(lab.value, "crcl"))
    if context.dialysis:
        dialysis = KidneyFunction(DIALYSIS_EGFR, "crcl", "dialysis")
        return found or {"egfr": dialysis, "crcl": dialysis}
    if "crcl" not in found:
        computed = cockcroft_gault(case)
        if computed is not None:
            told = f"creatinine clearance {computed:f} computed from age, sex, weight and creatinine"
            found["crcl"] = KidneyFunction(computed, "crcl", told)
    return found


def cockcroft_gault(case: Case) -> Decimal | None:
    """Creatinine clearance in mL/min, rounded to one; None where something is missing, or for a child."""
    age, weight, sex = case.age_years, case.context.weight_kg, case.context.sex
    creatinine = next((r.value for r in case.readings if r.analyte == "creatinine"), None)
    if age is None or weight is None or creatinine is None or sex not in ("male", "female"):
        return None
    if age < ADULT_YEARS or creatinine <= 0 or case.context.pregnant:
        return None
    clearance = (140 - min(age, Decimal(110))) * weight / (72 * creatinine)
    return (clearance * (Decimal("0.85") if sex == "female" else 1)).quantize(Decimal(1))


def _function(value: Decimal, measure: Measure) -> KidneyFunction:
    return KidneyFunction(value, measure, f"{_NAMES[measure]} {value.normalize():f}")


def _finding(case: Case, exposure: Exposure, rule: RenalRule, function: KidneyFunction) -> Finding | None:
    limit = f"{rule.below.normalize():f}"
    drug, told = exposure.drug, function.told
    match rule.action:
        case "contraindicated":
            severity, message = Severity.CONTRAINDICATED, f"{drug} with {told}; contraindicated below {limit}"
        case "avoid":
            severity, message = Severity.MAJOR, f"{drug} with {told}; to be avoided below {limit}"
        case "cap":
            total = daily_total(case, drug)
            if total is not None and rule.max_daily_mg is not None and total <= rule.max_daily_mg:
                return None
            cap = "" if rule.max_daily_mg is None else f" of {shown(rule.max_daily_mg, 'mg')} a day"
            exceeded = total is not None and rule.max_daily_mg is not None
            severity = Severity.MAJOR if exceeded else Severity.MODERATE
            message = f"{drug} with {told}; a ceiling{cap} holds below {limit}"
        case _:
            severity = Severity.MODERATE if exposure.new else Severity.MINOR
            message = f"{drug} with {told}; the dose is adjusted below {limit}"
    if function.measure != rule.measure and function.told != "dialysis":
        message += f" ({_NAMES[rule.measure]} is meant, and not known)"
    return case.finding(Code.RENAL, exposure, severity, rule.provenance, message)
