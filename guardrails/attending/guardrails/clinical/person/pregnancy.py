"""Pregnancy by name: "12 weeks pregnant", "first trimester", "not pregnant"."""

from __future__ import annotations

import re
from decimal import Decimal

from attending.guardrails.clinical.person.counting import COUNTED, NW, TRIMESTER_WEEK, WEEKS_A_MONTH, number
from attending.guardrails.clinical.person.gestation import GESTATION, counted_weeks
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.clinical.person.who import (
    ANOTHER_PREGNANCY,
    GENERAL,
    RELATIVE_TIME,
    clause_before,
    of_patient,
    other_person,
    words_before,
)
from attending.guardrails.sieve import Group, Sieved

_WEEKS = Sieved(
    rf"(?<![\w.,/-])({COUNTED}|\d{{1,2}})"
    r"(?:\+\d|[ -]?\d/7| ?(?:and|&) \d/7)?[ -]?(?:weeks?|wks?|"
    r"w)(?:'s|'|s')?(?: ?(?:and )?\d ?(?:days?|d))?[ -,]*(?:pregnant|gestation(?:al)?|"
    r"of pregnancy|pregnancy|of gestation|along(?! with(?! (?:her|your|my|their) (?:first|second|third|fourth|next)))"
    r"|expecting|gravid|ga\b|iup|by (?:your |her |my )?"
    r"(?:dates|lmp|(?:dating |early )?scan|ultrasound)|into (?:the|her|your|this"
    r"|my)(?: (?:current"
    r"|first|second"
    r"|third|fourth|1st|2nd|3rd|4th))? pregnancy)|"
    r"\b(?:gestational age|gestation|ega|ga|pregnant|pregnancy|gravida|iup)(?: (?:is|of|at|"
    r"currently|now)){0,4}[ :,(]*(?:at )?(\d{1,2})(?:\+\d)? ?-?(?:weeks?|wks?|w)(?!\w*ly)|"
    r"\b(?:ob|obstetrics?|antenatal|prenatal|booking|mfm)(?: (?:intake|clinic|visit|booking|review|note|new|"
    r"appointment|check|triage)){1,2}[ ,:;(-]{1,3}(\d{1,2})(?:\+\d)? ?-?(?:weeks?|wks?|w)(?![\w/])|"
    r"\bg\d{1,2} ?p\d{1,4}\b[ ,]*(?:\w+ ){0,2}?(?:at |@ ?)?(\d{1,2})(?:\+\d)? ?-?(?:w|"
    r"wks?|weeks?)(?:\d ?d)?(?![a-z])"
)
_MONTHS_PREGNANT = Sieved(rf"\b{NW}[ -]months? pregnant\b")
_TRIMESTER = Sieved(
    r"\b(?:in|is in|entering|now)(?: (?:my|her|your))? (first|1st|second|2nd|third|3rd) trimester\b"
    r"|\b(first|1st|second|2nd|third|3rd)[ -]trimester (?:of (?:her|your|my|this) )?pregnan"
    r"|(?:^|[,;(] ?|[mf] |year-old |woman |patient )(first|1st|second|2nd|third|3rd) trimester(?=[,;:.)]|$)"
)
_PREGNANT = Sieved(
    r"\b(?:is|am|i'm|she's|patient's|currently|you are|you're|being|who is|as you are|"
    r"since you are|and|now|since she is|because she is|an?|this|my|our) (?:\w+ "
    r"){0,2}?pregnant\b(?! (?:women|people|patients|persons|individuals))|"
    r"\bpregnant (?:woman|patient|female|lady|wife|mother|with (?:her|my|twins))\b|"
    r"\byour pregnancy\b|\bher (?:current )?pregnancy\b|"
    r"\b(?:in|during|into|with|of) this pregnancy\b|\binto (?:her|your|my) (?:\w+ )?pregnancy\b|"
    r"\b(?:pregnant|pregnancy)[ :=]+(?:yes|true|positive|confirmed|ongoing)\b|\b(?:iup|intrauterine pregnancy)\b|"
    r"^pregnant\b|[,;] pregnant\b"
)
_NOT_PREGNANT = Sieved(
    r"\b(?:not|isn't|denies being|denies|no chance of being) (?:currently )?pregnan(?:t|"
    r"cy)\b|\bnegative pregnancy test\b|\bpregnancy test (?:is |was |came back "
    r")?negative\b|\bpost-?menopausal\b|\bpregnan(?:cy|t)[ :]+(?:no|none|negative|false)\b|"
    r"\b(?:hcg|upt|pregnancy test)(?: (?:is|was|today|came back)){0,2}[ :]*(?:negative|neg\b)|\bno pregnancy\b"
)
PREGNANCY = Group.of(globals()) | GESTATION


def read_pregnancy(part: str, told: Told) -> None:
    """Adds pregnancy and its weeks to `told`, named or counted (`gestation`)."""
    if _NOT_PREGNANT.search(part):
        told.pregnant.append(False)
    for match in _WEEKS.finditer(part):
        if RELATIVE_TIME.search(words_before(part, match.start(), 20)) or not of_patient(part, match.start()):
            continue
        if ANOTHER_PREGNANCY.match(part, match.end()):
            continue
        value = number(next(g for g in match.groups() if g))
        if 1 <= value <= 44:
            told.weeks.append(value)
            told.pregnant.append(True)
    if GESTATION.may_match(part):
        counted_weeks(part, told)
    for match in _MONTHS_PREGNANT.finditer(part):
        if of_patient(part, match.start()):
            told.pregnant.append(True)
            told.weeks.append((number(match.group(1)) * WEEKS_A_MONTH).to_integral_value())
    for match in _TRIMESTER.finditer(part):
        if not GENERAL.search(clause_before(part, match.start())):
            told.pregnant.append(True)
            told.weeks.append(Decimal(TRIMESTER_WEEK[next(g for g in match.groups() if g)]))
    for match in _PREGNANT.finditer(part):
        around = clause_before(part, match.start()) + match.group()
        if (
            GENERAL.search(around)
            or re.search(r"\b(?:not|isn't|never|avoid|negative|denies)\b", around)
            or other_person(part, match.start())
        ):
            continue
        told.pregnant.append(True)
