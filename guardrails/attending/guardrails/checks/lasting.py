"""How long a treatment lasts, read beyond the words that stand beside the dose.

It stands in the sentence of the drug, in a cell of its table, in what is supplied ("#30, 5 refills"), or in one
of the two sentences after it that tell to go on ("keep it on repeat", "renew for another six months"), as far as no
other drug is named before. Seasons and dates without a year are read at their shortest.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case
from attending.guardrails.checks.course import WITHOUT_END, lasting_days
from attending.guardrails.clinical.frequency import periods
from attending.guardrails.clinical.number import NUMBER_WORDS
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span, Statement
from attending.guardrails.sieve import Sieved

_ENDLESS: Final = Sieved(
    r"\b(?:indefinite(?:ly)?|life-?long|for life|long[- ]term|permanent(?:ly)?|chronic(?:ally)? use|on a chronic basis"
    r"|no (?:stop|end) date|without (?:a )?(?:stop|end) date|for good|for the rest of (?:your|his|her|their) life"
    r"|continu\w+ (?:it )?(?:forever|for years)|open-ended|(?:11|12|eleven|twelve) refills"
    r"|(?:rf|refills?) ?(?:x|[:=])? ?(?:11|12)|for (?:the )?foreseeable future|from now on(?:wards?)?"
    r"|(?:day|week|month|year) after (?:day|week|month|year)|for (?:many |several )?(?:months|years)(?: to come)?"
    r"|(?:on|to|onto) (?:(?:your|the|his|her|their|my) )?repeats?(?! (?:scan|x-?ray|bloods?|test|visit|imaging"
    r"|infection"
    r"|cultures?|measure\w*|exam\w*|admission|episode))"
    r"|no need to (?:ever )?stop|(?:do not|don't|never) stop (?:it |them )?(?:when|once|even|if)"
    r"|as (?:a )?(?:regular|permanent) (?:part of|medicine))\b",
    re.I,
)
_NOT_ENDLESS: Final = re.compile(
    r"\b(?:not|never|no|n't|n\u2019t|avoid|without|rather than|instead of|too long|harm\w*|if|risks?)\b[^.;\n]{0,32}$",
    re.I,
)
_SEASON: Final = Sieved(
    r"\b(?:all|whole|entire|full|(?:right |all )?through(?:out)?(?: the)?|every day of the|for the|during the) "
    r"(?:\w+ ){0,2}(?P<season>season|winter|summer|spring|autumn|year|pregnancy|school year|term)\b",
    re.I,
)
_UNTIL: Final = Sieved(
    r"\b(?:until|till|up to|through to|through until|to) (?:(?:about|after|the start of|the end of|next|this|your|the"
    r"|her|his) ){0,3}(?:(?P<n>\w+)[- ](?P<span>week|month)[- ](?:check|review|visit|appointment|follow)"
    r"|christmas|easter|new year|(?:the )?(?:holidays|winter|summer|spring|autumn)(?: is over| ends)?"
    r"|(?:your |the )?(?:baby (?:is born|comes|arrives)|delivery|birth))"
    r"|\b(?:until|till|up to) [^.;:\n]{1,40}? in (?:about |another )?(?P<m>\w+) (?P<in>week|month)s\b",
    re.I,
)
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_FROM_MONTH: Final = Sieved(
    rf"\b(?P<first>{'|'.join(_MONTHS)}) (?:until|till|to|through(?: to)?|-) (?:the )?(?:end |middle |start )?(?:of )?"
    rf"(?P<last>{'|'.join(_MONTHS)})\b",
    re.I,
)
_BARE: Final = Sieved(
    r"\b(?P<n>\d{1,3}|\w+) (?P<span>day|week|month|year)s?,? (?:every|each|once every) (?:single )?(?:day|night"
    r"|morning"
    r"|evening)\b",
    re.I,
)
_SET_APART: Final = Sieved(
    r"[,;:] (?:total |in all )?(?P<n>\d{1,2}|two|three|four|five|six|eight|nine|ten|twelve) (?P<span>week|month)s"
    r"(?: in all| total| altogether| course)?(?=[,;.]|$)",
    re.I,
)
"""A length set apart by commas: "linezolid 600 mg bd for the spine, 3 months, GP to follow"."""
_USED_FOR: Final = Sieved(
    r"\b(?:use|used|course of|length|supply of) (?P<n>\d{1,3}|\w{3,8})[- ](?P<span>day|week|month)s?\b"
    r"(?! (?:ago|before|after|apart|later|earlier|prior|old|review))",
    re.I,
)
_REFILLS: Final = Sieved(
    r"\b(?:(?P<n>\d{1,2}|one|two|three|four|five|six|nine|ten) (?:refills?|repeats)|(?:rf|refills?) ?(?:x|[:=])? "
    r"?(?P<m>\d{1,2}"
    r"))\b",
    re.I,
)
_SUPPLY: Final = Sieved(r"\b(?P<days>\d{1,3})[- ]days?(?:'s|'|s)? supply\b", re.I)
_COUNT: Final = Sieved(r"#\s?(?P<n>\d{1,3})(?![\d.]| ?(?:g|ml|gm|grams?)\b)", re.I)
_GO_ON: Final = Sieved(
    r"\b(?:renew\w*|repeat\w*|use|take|keep|continue\w*|carry(?:ing)? on|go on|stay on|make it|apply|give|put|added?"
    r"|prescribe"
    r"|issue|supply|lifelong medicine|you(?: will|'ll) need)\b",
    re.I,
)
_HOW_LONG: Final = re.compile(r"\b(?:how long|duration|length|course|for how|days|weeks)\b", re.I)
_LABEL: Final = re.compile(
    r"\n[-*\u2022 ]{0,4}(?:for )?(?:how long|duration|length(?: of (?:course|treatment))?|course(?: length)?|days)"
    r"(?: of (?:treatment|course))?[ *]{0,3}[:=][ *]{0,3}(?P<told>[^\n]{1,40})",
    re.I,
)
_CELL: Final = re.compile(
    r"(?:for |x )?(?P<n>\d{1,3}|\w{1,12})[- ](?P<span>day|week|wk|month|year)s?\b", re.I
)
_ALWAYS: Final = re.compile(
    r"(?:always|lifelong|life-long|ongoing|indefinite(?:ly)?|long[- ]term|for life|permanent(?:ly)?|no end)\b",
    re.I,
)
_DAYS: Final = {"d": Decimal(1), "w": Decimal(7), "m": Decimal(30), "y": Decimal(365)}
_SEASON_DAYS: Final = {"year": Decimal(300)}
_A_SEASON: Final = Decimal(60)
_A_WHILE: Final = Decimal(21)
_MONTHLY: Final = Decimal(30)
_SENTENCES: Final = 2
_REACH: Final = 300
_ROWS_ABOVE: Final = 20


def told_days(case: Case, statement: Statement) -> Decimal | None:
    """Days that a treatment is given for; `WITHOUT_END` for lifelong use; None where nothing is said."""
    return case.once(("told days", statement), lambda: _told_days(case, statement))


def _told_days(case: Case, statement: Statement) -> Decimal | None:
    text = case.judged.output
    in_table = _table_cell(text, statement.mention.span)
    if in_table is not None:
        return in_table
    beside = lasting_days(case, statement)
    if beside is not None:
        return beside
    labelled = _labelled(case, statement)
    if labelled is not None:
        return labelled
    for number, part in enumerate(_told_of(case, statement)):
        found = _length(text, part, statement, later=number > 0)
        if found is not None:
            return found
    return None


def _told_of(case: Case, statement: Statement) -> Iterator[Span]:
    """The words of the drug: its sentence from the clause on, then the sentences after it that name no other drug."""
    text = case.judged.output
    anchor = statement.dose.span.end if statement.dose is not None else statement.mention.span.end
    at = max(anchor, statement.mention.span.end)
    starts = case.mention_starts()
    after = bisect_right(starts, at)
    following = starts[after] if after < len(starts) else len(text)
    own = sentence_around(text, at - 1, at, semicolons=True, reach=_REACH)
    yield Span(min(statement.clause.start, own.end), max(at, min(own.end, at + _REACH)))
    last = own.end
    for _ in range(_SENTENCES):
        if last >= following or last >= len(text) or "\n\n" in text[max(0, last - 1) : last + 2]:
            return
        start = last
        while start < len(text) and text[start].isspace():
            start += 1
        nearby = sentence_around(text, start, min(start + 1, len(text)), semicolons=True, reach=_REACH)
        if nearby.end <= last:
            return
        yield Span(last, min(nearby.end, following))
        last = nearby.end


def _length(text: str, part: Span, statement: Statement, *, later: bool) -> Decimal | None:
    words = text[part.start : part.end]
    if later and _GO_ON.search(words) is None:
        return _supplied(words, statement)
    endless = _ENDLESS.search(words)
    if (
        endless is not None
        and _NOT_ENDLESS.search(words, max(0, endless.start() - 44), endless.start()) is None
    ):
        return WITHOUT_END
    candidates = [_supplied(words, statement), _by_date(words), _by_season(words)]
    if later:
        candidates += [period.days for period in periods(words.lower()) if not _negated(words, period.start)]
    bare = _BARE.search(words)
    if bare is not None:
        candidates.append(_days(bare["n"], bare["span"]))
    apart = _SET_APART.search(words)
    if apart is not None:
        candidates.append(_days(apart["n"], apart["span"]))
    used = _USED_FOR.search(words)
    if used is not None and not _negated(words, used.start()):
        candidates.append(_days(used["n"], used["span"]))
    return max((days for days in candidates if days is not None), default=None)


def _negated(words: str, at: int) -> bool:
    return _NOT_ENDLESS.search(words, max(0, at - 44), at) is not None


def _days(count: str, span: str) -> Decimal | None:
    number = _number(count)
    return None if number is None else number * _DAYS[span[0].lower()]


def _number(count: str) -> Decimal | None:
    number = Decimal(count) if count.isdigit() else NUMBER_WORDS.get(count.lower())
    return None if number is None else Decimal(number)


def _by_season(words: str) -> Decimal | None:
    found = _SEASON.search(words)
    if found is None or _negated(words, found.start()):
        return None
    return _SEASON_DAYS.get(found["season"].lower(), _A_SEASON)


def _by_date(words: str) -> Decimal | None:
    months = _FROM_MONTH.search(words)
    if months is not None:
        first, last = _MONTHS.index(months["first"].lower()), _MONTHS.index(months["last"].lower())
        return _MONTHLY * ((last - first) % len(_MONTHS))
    until = _UNTIL.search(words)
    if until is None or _negated(words, until.start()):
        return None
    if until["m"]:
        return _days(until["m"], until["in"])
    return _days(until["n"], until["span"]) if until["n"] else _A_WHILE


def _supplied(words: str, statement: Statement) -> Decimal | None:
    """Days that the supply lasts with its refills; a count alone is read with the doses of a day, one piece each."""
    refills = _REFILLS.search(words)
    supply, count = _SUPPLY.search(words), _COUNT.search(words)
    times = statement.frequency.times_per_day if statement.frequency is not None else None
    each: Decimal | None = None
    if supply is not None:
        each = Decimal(supply["days"])
    elif count is not None and times and statement.frequency is not None and not statement.frequency.prn:
        pieces = statement.dose.count if statement.dose is not None and statement.dose.count else Decimal(1)
        each = Decimal(count["n"]) / times / max(pieces, Decimal(1))
    if refills is None:
        return each
    number = _number(refills["n"] or refills["m"])
    if number is None or number == 0:
        return each
    return (each if each is not None else _MONTHLY) * (number + 1)


def _labelled(case: Case, statement: Statement) -> Decimal | None:
    """What a line below the drug says behind "For how long:" or "Duration:", before the next drug or empty line."""
    text = case.judged.output
    at = statement.mention.span.end
    starts = case.mention_starts()
    after = bisect_right(starts, at)
    blank = text.find("\n\n", at)
    ends = [at + _REACH, *(starts[after : after + 1]), *([blank] if blank >= 0 else [])]
    for line in _LABEL.finditer(text, at, min(*ends, len(text))):
        if _ALWAYS.match(line["told"]):
            return WITHOUT_END
        found = _CELL.match(line["told"])
        if found is not None:
            return _days(found["n"], found["span"])
    return None


def _table_cell(text: str, at: Span) -> Decimal | None:
    """What the cell under "How long" or "Duration" says in the row of the drug; None outside such a table."""
    start = text.rfind("\n", 0, at.start) + 1
    end = text.find("\n", at.start)
    row = text[start : end if end >= 0 else len(text)]
    mark = "|" if row.count("|") > 1 else "\t" if row.count("\t") > 1 else None
    if mark is None:
        return None
    head, line = None, start
    for _ in range(_ROWS_ABOVE):
        above = text.rfind("\n", 0, max(0, line - 1)) + 1
        if line == 0 or mark not in text[above : line - 1]:
            break
        head, line = text[above : line - 1], above
    if head is None:
        return None
    cells = row.split(mark)
    for column, title in enumerate(head.split(mark)):
        if _HOW_LONG.search(title) and column < len(cells):
            if _ALWAYS.match(cells[column].strip()):
                return WITHOUT_END
            found = _CELL.match(cells[column].strip())
            return _days(found["n"], found["span"]) if found is not None else None
    return None


__all__ = ["told_days"]
