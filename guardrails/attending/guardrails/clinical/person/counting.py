"""Numbers as people say them of an age or a pregnancy: digits, words ("twenty-six"), ordinals ("26th")."""

from __future__ import annotations

from decimal import Decimal

from attending.guardrails.clinical.number import NUMBER_WORDS, number_words

N = r"(\d{1,3}(?:\.\d{1,2})?)"
_BELOW_FIFTY = {word: value for word, value in NUMBER_WORDS.items() if value < 50 and word != "nought"}
_TENS = number_words("fifty sixty seventy eighty ninety")
_BELOW_HUNDRED = (
    _BELOW_FIFTY
    | _TENS
    | {
        f"{ten}{gap}{word}": tens + ones
        for ten, tens in _TENS.items()
        for word, ones in number_words("one two three four five six seven eight nine").items()
        for gap in "- "
    }
)
_ORDINAL_WORDS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_ORDINALS = _ORDINAL_WORDS.split()
_ORDINAL = {word: value for value, word in enumerate(_ORDINALS, 1)}
_ORDINAL |= {"thirtieth": 30, "fortieth": 40}
_ORDINAL |= {
    f"{ten}{gap}{_ORDINALS[ones - 1]}": tens + ones
    for ten, tens in number_words("twenty thirty forty").items()
    for ones in range(1, 10)
    for gap in "- "
}
WEEKS_A_MONTH = Decimal("4.345")
DAYS = {"d": Decimal(1), "w": Decimal(7), "m": Decimal("30.4375")}
"""Days of a unit by its first letter."""
TRIMESTER_WEEK = {"first": 8, "1st": 8, "second": 14, "2nd": 14, "third": 28, "3rd": 28}
"""The week that stands for a trimester: one within the first, the beginning of the other two."""
COUNTED = "|".join(sorted(_BELOW_FIFTY, key=len, reverse=True))
NW = rf"({COUNTED}|\d{{1,3}}(?:\.\d{{1,2}})?)"
OLD = rf"({'|'.join(sorted(_BELOW_HUNDRED, key=len, reverse=True))}|\d{{1,3}}(?:\.\d{{1,2}})?)"
"""A number of years, of people of any age."""
NTH = rf"({'|'.join(sorted(_ORDINAL, key=len, reverse=True))}|\d{{1,2}}(?:st|nd|rd|th))"


def number(word: str) -> Decimal:
    """The number that a word, an ordinal or digits say."""
    number = _BELOW_HUNDRED.get(word, _ORDINAL.get(word))
    return Decimal(number) if number is not None else Decimal(word.rstrip("stndrh"))
