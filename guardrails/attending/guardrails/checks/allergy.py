"""Drugs to which the patient is allergic: the substance itself, its class, and what cross-reacts with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, curated, drugs_of, rule
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.patient import Allergy

_MILD: Final = re.compile(
    r"\b(?:nausea|vomit\w*|upset stomach|gi upset|stomach|diarrh\w*|headache|intoleran\w*|drows\w*|dizz\w*|constipat\w*"
    r"|dry mouth|cough|yeast)\b",
    re.I,
)
_SEVERE: Final = re.compile(
    r"\b(?:anaphyla\w*|angio-?o?edema|stevens|sjs|ten|necrolysis|dress|bronchospasm|swelling|airway|severe|high"
    r"|shock|hypotension|hives|urticaria)\b",
    re.I,
)
_REFUTED: Final = frozenset({"refuted", "entered-in-error", "delabeled", "tolerated", "disproved"})


def allergies(case: Case) -> Iterator[Finding]:
    """One finding per drug and allergy. A reaction that is an intolerance (nausea, constipation) is moderate;
    without a described reaction the allergy is taken as true."""
    for exposure in _candidates(case):
        for allergy in case.context.allergies or ():
            if (allergy.certainty or "").lower() in _REFUTED:
                continue
            found = _direct(case, exposure, allergy) or _cross(case, exposure, allergy)
            if found is not None:
                yield found
                break


def _candidates(case: Case) -> Iterator[Exposure]:
    yield from case.unique_given()
    seen: set[str] = set()
    for exposure in case.given:
        if exposure.generic_class is not None and exposure.drug not in seen:
            seen.add(exposure.drug)
            yield exposure


def _direct(case: Case, exposure: Exposure, allergy: Allergy) -> Finding | None:
    drugs, groups = case.knowledge.allergen(allergy.substance.strip().lower())
    named = {*drugs, *drugs_of(allergy.substance, case.lexicon)}
    in_group = _member(case, exposure, set(groups) | _class_of(case, allergy.substance))
    if exposure.drug not in named and not in_group:
        return None
    severity, how = _severity(allergy)
    by_class = exposure.drug not in named
    what = "its class" if by_class else exposure.drug
    # What the patient is allergic to is on the list; which drugs belong to its group is an authored table.
    basis = (
        curated("allergy-group", "allergen groups of the knowledge pack against the drug's label")
        if by_class
        else rule("allergy-listed", "the patient's allergy list")
    )
    return case.finding(
        Code.ALLERGY,
        exposure,
        severity,
        basis,
        f"{exposure.drug}: the patient is allergic to {what}{how}",
    )


def _class_of(case: Case, substance: str) -> set[str]:
    from attending.guardrails.clinical.normalise import normalise

    hits = case.lexicon.find(normalise(substance).text)
    return {hit.drug_class for hit in hits if hit.drug_class is not None}


def _member(case: Case, exposure: Exposure, groups: set[str]) -> bool:
    if exposure.generic_class is not None:
        return exposure.generic_class in groups
    return any(exposure.drug in case.knowledge.members(group) for group in groups) or bool(
        groups & set(case.knowledge.classes_of(exposure.drug))
    )


def _cross(case: Case, exposure: Exposure, allergy: Allergy) -> Finding | None:
    if exposure.generic_class is not None:
        return None
    names = [allergy.substance.strip().lower(), *drugs_of(allergy.substance, case.lexicon)]
    for name in names:
        fact = case.knowledge.cross_reacts(name, exposure.drug)
        if fact is not None:
            severity, how = _severity(allergy)
            worst = min(fact.severity, severity, key=lambda s: s.rank)
            return case.finding(
                Code.CROSS_ALLERGY,
                exposure,
                worst,
                fact.provenance,
                f"{exposure.drug} can cross-react with an allergy of the patient{how}",
            )
    return None


def _severity(allergy: Allergy) -> tuple[Severity, str]:
    told = " ".join(part for part in (allergy.reaction, allergy.severity) if part)
    if told and _SEVERE.search(told):
        return Severity.CONTRAINDICATED, " (severe reaction)"
    if allergy.reaction and _MILD.search(allergy.reaction):
        return Severity.MODERATE, " (an intolerance by its reaction)"
    return Severity.CONTRAINDICATED, "" if allergy.reaction else " (reaction not described)"
