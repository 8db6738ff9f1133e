"""Drugs that go on while a laboratory value goes the wrong way: platelets that halve under a heparin, a creatinine that
doubles under a drug that harms the kidney. The values are read in the order the text tells them (`courses_of_labs`).

Not caught: a course that is told in words alone ("his platelets are falling"), and values of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, curated
from attending.guardrails.context.courses_of_labs import courses
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved


@dataclass(frozen=True, slots=True)
class _CourseRule:
    analyte: str
    shown: str
    goes: Callable[[Decimal, Decimal], bool]
    classes: tuple[str, ...]
    drugs: frozenset[str]
    check: str


_RULES: Final = (
    _CourseRule(
        "platelets",
        "platelets that fell",
        lambda first, last: last * 2 <= first and last < 150,
        ("lmwh", "heparin"),
        frozenset({"heparin", "enoxaparin", "dalteparin", "tinzaparin"}),
        "heparin label, section 5: heparin-induced thrombocytopenia, a fall by half (ASH guideline 2018, 4Ts)",
    ),
    _CourseRule(
        "creatinine",
        "a creatinine that rose",
        lambda first, last: last >= first * 2 and last >= Decimal("1.5"),
        ("nsaid",),
        frozenset(
            {
                "vancomycin",
                "gentamicin",
                "tobramycin",
                "amikacin",
                "streptomycin",
                "colistimethate",
                "polymyxin b",
                "amphotericin b",
                "methotrexate",
                "zoledronic acid",
                "cisplatin",
                "foscarnet",
                "cidofovir",
            }
        ),
        "labels, section 5, nephrotoxicity; KDIGO 2012: doubled creatinine is acute kidney injury of stage 2",
    ),
    _CourseRule(
        "hemoglobin",
        "a hemoglobin that fell",
        lambda first, last: first - last >= 3 and last < 10,
        ("anticoagulant", "doac", "vitamin_k_antagonist", "lmwh", "heparin", "nsaid"),
        frozenset(),
        "anticoagulant labels, section 5: bleeding; a fall of 2 g/dL is a major bleed (ISTH)",
    ),
    _CourseRule(
        "sodium",
        "a sodium that fell",
        lambda first, last: first - last >= 8 and last < 130,
        ("thiazide", "ssri", "snri"),
        frozenset({"desmopressin", "carbamazepine", "oxcarbazepine"}),
        "labels, section 5, hyponatremia",
    ),
)
_EXPLAINED: Final = {
    "platelets": Sieved(
        r"\b(?:pf4|hit|hitt|4ts)\b[^.;\n]{0,40}\b(?:negative|excluded|ruled out|unlikely|low|[0-3]\b)"
        r"|\b(?:no|not) hit\b|\bchemo\w*|\bmarrow\b|\bleuk(?:a)?emi\w+|\bdengue\b|\bcirrho\w+|\bclump\w*"
    ),
    "creatinine": Sieved(r"\bdialys\w+|\bh(?:a)?emodialys\w+|\bcrrt\b|\bon hd\b"),
    "hemoglobin": Sieved(
        r"\bpost-?op\w*|\bafter (?:surgery|the operation)|\bpod ?\d|\bdilution\w*|\bepoetin\b|\bsickle\w*|\bchemo\w*"
        r"|\btransfus\w+"
    ),
    "sodium": Sieved(r"\bcorrect\w+ (?:slowly|over)|\bhypernatr\w+"),
}
"""What accounts for the course without the drug."""


def lab_courses(case: Case) -> Iterator[Finding]:
    """One finding per rule: the first drug given, and neither held nor stopped in the last word on it."""
    if not any(case.output.statements):
        return
    told = courses(case.judged.output)
    if not told:
        return
    last_word = {drug: s for s in case.output.statements for drug in s.mention.drugs}
    for rule in _RULES:
        values = told.get(rule.analyte)
        if values is None or case.says(_EXPLAINED[rule.analyte]):
            continue
        *earlier, (last, _, _) = values
        first = max(v for v, _, _ in earlier)
        first = first if rule.analyte != "creatinine" else min(v for v, _, _ in earlier)
        if not rule.goes(first, last):
            continue
        for exposure in case.unique_given():
            if case.is_local(exposure) or not (
                exposure.drug in rule.drugs or (rule.classes and case.of_class(exposure.drug, *rule.classes))
            ):
                continue
            spoken = last_word.get(exposure.drug)
            if spoken is not None and spoken.scope is Scope.STOP:
                continue
            yield case.finding(
                Code.DRUG_LAB,
                exposure,
                Severity.MAJOR,
                curated(f"lab-course-{rule.analyte}", rule.check),
                f"{exposure.drug} with {rule.shown} from {first.normalize():f} to {last.normalize():f}",
            )
            break


__all__ = ["lab_courses"]
