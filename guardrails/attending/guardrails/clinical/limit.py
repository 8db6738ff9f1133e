"""Ceilings: what the text itself says not to exceed, at one time or in a day."""

from __future__ import annotations

import re
from dataclasses import replace

from attending.guardrails.clinical.amount import Amount
from attending.guardrails.clinical.part import Part
from attending.guardrails.clinical.reading import Reading
from attending.guardrails.clinical.spoken import stated_limit
from attending.guardrails.clinical.unit import COUNTED
from attending.guardrails.finding import Scope

_LIMIT_BEFORE = re.compile(
    r"(?:\b(?:max(?:imum)?\.?|(?:the )?most(?= (?:in|per|a|for) )|not to exceed|(?:not|n't"
    r"|never) exceed(?:ing)?|without "
    r"exceeding|(?:not|n't|never) (?:go|get|take|use|have|give) (?:above|over|beyond|past|more than)|(?:no"
    r"|not|never) more than|at most|limit(?:ed)?(?: \w+){0,3} to|"
    r"up to (?:a (?:total|maximum) of )?|(?:no|not|never) (?:greater than|over|above|"
    r"beyond)|less than|under|below|ceiling|upper limit|capped at|cap(?: \w+)? at|nte|"
    r"stay (?:under|below)|<=?))"
    r"(?:[ :=]{0,3}(?:total|daily|single|dosage|dose|amount|recommended|allowed|safe|limit|"
    r"adult|is|of|the|a|an|should|be|taking|take|in|per|each|day|24|hours?|hrs?|h|for|"
    r"adults?|children|at|once|should not exceed|\(|\)|-|any)){0,12}[ :=]{0,3}$"
)
_CAP = re.compile(r"[,;(] cap(?: of)? $")
"""In grams, which no capsule holds: "650 mg q6h PRN, cap 3 g"."""
_UP_TO = re.compile(r"\bup to (?:a (?:total|maximum) of )?$")
DAILY_AFTER = re.compile(
    r"(?: ?\(\d[\d.,]{0,5} ?m?g\))?[ ,]{0,3}(?:of \w+(?:[- ]\w+){0,3} |total |in total |\(?from all sources\)? "
    r"|by mouth "
    r"|po |tablets? |capsules? ){0,2}(?:/ ?|per |a |each |every |in (?:a |any |one )?|"
    r"within (?:a |any )?|over (?:a )?|during )"
    r"(?:single )?(?:day|24[ -]?(?:hours?|hrs?|h)(?: period)?|twenty-four hours|d\b)|[ "
    r",]{0,3}(?:total )?(?:daily|/24)"
)
_SINGLE_AFTER = re.compile(
    r"[ ,]{0,3}(?:of \w+(?:[- ]\w+){0,3} )?(?:(?:at|in) (?:a|one|any one|any) time|at once|"
    r"per (?:single )?dose|/dose|in (?:a |one )(?:single )?dose|each time|in one "
    r"sitting|every|q\d)"
)
_DAILY_BEFORE = re.compile(r"\b(?:daily|per day|24[ -]?hours?|a day|each day|in a day)\b[^.;]{0,24}$")
_SINGLE_BEFORE = re.compile(r"\b(?:single|per dose|each dose|individual|one)\b[^.;]{0,16}$")


def limit_kind(text: str, amount: Amount, reading: Reading) -> str | None:
    """ "daily" or "single" where the amount is a ceiling, None where it is a dose."""
    window = max(0, amount.start - 70)
    match = _LIMIT_BEFORE.search(text, window, amount.start)
    limited = reading.scope is Scope.LIMIT
    if amount.unit == "g" and _CAP.search(text, window, amount.start):
        return "daily"
    if stated_limit(text, amount.start, amount.end):
        return "daily"
    if match is None and not limited:
        return None
    daily = amount.per_time == "day" or DAILY_AFTER.match(text, amount.end) is not None
    before = text[window : amount.start]
    if not daily and _DAILY_BEFORE.search(before):
        daily = True
    single = not daily and (
        _SINGLE_AFTER.match(text, amount.end) is not None
        or _SINGLE_BEFORE.search(before) is not None
        or amount.per_time == "dose"
    )
    if match is not None and _UP_TO.search(before) and not daily:
        # "up to 800 mg every 6 hours" is a dose; only a daily "up to" is a ceiling
        return None
    if match is not None and re.search(r"(?:less than|under|below|<=?)[^a-z]*$", before) and not daily:
        return None
    return "single" if single else "daily"


def set_limit(parts: list[Part], amount: Amount, *, daily: bool) -> None:
    """Gives all doses of one drug a ceiling; a count of forms is multiplied by a strength the text gives."""
    known = next((p.amount for p in parts if p.amount is not None and p.amount.strength is not None), None)
    if known is None:
        known = next(
            (p.amount for p in parts if p.amount is not None and p.amount.mass and p.amount.count is None),
            None,
        )
    if amount.unit in COUNTED and known is not None and known.mass:
        each = known.strength or known.high
        amount = replace(
            amount,
            low=amount.low * each,
            high=amount.high * each,
            unit=known.unit,
            count=amount.high,
            strength=each,
        )
    for part in parts:
        if daily and part.daily_limit is None:
            part.daily_limit = amount
        elif not daily and part.single_limit is None:
            part.single_limit = amount
