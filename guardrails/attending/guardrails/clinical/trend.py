"""The newest of several values of one thing: "6.1 on admission; it is 4.4 today", "31 in March, and it's 88 now".

A text tells a result beside an older one. The newest is what stands now; an older one counts where nothing newer is
told. Read are values in one sentence, or in the next where it begins with "it is now", and values in a row, each with
its day. The order of the text is taken for the order of time, but for a value that its own words set back ("when she
had the stomach bug", "last month").
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

NO_RESULT: Final = (
    r"mg|mcg|micrograms?|g|ml|meq|mmol|units?|tablets?|tabs?|caps(?:ules)?|h|hrs?|hours?|min(?:utes)?|am|pm|days?"
    r"|weeks?|wks?|months?|years?|yrs?|times|x(?! ?10)|doses?"
)
"""Words behind a number that is no result of a laboratory: a dose, or a time ("calcium 4 h later")."""
RESULT_UNITS: Final = (
    r"10\^9/l|x ?10\^?9/l|k/u?l|/u?l|mmol/l|meq/l|mg/dl|g/dl|g/l|ng/ml|mcg/ml|u/l|umol/l|\u00b5mol/l|\u03bcmol/l|ms"
    r"|bpm|/min|mm ?hg|%"
)
_VALUE: Final = (
    rf"(?P<value>\d{{1,3}}(?:,\d{{3}}){{1,3}}|\d{{1,7}}(?:\.\d{{1,3}})?)(?![\d.]{{0,12}}\d| ?(?:{NO_RESULT}"
    r"|jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec|january|february|march|april|august|september"
    r"|october|november|december)\b(?! ?/)|(?:st|nd|rd|th)\b| ?(?:-|to|\u2013) ?\d| ?/\d)"
)
_UNIT: Final = rf"(?: ?(?:{RESULT_UNITS}|ml/min(?:/1\.73 ?m2?)?))?"
_NOW: Final = (
    r"(?:now|today|currently|at present|this (?:morning|afternoon|evening|week|am)|tonight|since then|on (?:repeat"
    r"|recheck|retest|discharge|review)|at discharge|(?:on )?(?:the )?repeat|recheck|last (?:week|night)|latest"
    r"|the last"
    r" (?:one|result|value|figure))"
)
_LINK: Final = (
    r"(?:is|was|are|has|have|had|it|it's|it\u2019s|its|this|that|they|the (?:figure|number|value|result|level|reading"
    r"|count)|been|come|came|back|up|down|to|at|of|fallen|fell|risen|rose|dropped|recovered|improved|settled|climbed"
    r"|stands|reads|only|about|around|a|normal|safe|better|and|but|then|just|still|has settled|off it)"
)
_GAP: Final = (
    r"(?:[^.;:!?\n\d]{0,24}?\b\d{1,2}(?:st|nd|rd|th)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6})?"
    r"(?:(?! (?:if|unless|until|target|goal|aim|above|below|over|under)\b)[^.;!?\n\d]){0,80}?"
)
_NEWER: Final = re.compile(
    rf"{_UNIT}{_GAP}(?:[,;:.(\u2013\u2014-]| and| but) ?(?:{_LINK}[ ,:]{{1,2}}){{0,6}}"
    rf"(?:(?P<when>{_NOW})[ ,:]{{1,2}}(?:{_LINK}[ ,:]{{1,2}}){{0,5}}[=:~]? ?{_VALUE}"
    r"|" + _VALUE.replace("?P<value>", "?P<after>") + rf"{_UNIT} (?:here )?(?P<then>{_NOW})\b)",
    re.I,
)
"""A newer value behind an older one, by "now" before it or "today" behind it."""
_WHEN: Final = (
    r"(?:(?:on|in|at|by|from|last) (?:the )?(?:\d{1,2}(?::\d\d)?|mon|tue|wed|thu|fri|sat|sun|day|week|month|year"
    r"|admission|arrival|presentation|discharge|baseline|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|spring|summer"
    r"|autumn|winter|hospital|clinic|ed\b)[a-z]{0,8}|yesterday|today|now|this [a-z]{3,9}|after [a-z]{2,12})"
)
_STEP: Final = re.compile(
    rf"{_UNIT}(?: {_WHEN}(?: [a-z]{{2,10}})?(?:, [^.;,\n\d]{{2,40}})?,"
    r"(?: (?:then|and|and then|was|it was|fell to|rose to)){0,2}"
    rf"|,? ?(?P<arrow>->|=>|\u2192|-->)) ?{_VALUE}(?(arrow)|(?={_UNIT} ?{_WHEN}\b))",
    re.I,
)
"""The next of several values in a row: "5.9 on Monday, 5.1 on Wednesday"."""
_LATELY: Final = re.compile(r"last (?:week|night)", re.I)
_DATED: Final = re.compile(
    r"\b(?:on|in|at|ago|back|earlier|yesterday|before|after|when|while|admission|arrival|baseline|initial\w*|first|peak"
    r"|previous\w*|last (?:month|year)|day|week|month|jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*"
    r"|oct\w*|nov\w*|dec\w*)\b",
    re.I,
)
"""Words beside a value that date it: only then is one of last week newer."""
_ALREADY_NOW: Final = re.compile(
    rf"{_UNIT}(?:,? \(?(?:now|today|currently|this (?:morning|afternoon|week))\b)"
    r"(?!(?: (?:it(?:'s| is)|is|was|at|down to|up to|only|still))?[ :=] ?\d)",
    re.I,
)
"""The value itself is of today; "1.0, now 3.1" goes on to a newer one."""
_NOW_BEFORE: Final = re.compile(
    r"\b(?:now|today|currently|this (?:morning|afternoon|week)|latest|most recent)\b[^.;,\n\d]{0,24}\Z", re.I
)
_SET_BACK: Final = re.compile(
    rf"{_UNIT}(?:[^.;,\n\d]{{0,40}}?|,? )\b(?:on (?:admission|arrival|presentation)|at (?:presentation"
    rf"|diagnosis|the start)"
    r"|in (?:hospital|january|february|march|april|may|june|july|august|september|october|november|december"
    r"|spring|summer"
    r"|autumn|winter|the (?:spring|summer|autumn|winter)|(?:19|20)\d\d|your \w+ letter)|last (?:week|month|year|spring"
    r"|summer|autumn|winter|time)|yesterday|(?:\d{1,2}|an?|two|three|four|five|six|several) (?:days?|weeks?|months?"
    r"|years?) (?:ago|earlier|before)|(?:when|while|after|before|with) (?:added|on|you|he|she|it|they|the|his|her"
    r"|your|i|we|first|taken|taking)|previously|initially|at first|before (?:treatment|the)|back (?:in|then))\b",
    re.I,
)
_SET_BACK_BEFORE: Final = re.compile(
    r"\b(?:previous|prior|earlier|initial|old|admission|presenting|baseline|former|peak|last (?:month|year|week)'?s?)"
    r"(?: \w{1,12})?(?: (?:was|of|had been))? ?\Z|\bhad (?:been|fallen to|risen to|dropped to)[^.;,\n]{0,20}\Z",
    re.I,
)


def newest(text: str, end: int) -> tuple[Decimal, int] | None:
    """The newest value told behind a value that ends at `end`, and where it ends; None where that is the newest: what
    was "today", or what stands bare beside one of last week ("400 (last week 2,900)")."""
    found: tuple[Decimal, int] | None = None
    begin = end
    while begin > 0 and (text[begin - 1].isdigit() or text[begin - 1] in ".,"):
        begin -= 1
    today = _NOW_BEFORE.search(text, max(0, begin - 40), begin) is not None
    dated = not today and _DATED.search(text, max(0, begin - 24), begin) is not None
    for _ in range(6):
        if _ALREADY_NOW.match(text, end):
            break
        stop = min(len(text), end + 180)
        match = _NEWER.match(text, end, stop) or _STEP.match(text, end, stop)
        if match is None:
            break
        if match.re is _NEWER and found is None and not dated:
            which = "when" if match["when"] else "then"
            told = _LATELY.fullmatch(match[which]) is not None
            if told and (today or _DATED.search(text, end, match.start(which)) is None):
                break
        name = "value" if match.groupdict().get("value") else "after"
        found = (Decimal(match[name].replace(",", "")), match.end(name))
        if match.re is _NEWER:
            break
        end = match.end(name)
    return found


def set_back(text: str, start: int, end: int) -> bool:
    """Whether the words around a value, whose name begins at `start`, say that it is one of the past."""
    return (
        _SET_BACK.match(text, end, min(len(text), end + 90)) is not None
        or _SET_BACK_BEFORE.search(text, max(0, start - 40), start) is not None
    )
