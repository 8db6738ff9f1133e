"""How one date is written: which day it means, and the same form with another day in it.

Reads what `dates` finds, except dates in words, holidays and ranges within a month: those have no form here.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from typing import Literal

from attending.guardrails.phi.dates import MONTH_NUMBER, whole_year

_MONTHS = tuple(name.lower() for name in calendar.month_name)
_FULL_LETTERS = 4
"""Names of months up to this length are short forms, but for those that have no other ("May", "June", "July")."""

_M = r"(?P<m>[A-Za-z]{3,9})(?P<dot>\.?)"
_D = r"(?P<d>[0-9]{1,2})(?![0-9])(?P<ord>[ ]?(?:st|nd|rd|th))?"
_Y = r"(?P<y>[0-9]{4}|['\u2019\u2018`][0-9]{2}|(?<=[-/])[0-9]{2})"
_WEEKDAY = r"(?:[A-Za-z]{3,9}\.?,?[ \t]{1,2}(?:the[ \t])?)?"
_TIME = r"(?:[T ][0-9]{2}:[0-9]{2}(?::?[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
_FORMS = tuple(
    re.compile(body, re.IGNORECASE)
    for body in (
        rf"{_WEEKDAY}{_M}[ \t]{{0,3}}(?:the[ \t])?{_D}(?:[ \t]{{0,2}},?[ \t]{{0,2}}(?:of[ \t])?{_Y})?",
        rf"{_WEEKDAY}(?:the[ ])?{_D}(?:[ \t]{{0,2}}[-/. ]?[ \t]{{0,2}}|[ \t]of[ \t](?:the[ \t]month[ \t]of[ \t])?)"
        rf"{_M}(?:[ \t]{{0,2}}[-/,. ]?[ \t]{{0,2}}{_Y})?",
        rf"(?P<y>[0-9]{{4}})[-/ ]{_M}[-/ ](?P<d>[0-9]{{1,2}})",
        rf"{_M}(?:[ \t]{{0,2}},?[-/ ]?[ \t]{{0,2}}|[ \t]of[ \t]){_Y}",
        rf"(?:(?:last|next|this(?:[ ]past)?|early|late|mid)[ \t-])?{_M}",
        rf"(?P<y>[0-9]{{4}})(?P<s>[-/.])(?P<m>[0-9]{{1,2}})(?P=s)(?P<d>[0-9]{{1,2}}){_TIME}",
        r"(?P<a>[0-9]{1,2})(?P<s>[-/.])(?P<b>[0-9]{1,2})(?P=s)(?P<y>[0-9]{4}|[0-9]{2})",
        r"(?P<m>[0-9]{1,2})/(?P<y>[0-9]{4})",
        r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})",
        rf"{_WEEKDAY}(?P<a>[0-9]{{1,2}})/(?P<b>[0-9]{{1,2}})",
        r"(?P<y>(?:18|19|20)[0-9]{2})(?P<m>[0-9]{2})(?P<d>[0-9]{2})",
        r"(?P<a>[0-9]{2})(?P<b>[0-9]{2})(?P<y>(?:18|19|20)[0-9]{2})",
    )
)

YearMonthDay = tuple[int | None, int | None, int | None]
"""Year, month and day as far as they are said; a month is always said."""


@dataclass(frozen=True, slots=True)
class DateForm:
    """A date as written. `says` is what it means; the places of its parts are code points of `text`."""

    text: str
    says: YearMonthDay
    _year: tuple[int, int]
    _month: tuple[int, int]
    _day: tuple[int, int]
    _ordinal: tuple[int, int]
    _dot: tuple[int, int]

    def with_day(self, says: YearMonthDay) -> str:
        """The same form with other parts; says must hold the parts that this form has. Padding, short names,
        capitals and ordinals follow the original."""
        year, month, day = says
        new: list[tuple[tuple[int, int], str]] = []
        if year is not None and self._year[0] >= 0:
            new.append((self._year, self._year_like(year)))
        if month is not None:
            new.append((self._month, self._month_like(month)))
            if self._dot[1] > self._dot[0] and month == 5:
                new.append((self._dot, ""))
        if day is not None and self._day[0] >= 0:
            new.append((self._day, str(day).rjust(2, "0") if self._padded() else str(day)))
            if self._ordinal[1] > self._ordinal[0]:
                new.append((self._ordinal, self._ordinal_like(day)))
        parts, at = [], 0
        for (start, end), value in sorted(new):
            parts += [self.text[at:start], value]
            at = end
        return "".join([*parts, self.text[at:]])

    def _part(self, place: tuple[int, int]) -> str:
        return self.text[place[0] : place[1]] if place[0] >= 0 else ""

    def _year_like(self, year: int) -> str:
        old = self._part(self._year)
        digits = old.lstrip("'\u2019\u2018`")
        return old[: len(old) - len(digits)] + (f"{year:04d}" if len(digits) == 4 else f"{year % 100:02d}")

    def _month_like(self, month: int) -> str:
        old = self._part(self._month)
        if old.isdigit():
            return str(month).rjust(2, "0") if self._padded() else str(month)
        whole = len(old) > _FULL_LETTERS or old.lower() in ("may", "june", "july")
        short = self._dot[1] > self._dot[0] or not whole
        name = _MONTHS[month][:3] if short else _MONTHS[month]
        return name.upper() if old.isupper() else name if old.islower() else name.capitalize()

    def _padded(self) -> bool:
        parts = [p for p in (self._part(self._month), self._part(self._day)) if p.isdigit()]
        if not self._part(self._month).isdigit():
            return parts[0].startswith("0")
        return all(len(p) == 2 for p in parts) or any(p.startswith("0") for p in parts)

    def _ordinal_like(self, day: int) -> str:
        old = self._part(self._ordinal)
        suffix = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        blank = old[: len(old) - 2]
        return blank + (suffix.upper() if old.isupper() else suffix)


def read_form(text: str, *, day_first: bool | None) -> DateForm | None:
    """The form of `text`, or None where it has none or is no day of the calendar.

    `day_first` says how "03/07/2024" is read; with None two numbers before a year, or alone, have no form.
    """
    for pattern in _FORMS:
        m = pattern.fullmatch(text)
        if m is not None and (form := _form(m, day_first)) is not None:
            return form
    return None


def order_of(text: str) -> Literal["day first", "month first", "either"] | None:
    """In which order a date of two numbers with or without a year can be read; None for another form, or no date."""
    for pattern in _FORMS:
        m = pattern.fullmatch(text)
        if m is not None and "a" in m.groupdict():
            first, second = int(m["a"]), int(m["b"])
            if max(first, second) > 31 or min(first, second) > 12:
                return None
            return "day first" if first > 12 else "month first" if second > 12 else "either"
    return None


def _form(m: re.Match[str], day_first: bool | None) -> DateForm | None:
    groups = m.groupdict()
    places = {name: m.span(name) if groups.get(name) is not None else (-1, -1) for name in groups}
    none = (-1, -1)
    if "a" in groups:
        first, second = int(m["a"]), int(m["b"])
        if day_first is None:
            return None
        turned = first > 12 or (second <= 12 and day_first)
        month_at, day_at = (places["b"], places["a"]) if turned else (places["a"], places["b"])
    else:
        month_at, day_at = places["m"], places.get("d", none)
    raw = m.string[month_at[0] : month_at[1]]
    month = int(raw) if raw.isdigit() else MONTH_NUMBER.get(raw.lower(), 0)
    day = int(m.string[day_at[0] : day_at[1]]) if day_at[0] >= 0 else None
    year_at = places.get("y", none)
    year = whole_year(m.string[year_at[0] : year_at[1]]) if year_at[0] >= 0 else None
    if not 1 <= month <= 12 or year == 0:
        return None
    # 2000 was a leap year, so that 29 February without a year is a day
    if day is not None and not 1 <= day <= calendar.monthrange(2000 if year is None else year, month)[1]:
        return None
    return DateForm(
        m.string,
        (year, month, day),
        year_at,
        month_at,
        day_at,
        places.get("ord", none),
        places.get("dot", none),
    )
