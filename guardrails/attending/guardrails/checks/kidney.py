"""Kidney function: eGFR and creatinine clearance, kept apart, against what labels say of the dose.

A label names one of the two. Where only the other is known it stands in, and the finding says so. A clearance is
computed (Cockcroft and Gault, Nephron 1976;16:31-41) for an adult whose age, sex, weight and creatinine are known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from attending.guardrails.checks.amounts import Amount, daily_total, exposure_amount, interval_hours, shown
from attending.guardrails.checks.case import ADULT_YEARS, Case, Exposure
from attending.guardrails.checks.indication import groups, said
from attending.guardrails.checks.limits import daily_ceiling
from attending.guardrails.clinical.statement import Statement
from attending.guardrails.context.fhir import EGFR_CODES
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.knowledge.facts import RenalRule
from attending.guardrails.sieve import Sieved

Measure = Literal["egfr", "crcl"]
DIALYSIS_EGFR: Final = Decimal(10)
"""What dialysis counts as where no value is given (kidney failure is below 15 mL/min/1.73 m2)."""
_CLEARANCE_CODES: Final = frozenset(
    {"crcl", "creatinine clearance", "creatinine_clearance", "2164-2", "35591-7", "35592-5"}
)
ROUNDING: Final = Decimal("1.10")
"""What a ceiling may be exceeded by: weights and doses are rounded."""
SLIGHT: Final = Decimal("1.25")
_JUST_BELOW: Final = Decimal("0.85")
"""A share of the limit from which on the other measure of kidney function may well be above it."""
LIGHT_KG: Final = Decimal(45)
HEAVY_KG: Final = Decimal(110)
_ADJUSTED: Final = Sieved(
    r"\b(?:renal(?:ly)?[- ](?:adjust\w*|dos\w+|reduc\w+)"
    r"|(?:adjusted|reduced|lowered|dosed|halved|spaced)[^.;\n]{0,30}"
    r"\b(?:renal|kidneys?|crcl|egfr|creatinine|clearance|dialysis|ckd)|(?:because of|due to|given|for) (?:\w+ ){0,3}"
    r"(?:renal|kidney)[^.;\n]{0,30}\b(?:reduced|lower|half)|(?:hd|dialysis)[- ]dos\w+"
    r"|(?:after|post|following)[- ](?:each |every )?(?:hemo|haemo)?(?:dialysis|hd)\b"
    r"|(?:dosed?|dosing|adjust\w*) (?:by|per|to|with) (?:pharmacy|levels?|troughs?|auc)"
    r"|pharmacy (?:to dose|dosing))",
    re.I,
)
_NARROW: Final = frozenset(["vancomycin", "methotrexate", "lithium", "digoxin", "dalteparin", "colistin"])
_STAGE: Final = Sieved(
    r"\b(?:ckd|chronic kidney disease|kidney disease|renal di"
    r"sease|kidney (?:trouble|damage|problem))[ ,:(]{0,2}(?:(?:is |at |now ){0,2}stage |st\.? ?|g|grade )?"
    r"(3a|3b|[345]|three|four|five)(?:a[123])?\b"
    r"|\bstage (3a|3b|[345]|three|four|five) (?:ckd|chronic (?:kidney|renal)|kidney|renal)"
    r"|\b(end[- ]stage (?:renal|kidney)|esrd|eskd|esrf|end-stage kidneys|pre-?dialysis|fistula [^.;\n]{0,16}"
    r"dialysis|kidneys? (?:have|has) (?:almost |completely )?(?:failed"
    r"|stopped working))\b"
    r"|\b(severe(?:ly)? (?:(?:impaired|reduced) )?(?:renal|kidney) "
    r"(?:impairment|insufficiency|disease|failure|function))",
    re.I,
)
_STAGES: Final = {
    "three": Decimal(59),
    "four": Decimal(29),
    "five": Decimal(14),
    "3": Decimal(59),
    "3a": Decimal(59),
    "3b": Decimal(44),
    "4": Decimal(29),
    "5": Decimal(14),
}
"""Upper ends of the KDIGO stages in mL/min/1.73 m2."""
_AFTER_DIALYSIS: Final = Sieved(
    r"\b(?:after|post|following|between)[- ](?:each |every |her |his |your |the )?(?:hemo|haemo)?(?:dialysis|hd)\b",
    re.I,
)
_NOT_HERE: Final = re.compile(
    r"\b(?:no|not|without|never|denies|rule out|r/o|if|in|with|for (?:patients|people) (?:with|on)|mother|father"
    r"|family history of)\b[^.;:\n]{0,12}$",
    re.I,
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
        holding = [
            (rule, function)
            for rule in case.knowledge.renal_rules(exposure.drug)
            if (function := known.get(rule.measure) or next(iter(known.values()))).value < rule.below
        ]
        best: Finding | None = None
        for rule, function in _deciding(case, exposure, holding):
            found = _finding(case, exposure, rule, function)
            if found is not None and (best is None or found.severity.rank > best.severity.rank):
                best = found
        if best is not None:
            yield best


Held = list[tuple[RenalRule, "KidneyFunction"]]


def _deciding(case: Case, exposure: Exposure, holding: Held) -> Held:
    """The rules that decide: every rule that forbids; of the ceilings, the one of the lowest band that holds and that
    can be compared with the written dose; an unnumbered adjustment only where the drug has no ceiling."""
    elsewhere = _other_use(case, exposure.drug)
    forbidding = [
        (r, f)
        for r, f in holding
        if r.action in ("avoid", "contraindicated") and not (elsewhere and _not_meant(case, r))
    ]
    starts = [(r, f) for r, f in holding if r.action == "start"]
    caps = [
        (r, f)
        for r, f in holding
        if r.action == "cap" and r.max_daily_mg is not None and _same_route(case, exposure, r)
    ]
    fitting = [(r, f) for r, f in caps if r.indication is None or said(r.indication, case.told)]
    if not fitting and not elsewhere:
        fitting = caps
    if fitting:
        lowest = min(r.below for r, _ in fitting)
        band = [(r, f) for r, f in fitting if r.below == lowest]
        named = [(r, f) for r, f in band if r.indication is not None] or band
        comparable = [(r, f) for r, f in named if written(case, exposure.drug, r) is not None]
        mildest = max(comparable or named, key=lambda held: held[0].max_daily_mg or Decimal(0))
        return [*forbidding, *starts, mildest]
    if caps:
        return [*forbidding, *starts]
    return [
        *forbidding,
        *(starts or [(r, f) for r, f in holding if r.action not in ("avoid", "contraindicated")]),
    ]


def _not_meant(case: Case, rule: RenalRule) -> bool:
    return (
        rule.indication is not None and any(groups(rule.indication)) and not said(rule.indication, case.told)
    )


def _other_use(case: Case, drug: str) -> bool:
    """True where the text names a use of the drug, which then is not the one that a ceiling is for."""
    return any(row.indication and said(row.indication, case.told) for row in case.knowledge.dose_limits(drug))


def _same_route(case: Case, exposure: Exposure, rule: RenalRule) -> bool:
    if rule.route is None:
        return True
    for statement in _statements(case, exposure.drug):
        by_weight = statement.dose is not None and statement.dose.per_kg
        route = statement.route or ("intravenous" if by_weight else None)
        if route is None or route == rule.route:
            return True
    return False


def _statements(case: Case, drug: str) -> list[Statement]:
    return [e.statement for e in case.given if e.drug == drug and e.statement is not None]


@dataclass(frozen=True, slots=True)
class Written:
    """The written dose beside a ceiling: `ratio` of the two (over a day, averaged where given less often), None where
    only the interval can be compared; `too_often` where it is shorter than the rule's."""

    ratio: Decimal | None
    too_often: bool

    @property
    def exceeds(self) -> bool:
        return self.too_often or (self.ratio is not None and self.ratio > ROUNDING)


def written(case: Case, drug: str, rule: RenalRule) -> Written | None:
    """What the output writes beside the rule; None where no dose of it can be compared. A single or loading dose is
    no daily dose."""
    sums: dict[int | None, Decimal] = {}
    rhythmic = {
        e.statement.dose.text.lower()
        for e in case.given
        if e.drug == drug and e.statement is not None and e.statement.dose and e.statement.frequency
    }
    once = too_often = spaced = False
    for exposure in case.given:
        statement = exposure.statement
        if exposure.drug != drug or statement is None:
            continue
        frequency = statement.frequency
        if statement.loading or (frequency is not None and frequency.once_only):
            once = once or statement.dose is not None
            continue
        if frequency is None and statement.dose is not None and statement.dose.text.lower() in rhythmic:
            continue  # the dose that another sentence gives its rhythm: "750 mg given, next 750 mg every 48 h"
        hours = interval_hours(frequency)
        if rule.min_interval_hours is not None and hours is not None:
            spaced = True
            too_often = too_often or hours < rule.min_interval_hours * Decimal("0.9")
        amount = exposure_amount(exposure, case)
        value = None if amount is None else _comparable(case, amount, rule)
        if amount is None or value is None:
            continue
        if amount.per_time in (None, "dose"):
            times = None if frequency is None else frequency.times_per_day
            if times is None and hours:
                times = Decimal(24) / hours
            value *= times if times is not None else 1
        elif amount.per_time != "day":
            continue
        group = statement.sum_group
        held = sums.get(group, Decimal(0))
        sums[group] = held + value if group is not None else max(held, value)
    if sums and rule.max_daily_mg:
        return Written(max(sums.values()) / rule.max_daily_mg, too_often)
    if spaced:
        return Written(None, too_often)
    return Written(Decimal(0), False) if once else None


def _comparable(case: Case, amount: Amount, rule: RenalRule) -> Decimal | None:
    if amount.unit != "mg" or amount.per_m2:
        return None
    weight = case.context.weight_kg
    if rule.per_kg == amount.per_kg:
        return amount.high
    if rule.per_kg and weight:
        return amount.high / weight
    if rule.per_kg and rule.max_daily_mg is not None:
        # Without a weight: what is within the ceiling at the lightest adult is within it, and what exceeds it at the
        # heaviest usual one exceeds it.
        if amount.high <= rule.max_daily_mg * LIGHT_KG:
            return amount.high / LIGHT_KG
        if amount.high > rule.max_daily_mg * HEAVY_KG:
            return amount.high / HEAVY_KG
    return None


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
    return found or _staged(case)


def _staged(case: Case) -> dict[Measure, KidneyFunction]:
    """What a stage of kidney disease or words of dialysis say where no number is known: the stage's upper end."""
    if case.context.dialysis is False:
        return {}
    after = _AFTER_DIALYSIS.search(case.told)
    if after is not None:
        dialysis = KidneyFunction(DIALYSIS_EGFR, "crcl", "dialysis")
        return {"egfr": dialysis, "crcl": dialysis}
    for match in _STAGE.finditer(case.told):
        if _NOT_HERE.search(case.told, max(0, match.start() - 40), match.start()):
            continue
        stage = match[1] or match[2]
        value = _STAGES[stage.lower()] if stage else DIALYSIS_EGFR if match[3] else _STAGES["4"]
        told = KidneyFunction(value, "egfr", match[0].strip())
        return {"egfr": told, "crcl": told}
    return {}


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


def _unnumbered(case: Case, exposure: Exposure) -> Severity:
    """An adjustment without a number: minor where the drug is kept, where the text says that the dose is adjusted or
    given after dialysis, or where it is at most half of the usual maximum (not for a drug of narrow range)."""
    if not exposure.new or _ADJUSTED.search(case.judged.output) is not None:
        return Severity.MINOR
    if _stretched(case, exposure.drug):
        return Severity.MINOR
    narrow = exposure.drug in _NARROW or case.of_class(exposure.drug, "aminoglycoside")
    total = daily_total(case, exposure.drug)
    usual = daily_ceiling(case, exposure.drug, exposure.statement)
    if not narrow and total is not None and usual is not None and total * 2 <= usual.amount:
        return Severity.MINOR
    return Severity.MODERATE


_BY_LEVEL: Final = Sieved(
    r"\b(?:next|further|re-?dos\w+|repeat) (?:dose|doses)?[^.;\n]{0,30}?\b(?:only )?(?:when|once|if"
    r"|after)\b[^.;\n]{0,16}?"
    r"\b(?:level|trough|random)|\bby (?:random )?levels?\b|\blevel before (?:the )?(?:second|next|each|every)\b"
    r"|\b(?:extended|stretched|lengthened|widened)\b",
    re.I,
)


def _stretched(case: Case, drug: str) -> bool:
    """Whether a drug that is given by its levels has an interval of more than a day, or waits for its level."""
    if drug not in _NARROW and not case.of_class(drug, "aminoglycoside"):
        return False
    hours = [h for s in _statements(case, drug) if (h := interval_hours(s.frequency)) is not None]
    return case.says(_BY_LEVEL) or (bool(hours) and min(hours) >= _BEYOND_A_DAY)


_BEYOND_A_DAY: Final = 36
"""Hours; the first of the stretched intervals in use (36 and 48)."""


def _finding(case: Case, exposure: Exposure, rule: RenalRule, function: KidneyFunction) -> Finding | None:
    limit = f"{rule.below.normalize():f}"
    drug, told = exposure.drug, function.told
    match rule.action:
        case "contraindicated":
            severity, message = Severity.CONTRAINDICATED, f"{drug} with {told}; contraindicated below {limit}"
        case "avoid":
            severity, message = Severity.MAJOR, f"{drug} with {told}; to be avoided below {limit}"
        case "cap":
            dose = written(case, drug, rule)
            unit = "mg/kg" if rule.per_kg else "mg"
            cap = "" if rule.max_daily_mg is None else f" of {shown(rule.max_daily_mg, unit)} a day"
            if dose is None:
                severity = _unnumbered(case, exposure)
            elif dose.exceeds:
                slight = not dose.too_often and dose.ratio is not None and dose.ratio < SLIGHT
                severity = Severity.MODERATE if slight else Severity.MAJOR
            else:
                severity = Severity.MINOR
            message = f"{drug} with {told}; a ceiling{cap} holds below {limit}"
            if dose is not None:
                message += ", and the dose exceeds it" if dose.exceeds else ", and the dose is within it"
        case "start":
            dose = written(case, drug, rule)
            if not exposure.new or dose is None or not dose.exceeds or dose.ratio is None:
                return None
            severity = Severity.MAJOR if dose.ratio > 2 else Severity.MODERATE
            first = shown(rule.max_daily_mg or Decimal(0), "mg")
            message = f"{drug} is started with {told}; below {limit} the first dose is {first} a day at most"
        case _:
            severity = _unnumbered(case, exposure)
            if function.measure != rule.measure and function.value >= rule.below * _JUST_BELOW:
                severity = Severity.MINOR
            message = f"{drug} with {told}; the dose is adjusted below {limit}"
    numbered = function.told.startswith(_NAMES[function.measure])
    if function.measure != rule.measure and numbered:
        message += f" ({_NAMES[rule.measure]} is meant, and not known)"
    return case.finding(Code.RENAL, exposure, severity, rule.provenance, message)
