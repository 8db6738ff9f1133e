"""Content that no patient of this sex or age can have: a growth scan in a man's letter, milestones in a pensioner's.

Such a sentence comes from somebody else's record. Left alone are sentences about relatives, partners and people in
general, whole texts of trans and intersex patients, and the mother's pregnancy in a child's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.sieve import Sieved

_FEMALE_ONLY: Final = Sieved(
    r"\b(?:your|her|his|this|current) pregnan\w+|\byou(?: are|'re|\u2019re)(?: currently"
    r"| now)? (?:\d+ weeks )?pregnant"
    r"|\bshe is (?:\d+ weeks )?pregnant|\b\d+ weeks(?:'|\u2019)? (?:pregnant|gestation)"
    r"|\b(?:your|his) (?:uter\w+|ovar\w+|menstrua\w+|periods?|cervix|cervical (?:smear|screening)|pap (?:smear|test)"
    r"|hysterectomy|vagin\w+|labou?r|due date|midwife)\b|\byou are breastfeeding\b|\bpost-?partum\b"
    r"|\b(?:fundal height|growth scans?|(?:ante|pre)natal (?:clinic|visit|appointment|vitamins?|care|check)"
    r"|obstetrics?(?:(?: and gyna?ecology)? (?:clinic|appointment|review|scan|follow-?up))|anomaly scan|dating scan"
    r"|egg collection|oocyte retrieval|menopause clinic|endometri(?:al (?:thickness|biopsy|ablation)|osis)"
    r"|cervical (?:smear|screening|cytology)|pap (?:smear|test)|trans-?vaginal|hysterectomy|hysteroscopy"
    r"|uter(?:us|ine)"
    r"|fibroids?|ovar(?:y|ies|ian)|postmenopausal|perimenopausal|menopaus\w+|last menstrual period|lmp"
    r"|(?:coil|iud|ius|mirena) (?:fitted|in situ|check)|breech (?:baby|presentation)|\d+/40\b|g\dp\d)\b",
    re.I,
)
_MALE_ONLY: Final = Sieved(
    r"\b(?:prostat(?:e|ic|itis|ectomy)|bph|testic\w+|scrot\w+|penile|penis|erectile dysfunction|vasectomy"
    r"|hydrocele|varicocele|orchi(?:tis|ectomy|dopexy)|epididym\w+|psa (?:test|level|screening))\b",
    re.I,
)
_INFANT_ONLY: Final = Sieved(
    r"\b(?:well[- ](?:child|baby)|developmental milestones|milestones (?:met|reached|on track)|fontanel\w+"
    r"|teething|cradle cap|walking at \d+ months|tummy time|weaning onto solids|childhood immuni[sz]ations"
    r"|growth centiles?|nursery school)\b",
    re.I,
)
_OLD_ONLY: Final = Sieved(
    r"\b(?:retired|pension(?:er)?|care home|nursing home|residential home|menopaus\w+|zimmer|walking frame|dementia"
    r"|memory clinic|widow(?:er|ed)?)\b",
    re.I,
)
_EITHER: Final = Sieved(
    r"\b(?:trans(?:gender|[- ](?:man|woman|male|female|masc\w*|fem\w*))?|transition(?:ed)? (?:to|from) (?:male"
    r"|female)"
    r"|non-?binary|intersex|dsd\b|assigned (?:fe)?male|afab|amab|klinefelter\w*|born (?:fe)?male)\b",
    re.I,
)
_CHILD: Final = re.compile(
    r"\b(?:born|birth|baby|infant|newborn|neonat\w+|mother'?s?|mum'?s?|mom'?s?|antenatally)\b", re.I
)
_PARENT: Final = Sieved(
    r"\b(?:breast-?feed\w*|breastfed|lactat\w+|post-?natal\w*|post-?partum"
    r"|nursing mother)\b",
    re.I,
)
_OTHERS: Final = re.compile(
    r"\b(?:mother|mum|mom|father|dad|brother|sister|sibling|son|daughter|husband|wife|partner|spouse|girlfriend"
    r"|uncle|aunt|niece|nephew|cousin|grand\w+|child(?:ren)?|baby|family|relatives?|carer|friend"
    r"|men|women|males|females|woman|girls?|boys?|people|patients|adults|anyone|example|study|trial|donor"
    r"|if you|unless|not (?:for|suitable|relevant|applicable))\b",
    re.I,
)
_IF: Final = re.compile(r"\b(?:if|unless|in case|when|whether)\s*$", re.I)
_GROWN_UP: Final = Decimal(16)
_BEARING: Final = Decimal(10)


def impossible(case: Case, sex: str | None) -> Iterator[tuple[str, Span]]:
    """The first place that does not fit the sex and the first that does not fit the age, with what it does not fit."""
    text, age = case.judged.output, case.age_years
    if sex in ("male", "female") and not _anywhere(_EITHER, case):
        pattern = _MALE_ONLY if sex == "female" else _FEMALE_ONLY
        small = age is not None and age < _BEARING
        found = _first(text, pattern, without=_CHILD if small else None)
        if found is not None:
            yield f"a {sex} patient", found
    if age is None:
        return
    if age >= _GROWN_UP and not case.context.lactating and not _anywhere(_PARENT, case):
        found = _first(text, _INFANT_ONLY, without=_CHILD)
        if found is not None:
            yield f"a patient of {age.normalize():f} years", found
    elif age < _GROWN_UP - 1:
        found = _first(text, _OLD_ONLY, without=None)
        if found is not None:
            yield f"a patient of {age.normalize():f} years", found


def _anywhere(pattern: Sieved, case: Case) -> bool:
    """Whether the output, as it is written, or what is told of the patient holds the pattern."""
    return pattern.search(case.judged.output) is not None or case.says(pattern)


def _first(text: str, pattern: Sieved, *, without: re.Pattern[str] | None) -> Span | None:
    for match in pattern.finditer(text):
        sentence = sentence_around(text, match.start(), match.end(), reach=300)
        before = text[sentence.start : match.start()]
        if _IF.search(before):
            continue
        around = f"{before} {text[match.end() : sentence.end]}"
        if _OTHERS.search(around) is None and (without is None or without.search(around) is None):
            return Span(*match.span())
    return None
