"""Dates moved by one secret distance per inference, and moved back in the answer.

Days move by a whole number of weeks, so that every interval between two days stays what it was and a weekday written
beside a date stays right. A month without a day moves by the whole number of months that is nearest, so that months
stay apart by what they were; against a day its distance may be off by days. A year alone is no identifier and stays.
What has no form that can be moved ("Christmas", "the tenth of May, two thousand nine") gets a placeholder instead.

Why dates are moved and names are not: a moved date can be found, checked and moved back whatever its form, and a model
can reason with it. A made-up name comes back inflected, shortened or as somebody's real name, and nothing tells.
"""

from __future__ import annotations

import calendar
import random
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType

from attending.guardrails.phi.date_form import DateForm, YearMonthDay, order_of, read_form
from attending.guardrails.phi.dates import find_dates
from attending.guardrails.phi.resolve import resolve
from attending.guardrails.phi.spans import PhiSpan

_MIN_WEEKS = 5
_MAX_WEEKS = 48
_DAYS_A_MONTH = 30.436875
_REFERENCE_YEAR = 2023
_EMPTY: Mapping[str, str] = MappingProxyType({})

DAY_ALONE = re.compile(
    r"(?i)\b(?:on|by|until|till|since|from|before|after|through|for)[ ]the[ ](?P<day>[0-9]{1,2})(?:st|nd|rd|th)\b"
    r"(?![ ]?(?:percentile|centile|week|day|month|year|dose|cycle|floor|rib|visit|time|trimester|edition|century"
    r"|cranial|intercostal|postoperative|and)|[ ]of[ ])"
)
"""A day of a month that is named before ("on the 14th"): as readable as the whole date beside it."""

_BARE = re.compile(r"(?<![\w./-])(?P<a>[0-9]{1,2})/(?P<b>[0-9]{1,2})(?![\w/.%-])")
_YEAR_ALONE = re.compile(r"(?<![\w./-])(?:1[89]|20|21)[0-9]{2}(?![\w/.-])")


@dataclass(frozen=True, slots=True)
class DateShift:
    """The distance of one inference and the dates it moved. As secret as the dates themselves.

    `given` maps each moved date to the original, as written. `moved` holds the same by meaning.
    """

    days: int
    months: int
    day_first: bool | None
    year: int
    """The year that dates without one are counted in."""
    years: frozenset[int] = frozenset()
    """Years that the request speaks of as they are."""
    given: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    moved: frozenset[tuple[YearMonthDay, YearMonthDay]] = frozenset()

    def __repr__(self) -> str:
        return f"DateShift(given={len(self.given)})"

    def __reduce__(self) -> tuple[object, ...]:
        # a mapping proxy cannot be pickled
        parts = (self.days, self.months, self.day_first, self.year, self.years, dict(self.given), self.moved)
        return DateShift, parts

    def read(self, text: str) -> DateForm | None:
        """The form of a date under this request's reading of numeric dates."""
        return read_form(text, day_first=self.day_first)

    def away(self, says: YearMonthDay) -> YearMonthDay | None:
        """Where a date of the request moves to; None where that is no date."""
        return self._move(says, 1)

    def back(self, says: YearMonthDay) -> YearMonthDay | None:
        """The date that moves to `says`; None where there is none."""
        return self._move(says, -1)

    def surrogate(self, text: str) -> tuple[str, YearMonthDay, YearMonthDay] | None:
        """The moved date in the form of `text`, with both meanings; None where it cannot be moved and read back."""
        form = self.read(text)
        there = None if form is None else self.away(form.says)
        if form is None or there is None or self.back(there) != form.says:
            return None
        written = form.with_day(there)
        again = self.read(written)
        if again is None or again.says != there or self.given.get(written, text) != text:
            return None
        return written, there, form.says

    def original(self, form: DateForm) -> tuple[str, bool]:
        """The date of an answer moved back in its own form, and whether the request held it.

        A date without one of the request's may have been computed from it, then moving it back is right; or it may be
        of the world outside. A month alone is left.
        """
        if form.text in self.given:
            return self.given[form.text], True
        known = {
            _as_precise(original, form.says)
            for surrogate, original in self.moved
            if _within(form.says, surrogate)
        }
        if len(known) == 1:
            return form.with_day(known.pop()), True
        there = self.back(form.says)
        month_alone = form.says[0] is None and form.says[2] is None
        if there is None or month_alone:
            return form.text, False
        return form.with_day(there), False

    def leftovers(self, text: str) -> Iterator[tuple[int, int]]:
        """Where `text` speaks of a moved date otherwise than by a whole date: by its day, day and month, or year."""
        days = {surrogate[1:] for surrogate, _ in self.moved if surrogate[2] is not None}
        for m in DAY_ALONE.finditer(text):
            if any(day == int(m["day"]) for _, day in days):
                yield m.start("day"), m.end()
        for m in _BARE.finditer(text):
            if (int(m["a"]), int(m["b"])) in days or (int(m["b"]), int(m["a"])) in days:
                yield m.start(), m.end()
        strange = {surrogate[0] for surrogate, _ in self.moved} - self.years
        for m in _YEAR_ALONE.finditer(text):
            if int(m[0]) in strange:
                yield m.start(), m.end()

    def _move(self, says: YearMonthDay, sign: int) -> YearMonthDay | None:
        year, month, day = says
        if month is None:
            return None
        if day is None:
            index = month - 1 + sign * self.months
            return (None if year is None else year + index // 12), index % 12 + 1, None
        try:
            if year is not None:
                there = date(year, month, day) + timedelta(days=sign * self.days)
                return there.year, there.month, there.day
            if sign > 0:
                there = date(self.year, month, day) + timedelta(days=self.days)
                return None, there.month, there.day
            for candidate in (self.year - 1, self.year, self.year + 1):
                if day <= calendar.monthrange(candidate, month)[1]:
                    there = date(candidate, month, day) - timedelta(days=self.days)
                    if there.year == self.year:
                        return None, there.month, there.day
        except (ValueError, OverflowError):
            pass
        return None


def date_spans(text: str) -> list[PhiSpan]:
    """The dates of `text`, sorted, not overlapping."""
    return resolve(text, find_dates(text))


def choose_shift(texts: Iterable[str], source: random.Random | None = None) -> DateShift:
    """A new secret distance for the texts of one inference: 5 to 48 weeks, either way.

    Numeric dates are read day first or month first as those of the texts ask that have one reading only; without one,
    day first where all are written with full stops, else month first; where they contradict each other, not at all.
    """
    chance = source or secrets.SystemRandom()
    weeks = chance.randint(_MIN_WEEKS, _MAX_WEEKS) * chance.choice((-1, 1))
    written = [text[span.start : span.end] for text in texts for span in date_spans(text)]
    orders = [(order, value) for value in written if (order := order_of(value)) is not None]
    evidence = {order for order, _ in orders} - {"either"}
    if len(evidence) == 2:
        day_first = None
    elif evidence:
        day_first = evidence == {"day first"}
    else:
        day_first = bool(orders) and all("." in value for _, value in orders)
    forms = [form for value in written if (form := read_form(value, day_first=day_first)) is not None]
    years = {form.says[0] for form in forms if form.says[0] is not None and form.says[2] is not None}
    spoken = {int(m[0]) for text in texts for m in _YEAR_ALONE.finditer(text)}
    return DateShift(
        days=7 * weeks,
        months=round(7 * weeks / _DAYS_A_MONTH),
        day_first=day_first,
        year=max(years, default=_REFERENCE_YEAR),
        years=frozenset(years | spoken),
    )


def _within(says: YearMonthDay, other: YearMonthDay) -> bool:
    return all(mine is None or mine == theirs for mine, theirs in zip(says, other, strict=True))


def _as_precise(says: YearMonthDay, like: YearMonthDay) -> YearMonthDay:
    year, month, day = (None if asked is None else part for part, asked in zip(says, like, strict=True))
    return year, month, day
