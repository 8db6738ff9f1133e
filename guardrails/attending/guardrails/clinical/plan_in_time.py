"""When each drug of a text is taken: before now, from a day to come, or only perhaps; and which two never overlap.

A discharge list, a letter and a plan tell of drugs at several times. Their readers see at once that "rivaroxaban was
stopped on Monday", that "aspirin stops on the day apixaban starts" and that "heparin is to be considered at 48 h once
the CT is stable". Scope (`scope`) reads what one clause wants; here the words around a name are read for their time:

- `past`: mentions of what is over, and `over`: ingredients that nothing afterwards gives again;
- `withheld`: items of a list that say themselves that their drug is not taken for now;
- `deferred`: mentions of what begins on a day or a condition to come;
- `resolved`: deferred mentions whose condition is that a state is gone ("once the CT is stable");
- `turns`: pairs of ingredients of which the text ends one before the other begins.

Pure; spans and numbers refer to the statements given. What acts on after its last dose is not judged here: a pair that
needs a washout is judged by `checks.switch`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import Span, Statement
from attending.guardrails.finding import Scope
from attending.guardrails.sieve import Group, Sieved

_DAY: Final = (
    r"(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:the )?\d{1,2}(?:st|nd|rd|th)?\b|(?:jan|feb|mar|apr|may"
    r"|jun|jul|aug"
    r"|sep|oct|nov|dec)\w*)"
)
_ENDED: Final = r"(?:stopped|discontinued|finished|completed|ended|withdrawn|ceased|tapered off|weaned off)"
_HOW_LONG_AGO: Final = (
    rf"(?:on (?:the (?:morning|evening) of )?{_DAY}|in (?:the )?(?:\d{{4}}|jan|feb|mar|apr|may\b|jun|jul|aug"
    rf"|sep|oct|nov|dec"
    r"|spring|summer|autumn|fall|winter|hospital)|since\b|yesterday|last (?:night|week|month|year|spring|summer"
    r"|autumn|winter)"
    r"|(?:\d{1,3}|an?|one|two|three|four|five|six|several) (?:hours?|days?|weeks?|months?|years?) ago"
    r"|months ago|years ago"
    r"|(?:as of|from) (?:today|this morning|yesterday)|(?:this|that) morning|(?:same|the same) day|at admission"
    r"|on admission"
    r"|on arrival)"
)
_AMOUNTS: Final = (
    r"(?:,? ?\(?(?:\d[\d.,/]{0,8}(?: ?[-\u2013] ?\d[\d.]{0,5})? ?(?:mg|mcg|micrograms?|g|units?|ml|%|puffs?"
    r"|tablets?|drops?)"
    r"|(?:once|twice|three times|four times)(?: (?:a|per) (?:day|week))?|daily|nightly|weekly|bid|tid|qid|bd"
    r"|tds|qds|od|prn"
    r"|as needed|po|iv|sc|im|sl|otc|at (?:night|bedtime)|in the (?:morning|evening)|every (?:night|morning"
    r"|evening|\d{1,2} hours)"
    r"|qhs|hs|q\d{1,2}h|a day|by mouth|tablets?|capsules?)\)?){0,5}"
)
_GONE: Final = Sieved(
    rf"{_AMOUNTS}(?:,? ?\([^()\n]{{0,60}}\))?,? ?(?:"
    rf"[^.;:\n]{{0,40}}?\b(?:was|were|has been|have been|had been) (?:then |slowly |gradually |since |already "
    rf"|also |all )?"
    rf"(?:{_ENDED}|tapered)\b(?:[^.;\n]{{0,20}}? {_HOW_LONG_AGO}| and (?:is|has been) (?:now )?off\b"
    r"|[^.;\n]{0,30}?\band replaced (?:by|with)\b)"
    rf"|[^.;:\n]{{0,40}}?\b(?:has|have) (?:now )?(?:ended|finished)\b"
    rf"|[^.;:\n]{{0,30}}?\b(?:is|are|was|has been|been) (?:now )?off (?:it |them )?(?:since|for (?:\d|an?\b|two"
    rf"|three|four|five"
    r"|six|several|some))"
    rf"|[^.;:\n]{{0,30}}?\bno longer (?:taken|used|given|takes|on it)\b"
    rf"|(?:(?:was|were|also|then|is) )?{_ENDED} (?:as (?:sedating|too|it|unnecessary|no longer)|{_HOW_LONG_AGO})"
    r"|[^.;:\n]{0,40}?\bgiven once\b[^.;:\n]{0,30}?, not (?:to be )?repeated\b"
    r")",
    re.I,
    windowed=True,
)
"""Behind a name: "was stopped on Monday", "25 mg was tapered and is off since the 6th", "finished on the 9th"."""
_HEDGES: Final = re.compile(
    r"\b(?:if|unless|until|till|when|once|should|would|could|to be|will be|must|by (?:mistake|accident)"
    r"|in error|never|not"
    r"|almost|nearly|too (?:soon|early)|resum\w*|re-?start\w*|again)\b(?!,? (?:to be )?repeated)",
    re.I,
)
_ONCE_IT: Final = re.compile(
    r"\b(?:after|once|when|if|until|till|before|unless|as soon as)(?: (?:the|your|his|her|oral|iv|last|that))? \Z",
    re.I,
)
_RESUMES: Final = re.compile(
    r"\b(?:re-?start\w*|resum\w+|re-?commenc\w+|reinstat\w+|re-?introduc\w+|back on|put (?:him|her|you|them) back"
    r"|go(?:es)? back (?:on|to)|start\w* (?:\w+ ){0,2}again|(?:taken|taking|takes|used|using|uses|on it"
    r"|given) (?:it )?again)\b",
    re.I,
)
_NO: Final = re.compile(r"\b(?:not|never|no|n['\u2019]t)\b[^.;\n]{0,30}\Z", re.I)
_WAS_ON: Final = re.compile(
    r"\b(?:had|has|have) been (?:on|taking|using|given|treated with|maintained on)(?: (?:the|his|her|an?))? \Z"
    r"|\b(?:was|were) (?:on|taking|using)(?: (?:the|his|her))? \Z|\bused to (?:take|be on|use) \Z",
    re.I,
)
_IT_ENDED: Final = Sieved(
    rf"\b(?:it (?:was|is|has been|had been) (?:therefore |then |now )?(?:{_ENDED}|replaced|changed to|switched to)"
    rf"|(?:i|we|the \w+)(?: have| has|'ve|\u2019ve)? (?:therefore |now |then )?(?:{_ENDED}|replaced) (?:it|this)\b)",
    re.I,
    windowed=True,
)
"""What ends the drug of the sentence before without its name: "it was stopped on Monday", "I have discontinued it"."""
_IT_REACH: Final = 260

_PERHAPS: Final = Sieved(
    r"[^.;\n]{0,80}?\b(?:(?:is |are )?to be|(?:will|can|could|may|might) be) (?:considered|thought (?:about|of)"
    r"|discussed"
    r"|weighed|decided)\b[^.;\n]{0,50}?\b(?:at|in|once|when|after|later|if|before|with)\b",
    re.I,
    windowed=True,
)
_DROPPED: Final = Sieved(
    r"[^.;\n]{0,80}?\b(?:was|were|has been|have been) (?:also |briefly )?(?:discussed|considered|thought about"
    r"|weighed|offered"
    r"|raised|suggested)\b[^.;\n]{0,20}?(?: and| but|,| \u2013| -) ?(?:not|never|declined|rejected"
    r"|decided against|refused"
    r"|turned down|is not)\b(?! (?:stopped|ended|discontinued|withheld|held|refused|declined))"
    r"|[^.;\n]{0,40}?\b(?:is|are) (?:also )?(?:being )?considered\b[^.;\n]{0,30}?\bnot (?:now|yet|today|at present)\b",
    re.I,
    windowed=True,
)
"""Behind a name: "81 mg daily while platelets are over 600 was discussed and not started"."""
_GONE_STATE: Final = (
    r"(?:stable|resolv\w*|settl\w*|normal\w*|recover\w*|improv\w*|above|below|over|under|at least"
    r"|[<>\u2264\u2265]=?|h(?:a)?emosta\w*"
    r"|healed|clear\w*|negative|no (?:further|more|new|longer|h(?:a)?emorrhag\w*|sign|bleed\w*)|stopped|gone"
    r"|dry|safe|closed"
    r"|has passed|ceased)"
)
_WHEN: Final = r"(?:once|when|as soon as|after|provided(?: that)?|only if|if|until)"
_CONDITION_AHEAD: Final = Sieved(
    rf"\b(?:once|when|as soon as|after|only if"
    rf"|if)\b[^.;\n]{{0,80}}?{_GONE_STATE}[^.;\n]{{0,50}}?[:,] ?(?:\w+ ){{0,3}}\Z",
    re.I,
    windowed=True,
)
_CONDITION_BEHIND: Final = Sieved(rf"\b{_WHEN}\b[^.;\n]{{0,60}}?{_GONE_STATE}", re.I, windowed=True)
_BEGINS_BEFORE: Final = re.compile(
    r"\b(?:start\w*|re-?start\w*|resum\w*|begin\w*|considered|given|add\w*|back|to be)\b[^.;\n]{0,60}\Z", re.I
)
"""Before such a condition behind a name: "to be considered at 48 h once the CT is stable"."""
_WITHHELD: Final = Sieved(
    r"[^.;\n]{0,60}?\b(?:not yet|h[eo]ld|withheld|paused|suspended|on hold|stays? off|off)\b[^\n]{0,160}?"
    rf"\b(?:start\w*|re-?start\w*|resum\w*|begin\w*|go(?:es)? back on)\b[^.;\n]{{0,80}}?\b(?:on (?:{_DAY})"
    rf"|in (?:\w+ )?"
    r"(?:\d|two|three|four|six|seven|ten)\b[^.;\n]{0,12}?(?:days?|weeks?)|at \d{1,2} (?:weeks|days)|day \d)",
    re.I,
    windowed=True,
)
"""Withheld with a date: "held since admission; restart on the 10th", "NOT yet. ... Start 5 mg on the 15th"."""
_LATER_AHEAD: Final = Sieved(
    r"\b(?:at \d{1,2}(?:[-\u2013]\d{1,2})? weeks|after day \d{1,2}|from (?:week|day) \d{1,2}|after delivery"
    r"|post-?partum)\b"
    r"[^.;\n]{0,60}?\Z",
    re.I,
    windowed=True,
)
_ITEM: Final = re.compile(
    r"[ \t]{0,20}(?:[-*\u2022\u2013\u2014\u00b7\u25e6\u2610\u2611\u25cf]|\(?\d{1,2}[.)]"
    r"|[a-z]\))?[ \t]{0,4}[*_]{0,2}(?:(?:your|the) )?\Z",
    re.I,
)
_WITHHELD_ITEM: Final = Sieved(
    rf"{_AMOUNTS}(?:,? ?\([^()\n]{{0,60}}\))?[*_]{{0,2}} ?(?::|\u2013|\u2014|-|\u2192|->) ?[*_]{{0,2}}(?:please )?"
    r"(?:stop(?:ped|s)?|skip(?:ped)?|h[eo]ld|paused?|omit(?:ted)?|discontinued?|ceased?|none|withh[eo]ld"
    r"|do not take|don['\u2019]t take|put (?:it|them|this|these) (?:away|aside)(?= ?(?:[.,;)|\n]|\Z))"
    r"|not while|leave (?:it )?(?:out|off)|cancel(?:led)?|suspend(?:ed)?|no doses?|(?:the )?(?:last"
    r"|final) (?:dose|tablet|capsule|injection|patch)|not on the (?:morning|day))\b"
    r"(?! (?:if|only|when|unless|once|after|at|in \d|taking|parameters?|for (?:sbp|hr|rr|map)|below|above|date"
    r"|smoking|for \w+ if))",
    re.I,
    windowed=True,
)
"""An item of a list that says itself that its drug is not taken now: "Simvastatin: stop tonight"."""
_BACK_AT_ONCE: Final = re.compile(
    r"\b(?:re-?start\w*|resum\w*|back)\b[^.;\n]{0,24}?\b(?:tomorrow|today|tonight|in the morning|at once|now"
    r"|next dose)\b",
    re.I,
)
_TOLD: Final = Group(
    _GONE,
    _IT_ENDED,
    _PERHAPS,
    _DROPPED,
    _CONDITION_AHEAD,
    _CONDITION_BEHIND,
    _WITHHELD,
    _LATER_AHEAD,
    _WITHHELD_ITEM,
)

_BEGINS: Final = (
    r"(?:starts?|begins?|is (?:started|begun|given|restarted|resumed)|restarts?|resumes?|takes over|comes in)"
)
_FIRST_OF: Final = (
    r"(?:(?:the |your |his |her )?(?:first )?(?:(?:dose|tablet|injection|capsule) of )?(?:the |your )?)"
)
_UNTIL_IT: Final = re.compile(rf"\b(?:until|till|up to) {_FIRST_OF}\Z", re.I)
_STOPS_WHEN: Final = re.compile(
    r"\b(?:stop\w*|end\w*|finish\w*|discontinu\w*|cease\w*|last (?:dose"
    r"|tablet))\b[^.;\n]{0,30}?\b(?:on the (?:day|morning"
    rf"|evening)(?: that)?|the (?:day|moment|morning)(?: that)?|when|once|as soon as|before) {_FIRST_OF}\Z",
    re.I,
)
_IT_BEGINS: Final = re.compile(rf"(?: ?\([^()\n]{{0,20}}\))? {_BEGINS}\b", re.I)
_OR_NOTHING: Final = re.compile(r" ?(?:[.,;)]|$|\n)")
_AFTER_IT: Final = re.compile(
    r"\b(?:start\w*|begin\w*|begun|first|given|from|go(?:es)?)\b[^\n]{0,90}?\b(?:(?P<last>after (?:the |your "
    r"|his |her )?(?:last|final)"
    r"(?: (?:dose|tablet|injection) of)?)|(?:only )?(?:after|once|when|as soon as))(?: the| your| his| her)? \Z",
    re.I,
)
_IT_IS_OVER: Final = re.compile(
    r"(?: (?:doses?|tablets?|course|infusion|injections?|drip|prophylaxis))?(?:,? (?:has|have|is|are|was|were"
    r"|been|fully|all)){1,3}"
    r" (?:ended|finished|stopped|completed|complete|over|done|gone|discontinued|off)\b",
    re.I,
)
_NEAR: Final = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """What the words of a text say about when its drugs are taken; numbers are those of its statements."""

    past: frozenset[int] = frozenset()
    over: frozenset[str] = frozenset()
    dropped: frozenset[int] = frozenset()
    withheld: frozenset[int] = frozenset()
    deferred: frozenset[int] = frozenset()
    resolved: frozenset[int] = frozenset()
    turns: frozenset[frozenset[str]] = frozenset()


def plan_in_time(
    text: str, statements: Sequence[Statement], *, apart: frozenset[frozenset[str]] = frozenset()
) -> Plan:
    """Reads the whole text once; empty where it tells of one time only. `apart` are pairs that tables keep apart."""
    turns = apart | _turns(text, statements)
    if not _TOLD.may_match(text):
        return Plan(turns=turns)
    starts = sorted({s.mention.span.start for s in statements})
    past: set[int] = set()
    dropped: set[int] = set()
    withheld: set[int] = set()
    deferred: set[int] = set()
    resolved: set[int] = set()
    gone: dict[str, int] = {}
    for number, statement in enumerate(statements):
        if statement.scope in (Scope.FAMILY, Scope.AVOID):
            continue
        span = statement.mention.span
        stop = _stop(text, statement, starts)
        if _is_gone(text, span, stop):
            past.add(number)
            gone.update(dict.fromkeys(statement.mention.drugs, number))
            continue
        if statement.scope is not Scope.STOP and _ended_by_the_next(text, statements, number):
            past.add(number)
            gone.update(dict.fromkeys(statement.mention.drugs, number))
            continue
        if not statement.scope.prescriptive:
            continue
        own = sentence_around(text, span.start, span.end)
        if _DROPPED.match(text, span.end, min(stop, own.end)):
            dropped.add(number)
            continue
        ahead = max(own.start, span.start - 160)
        condition = _CONDITION_AHEAD.search(text, ahead, span.start) is not None
        if (
            condition
            or _begins_once_gone(text, span.end, stop)
            or _WITHHELD.match(text, span.end, stop)
            or _follows(text, ahead, span, stop)
        ):
            resolved.add(number)
            deferred.add(number)
        elif _withheld_item(text, span, stop):
            withheld.add(number)
        elif _PERHAPS.match(text, span.end, stop) or _LATER_AHEAD.search(text, ahead, span.start):
            deferred.add(number)
    again = {
        drug
        for number, statement in enumerate(statements)
        for drug in statement.mention.drugs
        if number > gone.get(drug, len(statements)) and _gives(statement) and number not in past | dropped
    }
    return Plan(
        past=frozenset(past),
        over=frozenset(gone.keys() - again),
        dropped=frozenset(dropped),
        withheld=frozenset(withheld),
        deferred=frozenset(deferred),
        resolved=frozenset(resolved),
        turns=turns,
    )


def _gives(statement: Statement) -> bool:
    return statement.scope.prescriptive and (
        statement.dose is not None or statement.frequency is not None or statement.started
    )


def _stop(text: str, statement: Statement, starts: Sequence[int]) -> int:
    """Where the words end that are of this name: at the next name, or at the end of its line."""
    span = statement.mention.span
    line = text.find("\n", span.end)
    following = bisect_left(starts, span.end)
    return min(line if line >= 0 else len(text), span.end + 260, *starts[following : following + 1])


def _is_gone(text: str, span: Span, stop: int) -> bool:
    match = _GONE.match(text, span.end, stop)
    if (
        match is None
        or _HEDGES.search(text, span.end, match.end())
        or _ONCE_IT.search(text, max(0, span.start - 30), span.start)
    ):
        return False
    return not _resumed(text, match.start(), min(len(text), match.end() + 160))


def _begins_once_gone(text: str, start: int, stop: int) -> bool:
    """Whether the words behind a name begin it when a state is gone: "start on the 15th if the CT is clear"."""
    return any(
        _BEGINS_BEFORE.search(text, max(start, match.start() - 80), match.start()) is not None
        for match in _CONDITION_BEHIND.finditer(text, start, stop)
    )


def _follows(text: str, low: int, span: Span, stop: int) -> bool:
    """ "then Y three times daily when the vomiting has stopped": the second of two, once a state is gone."""
    return (
        _THEN.search(text, low, span.start) is not None
        and _HAS_PASSED.search(text, span.end, stop) is not None
    )


_THEN: Final = re.compile(r"\bthen\b[^.\n]{0,120}\Z", re.I)
_HAS_PASSED: Final = re.compile(
    r"\b(?:once|when|as soon as|after)\b[^.;\n]{0,40}? (?:has|have|is|are) (?:now |fully )?"
    r"(?:stopped|settled|resolved|gone|over|ceased|passed|recovered|cleared)\b",
    re.I,
)


def _withheld_item(text: str, span: Span, stop: int) -> bool:
    match = _WITHHELD_ITEM.match(text, span.end, stop)
    if match is None:
        return False
    line = text.rfind("\n", 0, span.start) + 1
    if _ITEM.fullmatch(text[max(line, span.start - 40) : span.start]) is None or span.start - line > 40:
        return False
    return _BACK_AT_ONCE.search(text, match.end(), min(len(text), match.end() + 120)) is None


def _resumed(text: str, start: int, end: int) -> bool:
    line = text.find("\n", start, end)
    return any(
        _NO.search(text, max(start, match.start() - 40), match.start()) is None
        for match in _RESUMES.finditer(text, start, line if line >= 0 else end)
    )


def _ended_by_the_next(text: str, statements: Sequence[Statement], number: int) -> bool:
    """ "She has been on X since 2017. ... I have discontinued it": no other drug is taken in between."""
    statement = statements[number]
    span = statement.mention.span
    if not _WAS_ON.search(text, max(0, span.start - 40), span.start):
        return False
    stop = text.find("\n\n", span.end, span.end + _IT_REACH)
    stop = stop if stop >= 0 else min(len(text), span.end + _IT_REACH)
    match = _IT_ENDED.search(text, span.end, stop)
    if match is None:
        return False
    sentence = sentence_around(text, match.start(), match.end())
    if any(
        span.end <= s.mention.span.start < sentence.start
        and set(s.mention.drugs).isdisjoint(statement.mention.drugs)
        for s in statements[number + 1 : number + 8]
    ):
        return False
    if _HEDGES.search(text, match.start(), match.end()):
        return False
    return not _resumed(text, match.start(), min(len(text), match.end() + 160))


def _turns(text: str, statements: Sequence[Statement]) -> frozenset[frozenset[str]]:
    """Pairs of which one ends before the other begins, told between two names of one line or two."""
    found: set[frozenset[str]] = set()
    named = [s for s in statements if s.mention.drugs]
    for number, first in enumerate(named):
        left = first.mention.span
        for second in named[number + 1 : number + 5]:
            right = second.mention.span
            if right.start - left.end > _NEAR:
                break
            if right.start < left.end or not set(first.mention.drugs).isdisjoint(second.mention.drugs):
                continue
            if "\n\n" in text[left.end : right.start] or not _one_then_the_other(text, left, right):
                continue
            found.update(frozenset((a, b)) for a in first.mention.drugs for b in second.mention.drugs)
    return frozenset(found)


_THEN_IT: Final = re.compile(r"\b(?:then|until|before|thereafter|afterwards) (?:the )?\Z", re.I)
_TAKES_OVER: Final = re.compile(r" (?:takes over|takes its place|replaces it)\b", re.I)
_NOT_BEFORE: Final = re.compile(
    r"\b(?:not|never|only|nothing) (?:before|until|once|when|after) (?:the |your )?\Z", re.I
)


def _one_then_the_other(text: str, left: Span, right: Span) -> bool:
    if _THEN_IT.search(text, left.end, right.start) and _TAKES_OVER.match(text, right.end):
        return True
    if _NOT_BEFORE.search(text, left.end, right.start) and _IT_IS_OVER.match(text, right.end):
        return True
    if _STOPS_WHEN.search(text, left.end, right.start) and _IT_BEGINS.match(text, right.end):
        return True
    if _UNTIL_IT.search(text, left.end, right.start):
        return _IT_BEGINS.match(text, right.end) is not None or _OR_NOTHING.match(text, right.end) is not None
    after = _AFTER_IT.search(text, left.end, right.start)
    if after is None:
        return False
    return after["last"] is not None or _IT_IS_OVER.match(text, right.end) is not None
