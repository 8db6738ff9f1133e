"""Amounts of an infusion that are no dose: what a bag holds, what a rate comes to, and the steps of a nomogram.

"Premix 25,000 units in 250 mL" is the content of a bag, "1 mg/min for 6 h (360 mg)" what a rate comes to, "(100 units
in 100 mL, 7 mL/h)" a bag and the setting of its pump, and "lower by 2 units/kg/h" a step of the rate that the text
states. A bag that is pushed, given once or over minutes is a dose.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from attending.guardrails.clinical.amount import Amount, Kind, convert
from attending.guardrails.clinical.pieces import Pieces

_RATES: Final = ("h", "min")
_BAG_BEFORE: Final = re.compile(
    r"\b(?:premix(?:ed)?|(?:standard|infusion|stock|one|each|per|\d(?:st|nd|rd|th)?) (?:bag|syringe"
    r"|concentration)|bag|syringe"
    r"|(?:standard |usual |final )?concentration|made up (?:as|to)|mixed as|prepared as|drip)(?: (?:of|is|holds"
    r"|contains|with))?"
    r"[ :=]{0,3}\Z"
)
_IN_VOLUME: Final = re.compile(
    r" ?(?:made up |diluted |mixed )?(?:in|into|to|per|/) ?(?:a )?\d[\d,.]{0,5} ?(?:ml|l\b|lit(?:er|re)s?)"
)
_GIVEN_NOW: Final = re.compile(
    r"[^.;\n]{0,60}?\b(?:push|bolus|stat|once|over \d{1,2} ?(?:min\w*|seconds?)|wide open|all at once"
    r"|over an? hour|x ?1\b)"
)
_BRACKET: Final = re.compile(
    r"(?: (?:iv|infusion|via \w+|continuous(?:ly)?))?(?:,? ?(?:for|over|x|\u00d7)? ?(?:the (?:first"
    r"|next) )?\d{1,3}(?:\.\d)? ?"
    r"(?:h|hrs?|hours?|min(?:ute)?s?|days?)\b)? ?\((?:=|total(?: of)?|i\.e\.,?|that is,?|about|approx\w*|~)? ?\Z"
)
_CLOSES: Final = re.compile(r"(?: in (?:total|all))?(?: (?:over|in) [^();\n]{1,20})?[);]")
_IF: Final = re.compile(
    r"[<>\u2264\u2265\u00b1]|\d ?[-\u2013] ?\d{1,4} ?(?:s|sec\w*|mg/dl|mmol/l|bpm)?\b.{0,20}[:|]|\b(?:above"
    r"|below|over|under|if|when|every"
    r"|each|until|while|all|any|per|once|target|goal|titrat\w*|response)\b"
)
_LINE_BACK: Final = 160


def of_infusion(pieces: Pieces, amount: Amount, said: list[Amount]) -> bool:
    """Whether the amount describes an infusion and is no dose. `said` are the amounts already given to the drug."""
    if not said:
        return False
    return (
        is_content(pieces, amount, said)
        or is_volume_of_a_bag(pieces, amount, said)
        or is_pump_rate(amount, said)
        or is_sum_of_a_rate(pieces, amount, said)
    )


def is_content(pieces: Pieces, amount: Amount, said: list[Amount]) -> bool:
    """Whether the amount is what a bag or a syringe holds, of which the rate is told."""
    if not amount.mass or amount.per_kg or amount.per_time is not None:
        return False
    text = pieces.text
    volume = _IN_VOLUME.match(text, amount.end)
    if volume is None or _GIVEN_NOW.match(text, volume.end()):
        return False
    rated = any(a.per_time in _RATES and convert(amount.high, amount.unit, a.unit) is not None for a in said)
    if not rated:
        return False
    before = text[max(0, amount.start - 40) : amount.start]
    return before.endswith(("(", "( ")) or _BAG_BEFORE.search(before) is not None


def is_volume_of_a_bag(pieces: Pieces, amount: Amount, said: list[Amount]) -> bool:
    """Whether the millilitres are those of a bag ("premix 25,000 units in 250 mL") whose rate is told."""
    if amount.unit != "mL" or amount.per_time is not None or not any(a.per_time in _RATES for a in said):
        return False
    before = pieces.text[max(0, amount.start - 40) : amount.start]
    return (
        re.search(r"\d[\d,.]{0,8} ?(?:m?units?|mg|mcg|g|meq|mmol) (?:in|per|/) ?(?:a )?\Z", before)
        is not None
    )


def is_pump_rate(amount: Amount, said: list[Amount]) -> bool:
    """Whether millilitres an hour only say how the pump runs that a rate of substance was told for."""
    return (
        amount.unit == "mL"
        and amount.per_time in _RATES
        and any(a.mass and a.per_time in _RATES for a in said)
    )


def is_sum_of_a_rate(pieces: Pieces, amount: Amount, said: list[Amount]) -> bool:
    """ "1 mg/min for 6 h (360 mg)": what the rate before it comes to."""
    if not amount.mass or amount.per_kg or amount.per_time is not None or not said:
        return False
    rate = said[-1]
    if rate.per_time not in _RATES or convert(amount.high, amount.unit, rate.unit) is None:
        return False
    if not 0 <= amount.start - rate.end <= 60 or _CLOSES.match(pieces.text, amount.end) is None:
        return False
    return _BRACKET.fullmatch(pieces.text, rate.end, amount.start) is not None


def is_step(pieces: Pieces, amount: Amount) -> bool:
    """Whether a change by an amount is a step from a dose that the text states, of the same kind, and by a rule:
    "> 90 s: lower by 3 units/kg/h", "all above 130: go up by 2 units"."""
    text = pieces.text
    stated = any(
        (a.unit, a.per_kg, a.per_time) == (amount.unit, amount.per_kg, amount.per_time)
        and a.kind is Kind.DOSE
        and not a.former
        for a in pieces.amounts[: bisect_left(pieces.amount_starts, amount.start)]
        if a.high > amount.high
    )
    if not stated:
        return False
    line = max(text.rfind("\n", 0, amount.start) + 1, amount.start - _LINE_BACK)
    return _IF.search(text, line, amount.start) is not None
