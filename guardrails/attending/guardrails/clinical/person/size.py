"""Weight and height of the person: not a weight lost, aimed at or dosed by."""

from __future__ import annotations

import re
from decimal import Decimal

from attending.guardrails.clinical.person.counting import N
from attending.guardrails.clinical.person.told import Told
from attending.guardrails.clinical.person.who import CONDITIONAL, clause_before, words_before
from attending.guardrails.sieve import Group, Sieved

_WEIGHT_CUE = Sieved(
    rf"\b(?:weigh(?:s|ing|ed)?|weight|wt|body weight|bw)(?: (?:is|was|of|about|"
    rf"approximately|currently|now|today)){{0,4}}[ :=~]*{N} ?-?(kgs?|kilos?|kilograms?|lbs?|"
    rf"pounds?|#)(?![\w/])"
)
_WEIGHT_PERSON = Sieved(
    rf"(?<![\w.,/-]){N}[ -]?(kgs?|kilos?|kilograms?|lbs?|pounds?)[ -](?:\w+[ "
    rf"-]){{0,2}}?(?:child|patient|adult|man|woman|boy|girl|infant|toddler|kid|baby|son|"
    rf"daughter|male|female|person|pt|teen\w*)\b"
)
_WEIGHT_LISTED = Sieved(
    rf"(?:old|\d ?y/?o|\bage[d:]? \d{{1,3}}|[\d)](?:m|f)|(?:yo|y/o|yrs?|\d y) (?:m|f)|boy|girl|man|woman"
    rf"|male|female|child|"
    rf"infant|son|daughter|kid|baby)(?: who is| is)?[ ,(]+(?:who )?(?:weighs? )?{N} "
    rf"?-?(kgs?|kilos?|kilograms?|lbs?|pounds?)(?![\w/])"
)
_WEIGHT_ALONE = Sieved(
    rf"(?:(?:^|(?<!\d)[,;(:.] ?|[,;(:.] )|(?:pounds|lbs?) \(|\bfor |\d (?:months?|years?|weeks?)(?: old)? and )"
    r"(?:about |around |approx\.? |approximately |roughly |~ ?)?"
    rf"{N} ?(kg|kgs|kilos?|kilograms?)(?=[,;).]|$| x ?\d| the dose| he| she| give| you| use)(?![.,]\d)"
)
"""A weight between two commas or in brackets: "Leo, 8 kg, has a fever", "26 pounds (12 kg)"."""
_IN_KILOGRAMS = re.compile(r" ?\((?:about )?\d{1,3}(?:\.\d)? ?(?:kg|kilo)")
_WEIGHT_EXCLUDED = re.compile(
    r"\b(?:lost|lose|gained|gain|losing|gaining|birth|ideal|target|goal|per|if|under|"
    r"over|less than|more than|at least|than|over|up to|between)(?: \w+){0,2} ?$"
)
_HEIGHT = Sieved(rf"\b(?:height|ht)(?: is| of)?[ :=]*{N} ?cm\b|(?<![\w.]){N} ?cm tall\b")
_POUND = Decimal("0.45359237")
SIZE = Group.of(globals())


def read_size(part: str, told: Told) -> None:
    """Adds weights in kilograms and heights in centimetres to `told`."""
    seen: set[int] = set()
    for pattern in (_WEIGHT_CUE, _WEIGHT_PERSON, _WEIGHT_LISTED, _WEIGHT_ALONE):
        for match in pattern.finditer(part):
            if pattern is _WEIGHT_ALONE and told.weights:
                continue
            if _IN_KILOGRAMS.match(part, match.end()) and match.group(2)[0] in "lp#":
                continue
            if (
                match.start(1) in seen
                or _WEIGHT_EXCLUDED.search(words_before(part, match.start()))
                or CONDITIONAL.search(clause_before(part, match.start()))
            ):
                continue
            if re.search(r"\b(?:lost|gained|birth|per) $", words_before(part, match.start(1), 12)):
                continue
            seen.add(match.start(1))
            value = Decimal(match.group(1))
            kilograms = value * _POUND if match.group(2)[0] in "lp#" else value
            if Decimal("0.3") <= kilograms <= Decimal(400):
                told.weights.append(
                    kilograms.quantize(Decimal("0.1")) if match.group(2)[0] in "lp#" else value
                )
    for match in _HEIGHT.finditer(part):
        told.heights.append(Decimal(match.group(1) or match.group(2)))
