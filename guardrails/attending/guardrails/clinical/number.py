"""Numbers as people write them in orders: digits, grouped digits, fractions and words; everything else is doubtful.

A number is read exactly (`Decimal`) or not at all. What could be read in two ways ("1.500" is 1.5 in London and 1500 in
Paris; "1 500" may be one 500) carries a reason instead of a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from attending.guardrails.sieve import Sieved

_MAX_DIGITS = 12

_UNDER_TEN = "zero one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_SMALL = {word: value for value, word in enumerate(f"{_UNDER_TEN} {_TEENS}".split())} | {"nought": 0}
_FROM_TWENTY = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * value for value, word in enumerate(_FROM_TWENTY.split(), 2)}
NUMBER_WORDS: Final = (
    _SMALL
    | _TENS
    | {
        f"{ten}{gap}{one}": tens + ones
        for ten, tens in _TENS.items()
        for one, ones in _SMALL.items()
        for gap in "- "
        if 0 < ones < 10
    }
)
"""Every number below a hundred as it is spelled, with a hyphen or a space: "twenty-six", "twenty six"."""
_WORD = "|".join(sorted([*_SMALL, *_TENS, "hundred", "thousand"], key=len, reverse=True))
_WORDS = re.compile(rf"(?:{_WORD})(?:(?:-| and (?!one[- ](?:half|quarter))| )(?:{_WORD})\b){{0,8}}(?![a-z])")
_DIGIT_WORD = "|".join(word for word, value in _SMALL.items() if value < 10)
_POINT = re.compile(rf" point ((?:{_DIGIT_WORD})(?: (?:{_DIGIT_WORD})){{0,3}})(?![a-z])")
_HALF = re.compile(
    r"(?:a half|one[- ]half|half an?|half of an?|half(?: of)?|a quarter(?: of)?(?: "
    r"an?)?|one[- ]quarter|three[- ]quarters?(?: of(?: an?)?)?|quarter(?: of)?(?: an?)?)(?![a-z])"
)
_AND_HALF = re.compile(r" and (?:an?[- ]|one[- ])?(half|quarter)(?![a-z])")
_COUPLE = re.compile(r"an? couple(?: of)?(?![a-z])")
_VAGUE = re.compile(r"(?:an? few|several|some|a handful of)(?![a-z])")
_ARTICLE = re.compile(r"an?(?: single| extra| whole| full)? (?=[a-z])")
_SCIENTIFIC = re.compile(
    r"\d{1,12}(?:\.\d{1,12})?(?:e[+-]?\d{1,4}(?![a-z])| ?(?:x|\*) ?10 ?\^?-?\d{0,3}(?=[ ^])|\^-?\d{1,4})"
)
_MIXED = re.compile(r"(\d{1,3})(?: and |[ -])(\d{1,2})/(\d{1,2})(?![\d/.])")
_FRACTION = re.compile(r"(\d{1,2})/(\d{1,2})(?![\d/.])")
_COMMA_GROUPS = re.compile(r"\d{1,3}(?:,\d{3}){1,4}(\.\d{1,6})?(?![\d,.]*\d)")
_SPACE_GROUPS = re.compile(r"\d{1,3}(?: \d{3}){1,4}(\.\d{1,6})?(?![\d.,]*\d)")
_DOT_GROUPS = re.compile(r"\d{1,3}(?:\.\d{3}){1,4}(?:,\d{1,6})")
_MULTI_DOT = re.compile(r"\d{1,3}(?:\.\d{1,6}){2,6}(?!\d)")
_COMMA_DECIMAL = re.compile(r"\d{1,12},\d{1,12}")
_PLAIN = re.compile(r"\d+(?:\.\d+)?")
_LEADING_DOT = re.compile(r"\.\d+")
_SCALE = re.compile(r"[ -]?(million|mio|mil|thousand|k|hundred)(?![a-z])")
_AMBIGUOUS_THREE = re.compile(r"[1-9]\d{0,2}\.\d{2}0$")

START = Sieved(
    rf"(?<![\w.,/^])(?=\d|\.\d|(?:{_WORD}|half|quarter|several|some|an?)\b)|"
    rf"(?<=[\s(,;:/])(?=\.\d)|(?<=[a-z]/)(?=\d)"
)
"""Where a number may begin: at a word boundary, never inside "2.5" or "b12"."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number that ends at `end`; `value` is None when `reason` says why it is not read.

    `notation` is leading_dot or trailing_zero when the writing is risky; `kind` is digits, grouped, fraction, words
    or article ("a tablet").
    """

    start: int
    end: int
    value: Decimal | None
    kind: str
    notation: str | None = None
    reason: str | None = None


def number_words(words: str) -> dict[str, int]:
    """Each of the words, which white space parts, with the number it spells. Raises KeyError for any other word."""
    return {word: NUMBER_WORDS[word] for word in words.split()}


def read_number(text: str, start: int, *, spaced_groups: bool = True) -> Number | None:
    """The number that begins at `start` of a normalised text, or None when none does.

    `spaced_groups=False` reads "1 500" as 1.
    """
    if start >= len(text):
        return None
    char = text[start]
    if char.isdigit() or char == ".":
        number = _digits(text, start, spaced_groups)
    elif char.isalpha():
        number = _words(text, start)
    else:
        return None
    if number is None or number.value is None:
        return number
    scale = _SCALE.match(text, number.end)
    if scale is None:
        return number
    word = scale.group(1)
    if word in ("mio", "mil", "k"):
        return Number(start, scale.end(), None, number.kind, reason=f"the multiplier `{word}` is not exact")
    factor = {"million": Decimal(1_000_000), "thousand": Decimal(1000), "hundred": Decimal(100)}[word]
    return Number(start, scale.end(), number.value * factor, number.kind, number.notation)


def _digits(text: str, start: int, spaced_groups: bool) -> Number | None:
    if match := _SCIENTIFIC.match(text, start):
        return Number(start, match.end(), None, "digits", reason="scientific notation")
    if match := _MULTI_DOT.match(text, start):
        if _DOT_GROUPS.match(text, start):
            match = _DOT_GROUPS.match(text, start) or match
        return Number(start, match.end(), None, "digits", reason="several decimal points")
    if match := _MIXED.match(text, start):
        whole, top, bottom = (Decimal(g) for g in match.groups())
        if Decimal(0) < top < bottom and bottom in _DENOMINATORS:
            return Number(start, match.end(), whole + top / bottom, "fraction")
    if match := _FRACTION.match(text, start):
        top, bottom = (Decimal(g) for g in match.groups())
        if Decimal(0) < top < bottom and bottom in _DENOMINATORS:
            return Number(start, match.end(), top / bottom, "fraction")
    if match := _COMMA_GROUPS.match(text, start):
        digits = match.group().replace(",", "")
        if match.group().startswith("0"):
            return Number(start, match.end(), None, "grouped", reason="comma as decimal separator")
        return Number(start, match.end(), Decimal(digits), "grouped")
    if match := _DOT_GROUPS.match(text, start):
        return Number(start, match.end(), None, "digits", reason="decimal point and comma exchanged")
    if match := _COMMA_DECIMAL.match(text, start):
        return Number(start, match.end(), None, "digits", reason="comma as decimal separator")
    if spaced_groups and (match := _SPACE_GROUPS.match(text, start)):
        return Number(start, match.end(), Decimal(match.group().replace(" ", "")), "grouped")
    if match := _LEADING_DOT.match(text, start):
        if match.end() - start > _MAX_DIGITS:
            return Number(start, match.end(), None, "digits", reason="too many digits")
        return Number(start, match.end(), Decimal("0" + match.group()), "digits", "leading_dot")
    match = _PLAIN.match(text, start)
    if match is None:
        return None
    written = match.group()
    if len(written) > _MAX_DIGITS:
        return Number(start, match.end(), None, "digits", reason="too many digits")
    if _AMBIGUOUS_THREE.fullmatch(written):
        return Number(start, match.end(), None, "digits", reason="decimal point or thousands separator")
    if len(written) > 1 and written[0] == "0" and written[1].isdigit():
        if start > 1 and text[start - 1] == ":" and text[start - 2].isdigit():
            return None  # the minutes of a time: "done 11:05 -> 118 mg/dL"
        return Number(start, match.end(), None, "digits", reason="leading zeros")
    value = Decimal(written)
    notation = "trailing_zero" if "." in written and written.endswith("0") else None
    half = _AND_HALF.match(text, match.end())
    if half:
        return Number(start, half.end(), value + _PART[half.group(1)], "fraction")
    return Number(start, match.end(), value, "digits", notation)


_DENOMINATORS = frozenset({Decimal(2), Decimal(3), Decimal(4), Decimal(5), Decimal(8)})
_PART = {"half": Decimal("0.5"), "quarter": Decimal("0.25"), "three": Decimal("0.75")}


def _words(text: str, start: int) -> Number | None:
    if match := _VAGUE.match(text, start):
        return Number(start, match.end(), None, "words", reason="no exact amount")
    if match := _COUPLE.match(text, start):
        return Number(start, match.end(), Decimal(2), "words")
    if match := _HALF.match(text, start):
        written = match.group()
        part = "three" if "three" in written else "quarter" if "quarter" in written else "half"
        return Number(start, match.end(), _PART[part], "words")
    if match := _WORDS.match(text, start):
        value = _word_value(re.split(r"[- ]", match.group()))
        point = _POINT.match(text, match.end())
        if point is not None:
            return _with_point(start, match.group(), value, point)
        if value is None and text.endswith("between ", 0, start):
            return _between(text, start, match)
        if value is None:
            return Number(start, match.end(), None, "words", reason="number words that do not add up")
        half = _AND_HALF.match(text, match.end())
        if half:
            return Number(start, half.end(), value + _PART[half.group(1)], "words")
        return Number(start, match.end(), value, "words")
    if match := re.compile(r"a (hundred|thousand|million)(?![a-z])").match(text, start):
        factor = {"hundred": 100, "thousand": 1000, "million": 1_000_000}[match.group(1)]
        return Number(start, match.end(), Decimal(factor), "words")
    if match := _ARTICLE.match(text, start):
        return Number(start, match.end() - 1, Decimal(1), "article")
    return None


def _with_point(start: int, whole: str, value: Decimal | None, point: re.Match[str]) -> Number:
    """ "one point two" -> 1.2; "nought point six" -> 0.6."""
    if value is None and _SMALL.get(whole) != 0:
        return Number(start, point.end(), None, "words", reason="number words that do not add up")
    digits = "".join(str(_SMALL[word]) for word in point.group(1).split(" "))
    return Number(start, point.end(), (value or 0) + Decimal(f"0.{digits}"), "words")


def _between(text: str, start: int, match: re.Match[str]) -> Number:
    """The lower end of "between four hundred and six hundred": the words before the last "and" that rises."""
    written = match.group()
    at = written.rfind(" and ")
    if at > 0:
        low = _word_value(re.split(r"[- ]", written[:at]))
        high = _word_value(re.split(r"[- ]", written[at + len(" and ") :]))
        if low is not None and high is not None and low < high:
            return Number(start, start + at, low, "words")
    return Number(start, match.end(), None, "words", reason="number words that do not add up")


def _word_value(words: list[str]) -> Decimal | None:
    """ "one hundred and five" -> 105; None for a list of numbers such as "five ten"."""
    total, current, last = 0, 0, 10_000
    for word in words:
        if word == "and":
            continue
        if word == "hundred":
            if not 0 <= current < 100:
                return None
            current = max(current, 1) * 100
            last = 100
        elif word == "thousand":
            total += max(current, 1) * 1000
            current, last = 0, 1000
        else:
            value = _SMALL.get(word, _TENS.get(word, 0))
            rank = 1 if word in _SMALL else 10
            if rank >= last or (last == 10 and value >= 10):
                return None
            current += value
            last = rank
    value = total + current
    return Decimal(value) if value > 0 else None
