"""Counts that stand before the drug whose strength follows it: "four paracetamol 500 mg tablets at once"."""

from __future__ import annotations

import re
from bisect import bisect_left
from decimal import Decimal

from attending.guardrails.clinical.amount import Amount, Kind
from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.number import read_number

_COUNT = re.compile(
    r"(?<![\w.,/-])(\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty)"
    r"(?: of (?:the|your|her|his|these))? \Z"
)
_LABEL = re.compile(
    r"\b(?:day|days|week|weeks|type|stage|grade|phase|cycle|step|line|visit|item|room|bed|option|group|month|class|level|"
    r"mg|mcg|g|ml|units?|first|last|next|other|both|than|in|of|to|or|and|for|at) \Z"
)
_FORM = re.compile(r"(?: ?(?:\d[\d./-]{0,24} ?mg)? ?)?(?:tablets|capsules|caps|tabs|pills|caplets)\b")


def counts_before_names(text: str, amounts: list[Amount], mentions: list[Named]) -> list[Amount]:
    """The amounts with such counts among them, in order. The form must follow the strength, or the count be a word:
    "4 ibuprofen 400 mg" may be the fourth item of a list."""
    starts = [a.start for a in amounts]
    added: list[Amount] = []
    for mention in mentions:
        at = bisect_left(starts, mention.end)
        if at >= len(amounts) or amounts[at].start - mention.end > 2:
            continue
        strength = amounts[at]
        if strength.kind not in (Kind.STRENGTH, Kind.COMPONENTS, Kind.DOSE) or strength.count is not None:
            continue
        if strength.kind is not Kind.COMPONENTS and (
            not strength.mass or strength.per_kg or strength.per_time
        ):
            continue
        count = _COUNT.search(text, max(0, mention.start - 24), mention.start)
        if count is None or _LABEL.search(text, max(0, count.start() - 8), count.start()):
            continue
        form = strength.kind is Kind.STRENGTH or _FORM.match(text, strength.end) is not None
        if not form and count.group(1).isdigit():
            continue
        number = read_number(text, count.start(1), spaced_groups=False)
        if number is None or number.value is None or number.value <= Decimal(1):
            continue
        if any(a.start < number.end and a.end > number.start for a in amounts):
            continue
        added.append(Amount(number.start, number.end, Kind.DOSE, number.value, number.value, "tablet"))
    return sorted([*amounts, *added], key=lambda a: a.start) if added else amounts
