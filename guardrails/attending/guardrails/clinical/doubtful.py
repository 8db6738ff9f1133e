"""Amounts that give no number to judge: which of them somebody would act on."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from attending.guardrails.clinical.amount import Amount, Kind
from attending.guardrails.clinical.pieces import Pieces
from attending.guardrails.clinical.reading import Reading

_BY = re.compile(
    r"\b(?:increas\w+|decreas\w+|reduc\w+|titrat\w+|rais\w+|lower\w*|adjust\w*|go up|up|"
    r"down)(?: \w+){0,4} by $|\bincrements of $|\bsteps of $"
)
_STEPS = re.compile(r"(?: |-)(?:steps?|increments?|decrements?)\b")
_STEPS_TO = re.compile(
    r"(?: |-)(?:(?:steps?|increments?)\b[^.;\n]{0,60}?\b(?:(?:to|until|up to) \d|(?:every|each)"
    r" (?:(?:\d{1,2}|two|three|four|few|other)(?: (?:to|or) \w+)? )?(?:weeks?|fortnight|months?)\b)|decrements?\b)"
)
_DOWNWARDS = re.compile(r"\b(?:decreas\w+|reduc\w+|lower\w*|down|taper\w*|wean\w*|cut)(?: \w+){0,4} $")
_LESS = re.compile(r"\b(?:decreas\w+|reduc\w+|lower\w*|down|taper\w*|wean\w*)(?: \w+){0,4} by $")
_WISH = re.compile(
    r"\b(?:feels?|felt|feeling|wants?|wanted|would like|wishes|asks?|asked|asking|requests?|requested|wonders?)\b"
    r"[^.;\n]{0,70}\Z|\b(?:about|discuss(?:es|ed|ing)?|regarding|with a view to) "
    r"(?:doubling|tripling|halving|an?|the) [^.;\n]{0,20}\Z"
)
"""What somebody would like is no dose that anybody orders: "she feels that she needs a higher dose"."""
_WILL = re.compile(
    r"\b(?:will|'ll|shall|would|may|might|could|to be|can be|plan(?:s|ned)? to|intend\w* to|aim\w* to|"
    r"consider\w*|re-?start\w*|resum\w*|re-?introduc\w*)\b[^.;\n]{0,70}\Z"
)
_AFTER_ONLY = re.compile(r"\bafter (?:only |just |even |as little as )?\Z")
"""Before how much has harmed: "sometimes after only a few tablets"."""
_WOULD_COME_TO = re.compile(
    r"\b(?:would|'d)\b[^.;\n]{0,70}\b(?:which|that|this|it)(?:'s| is| would be| comes to)"
    r"(?: [a-z-]+){0,4} \Z"
)
"""What a dose that nobody takes would be: "four would be 2 g, which is double the adult dose"."""
_ONCE_THAT = re.compile(
    r"(?: of [a-z-]+)?,? (?:only )?(?:when|once|after|if|as soon as|provided|at (?:the |your |her |his )?next|"
    r"later|in due course|until|then|there|at that|during|in (?:case|the event)|on sick)\b"
)
_DOWN = re.compile(r"\d[\d.,]{0,7} ?(?P<unit>mg|mcg|g|units?) to \d[\d.,]{0,7} ?(?P=unit)")
"""A dose and the smaller one that follows it, each with its unit: "20 mg to 10 mg for two weeks" is a step down."""
_MULTIPLIED = re.compile(r",? (?:of|for) (?!what |that |the one )")
_TELLS_WHAT = re.compile(
    r"[:=(\u2192]|,|;|\b(?:so|thus|hence|therefore|that is|which is|that's|meaning|makes?|now|namely|i\.e)\b"
)


_THAN: Final = re.compile(
    r" than (?:for|in|with|what|when|usual|most|other|an?|the|his|her|your|that|last)\b"
)
_IS: Final = re.compile(r" (?:is|was|makes up|covers|allows)\b")
"""Behind a dose with its article: "3 mg, that is two tablets. The double dose is on purpose"."""
_DONE_WITH: Final = re.compile(
    r"\b(?:take|taking|give|giving|use|using|need|needs|have|start|increas\w+ to|go (?:up )?to|order|write|try)"
    r"(?: (?:up|with|at|on))? ['\"\u201c]?\Z"
)
_BEFORE_IT: Final = 160
_QUOTES: Final = ('"', "'", "\u201c", "\u201d", "\u2019", "\u2018")


def _compared(pieces: Pieces, vague: Amount) -> bool:
    """A dose that the text has told, held against others: "260 mg, a higher dose than for ears", or spoken of; or a
    quoted word for it: whether her apixaban is "half dose". Neither is one to be taken."""
    text, shown = pieces.text, vague.shown if vague.shown is not None else vague.start
    if _DONE_WITH.search(text, max(0, shown - 30), shown):
        return False
    if text[shown - 1 : shown] in _QUOTES and text[vague.end : vague.end + 1] in _QUOTES:
        return True
    the_one = text[max(0, shown - 4) : shown] == "the " and _IS.match(text, vague.end) is not None
    if not the_one and _THAN.match(text, vague.end) is None:
        return False
    at = bisect_left(pieces.amount_starts, vague.start)
    return any(
        amount.kind is Kind.DOSE and amount.mass and shown - amount.end < _BEFORE_IT
        for amount in pieces.amounts[max(0, at - 4) : at]
    )


def is_change(text: str, amount: Amount) -> bool:
    """Whether the amount is a step and no dose: "increase by 10 mg"."""
    return _BY.search(text, max(0, amount.start - 60), amount.start) is not None or _is_step(text, amount)


def is_decrease(text: str, amount: Amount) -> bool:
    """Whether that step leads down, or is called a step between doses up to one that is told, so that it adds to no
    dose."""
    return _LESS.search(text, max(0, amount.start - 60), amount.start) is not None or _is_step(text, amount)


def _is_step(text: str, amount: Amount) -> bool:
    """Whether it is called a step, of a way down, weeks apart or to an end that is told; others add up to no one knows
    what."""
    return _STEPS_TO.match(text, amount.end) is not None or (
        _STEPS.match(text, amount.end) is not None
        and _DOWNWARDS.search(text, max(0, amount.start - 60), amount.start) is not None
    )


def is_doubtful(pieces: Pieces, amount: Amount, reading: Reading) -> bool:
    """Whether an amount that cannot be read is one that somebody may act on, and so must be told."""
    if _WOULD_COME_TO.search(pieces.text, max(0, amount.start - 110), amount.start):
        return False
    if _AFTER_ONLY.search(pieces.text, max(0, amount.start - 20), amount.start):
        return False
    if _DOWN.fullmatch(pieces.text, amount.start, amount.end):
        return False
    if amount.vague:
        number = pieces.sentence(amount.start)
        near = number in pieces.last_in_sentence or number - 1 in pieces.last_in_sentence
        if not near or not reading.scope.prescriptive:
            return False
        if (
            _is_plan(pieces, amount)
            or _WISH.search(pieces.text, max(0, amount.start - 80), amount.start)
            or _told_after(pieces, amount)
            or _compared(pieces, amount)
        ):
            return False
    return True


def _is_plan(pieces: Pieces, vague: Amount) -> bool:
    """ "we will restart at a lower dose only when the INR is below 3": nobody acts on it today."""
    return (
        _WILL.search(pieces.text, max(0, vague.start - 80), vague.start) is not None
        and _ONCE_THAT.match(pieces.text, vague.end) is not None
    )


def _told_after(pieces: Pieces, vague: Amount) -> bool:
    """ "half the usual dose, so your dose is now 500 mg": the sentence itself says what it comes to. What stands
    right behind "of" is what is multiplied: "double the dose of digoxin 250 mcg"."""
    if _MULTIPLIED.match(pieces.text, vague.end):
        return False
    for amount in pieces.amounts[bisect_left(pieces.amount_starts, vague.end) :]:
        if pieces.sentence(amount.start) != pieces.sentence(vague.start):
            return False
        if amount.kind is Kind.DOSE and (amount.mass or amount.unit == "unit") and not amount.former:
            return _TELLS_WHAT.search(pieces.text, vague.end, amount.start) is not None
    return False
