"""One drug ended before another begins: the pair is not taken together, but the gap must be long enough.

"Last dose of enalapril on Monday, sacubitril/valsartan from Wednesday, at least 36 hours later" gives no pair. A gap
that the text states and that is shorter than the labels ask for is a finding of its own. A gap that is written
as days or dates is read by `dated_gap`. Not caught: a gap that the text leaves open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from attending.guardrails.checks.case import Case, Exposure, curated
from attending.guardrails.checks.dated_gap import hours_between
from attending.guardrails.checks.over import name_starts, told_over
from attending.guardrails.checks.washout import WASHOUTS, Washout
from attending.guardrails.clinical.number import number_words
from attending.guardrails.clinical.sentence import one_sentence
from attending.guardrails.clinical.statement import Span, Statement
from attending.guardrails.finding import Code, Finding, Scope, Severity
from attending.guardrails.sieve import Sieved

_NUMBER_WORDS: Final = number_words(
    "one two three four five six seven eight ten twelve fourteen twenty-four thirty-six forty-eight"
)
_HOURS: Final = {"hour": 1, "hr": 1, "h": 1, "day": 24, "week": 168, "month": 720}
_LAST_DOSE: Final = re.compile(
    r"\b(?:last|final) (?:(?:dose|tablet|day|capsule|injection)s? (?:of|for) )?(?:(?:your|the|his|her|oral) )?$",
    re.I,
)
_ENDING: Final = re.compile(
    r"(?: \d[\d.,]* ?m?c?g)?[ :,-]{0,3}(?:(?:it|which|that) )?(?:stops?|ends?|finishes|is (?:then )?(?:stopped"
    r"|finished|over)"
    r"|(?:the )?(?:last|final) (?:dose|tablet|capsule|day))\b",
    re.I,
)
_GAP: Final = Sieved(
    rf"\b(?P<n>\d{{1,3}}|{'|'.join(_NUMBER_WORDS)})[ -]?(?:(?:clear|full|whole) )?"
    r"(?P<unit>hours?|hrs?|h|days?|weeks?|months?)\b"
    r"(?:'s?)?(?: (?:gap|wash-?out|interval|break|free))?(?=[^.;\n]{0,30}\b(?:later|after|before|between|from"
    r"|prior|gap"
    r"|wash-?out|interval|break|and then|then|start\w*|of stopping))"
    r"|\b(?:later|after|before|gap of|wash-?out of|interval of|break of|wait(?:ing)?)\s+(?:at least |a |for |about )?"
    rf"(?P<n2>\d{{1,3}}|{'|'.join(_NUMBER_WORDS)})[ -]?(?P<unit2>hours?|hrs?|h|days?|weeks?|months?)\b",
    re.I,
)


_NEXT_DAY: Final = Sieved(
    r"\b(?:(?:the )?(?:next|following) (?:day|morning|evening|night)|tomorrow|takes? (?:its|over its) place)\b",
    re.I,
)
_STOPPED_AGO: Final = re.compile(
    rf"\b(?P<n>\d{{1,3}}|a|an|{'|'.join(_NUMBER_WORDS)}) (?P<unit>hours?|days?|weeks?|months?) (?:ago|back)\b"
    r"|\b(?P<word>today|this morning|yesterday|last night|last week|this week)\b",
    re.I,
)
_CLEAR: Final = Sieved(
    rf"\b(?P<n>\d{{1,3}}|{'|'.join(_NUMBER_WORDS)}) (?P<unit>days?|weeks?|months?) "
    r"(?:\w{1,20}[- ])?(?:free|clear|wash-?out)\b"
    r"|\bwash-?out\b[^.;\n]{0,30}?"
    rf"\b(?P<n2>\d{{1,3}}|{'|'.join(_NUMBER_WORDS)}) (?P<unit2>days?|weeks?|months?)\b"
    r"|\b(?:last|final) (?:dose|tablet|capsule|pill|day)\b(?:[^.;\n]|\b[ie]\.|(?<=\b[ie]\.)[eg]\.){0,60}?"
    rf"\b(?P<n3>\d{{1,3}}|{'|'.join(_NUMBER_WORDS)}) (?P<unit3>days?|weeks?|months?) ago\b",
    re.I,
)
"""How long the patient has been without a drug, said apart from its name: "23 days drug-free"."""
_DONE: Final = Sieved(
    r"\bwash-?out (?:period )?(?:is |was |now |has been )?(?:complete\w*|over|finished|done)\b", re.I
)
_THEN: Final = re.compile(
    r"\b(?:then|thereafter|afterwards?|followed by|before)\b[^.;\n]{0,20}\b(?:switch\w*|chang\w+"
    r"|transition\w*|convert\w*"
    r"|step(?:ping|ped)? down|mov\w+|oral|po)\b|\b(?:switch\w*|chang\w+|transition\w*|convert\w*"
    r"|step(?:ping|ped)? down)"
    r" (?:\w+ ){0,2}to\b",
    re.I,
)
_AGO_HOURS: Final = {
    "today": 0,
    "this morning": 6,
    "yesterday": 24,
    "last night": 12,
    "last week": 168,
    "this week": 72,
}


def switched(case: Case, first: Exposure, second: Exposure) -> bool:
    """True where the text names the last dose of one of the two and a gap before the other begins."""
    if frozenset((first.drug, second.drug)) in case.plan.turns and not _needs_washout(case, first, second):
        return True
    if first.origin != "output" or second.origin != "output":
        return False
    text = case.judged.output
    if _then(text, first, second) or _kept_apart(case, first, second):
        return True
    left, right = sorted((first, second), key=lambda exposure: exposure.span.start)
    if _swapped(case, left, right):
        return True
    if hours_between(text, left.span, right.span) is not None:
        return True
    ended = [
        _LAST_DOSE.search(text[max(0, e.span.start - 50) : e.span.start]) is not None for e in (first, second)
    ]
    return ended[0] != ended[1] and _stated_gap(case) is not None


_APART: Final = re.compile(
    r"\b(?:not|never|n't)(?: be| ever)? (?:taken |given |used |both )?"
    r"(?:on the same day|together|at the same time|overlap)"
    r"|\bno overlap\b|\bdo(?:es)? not overlap|\bthe (?:day|morning|evening) after\b"
    r"|\b(?:once|after|when) (?:it|that|the (?:last )?\w+) (?:is|are|has been|have been) "
    r"(?:finished|stopped|done|gone|over|off)"
    r"|\bafter the (?:last|final) (?:dose|tablet|capsule|one|\w+ (?:dose|tablet|capsule))",
    re.I,
)
_ENDS: Final = re.compile(
    r"\bthen(?: it is| to)? (?:stop\w*|off|none|nothing|done|discontinu\w+)\b|\blast (?:dose|tablet|capsule|at|one)\b"
    r"|\b(?:stops?|off|discontinue[ds]?|finish(?:es|ed)?)\b",
    re.I,
)


_SWAPS: Final = re.compile(
    r"\b(?:swap\w*|switch\w*|chang\w+|replac\w+|mov(?:e|ed|ing)|stop\w*)(?: (?:you|him|her|them|off|over|from"
    r"|the|your|his|now))"
    r"{0,4} \Z",
    re.I,
)
_LAST_THEN: Final = re.compile(
    r"\b(?:last|final) (?:tablet|dose|capsule|pill|one|injection)(?: of (?:it|that))?(?: is| was| on| will be)?"
    r" (?:tonight|today|this (?:morning|evening)|yesterday|last night|\w+day(?: (?:morning|evening"
    r"|night))?)\b[^.;\n]{0,40}?"
    r"\b(?:start|begin|then|first)\w*\b[^.;\n]{0,30}\Z",
    re.I,
)


def _swapped(case: Case, left: Exposure, right: Exposure) -> bool:
    """ "We are swapping your A: take the last tablet tonight and start B tomorrow". A pair that needs a washout is none
    of these."""
    text = case.judged.output
    if not 0 <= right.span.start - left.span.end <= _NEAR:
        return False
    if _needs_washout(case, left, right):
        return False
    swaps = _SWAPS.search(text, max(0, left.span.start - 50), left.span.start)
    return swaps is not None and _LAST_THEN.search(text, left.span.end, right.span.start) is not None


def _needs_washout(case: Case, first: Exposure, second: Exposure) -> bool:
    """Whether one of the two acts on after its last dose against the other."""
    return any(
        case.of_class(one.drug, *washout.ended) and case.of_class(other.drug, *washout.begun)
        for washout in WASHOUTS
        for one, other in ((first, second), (second, first))
    )


_NEAR: Final = 220


def _kept_apart(case: Case, first: Exposure, second: Exposure) -> bool:
    """True where the one named first is told to end and the text says that the two are not taken together: "citalopram
    10 mg for 7 days, then stop. Sertraline begins the day after". A pair that needs a washout is none of these."""
    if _needs_washout(case, first, second):
        return False
    pair = frozenset((first.drug, second.drug))
    return case.once(("kept apart", pair), lambda: _one_ends_before(case, pair))


def _one_ends_before(case: Case, pair: frozenset[str]) -> bool:
    spans = [
        (s.mention.span, drug) for s in case.output.statements for drug in s.mention.drugs if drug in pair
    ]
    return any(a[1] != b[1] and _ends_before(case.judged.output, a[0], b[0]) for a, b in pairwise(spans))


def _ends_before(text: str, left: Span, right: Span) -> bool:
    if not 0 <= right.start - left.end <= _NEAR or _ENDS.search(text, left.end, right.start) is None:
        return False
    end = text.find("\n", right.end)
    return _APART.search(text, left.end, min(end if end >= 0 else len(text), right.end + 140)) is not None


def short_gaps(case: Case) -> Iterator[Finding]:
    """A gap that the text states between two drugs, shorter than their labels ask for (major)."""
    yield from _begun_too_soon(case)
    gap = _stated_gap(case)
    if gap is None:
        return
    hours, span = gap
    clear = Decimal(_told_clear(case) or 0)
    gone = {
        drug
        for statement in case.output.statements
        if (statement.scope is Scope.STOP and not _never_begun(case.judged.output, statement.mention.span))
        or _LAST_DOSE.search(
            case.judged.output[max(0, statement.mention.span.start - 50) : statement.mention.span.start]
        )
        for drug in statement.mention.drugs
    }
    for washout in WASHOUTS:
        for exposure in case.unique_given():
            if (
                max(hours, clear) >= washout.hours
                or not case.of_class(exposure.drug, *washout.begun)
                or exposure.drug in gone
            ):
                continue
            before = next((d for d in sorted(gone) if case.of_class(d, *washout.ended)), None)
            if before is not None:
                yield _too_soon(case, washout, exposure, before, hours, span)
                break


_CANCELS: Final = re.compile(r"\b(?:cancel\w*|void\w*|delete)\b[^.;\n]{0,20}\Z", re.I)
_BEFORE_FIRST: Final = re.compile(
    r"[^.;\n]{0,60}?\bbefore (?:the |his |her |your |a )?first (?:dose|tablet)\b", re.I
)


def _never_begun(text: str, name: Span) -> bool:
    """Whether what is stopped is an order of which no dose was given: "cancel the linezolid before the first dose"."""
    return (
        _CANCELS.search(text, max(0, name.start - 40), name.start) is not None
        or _BEFORE_FIRST.match(text, name.end) is not None
    )


def _begun_too_soon(case: Case) -> Iterator[Finding]:
    """A drug begun while one that the text says was stopped N days ago still acts (major)."""
    begun = [
        (washout, exposure)
        for washout in WASHOUTS
        for exposure in case.unique_given()
        if case.of_class(exposure.drug, *washout.begun)
    ]
    if not begun:
        return
    stopped: dict[str, int] = {}
    spans: dict[str, Span] = {}
    text = case.judged.output
    starts = name_starts(case.output)
    for statement in case.output.statements:
        spans.update({drug: statement.mention.span for drug in statement.mention.drugs if drug not in spans})
        past = statement.scope in (Scope.STOP, Scope.HISTORY) or _ends(case, statement)
        if past or told_over(text, statement, starts):
            hours = _since(case, statement)
            if hours is not None:
                stopped.update(dict.fromkeys(statement.mention.drugs, hours))
    for washout, exposure in begun:
        told = {
            drug: hours
            for drug, span in spans.items()
            if case.of_class(drug, *washout.ended)
            and (hours := hours_between(text, span, exposure.span)) is not None
        }
        if not exposure.new and not told and not _first(text, exposure.span):
            continue
        for drug, hours in sorted((stopped | told).items()):
            if drug != exposure.drug and hours < washout.hours and case.of_class(drug, *washout.ended):
                yield _too_soon(case, washout, exposure, drug, Decimal(hours))
                return


_FIRST: Final = re.compile(r"\bfirst (?:(?:dose|tablet|capsule) (?:of )?)?(?:the |her |his |your )?\Z", re.I)


def _first(text: str, span: Span) -> bool:
    return _FIRST.search(text, max(0, span.start - 40), span.start) is not None


def _too_soon(
    case: Case, washout: Washout, begun: Exposure, ended: str, hours: Decimal, span: Span | None = None
) -> Finding:
    return case.finding(
        Code.INTERACTION,
        begun,
        Severity.MAJOR,
        curated(f"washout-{washout.id}", washout.check),
        f"{begun.drug} {_shown(hours)} after {ended}; the gap is at least {_shown(Decimal(washout.hours))}",
        drugs=sorted((ended, begun.drug)),
        span=span,
    )


def _then(text: str, first: Exposure, second: Exposure) -> bool:
    """True for steps of one sentence: "A for 24 hours, then switch to B"."""
    left, right = sorted((first.span, second.span), key=lambda span: span.start)
    between = text[left.end : right.start]
    return (
        len(between) < 160 and _THEN.search(between) is not None and one_sentence(text, left.end, right.start)
    )


def _since(case: Case, statement: Statement) -> int | None:
    """Hours since the drug was stopped: as the text says; none where it is told to be stopped and no gap is told."""
    told = _hours_ago(case.judged.output, statement.mention.span)
    if told is None:
        told = _told_clear(case)
    if told is None and case.once("washed out", lambda: _DONE.search(case.judged.output) is not None):
        return None
    if (
        told is None
        and (statement.scope is Scope.STOP or _ends(case, statement))
        and not statement.reported
        and _stated_gap(case) is None
    ):
        return 0
    if told is not None and (waits := _waits(case, statement)) is not None:
        return max(told, int(waits))
    if told is not None and _ends(case, statement) and (gap := _stated_gap(case)) is not None:
        return max(told, int(gap[0]))
    return told


_THEN_BEGINS: Final = re.compile(
    r"[*_]{0,2},? (?:and )?(?:then|before) (?:you )?(?:start|begin|take|give|the first)\w*\b", re.I
)
_WAIT_WITHIN: Final = 120


def _waits(case: Case, statement: Statement) -> Decimal | None:
    """The hours to be waited after a drug that is stopped now: "Stop A today. Wait 36 hours, then start B"."""
    gap = _stated_gap(case)
    if gap is None or statement.scope is not Scope.STOP or statement.reported:
        return None
    hours, at = gap
    near = 0 <= at.start - statement.mention.span.end <= _WAIT_WITHIN
    return hours if near and _THEN_BEGINS.match(case.judged.output, at.end) is not None else None


def _ends(case: Case, statement: Statement) -> bool:
    """True where the drug itself is told to end: "phenelzine stops today", "phenelzine: last dose tonight"."""
    span = statement.mention.span
    return _ENDING.match(case.judged.output[span.end : span.end + 60]) is not None


def _hours_ago(text: str, span: Span) -> int | None:
    high = min(len(text), span.end + 400)
    ends = [at for mark in (". ", "\n", ";") if (at := text.find(mark, span.end, high)) >= 0]
    match = _STOPPED_AGO.search(text[span.end : min(ends, default=high)])
    if match is None:
        return None
    if match["word"]:
        return _AGO_HOURS[match["word"].lower()]
    return _hours(match["n"], match["unit"])


def _told_clear(case: Case) -> int | None:
    return case.once("hours clear", lambda: _hours_clear(case.judged.output))


def _hours_clear(text: str) -> int | None:
    """The shortest time without the drug that the text tells, in hours."""
    found: list[int] = []
    for match in _CLEAR.finditer(text):
        count, unit = next(
            (match[n], match[u]) for n, u in (("n", "unit"), ("n2", "unit2"), ("n3", "unit3")) if match[n]
        )
        found.append(_hours(count, unit))
    return min(found, default=None)


def _hours(count: str, unit: str) -> int:
    told = count.lower()
    number = 1 if told in ("a", "an") else _NUMBER_WORDS.get(told) or int(told)
    return number * _HOURS[unit.lower().rstrip("s")]


def _stated_gap(case: Case) -> tuple[Decimal, Span] | None:
    """The shortest gap that the output states, read once for all pairs."""
    return case.once("stated gap", lambda: _gap_hours(case.judged.output))


_OF_A_LATER_ONE: Final = re.compile(
    r" (?:(?:gap|wash-?out|interval|break) )?(?:is needed |needed |required )?(?:before|between|after stopping)"
    r" (?:it and )?(?:any|another|a|the next|starting (?:any|another|a))"
    r" (?:(?:later|future|new|next|other|further|different) )?"
    r"(?:antidepressants?|drugs?|medicines?|ssris?|one|agents?)\b",
    re.I,
)
"""A gap to keep before some later drug is none between two of today: "two-week washout before any antidepressant"."""
_TITRATED: Final = re.compile(
    r"\b(?:up to|go(?:ing)? (?:up )?to|increas\w+|rais\w+|titrat\w+|ris(?:e|ing)|doubl\w+|then"
    r"|review\w*|see\w*|recheck\w*)\b[^.;\n]{0,40}\Z",
    re.I,
)
"""A dose raised "after one week" tells no gap between two drugs."""


def _gap_hours(text: str) -> tuple[Decimal, Span] | None:
    """The shortest stated gap in hours."""
    found: list[tuple[Decimal, Span]] = []
    for match in _GAP.finditer(text):
        if _OF_A_LATER_ONE.match(text, match.end()):
            continue
        if _TITRATED.search(text, max(0, match.start() - 60), match.start()):
            continue
        hours = _hours(match["n"] or match["n2"], match["unit"] or match["unit2"])
        found.append((Decimal(hours), Span(*match.span())))
    if not found:
        found = [(Decimal(24), Span(*match.span())) for match in _NEXT_DAY.finditer(text)]
    return min(found, key=lambda pair: pair[0]) if found else None


def _shown(hours: Decimal) -> str:
    return (
        f"{(hours / 24).normalize():f} days"
        if hours > 48 and hours % 24 == 0
        else f"{hours.normalize():f} hours"
    )
