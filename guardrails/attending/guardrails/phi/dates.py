"""Dates in running text, and the day they mean.

Every element of a date finer than the year is an identifier (45 CFR 164.514(b)(2)(i)(C)): day and month,
month and year, month alone beside a preposition. A year alone, a duration ("for 3 weeks"), a frequency, a ratio
("120/80", "5/325 mg") and a score ("5/10") are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from attending.guardrails.phi.spans import PhiSpan, PhiType

_MONTHS = (
    ("january", "jan"),
    ("february", "feb", "febr"),
    ("march", "mar"),
    ("april", "apr"),
    ("may",),
    ("june", "jun"),
    ("july", "jul"),
    ("august", "aug"),
    ("september", "sept", "sep"),
    ("october", "oct"),
    ("november", "nov"),
    ("december", "dec"),
)
MONTH_NUMBER = {name: i for i, names in enumerate(_MONTHS, 1) for name in names}
"""Every name of a month and its short forms, in lower case, with its number."""
# "may" and "march" are verbs in lower case; as months they are capitalised or stand beside a day with a year.
_M = (
    r"(?:(?:[Jj]an|JAN|[Ff]ebr?|FEB|[Mm]ar|MAR|[Aa]pr|APR|[Jj]un|JUN|[Jj]ul|JUL|[Aa]ug|AUG"
    r"|[Ss]ept?|SEPT?|[Oo]ct|OCT"
    r"|[Nn]ov|NOV|[Dd]ec|DEC)(?![A-Za-z_])\.?|[Jj]anuary|JANUARY|[Ff]ebruary|FEBRUARY|[Mm]arch|MARCH"
    r"|[Aa]pril|APRIL|[Mm]ay|MAY"
    r"|[Jj]une|JUNE|[Jj]uly|JULY|[Aa]ugust|AUGUST|[Ss]eptember|SEPTEMBER|[Oo]ctober|OCTOBER"
    r"|[Nn]ovember|NOVEMBER"
    r"|[Dd]ecember|DECEMBER)"
)
_M_CAPITAL = (
    r"(?:Jan(?:uary|\.)?|JAN(?:UARY)?|Feb(?:ruary|\.)?|FEB(?:RUARY)?|Mar(?:ch|\.)?|MAR(?:CH)?"
    r"|Apr(?:il|\.)?|APR(?:IL)?"
    r"|May|MAY|June?|JUNE?|July?|JULY?|Aug(?:ust|\.)?|AUG(?:UST)?|Sept?(?:ember|\.)?|SEPT?"
    r"(?:EMBER)?|Oct(?:ober|\.)?"
    r"|OCT(?:OBER)?|Nov(?:ember|\.)?|NOV(?:EMBER)?|Dec(?:ember|\.)?|DEC(?:EMBER)?)"
)
_WEEKDAY = (
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:Mon|Tues?|Wed|Thurs?|Fri|Sat|Sun)\.?|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day)"
)
_DAY = r"(?:3[01]|[12][0-9]|0?[1-9])"
_ORD = r"(?:[ ]?(?:st|nd|rd|th|ST|ND|RD|TH)\b)"
_YEAR = r"(?:(?:1[89]|20|21)[0-9]{2}|['\u2019\u2018`][0-9]{2})(?![0-9])"
_SEP = r"[ \t]{0,3}"
_UNIT = (
    r"(?!\s{0,2}(?:mg|mcg|µg|ug|g|kg|ml|mL|cc|l|dl|units?|iu|IU|meq|mEq|mmol|%|tab|tablets?"
    r"|caps?|capsules?|puffs?|drops?"
    r"|hours?|hrs?|h|days?|weeks?|wks?|months?|years?|yrs?|times|doses?|mmhg|mmHg|bpm|cm|mm|/)\b)"
)

_ORDINALS = (
    "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth"
    "|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth|twenty[ -](?:first|second|third|fourth|fifth"
    "|sixth|seventh|eighth|ninth)|thirty[ -]first"
)
_YEAR_WORDS = (
    r"(?:,?[ \t](?:of[ \t])?(?:two[ \t]thousand(?:[ \t](?:and[ \t])?[a-z]{3,9}(?:[ -][a-z]{3,5})?)?"
    r"|(?:nineteen|twenty)[ \t](?:oh[ \t])?[a-z]{3,9}(?:[ -][a-z]{3,5})?|[12][0-9]{3}))"
)
_HOLIDAY = (
    r"(?:Christmas(?:[ ](?:Day|Eve))?|Thanksgiving(?:[ ]Day)?|Easter(?:[ ](?:Sunday|Monday))?"
    r"|New[ ]Year['\u2019]?s(?:[ ](?:Day|Eve))?"
    r"|(?:Labor|Memorial|Independence|Veterans|Columbus|Presidents|Mother['\u2019]?s"
    r"|Father['\u2019]?s|Valentine['\u2019]?s|St\.?[ ]Patrick['\u2019]?s)"
    r"[ ]Day|Halloween|Boxing[ ]Day|Good[ ]Friday|Ash[ ]Wednesday|Yom[ ]Kippur|Passover|Eid"
    r"(?:[ ]al-\w{3,5})?|Diwali)"
)

_TEXTUAL = re.compile(
    rf"(?<![\w])(?:{_WEEKDAY},?[ \t]{{1,2}}(?:the[ \t])?|the[ \t](?=[0-9]))?(?:"
    # May 30th, 2022; Feb 2nd 2021; Aug 10, '23; May 30-June 2, 2022
    rf"(?P<m1>{_M}){_SEP}(?:the[ \t])?(?P<d1>{_DAY})(?![0-9]|[:./][0-9])(?P<o1>{_ORD})?{_UNIT}"
    rf"(?:{_SEP}[-\u2013]{_SEP}{_DAY}(?![0-9])(?:{_ORD})?)?"
    rf"(?:[ \t]{{0,2}},?[ \t]{{0,2}}(?:of[ \t])?(?P<y1>{_YEAR}))?"
    # 30 May 2022; 12th April 2022; 30th of May; 17-Feb-2023; 17Feb2023
    rf"|(?<![0-9.,/])(?P<d2>{_DAY})(?P<o2>{_ORD})?(?:[ \t]{{0,2}}[-/. ]?[ \t]{{0,2}}"
    rf"|[ \t]of[ \t](?:the[ \t]month[ \t]of[ \t])?)"
    rf"(?P<m2>{_M})(?:[ \t]{{0,2}}[-/,. ]?[ \t]{{0,2}}(?P<y2>{_YEAR}|(?<=[-/])[0-9]{{2}}(?![0-9])))?"
    # June 2021; June of '21; Jun-2021
    rf"|(?P<m3>{_M})(?:[ \t]{{0,2}},?[-/ ]?[ \t]{{0,2}}|[ \t]of[ \t])(?P<y3>{_YEAR})"
    # 2022 May 30; 2022-May-30
    rf"|(?P<y4>(?:19|20)[0-9]{{2}})[-/ ](?P<m4>{_M})[-/ ](?P<d4>{_DAY})"
    rf")(?![\w])"
)
_NUMERIC = re.compile(
    r"(?<![\w./-])(?:"
    r"(?P<a>[0-9]{1,2})(?P<s>[-/.])(?P<b>[0-9]{1,2})(?P=s)(?P<y>(?:1[89]|20|21)[0-9]{2}|[0-9]{2})"
    r"|(?P<y2>(?:1[89]|20|21)[0-9]{2})(?P<s2>[-/.])(?P<m2>0?[1-9]|1[0-2])(?P=s2)(?P<d2>3[01]"
    r"|[12][0-9]|0?[1-9])"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
    r"|(?P<m3>0?[1-9]|1[0-2])/(?P<y3>(?:19|20)[0-9]{2})"
    r"|(?P<y4>(?:19|20)[0-9]{2})-(?P<m4>0[1-9]|1[0-2])"
    r")(?![\w]|[-/.][0-9])" + _UNIT
)
_COMPACT = re.compile(
    r"(?i)\b(?:dob|d\.o\.b\.?|born|birth[ ]?date|date(?:[ ]of[ ]\w{3,15})?|dated|on)[ \t]{0,3}[:#=]?[ \t]{0,3}"
    r"(?P<n>[0-9]{8})(?![0-9])"
)
_SHORT = re.compile(
    r"(?i)\b(?:on|dated?|seen|visit(?:ed)?|admitted|discharged|since|appointment|appt|d/c"
    r"(?:['\u2019]?d)?|due|performed|done|started|"
    r"begun|follow[- ]?up|scheduled|drawn|collected|repeated|surgery|born|dob|birthday|through|until|till"
    r"|colonoscopy|mammogram|echo(?:cardiogram)?|biopsy|ct|mri|x-?ray|ekg|ecg|labs?|a1c|lmp|dos"
    r"|(?:last|next|first)[ ]dose)"
    r"(?:[ \t]for|[ \t]on)?[ \t]{0,3}[:(]?[ \t]{0,3}(?P<a>[0-9]{1,2})/(?P<b>[0-9]{1,2})(?![\w/%-]|\.[0-9])"
    + _UNIT
)
_ON_A_WEEKDAY = re.compile(
    rf"(?<![\w]){_WEEKDAY},?[ \t]{{1,2}}(?P<a>0?[1-9]|1[0-2])/(?P<b>3[01]|[12][0-9]|0?[1-9])(?![\w/%-]|\.[0-9])"
)
_MONTH_ALONE = re.compile(
    rf"\b(?:(?:[Ii]n|[Ss]ince|[Uu]ntil|[Bb]y|[Ff]rom|[Oo]f)[ \t](?P<m>{_M_CAPITAL})"
    rf"|(?P<near>[Ll]ast|[Nn]ext|[Tt]his(?:[ ]past)?|[Ee]arly|[Ll]ate|[Mm]id)[ \t-](?P<m2>{_M_CAPITAL}))"
    r"(?![\w'\u2019-])(?![ \t]+(?:[0-9]{1,2}[ \t]*(?:mg|mcg|ml|units)|Clinic|Hospital|Center))"
)
_SPOKEN = re.compile(
    rf"(?i)\b(?:(?:january|february|march|april|may|june|july|august|september|october|november"
    rf"|december)[ \t](?:the[ \t])?(?:{_ORDINALS})\b"
    rf"|(?:the[ \t])?(?:{_ORDINALS})[ \t]of[ \t](?:january|february|march|april|may|june|july"
    rf"|august|september|october|november|december)\b)"
    rf"{_YEAR_WORDS}?|\b(?:in|since|of)[ \t](?P<late>(?:january|february|march|april|may|june"
    rf"|july|august|september|october|november|december)"
    rf"{_YEAR_WORDS})"
)
# 14.II.2022; Jan-Feb 2021, Jan to Mar of '21: no form that one day could be written in
_ROMAN = re.compile(
    r"(?<![\w./-])(?:3[01]|[12][0-9]|0?[1-9])\.[ ]?(?P<m>I{1,3}|IV|VI{0,3}|IX|XI{0,2})\.[ ]?"
    r"(?P<y>(?:19|20)[0-9]{2})(?![\w./-])"
)
_ROMAN_MONTH = {n: i for i, n in enumerate(("I", "II", "III", "IV", "V", "VI"), 1)} | {
    n: i for i, n in enumerate(("VII", "VIII", "IX", "X", "XI", "XII"), 7)
}
_MONTHS_APART = re.compile(
    rf"(?<![\w])(?P<m>{_M_CAPITAL})[ ]?(?:[-\u2013/]|to|through)[ ]?{_M_CAPITAL}"
    rf"(?:[ ,]{{1,2}}(?:of[ ])?{_YEAR})(?![\w])"
)
_HOLIDAYS = re.compile(
    rf"(?<!\w){_HOLIDAY}(?:,?[ \t](?:of[ \t])?{_YEAR})?(?!\w)(?![ \t](?:[Tt]ree|[Dd]isease"
    rf"|[Ff]actor|[Ii]sland))"
)


@dataclass(frozen=True, slots=True)
class DateMeaning:
    """What a date expression says; None where it says nothing. `month` and `day` may be swapped when
    `ambiguous` (numeric, both at most 12). `year` has four digits."""

    year: int | None
    month: int | None
    day: int | None
    ambiguous: bool = False

    def agrees(self, other: DateMeaning) -> bool:
        """Whether no part that both say differs, under some reading of an ambiguous one."""
        return any(
            all(x is None or y is None or x == y for x, y in zip(mine, theirs, strict=True))
            for mine in self._readings()
            for theirs in other._readings()
        )

    def _readings(self) -> list[tuple[int | None, int | None, int | None]]:
        plain = (self.year, self.month, self.day)
        return [plain, (self.year, self.day, self.month)] if self.ambiguous else [plain]


def whole_year(text: str) -> int:
    """The year of two or four digits, with or without an apostrophe.

    The pivot follows birth dates: two digits above 30 are of the last century.
    """
    digits = text.strip("'\u2019\u2018`")
    if len(digits) == 4:
        return int(digits)
    return (1900 if int(digits) > 30 else 2000) + int(digits)


def _year(text: str | None) -> int | None:
    return None if text is None else whole_year(text)


def _month(text: str) -> int:
    return MONTH_NUMBER[text.lower().rstrip(".")]


def _numeric_meaning(first: int, second: int, year: int | None) -> DateMeaning | None:
    if not (1 <= first <= 31 and 1 <= second <= 31):
        return None
    if first <= 12 and second <= 12:
        return DateMeaning(year, first, second, ambiguous=first != second)
    if first <= 12:
        return DateMeaning(year, first, second)
    if second <= 12:
        return DateMeaning(year, second, first)
    return None


def dated(text: str) -> Iterator[tuple[int, int, float, DateMeaning]]:
    """Every date expression of `text` as (start, end, score, meaning); overlaps are possible."""
    yield from _textual(text)
    for m in _NUMERIC.finditer(text):
        meaning = _numeric(m)
        if meaning is not None:
            yield m.start(), m.end(), 0.9 if meaning.day else 0.75, meaning
    for m in _COMPACT.finditer(text):
        compact = _compact(m["n"])
        if compact is not None:
            yield m.start("n"), m.end("n"), 0.85, compact
    for m in _SHORT.finditer(text):
        a, b = m["a"], m["b"]
        # "5/10" and "5/5" are pain and strength scores unless written as a date would be
        if b in ("5", "10") and not a.startswith("0"):
            continue
        short = _numeric_meaning(int(a), int(b), None)
        if short is not None and (short.month or 0) <= 12:
            yield m.start("a"), m.end("b"), 0.6, short
    for m in _ON_A_WEEKDAY.finditer(text):
        yield m.start(), m.end(), 0.7, DateMeaning(None, int(m["a"]), int(m["b"]))
    for m in _MONTH_ALONE.finditer(text):
        month = m["m"] or m["m2"]
        start = m.start("m") if m["m"] else m.start("near")
        yield start, m.end(), 0.5, DateMeaning(None, _month(month), None)
    for m in _ROMAN.finditer(text):
        yield m.start(), m.end(), 0.9, DateMeaning(int(m["y"]), _ROMAN_MONTH[m["m"]], None)
    for m in _MONTHS_APART.finditer(text):
        yield m.start(), m.end(), 0.8, DateMeaning(None, _month(m["m"]), None)
    for m in _SPOKEN.finditer(text):
        group = "late" if m["late"] is not None else 0
        name = next((w for w in re.findall(r"[a-z]+", m[0].lower()) if w in MONTH_NUMBER), "")
        yield m.start(group), m.end(group), 0.8, DateMeaning(None, MONTH_NUMBER.get(name), None)
    for m in _HOLIDAYS.finditer(text):
        yield m.start(), m.end(), 0.6, DateMeaning(None, None, None)


def _textual(text: str) -> Iterator[tuple[int, int, float, DateMeaning]]:
    for m in _TEXTUAL.finditer(text):
        if m["m1"] is not None:
            # "may 5" and "march 10" in lower case are verbs unless an ordinal or a year follows
            if m["m1"] in ("may", "march") and not (m["o1"] or m["y1"]):
                continue
            yield m.start(), m.end(), 0.9, DateMeaning(_year(m["y1"]), _month(m["m1"]), int(m["d1"]))
        elif m["m2"] is not None:
            if m["m2"].lower() in ("may", "march", "mar") and not (m["o2"] or m["y2"]) and m["m2"].islower():
                continue
            if (
                not m["y2"]
                and not m["o2"]
                and m["m2"] in ("May", "March")
                and text[m.end() : m.end() + 1] == " "
            ):
                follow = re.match(
                    r"[ ](?:be|have|not|need|require|cause|help|also|take)\b", text[m.end() : m.end() + 9]
                )
                if follow:
                    continue
            yield m.start(), m.end(), 0.9, DateMeaning(_year(m["y2"]), _month(m["m2"]), int(m["d2"]))
        elif m["m3"] is not None:
            if m["m3"] in ("may", "march") and m["y3"][0] in "'\u2019\u2018`":
                continue
            yield m.start(), m.end(), 0.75, DateMeaning(_year(m["y3"]), _month(m["m3"]), None)
        else:
            yield m.start(), m.end(), 0.9, DateMeaning(_year(m["y4"]), _month(m["m4"]), int(m["d4"]))


def _numeric(m: re.Match[str]) -> DateMeaning | None:
    if m["a"] is not None:
        return _numeric_meaning(int(m["a"]), int(m["b"]), _year(m["y"]))
    if m["y2"] is not None:
        return DateMeaning(int(m["y2"]), int(m["m2"]), int(m["d2"]))
    if m["m3"] is not None:
        return DateMeaning(int(m["y3"]), int(m["m3"]), None)
    return DateMeaning(int(m["y4"]), int(m["m4"]), None)


def _compact(digits: str) -> DateMeaning | None:
    for year, rest in ((digits[:4], digits[4:]), (digits[4:], digits[:4])):
        if 1880 <= int(year) <= 2100:
            return _numeric_meaning(int(rest[:2]), int(rest[2:]), int(year))
    return None


def find_dates(text: str) -> Iterator[PhiSpan]:
    """Spans of type DATE; may overlap one another."""
    for start, end, score, _ in dated(text):
        yield PhiSpan(start, end, PhiType.DATE, score)
