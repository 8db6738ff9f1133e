"""Measurements that are a sign by their value: temperature, pulse, pressure, oxygen, sugar, ages, counts of tablets.

Bounds: fever from 38.0 C or 100.4 F; oxygen saturation to 91 %; systolic pressure below 90 mmHg; pulse from 110 and
breaths from 25 a minute; 160/110 mmHg in pregnancy (ACOG severe range) and 180/120 otherwise (ACC/AHA); ketones from
3.0 mmol/L; glucose from 16 mmol/L or 300 mg/dL and below 3.0 mmol/L or 50 mg/dL; potassium from 6.5 mmol/L;
lithium from 1.5 mmol/L; a body temperature below 35 C; an infant is up to twelve weeks old.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.clinical.statement import Span
from attending.guardrails.emergency.concepts import Tokens, Told
from attending.guardrails.sieve import Sieved, possible

_IS: Final = r"(?:[ :=]|of|was|is|are|at|now|reads?|reading|to|level|up){0,4}? ?"
_ONES: Final = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_MANY: Final = (
    r"\d{2,3}|ten|twelve|fifteen|sixteen|eighteen|twenty|(?:twenty|thirty|forty)[- ]\w+|thirty|forty"
    r"|fifty|sixty|a hundred"
)
_PILLS: Final = (
    r"pills?|tablets?|tabs|capsules?|caplets?|of (?:the |her |his |my "
    r"|your )?(?:[\w'\u2019-]+[- ]){0,3}?(?:strength )?(?:paracetamol"
    r"|acetaminophen|tylenol|ibuprofen|aspirins?|amitriptyline|propranolol|sertraline|quetiapine"
    r"|metformin|diazepam|pills|tablets"
    r"|capsules|verapamil|amlodipine)|paracetamols?|acetaminophen|tylenols?|co-?codamol|ibuprofens?"
    r"|aspirins?|amitriptyline"
    r"|propranolol|sertraline|quetiapine|metformin|diazepam"
)

_PATTERNS: Final = {
    "FEVER": r"(?<![\d./])(?:3[89]|4[01])(?:\.\d)? ?(?:\u00b0 ?c?|degrees|c\b)|(?<![\d./])(?:10[1-7](?:\.\d)?"
    r"|100\.[4-9]) ?(?:\u00b0 ?f?"
    r"|degrees|f\b)|\b(?:temp(?:erature)?|t)\b" + _IS + r"(?:3[89]|4[01]|10[1-7]|100\.[4-9])(?:\.\d)?(?![\d/])"
    r"|(?<![\d./])(?:3[89]|4[01])\.\d(?![\d/]| ?(?:mg|kg|mmol|mcg|%|ml|weeks|cm|g\b))"
    r"|(?<![\d./])10[1-6]\.\d(?![\d/]| ?(?:mg|kg|lb|mmol|%|ml))",
    "LOW_OXYGEN": r"\b(?:spo2|o2 sats?|o2|sats?|saturations?|oxygen(?: level"
    r"| saturation)?)\b" + _IS + r"(?:[78]\d|9[01])(?! ?l)(?!\d)",
    "SHOCK": r"\b(?:bp|blood pressure|systolic|sbp)\b" + _IS + r"[5-8]\d(?!\d)(?: ?/ ?\d\d)?"
    r"|(?<![\d/])[5-8]\d ?/ ?[2-5]\d(?![\d/])"
    r"|hypotensive|\bnews2?(?: of| score)? (?:[7-9]|1\d)\b|lactate" + _IS + r"[4-9]",
    "FAST_PULSE": r"\b(?:hr|pulse|heart rate|p)\b" + _IS + r"1[1-9]\d(?!\d)",
    "COLD": r"\b(?:temp(?:erature)?|t)\b" + _IS + r"(?:2\d|3[0-4])(?:\.\d)?(?![\d/%]| ?(?:mg|kg|weeks|g\b))",
    "EARLY_GESTATION": r"(?<![\d/])(?:[4-9]|1[0-2]) ?/ ?40\b",
    "FAST_BREATHING": r"\b(?:rr|resps?|respiratory rate|breaths)\b" + _IS + r"(?:2[5-9]|[3-6]\d)(?!\d)",
    "HIGH_PRESSURE": r"(?<![\d/])(?:1[6-9]\d|2[0-5]\d) ?(?:/|over) ?\d{2,3}(?![\d/])|(?<![\d/])1\d\d ?(?:/"
    r"|over) ?1[1-4]\d(?![\d/])",
    "VERY_HIGH_PRESSURE": r"(?<![\d/])(?:1[89]\d|2[0-5]\d) ?(?:/|over) ?1[2-6]\d(?![\d/])",
    "KETONES": r"ketones?\b(?: \w+){0,3}? ?(?:[3-9]\.\d|large|high|\+{2,4})|(?:large|high"
    r"|strongly positive) (?:urine |urinary )?ketones",
    "HIGH_SUGAR": r"\b(?:sugars?|glucose|bm|cbg|bgl?|meter)\b" + _IS + r"(?:(?:1[6-9]|[23]\d)(?:\.\d)?(?![\d/]| ?mg)"
    r"|[3-9]\d\d(?!\d))",
    "LOW_SUGAR": r"\b(?:sugars?|glucose|bm|cbg|bgl?|meter)\b" + _IS + r"(?:[12]\.\d(?!\d)|[1-4]\d(?![\d.]) ?mg"
    r"|[2-4]\d(?![\d./]))",
    "HIGH_POTASSIUM": r"\b(?:potassium|k\+?|serum k)" + _IS + r"(?:6\.[5-9]|[789]\.\d)(?!\d)(?! ?(?:g|mg))",
    "LITHIUM_LEVEL": r"\b(?:lithium|li)(?: level)?" + _IS + r"(?:1\.[5-9]|[2-5]\.\d)(?!\d)",
    "INFANT": rf"\b(?:(?:[1-9]|1[0-2]|{_ONES})[- ](?:weeks?|wks?)[- ]?old|(?:\d{{1,2}}"
        rf"|{_ONES})[- ]days?[- ]?old|(?:[12]"
    rf"|one|two)[- ]months?[- ]?old"
    rf"|(?:[1-9]|1[0-2]|{_ONES})[- ]weeks? (?:of age|baby|infant)|(?:baby|babies|infants?|newborns?|little ones?) of"
    rf" (?:[1-9]|1[0-2]|{_ONES}) weeks|(?:baby|infant"
    rf"|newborn)[^.\n]{{0,20}} (?:[1-9]|1[0-2]|{_ONES}) weeks)\b",
    "LATE_GESTATION": r"\b(?:(?:2[0-9]|3\d|4[0-2]|(?:twenty|thirty|forty)(?:[- ]\w+)?)[- ]?(?:weeks?|wks?"
    r"|/40)\b(?! (?:ago|later|from|since|old))"
    r"|g\dp\d|[23]\d\+[0-6]|third trimester|second trimester)",
    "MANY_TABLETS": rf"\b(?:(?:swallowed|taken|took|ate|downed|necked|ingested|overdose of"
    rf"|ingestion of)(?: \w+){{0,3}}? ?(?:{_MANY}|a handful of"
    rf"|a dozen|most of|all of|the whole|an entire|the rest of)(?! ?(?:m?c?g|grams?|micro\w*|milli\w*|ml"
    rf"|units?|iu)\b)(?: \w+){{0,2}}? (?:{_PILLS})\b"
    r"(?! (?:over|so far|a (?:week|month)|for))|took (?:all|a whole bottle"
    r"|the whole bottle)(?: of)? (?:his|her|my|the|their))",
}  # fmt: skip
_READ: Final = {name: Sieved(pattern, re.I) for name, pattern in _PATTERNS.items()}


def measured(text: str, tokens: Tokens) -> list[Told]:
    """Every measurement of the text that is a sign by its value."""
    bits = possible(text)
    return [
        Told(name, tokens.at(match.start()), tokens.at(match.end() - 1), Span(match.start(), match.end()))
        for name, pattern in _READ.items()
        if pattern.bit & bits
        for match in pattern.finditer(text)
    ]


NAMES: Final = frozenset(_READ)
