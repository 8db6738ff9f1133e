"""How long lies between the end of one drug and the start of another that the text gives as days or dates.

"Last perindopril on Sunday evening, first Entresto on Wednesday morning" and "fluoxetine ended on 2 September,
phenelzine from 21 October". The gap is the shortest that the words allow: an end without a time of day counts as
evening, a start as morning. From a week on, a gap of dates without times is told in whole days, as the labels count
it. Not read: years, and a day of the week more than a week away.
"""

from __future__ import annotations

import re
from typing import Final

from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec)[a-z]{0,6}"
_WHEN: Final = re.compile(
    rf"\b(?:(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? (?P<m>{_MONTH})"
    rf"|(?P<m2>{_MONTH}) (?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)"
    r"|(?P<w>mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?)\b"
    r"(?:,? (?P<part>morning|evening|night|afternoon|am|pm)\b)?",
    re.I,
)
_ENDED: Final = re.compile(
    r"\b(?:last|final|ended|finished|stopped|discontinued|ceased|came off|until|end of)\b", re.I
)
_BEGUN: Final = re.compile(r"\b(?:first|from|begins?|starts?|starting|beginning|start|begin|then)\b", re.I)
_HOUR: Final = {"morning": 8, "am": 8, "afternoon": 14, "pm": 20, "evening": 20, "night": 22}
_BEFORE: Final = 40
_COUNTED_IN_DAYS: Final = 7


def hours_between(text: str, ended: Span, begun: Span) -> int | None:
    """Hours from the end told of the name at `ended` to the start told of the one at `begun`; None where not told."""
    if begun.start <= ended.end:
        return None
    stop = _moment(text, ended, begun.start, _ENDED)
    start = _moment(text, begun, len(text), _BEGUN)
    if stop is None or start is None:
        return None
    days = _days(stop, start)
    if days is None:
        return None
    if days >= _COUNTED_IN_DAYS and not stop["part"] and not start["part"]:
        return days * 24
    return (
        days * 24
        + _HOUR.get((start["part"] or "morning").lower(), 8)
        - _HOUR.get((stop["part"] or "evening").lower(), 20)
    )


_NOW: Final = re.compile(r"\b(?:today is|(?:it|this) is now|now|today)[ ,:(]{0,3}(?:the )?\Z", re.I)


def days_until_now(text: str) -> int | None:
    """Days from the first date that the text gives to the one it calls today; None where it tells no two such dates."""
    dates = [match for match in _WHEN.finditer(text) if _date(match) is not None]
    now = next((m for m in dates if _NOW.search(text, max(0, m.start() - 14), m.start())), None)
    if now is None or now is dates[0]:
        return None
    return _days(dates[0], now)


def _moment(text: str, span: Span, limit: int, verb: re.Pattern[str]) -> re.Match[str] | None:
    sentence = sentence_around(text, span.start, span.end, semicolons=True)
    end = min(sentence.end, limit)
    if verb.search(text, max(sentence.start, span.start - _BEFORE), end) is None:
        return None
    return _WHEN.search(text, span.end, end)


def _days(stop: re.Match[str], start: re.Match[str]) -> int | None:
    first, last = _date(stop), _date(start)
    if first is not None and last is not None:
        # months count 30 days: a gap is compared with whole weeks, and no year is told
        days = (last[0] - first[0]) % 12 * 30 + last[1] - first[1]
        return days if days >= 0 else None
    if first is not None or last is not None or not stop["w"] or not start["w"]:
        return None
    days = (_DAYS.index(start["w"][:3].lower()) - _DAYS.index(stop["w"][:3].lower())) % 7
    return days or None


def _date(match: re.Match[str]) -> tuple[int, int] | None:
    month, day = match["m"] or match["m2"], match["d"] or match["d2"]
    if not month or not day:
        return None
    return _MONTHS.index(month[:3].lower()), int(day)
