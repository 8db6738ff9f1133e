"""Drugs that a text says are over, where no verb stands on the name: "last night's tablet was his last".

"X was tapered and the last tablet was taken on 3 March", "6 days of X, which is now finished", "a course of X in July;
none since": the mention is of what was. It holds where the text nowhere gives the drug again. A drug that acts on after
its last dose against others (an MAO inhibitor, an SSRI) is over only when the text tells a gap as long as the labels
ask for; a shorter one is judged by `switch`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Final

from attending.guardrails.checks.dated_gap import days_until_now
from attending.guardrails.checks.port import KnowledgePort
from attending.guardrails.checks.set_aside import resumed_in
from attending.guardrails.checks.washout import hours_acting
from attending.guardrails.clinical.number import number_words
from attending.guardrails.clinical.sentence import sentence_around
from attending.guardrails.clinical.statement import ParsedText, Statement
from attending.guardrails.finding import Scope
from attending.guardrails.sieve import Group, Sieved

_GONE: Final = (
    r"(?:tapered off|tapered(?= and)|stopped|discontinued|finished|completed|withdrawn|ceased|weaned off|ended"
    r"|over)"
)
_AGO: Final = (
    r"(?:(?:about |over |nearly |some |roughly )?(?:\d{1,3}/(?:7|52|12)|\d{1,3}|an?|several|two|three|four|five|six"
    r"|seven|eight|ten|twelve) ?(?:days?|weeks?|months?|years?|d|wks?|yrs?)? (?:ago|back|earlier|since)"
    r"|(?:in|since|back in|on) (?:the )?(?:\d{1,2}(?:st|nd|rd|th)? )?(?:(?:early|late|mid)[- ])?(?:spring|summer|autumn"
    r"|fall|winter|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|(?:19|20)\d\d)|last (?:week|month|year|spring|summer"
    r"|autumn|fall|winter))"
)
_IS_OVER: Final = Sieved(
    rf"[^.;\n]{{0,90}}?(?:\b(?:which|that|it|this) (?:is|was|has|are) (?:now |since |already )?(?:been )?{_GONE}\b"
    rf"|\b(?:was|were|has been|have been|had been) (?:then |slowly |gradually |since |safely )?{_GONE}\b"
    r"|[;,] ?(?:(?:and|but|she|he|they|i|you|then) ){0,2}(?:has |have |had )?(?:finished|used up|ran out of"
    r"|run out of|emptied"
    r"|got through|threw (?:away|out)|thrown (?:away|out)|gave up|given up|came off)(?: (?:it|them|the (?:last "
    r"|whole |rest"
    r" of the )?(?:bottle|box|pack|packet|course|tub|jar|supply|tablets|capsules|drops|rest|tin)|(?:his|her|my|your)"
    rf" (?:last )?(?:bottle|box|pack|supply)))? {_AGO}"
    rf"|\b(?:and|then) [*_]{{0,2}}(?:finished|completed|stopped|ended) {_AGO}"
    rf"|\bstopped (?:it )?{_AGO}|\bnow (?:stopped|finished|over|completed)\b"
    r"|\b(?:tablet|dose|capsule|pill|injection|patch)s? was (?:his|her|my|your|the) last\b"
    r"|\b(?:the|his|her|my|your) (?:last|final) (?:tablet|dose|capsule|pill|one|patch|injection)s?"
    r" (?:was|were|went|had been) (?:taken|given|swallowed|on|in|at|last|yesterday)\b)",
    re.I,
    windowed=True,
)
_NONE_SINCE: Final = Sieved(
    r"[^.;\n]{0,90}?\b(?:(?:taken|had|used|needed|takes) (?:none|no more|nothing)(?: of (?:it|them))? since"
    r"|none (?:has been |was )?(?:taken|used|given)? ?since)\b",
    re.I,
    windowed=True,
)
_TOLD: Final = Group(_IS_OVER, _NONE_SINCE)
_NOT_OVER: Final = re.compile(
    r"\b(?:by mistake|by accident|in error|too (?:soon|early)|should (?:have|be)|if|unless|until|when|once"
    r"|before (?:it|the course) (?:was|is)|not|never|missed|partly|nearly|almost)\b",
    re.I,
)
_NUMBERS: Final = number_words("one two three four five six seven eight nine ten twelve fourteen")
_GAP: Final = re.compile(
    rf"\b(?P<n>\d{{1,3}}|an?|{'|'.join(_NUMBERS)})[ -](?P<u>days?|weeks?|months?|years?)\b"
    r"(?= ?(?:ago|later|free|clear|off|since|wash-?out|without|drug-free|back|of wash-?out|have passed|after))",
    re.I,
)
_DAYS_IN: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
_REACH: Final = 200


def over(output: ParsedText, last_doses: LastDoses) -> set[str]:
    """Ingredients that the text says are over and nowhere gives again."""
    starts = name_starts(output)
    told: dict[str, list[Statement]] = {}
    for statement in output.statements:
        for drug in statement.mention.drugs:
            told.setdefault(drug, []).append(statement)
    return {
        drug
        for drug, statements in told.items()
        if _ended(output, statements, starts) and last_doses.gone_long_enough(drug)
    }


def _ended(output: ParsedText, statements: Sequence[Statement], starts: Sequence[int]) -> bool:
    for k, statement in enumerate(statements):
        if not statement.scope.prescriptive or not told_over(output.text, statement, starts):
            continue
        before, after = statements[:k], statements[k + 1 :]
        if any(s.scope is Scope.RECOMMEND and s.dose is not None and s.started for s in before):
            continue
        if any(s.scope.prescriptive and (s.dose or s.frequency or s.started) for s in after):
            continue
        return True
    return False


def name_starts(output: ParsedText) -> list[int]:
    """Where the names of a text begin, in order."""
    return sorted({s.mention.span.start for s in output.statements})


def told_over(text: str, statement: Statement, starts: Sequence[int]) -> bool:
    """Whether the words behind the name, up to the next of `starts`, say that it is over: "was tapered and the last
    tablet was taken"."""
    span = statement.mention.span
    if (statement.scope is Scope.RECOMMEND and statement.dose is not None) or not _TOLD.may_match(text):
        return False
    own = sentence_around(text, span.start, span.end, semicolons=False)
    following = bisect_left(starts, span.end)
    stop = min(own.end, span.end + _REACH, *starts[following : following + 1])
    match = _IS_OVER.match(text, span.end, stop) or _NONE_SINCE.match(text, span.end, stop)
    if match is None:
        return False
    if _NOT_OVER.search(text, span.end, match.end()) or _NOT_OVER.search(
        text, max(own.start, span.start - 30), span.start
    ):
        return False
    return not resumed_in(text, span.end, min(len(text), span.end + 300))


class LastDoses:
    """How long ago the last doses lie of which a text tells, for many questions about one text."""

    def __init__(self, text: str, knowledge: KnowledgePort) -> None:
        self._text = text
        self._knowledge = knowledge

    def gone_long_enough(self, drug: str) -> bool:
        """Whether the drug acts on nothing after its last dose, or the text tells a gap as long as it does."""
        needed = hours_acting({drug, *self._knowledge.classes_of(drug)})
        return needed == 0 or (self._shortest is not None and 24 * self._shortest >= needed)

    @cached_property
    def _shortest(self) -> int | None:
        """Days of the shortest gap that the text tells."""
        gaps = [
            (1 if match["n"].lower() in ("a", "an") else _NUMBERS.get(match["n"].lower()) or int(match["n"]))
            * _DAYS_IN[match["u"].lower().rstrip("s")]
            for match in _GAP.finditer(self._text)
        ]
        dated = days_until_now(self._text)
        return min([*gaps, *([dated] if dated is not None else [])], default=None)
