"""How long a treatment lasts: the stated days, or without end where the text says so."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from attending.guardrails.checks.case import Case
from attending.guardrails.clinical.statement import Statement

WITHOUT_END: Final = Decimal(36500)
_ENDLESS: Final = re.compile(
    r"\b(?:indefinite(?:ly)?|life-?long|for life|long[- ]term|permanent(?:ly)?|chronic(?:ally)? use|on a chronic basis"
    r"|no (?:stop|end) date|without (?:a )?(?:stop|end) date|for good|for the rest of (?:your|his|her|their) life"
    r"|continu\w+ (?:it )?(?:forever|for years)|open-ended|(?:11|12|eleven|twelve) refills)\b",
    re.I,
)
_NOT_ENDLESS: Final = re.compile(
    r"\b(?:not|never|no|n't|avoid|without|rather than|instead of)\b[^.;\n]{0,24}$", re.I
)
_NEXT: Final = re.compile(r"[.;!?](?:\s|$)|\n")


def lasting_days(case: Case, statement: Statement) -> Decimal | None:
    """Days that one dose is given for; `WITHOUT_END` for lifelong use; None where nothing is said."""
    text = case.judged.output
    if statement.duration is not None:
        return statement.duration.days
    anchor = statement.dose.span.end if statement.dose is not None else statement.mention.span.end
    stop = _NEXT.search(text, anchor)
    end = stop.start() if stop is not None else len(text)
    found = _ENDLESS.search(text, statement.clause.start, min(end, anchor + 300))
    if found is None or _NOT_ENDLESS.search(text, max(0, found.start() - 40), found.start()):
        return None
    return WITHOUT_END
