"""Treatment that ends before it can have worked: weeks of an anticoagulant for a clot, of a second antiplatelet for a
stent, of tuberculosis drugs, days of an antibiotic for an infection of blood, bone or valve, and "stop when you feel
better" where the infection is one that comes back.

A course is too short only where the text ends it ("for 14 days, then stop") and goes on with nothing of the kind. The
diagnosis is looked for in the output, the prompt and the conditions. What prevents, is long past or was excluded is
no diagnosis.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, curated
from attending.guardrails.checks.lasting import told_days
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.words import word_set
from attending.guardrails.finding import Code, Finding, Severity
from attending.guardrails.sieve import Sieved

_END: Final = Sieved(
    r"\b(?:(?:then|and|to) (?:be )?(?:d/?c\b|dc'd|stop(?:ped)?|finish(?:ed)?|discontinued?|cease|end(?:ed)?|come "
    r"off|done|off"
    r"|nothing|no more"
    r"|you(?:'re|\u2019re| are) (?:finished|done))"
    r"|then (?:\w+ ){0,3}(?:stops?|ends?|alone|only)|(?:in )?total|in all|altogether|stop for good|and no longer"
    r"|no (?:further|more|other|oral|follow-on|ongoing|long-term) (?:\w+ ){0,2}(?:anticoag\w*|blood thinners?"
    r"|tablets?|treatment"
    r"|therapy|antibiotics?|antiplatelets?|doses?|step-?down|medic\w+|needed|after\w*)"
    r"|no (?:follow[- ]?up (?:anticoag\w*|treatment)|doacs?|orals?)(?: (?:needed|required|after\w*))?|no "
    r"(?:tablets|anticoag\w*|treatment|blood thinners?|antibiotics?) (?:\w+ ){0,3}after\w*"
    r"|will not need (?:any|another|more)|won't need (?:any|another|more)|(?:can|may|should|must) (?:then )?(?:be "
    r")?stop(?:ped)?"
    r"|off all (?:therapy|treatment|drugs)|that is (?:enough|all)|that's (?:it|all|enough)|course complete"
    r"|finished with it)\b",
    re.I,
)
_GOES_ON: Final = Sieved(
    r"\b(?:then|followed by|thereafter|after (?:that|which)|switch(?:ing)? to|step(?:ping)? down to|continu\w*"
    r"|overlap\w*"
    r"|until (?:the )?inr|at least|minimum|loading|lead-in|review (?:at|after|in)|bridg\w*)\b",
    re.I,
)
_BETTER: Final = Sieved(
    r"\bstop(?:ped|ping)? (?:\w+ ){0,4}?(?:as soon as|once|when|whenever|if) (?:\w+ ){0,4}?(?:feel\w*|better|well"
    r"|fever|settle[sd]?|goes"
    r"|gone|improve[sd]?|clears?|cleared|cough|pain|low|undetectable|symptoms?)\b"
    r"|\b(?:until|till) (?:you|he|she|they) (?:feel|feels) (?:better|well)\b[^.;\n]{0,40}\bstop\b"
    r"|\b(?:as soon as|once|when) (?:you|he|she|they) (?:feel|feels) (?:\w+ )?(?:better|well|all right)[^.;\n]{0,20}"
    r"\b(?:stop|no need to (?:finish|complete)|you can stop)\b",
    re.I,
)
_NOT: Final = re.compile(
    r"\b(?:not?|never|n't|n\u2019t|without|even if|don\u2019t|avoid|do not|instead of|rather than|temptation "
    r"to)\b[^.;\n]{0,40}\Z",
    re.I,
)
_NO_DIAGNOSIS: Final = re.compile(
    r"\b(?:no|not|without|exclud\w*|ruled out|negative for|risks? of|prevent\w*|prophyla\w*|avoid\w*"
    r"|previous(?:ly)?|past|prior"
    r"|history of|family|ago|against|suspected|\?|possible|contacts? of|exposed to|latent|superficial|stops?"
    r"|screen\w*)\b"
    r"[^.;\n]{0,40}\Z",
    re.I,
)
_DENIED: Final = re.compile(
    r"\b(?:no|nil|without|denies|not|never)(?: (?:signs? of|active|current|any|new))? \Z", re.I
)
"""Before what is not there and makes no treatment short: "No bleeding"."""
_NOT_AFTER: Final = re.compile(
    r"[^.;\n]{0,40}\b(?:(?:years?|months) ago|in (?:19|20)\d\d|excluded|ruled out|negative|unlikely|prophyla\w*"
    r"|prevention"
    r"|contacts?|in (?:his|her|your) (?:mother|father|brother|sister))\b",
    re.I,
)
_LENGTH_REACH: Final = 260


@dataclass(frozen=True, slots=True)
class _Course:
    """A drug of `classes` or `drugs` for what `diagnosis` names, for fewer than `min_days`."""

    id: str
    source: str
    message: str
    diagnosis: Sieved
    min_days: Decimal
    drugs: frozenset[str] = frozenset()
    classes: tuple[str, ...] = ()
    unless: Sieved | None = None


def _any(pattern: str) -> Sieved:
    return Sieved(rf"\b(?:{pattern})\b", re.I)


_ANTIBIOTICS: Final = (
    "beta_lactam", "fluoroquinolone", "aminoglycoside", "macrolide", "tetracycline_class", "sulfonamide_antibiotic",
)  # fmt: skip
_MORE_ANTIBIOTICS: Final = word_set(
    "vancomycin daptomycin linezolid teicoplanin clindamycin metronidazole rifampin gentamicin trimethoprim "
    "fosfomycin colistin dalbavancin flucloxacillin cloxacillin dicloxacillin"
)
_TUBERCULOSIS: Final = word_set("rifampin isoniazid pyrazinamide ethambutol rifapentine")

_COURSES: Final = (
    _Course(
        "clot",
        "ACCP guideline for venous thromboembolism, 2021: at least 3 months; labels of the oral anticoagulants",
        "an anticoagulant for a clot in leg or lung for less than three months",
        _any(
            r"dvt|deep[- ]ve(?:in|nous) thrombosis|pulmonary embol\w+|pes?|vte|venous thromboembol\w*"
            r"|(?:blood )?clots? (?:in|on|to) (?:\w+ ){0,2}(?:lungs?|legs?|calf|thigh|arm)|(?:leg|lung) clot"
        ),
        Decimal(80),
        drugs=word_set("apixaban rivaroxaban edoxaban dabigatran warfarin enoxaparin dalteparin tinzaparin "
            "fondaparinux "
                       "acenocoumarol phenprocoumon heparin phenindione"),
        unless=_any(
            r"prophyla\w*|prevent(?:ion|ing|s)? (?:of )?(?:\w+ ){0,2}(?:clots?|dvt|vte)|to prevent|superficial"
            r"|(?:knee|hip) (?:replacement"
            r"|surgery|arthroplasty)|isolated distal|high bleeding risk|bleed(?:s|ing|er)?|h(?:a)?emorrhage"
            r"|thrombocytop\w+"
        ),
    ),
    _Course(
        "stent",
        "ACC/AHA guideline for dual antiplatelet therapy, 2016 and 2021; clopidogrel, prasugrel and ticagrelor labels",
        "a second antiplatelet for less than a month after a stent: stent thrombosis",
        _any(r"stents?|pci|des|angioplasty"),
        Decimal(28),
        drugs=word_set("clopidogrel prasugrel ticagrelor"),
        unless=_any(r"stroke|tia|carotid|bleed(?:s|ing)?|h(?:a)?emorrhage|ureter(?:ic|al)|biliary"),
    ),
    _Course(
        "tuberculosis",
        "ATS/CDC/IDSA guideline for drug-susceptible tuberculosis, 2016: at least 4 to 6 months",
        "tuberculosis drugs for less than four months: relapse and resistance",
        _any(r"tb|tuberculosis|smear[- ]positive|afb[- ]positive|mycobacterium tuberculosis"),
        Decimal(112),
        drugs=_TUBERCULOSIS,
        unless=_any(r"latent|ltbi|prevent\w*|prophyla\w*|contacts?|meningococc\w*|nontuberculous|3hp|weekly|nasal"),
    ),
    _Course(
        "valve-or-blood",
        "AHA statement on endocarditis, 2015; IDSA guideline for MRSA, 2011: at least 2 weeks after negative cultures",
        "an antibiotic for endocarditis or Staphylococcus aureus in the blood for less than two weeks",
        _any(
            r"endocarditis|(?:s\.? ?|staph\w*\.? )aureus (?:bacter\w+|sepsis|bloodstream|in (?:the|his|her) blood)"
            r"|(?:mrsa|mssa|staph\w*) (?:bacter\w+|bloodstream)"
        ),
        Decimal(14),
        drugs=_MORE_ANTIBIOTICS,
        classes=_ANTIBIOTICS,
        unless=_any(r"prophyla\w*|dental|synergy|dalbavancin"),
    ),
    _Course(
        "bone",
        "IDSA guidelines for vertebral osteomyelitis, 2015, and prosthetic joint infection, 2013: weeks",
        "an antibiotic for an infection of bone or prosthesis for less than two weeks",
        _any(r"osteomyelitis|discitis|bone infection|(?:prosthetic|native)? ?joint infection|septic arthritis"
            r"|infected (?:hip|knee) "
             r"(?:replacement|prosthesis)|epidural abscess|brain abscess"),
        Decimal(14),
        drugs=_MORE_ANTIBIOTICS,
        classes=_ANTIBIOTICS,
        unless=_any(r"prophyla\w*|amputat\w*|resect\w*|gonococc\w*"),
    ),
    _Course(
        "meningitis",
        "IDSA guideline for bacterial meningitis, 2004; ESCMID, 2016: 5 to 21 days",
        "an antibiotic for bacterial meningitis for less than five days",
        _any(r"(?:bacterial|meningococcal|pneumococcal|listeria) mening\w+|mening\w+ \((?:bacterial|meningococcal"
            r"|pneumococcal)\)"),
        Decimal(5),
        drugs=_MORE_ANTIBIOTICS,
        classes=_ANTIBIOTICS,
        unless=_any(r"prophyla\w*|contacts?|viral|pending|pcr|dexamethasone"),
    ),
    _Course(
        "mechanical-valve",
        "ACC/AHA guideline for valve disease, 2020: warfarin for life with a mechanical valve",
        "warfarin is stopped in a patient with a mechanical heart valve",
        _any(r"mechanical (?:\w+ )?(?:valves?|prosthes[ie]s)|metal(?:lic)? (?:heart )?valves?"),
        Decimal(3650),
        drugs=word_set("warfarin acenocoumarol phenprocoumon phenindione"),
        unless=_any(r"bioprosthe\w*|tissue valve|surgery|procedure|colonoscopy|bridg\w*|bleed\w*|pregnan\w*"),
    ),
)  # fmt: skip
_COMES_BACK: Final = _any(
    r"endocarditis|osteomyelitis|bone infection|discitis|septic arthritis|bacter(?:a)?emia|bloodstream infection"
    r"|tuberculosis|tb"
    r"|mening\w+|pyelonephritis|kidney infection|rheumatic fever|syphilis|prosthe\w+ infection|joint infection"
    r"|line infection"
    r"|abscess|hiv|sepsis|septic(?:(?:a)?emia)?|h\.? ?pylori|strep(?:tococc\w+)? (?:throat|pharyngitis)|scarlet "
    r"fever|pneumonia"
    r"|leprosy|brucellosis|cellulitis|lyme|typhoid|malaria"
)


def too_short(case: Case) -> Iterator[Finding]:
    """One finding per course and text."""
    courses = [course for course in _COURSES if _diagnosed(case, course)]
    comes_back = case.says(_COMES_BACK)
    if not courses and not comes_back:
        return
    seen: set[str] = set()
    for exposure in case.given:
        if exposure.statement is None or exposure.origin != "output" or exposure.generic_class is not None:
            continue
        for course in courses:
            if (
                course.id not in seen
                and _is_of(case, exposure, course)
                and _ends_early(case, exposure, course)
            ):
                seen.add(course.id)
                yield case.finding(
                    Code.DURATION,
                    exposure,
                    Severity.MAJOR,
                    curated(f"short-{course.id}", course.source),
                    course.message,
                )
        if comes_back and "better" not in seen and _until_better(case, exposure):
            seen.add("better")
            yield case.finding(
                Code.DURATION,
                exposure,
                Severity.MAJOR,
                curated(
                    "short-better", "labels of systemic antibacterials, section 17: complete the full course"
                ),
                "a treatment of an infection that comes back is to be stopped as soon as the patient feels better",
            )


def _is_of(case: Case, exposure: Exposure, course: _Course) -> bool:
    return exposure.drug in course.drugs or (
        bool(course.classes) and case.of_class(exposure.drug, *course.classes) and not case.is_local(exposure)
    )


def _diagnosed(case: Case, course: _Course) -> bool:
    text = case.told
    if course.unless is not None and any(
        _DENIED.search(text, max(0, m.start() - 30), m.start()) is None for m in course.unless.finditer(text)
    ):
        return False
    return any(
        _NO_DIAGNOSIS.search(text, max(0, m.start() - 60), m.start()) is None
        and _NOT_AFTER.match(text, m.end()) is None
        for m in course.diagnosis.finditer(text)
    )


def _ends_early(case: Case, exposure: Exposure, course: _Course) -> bool:
    statement = exposure.statement
    if statement is None:
        return False
    days = told_days(case, statement)
    if days is None or days >= course.min_days or days <= 0:
        return False
    if any(
        other is not exposure
        and other.statement is not None
        and other.span.start > exposure.span.start
        and _is_of(case, other, course)
        and not _ends_early_itself(case, other, course)
        for other in case.given
        if other.origin == "output"
    ):
        return False
    text = case.judged.output
    start = statement.duration.span.start if statement.duration is not None else exposure.span.start
    sentence = sentence_around(text, start, start + 1, following=1, reach=_LENGTH_REACH)
    told = text[max(start, sentence.start) : sentence.end]
    end = next((m for m in _END.finditer(told) if _NOT.search(told, 0, m.start()) is None), None)
    if end is None:
        return False
    more = _GOES_ON.search(told[: end.start()])
    return more is None and not _longer(told, end.start())


def _ends_early_itself(case: Case, other: Exposure, course: _Course) -> bool:
    """Whether a later line of the kind is as short, so that it does not carry the treatment on."""
    days = told_days(case, other.statement) if other.statement is not None else None
    return days is not None and days < course.min_days


_LONGER: Final = re.compile(
    r"\b(?:then|thereafter|followed by) [^.;\n]{0,40}\d+ ?(?:mg|mcg|g|units?)\b", re.I
)


def _longer(told: str, at: int) -> bool:
    """Whether the words after the end go on with another dose: "for 7 days, then 5 mg twice daily"."""
    return _LONGER.search(told, max(0, at - 10)) is not None


def _until_better(case: Case, exposure: Exposure) -> bool:
    known = (*_ANTIBIOTICS, "antiretroviral")
    if not (
        case.of_class(exposure.drug, *known)
        or exposure.drug in _MORE_ANTIBIOTICS
        or exposure.drug in _TUBERCULOSIS
    ) or case.is_local(exposure):
        return False
    text, at = case.judged.output, exposure.span
    around = sentence_around(text, at.start, at.end, following=1, reach=_LENGTH_REACH)
    others = [
        s.mention.span.start
        for s in case.output.statements
        if s.mention.span.start > at.end and exposure.drug not in s.mention.drugs
    ]
    stop = min([around.end, *others])
    words = text[at.start : stop]
    found = _BETTER.search(words)
    return found is not None and _NOT.search(words, 0, found.start()) is None


__all__ = ["too_short"]
