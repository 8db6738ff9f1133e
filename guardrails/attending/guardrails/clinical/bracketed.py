"""Names in brackets behind a drug that is stopped or avoided: why it is, and not what else is stopped.

"STOPPED: ibuprofen (AKI, apixaban)" ends the ibuprofen; "Percocet (oxycodone, acetaminophen)" names what is in it, and
"aspirin (and clopidogrel)" both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from attending.guardrails.clinical.mentions import Named
from attending.guardrails.clinical.reading import Scopes
from attending.guardrails.finding import Scope

_OPENED: Final = re.compile(
    r"[^\n()]{0,40}\((?!(?:and|or|also|plus|both|as well|i\.e|e\.g|incl|all|any|such|like|with|not|replac\w*"
    r"|stop\w*|avoid\w*|instead)\b|[=/])[^()\n]{0,60}"
)


def take_reasons_out(text: str, mentions: Sequence[Named], scopes: Scopes) -> None:
    """Makes the reading of each such name one of a drug that is only named. `mentions` are in text order."""
    for index in range(1, len(mentions)):
        reading, named = scopes.mentions[index], mentions[index]
        if reading.scope not in (Scope.STOP, Scope.AVOID) or not named.drugs:
            continue
        outer = next(
            (
                k
                for k in range(index - 1, max(-1, index - 4), -1)
                if "(" in text[mentions[k].end : named.start]
            ),
            None,
        )
        if outer is None or scopes.mentions[outer].scope not in (Scope.STOP, Scope.AVOID):
            continue
        before = mentions[outer]
        gap = text[before.end : named.start]
        if not before.drugs or not set(before.drugs).isdisjoint(named.drugs) or ")" in gap:
            continue
        if len(gap) <= 100 and _OPENED.fullmatch(gap) is not None and _closes(text, named.end):
            reading.scope, reading.started, reading.governed, reading.fact = (
                Scope.MENTION,
                False,
                False,
                False,
            )


def _closes(text: str, end: int) -> bool:
    closing = text.find(")", end, end + 60)
    return closing >= 0 and "\n" not in text[end:closing]
