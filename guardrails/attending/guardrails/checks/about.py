"""Whom a text is about, by its own words: the record numbers, birth dates, sexes and ages that it gives.

What it says of relatives, of people in general, or of a document that it left out is of no patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final

from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span
from attending.guardrails.sieve import Sieved

HEAD: Final = 2000
"""Code points in which a document says whose it is."""
_MRN: Final = Sieved(
    r"\b(?:MRN|Medical Record (?:Number|No\.?)|Record (?:No|Number)|Hospital (?:No|Number)|NHS (?:No"
    r"|Number))\b[\s:#.]*(?P<mrn>[A-Z]{0,4}-?\d[\d -]{3,14}\d)",
    re.I,
)
_BORN: Final = Sieved(
    r"\b(?:DOB|D\.O\.B\.|date of birth|born(?: on)?)\b[\s:]*(?P<date>\d{4}-\d{2}-\d{2}|\d{1,2}[/.]\d{1,2}[/.]\d{4})",
    re.I,
)
_AGED: Final = re.compile(
    r"\b(?P<age>\d{1,3})[- ]?(?P<unit>year|yr|month|mo|week|day)s?[- ]?(?:old|o\b)|\b(?P<yo>\d{1,3}) ?(?:y/?o"
    r"|yo)\b|\baged? (?P<aged>\d{1,3})\b(?! ?(?:to|-|or|and|years? (?:and|or)))",
    re.I,
)
_SEXED: Final = Sieved(
    r"\b\d{1,3}[- ]?(?:year|yr|month|y/?o)s?[- ]?(?:old|o)?[- ,]{0,2}(?:\w+ ){0,2}?(?P<who>woman|female|lady"
    r"|girl|man|male|gentleman|boy)\b"
    r"|\b(?:this|the|a|pleasant) (?:\w+ )?(?P<whom>woman|lady|girl|gentleman)\b"
    r"|\b\d{1,3} ?(?P<letter>[MF])\b",
)
_FEMALE: Final = frozenset({"woman", "female", "lady", "girl", "f"})
_OTHERS: Final = re.compile(
    r"\b(?:mother|father|brother|sister|son|daughter|husband|wife|partner|spouse|uncle|aunt|grand\w+"
    r"|child(?:ren)?|family|relatives?"
    r"|men|women|males|females|people|patients|adults|if you|unless|example|typical|average|study|trial|every|anyone"
    r"|infants?|teens?|adolescents?|over the age|under the age|ages?)\b",
    re.I,
)
_RELATIVE_NEXT: Final = re.compile(
    r"[\s,-]{0,3}(?:old[\s,-]{1,2})?(?:(?!(?:her|his|their|my|your|by|with|and)\b)\w{1,40}[\s,-]{1,2}){0,2}"
    r"(?:mother|father|brother|sister|son|daughter|husband|wife|partner|spouse|uncle|aunt|grand\w+|cousin)\b",
    re.I,
)
"""A relative who is the one described ("a 5-year-old son"), not one who comes along ("brought by his mother")."""
_LEFT_OUT: Final = re.compile(
    r"\b(?:documents?|records?|notes?|letters?|files?|reports?|results?|pages?|summar(?:y|ies)|d\d{1,2})\b"
    r"(?:[^.;\n]|[.;] ?(?:it|that|this|so|i|we)\b){0,120}?\b(?:left (?:it |this |that |them )?(?:out|aside)"
    r"|ignor(?:ed|ing)"
    r"|disregard(?:ed|ing)?|set (?:it |this |that |them )?aside|put (?:it |this |that )?aside|excluded"
    r"|leaving (?:it|this|that)"
    r" out|not (?:been )?used|(?:did|have|do) not use[d]?|skipped|not (?:included|considered|relied on)|no bearing)\b"
    r"|\b(?:left out|ignored|disregarded|set aside|excluded|skipped|(?:did|have) not used?|didn't use)\b[^.;\n]{0,40}?"
    r"\b(?:documents?|records?|notes?|letters?|files?|reports?|d\d{1,2})\b",
    re.I,
)
"""A document that the output says it did not use; whom it is about is no patient of the output's."""


def record_numbers(text: str) -> Iterator[tuple[Span, str, str]]:
    """Where a text gives a record number, its kind (nhs or mrn), and the number bare."""
    for match in _MRN.finditer(text):
        kind = "nhs" if match.group().lower().startswith("nhs") else "mrn"
        yield Span(match.start("mrn"), match.end("mrn")), kind, record_number(match["mrn"])


def birth_dates(text: str) -> Iterator[tuple[Span, set[date]]]:
    """Where a text gives a birth date, and the days that it can be read as; none where it is no date."""
    for match in _BORN.finditer(text):
        yield Span(match.start("date"), match.end("date")), _dates(match["date"])


def numbers_of(text: str) -> dict[str, set[str]]:
    """The numbers a text gives to the person it is about, by kind (nhs, mrn, born): a hospital's is not held against
    a nation's."""
    found: dict[str, set[str]] = {}
    for _, kind, number in record_numbers(text):
        found.setdefault(kind, set()).add(number)
    for _, days in birth_dates(text):
        if days:
            found.setdefault("born", set()).update(f"{day:%Y%m%d}" for day in days)
    return found


def record_number(text: str) -> str:
    """A record number without its label and punctuation: "MRN-77355129" and "77355129" are the same one."""
    bare = re.sub(r"[^A-Za-z0-9]", "", text).lower()
    return re.sub(r"^(?:mrn|mr|no|nr|id|hospitalno|hospitalnumber)(?=\d)", "", bare)


def sexes(text: str) -> Iterator[tuple[Span, str]]:
    """Where a text says that it is about somebody male or female, and which."""
    for match in _SEXED.finditer(text):
        who = (match["who"] or match["whom"] or match["letter"]).lower()
        if not _about_others(text, *match.span()):
            yield Span(*match.span()), "female" if who in _FEMALE else "male"


def stated_sex(text: str) -> str | None:
    """The sex that a text gives to whom it is about, male or female; None where it gives none, or both."""
    said = {sex for _, sex in sexes(text)}
    return said.pop() if len(said) == 1 else None


def ages(text: str) -> Iterator[tuple[Span, Decimal]]:
    """Where a text gives an age to whom it is about, and the age in years."""
    for match in _AGED.finditer(text):
        if not _about_others(text, *match.span()):
            yield Span(*match.span()), _years(match)


def stated_ages(text: str) -> set[Decimal]:
    """The ages in years that a text gives to whom it is about."""
    return {years for _, years in ages(text)}


def _dates(text: str) -> set[date]:
    """Both readings of a numeric date, since day and month order is not said."""
    numbers = [int(part) for part in re.split(r"[-/.]", text)]
    orders = [(0, 1, 2)] if len(text.split("-", maxsplit=1)[0]) == 4 else [(2, 0, 1), (2, 1, 0)]
    found: set[date] = set()
    for year, month, day in orders:
        try:
            found.add(date(numbers[year], numbers[month], numbers[day]))
        except ValueError:
            continue
    return found


def _years(match: re.Match[str]) -> Decimal:
    number = Decimal(match["age"] or match["yo"] or match["aged"])
    unit = (match["unit"] or "year").lower()
    per_year = {"year": 1, "yr": 1, "month": 12, "mo": 12, "week": 52, "day": 365}[unit]
    return number / per_year


def _about_others(text: str, start: int, end: int) -> bool:
    """True where the clause speaks of relatives, of people in general or in a condition; behind the words only
    where the relative is the one described."""
    if _of_left_out(text, start, end):
        return True
    clause = sentence_around(text, start, end, semicolons=True)
    if _RELATIVE_NEXT.match(text[end : min(clause.end, end + 60)]) is not None:
        return True
    return (
        _OTHERS.search(text[clause.start : end]) is not None
        or _OTHERS.match(text[end : end + 20].lstrip()) is not None
    )


def _of_left_out(text: str, start: int, end: int) -> bool:
    """Whether the words tell of a document that the text left out, in their sentence or the next."""
    near = sentence_around(text, start, end, semicolons=True, following=1)
    return any(
        match.start() - 80 <= start and end <= match.end() + 80
        for match in _LEFT_OUT.finditer(text, max(0, near.start), min(near.end, near.start + 500))
    )
