"""Amounts that a text counts and nobody takes at one time: what is dispensed, what lasts a journey, what is left over.

"Dispense 150 mL to cover the 128 mL needed", "23 tablets for your 14 days", "the remaining 26 tablets were returned",
"50 mg, six tablets. Take one an hour before". A word of taking right before the amount makes it a dose all the same.
Offsets are those of the normalised text.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from attending.guardrails.clinical.amount import Amount
from attending.guardrails.clinical.unit import COUNTED

_TAKES: Final = re.compile(
    r"\b(?:take|takes|taking|swallow|chew|give|gives|giving|drink|use|inject|administer)(?: [a-z]+){0,3} \Z"
)
_DISPENSED: Final = re.compile(
    r"(?:\b(?:disp(?:ense[ds]?|ensing)?|qty|quantity|mitte|suppl(?:y|ied))[ :.#]{1,3}(?:of |a )?"
    r"|\b(?:to cover|covers|makes up|for) the )(?:\d{1,2} ?x ?)?\Z"
)
_LEFT_OVER: Final = re.compile(
    r"\b(?:remaining|leftover|left-over|unused|surplus|unopened|outstanding)(?: supply of)? \Z"
)
_GIVEN_BACK: Final = re.compile(
    r" (?:(?:were|was|are|is|have been|had been|has been) )?(?:left over|returned|handed (?:in|back|over)|given back"
    r"|destroyed|disposed of|discarded|unused|binned)\b"
)
_LASTS: Final = re.compile(
    r"(?: in all| altogether| in total)? (?:for|to cover|covers|lasts?|will last|is enough for|are enough for|to"
    r" complete)"
    r" (?:(?:the|your|his|her|their|this|all) )?(?:(?:whole|full|entire) )?"
    r"(?:(?:\d{1,3}|two|three|four|five|six|seven|eight|nine|ten|twelve|fourteen)[ -]?)?"
    r"(?:days?|weeks?|months?|trip|course|journey|stay|holiday|treatment)\b"
)
_REGIMEN_BEFORE: Final = re.compile(r"(?:[:=(] ?|\btotal(?:ling|s)?(?: of)? )\Z")
_ONE_OF_THESE: Final = re.compile(
    r"[.;,] (?:please )?(?:take|use) (?:one|1|half|one half|1-2|one or two)(?: (?:tablet|capsule|of (?:them|these)"
    r"|at a time))?\b"
)
_MANY: Final = Decimal(10)
_SEVERAL: Final = Decimal(4)
_WINDOW: Final = 48


def handed_out(text: str, amount: Amount, *, dosed: bool) -> bool:
    """Whether the amount is a supply and no dose. `dosed` tells that how much to take was said before."""
    counted = amount.unit in COUNTED
    if amount.unit != "mL" and not counted:
        return False
    low = max(0, amount.start - _WINDOW)
    if _TAKES.search(text, low, amount.start):
        return False
    if _DISPENSED.search(text, low, amount.start) or _LEFT_OVER.search(text, low, amount.start):
        return True
    if _GIVEN_BACK.match(text, amount.end):
        return True
    if not (dosed and counted):
        return False
    if amount.high >= _SEVERAL and _ONE_OF_THESE.match(text, amount.end):
        return True
    many = amount.high >= _MANY or _REGIMEN_BEFORE.search(text, low, amount.start) is not None
    return many and _LASTS.match(text, amount.end) is not None
