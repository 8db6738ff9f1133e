"""Numbers as people say them of an age or a pregnancy: digits, words ("twenty-six"), ordinals ("26th")."""

from __future__ import annotations

import re
from decimal import Decimal

N = r"(\d{1,3}(?:\.\d{1,2})?)"
_WORD_NUMBER = {
    word: value
    for value, word in enumerate(
        re.findall(
            r"\w+",
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty",
        )
    )
}
_ORDINALS = re.findall(
    r"\w+",
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
)
_ORDINAL = {word: value for value, word in enumerate(_ORDINALS, 1)}
_TENS = {"twenty": 20, "thirty": 30, "forty": 40}
_UNITS = {word: value for word, value in _WORD_NUMBER.items() if 1 <= value <= 9}
_WORD_NUMBER |= {"thirty": 30, "forty": 40}
_ORDINAL |= {"thirtieth": 30, "fortieth": 40}
for _ten, _tens in _TENS.items():
    _WORD_NUMBER |= {f"{_ten}{gap}{unit}": _tens + value for unit, value in _UNITS.items() for gap in "- "}
    _ORDINAL |= {f"{_ten}{gap}{_ORDINALS[v - 1]}": _tens + v for v in _UNITS.values() for gap in "- "}
COUNTED = "|".join(sorted(_WORD_NUMBER, key=len, reverse=True))
NW = rf"({COUNTED}|\d{{1,3}}(?:\.\d{{1,2}})?)"
NTH = rf"({'|'.join(sorted(_ORDINAL, key=len, reverse=True))}|\d{{1,2}}(?:st|nd|rd|th))"


def number(word: str) -> Decimal:
    """The number that a word, an ordinal or digits say."""
    number = _WORD_NUMBER.get(word, _ORDINAL.get(word))
    return Decimal(number) if number is not None else Decimal(word.rstrip("stndrh"))
