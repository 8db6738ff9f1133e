"""How much a model is told: `safe_harbor` or `baa_minimum`.

`safe_harbor` replaces every identifier of 45 CFR 164.514(b)(2)(i). `baa_minimum` is for a model under a business
associate agreement and gives it what reasoning needs and no more (45 CFR 164.502(b)): dates moved by one secret
distance, ages as they are, and whether somebody is a clinician; whatever names, numbers and places there are still go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

from attending.guardrails.phi.date_shift import DAY_ALONE
from attending.guardrails.phi.spans import PhiSpan, PhiType

_ROLE = re.compile(
    r"(?:(?i:dr|doctor|prof|professor|nurse|sister|matron|midwife)|RN|NP|PA-C|PA|CNM|CRNA|LPN|MD|DO)\b\.?[ \t]{1,2}"
)


class PhiMode(StrEnum):
    """What becomes of identifiers in a text that a model is sent."""

    SAFE_HARBOR = "safe_harbor"
    BAA_MINIMUM = "baa_minimum"


def for_mode(text: str, spans: Iterable[PhiSpan], mode: PhiMode) -> list[PhiSpan]:
    """The spans of `text` that `mode` replaces, sorted, not overlapping.

    Under `baa_minimum` ages stay, "Dr." stays before the name it belongs to, and a day alone ("on the 14th") goes:
    beside a moved date it would tell the distance.
    """
    if mode is PhiMode.SAFE_HARBOR:
        return list(spans)
    kept = [_without_role(text, span) for span in spans if span.type is not PhiType.AGE_OVER_89]
    days = [PhiSpan(m.start("day"), m.end(), PhiType.DATE, 0.5) for m in DAY_ALONE.finditer(text)]
    return sorted(
        [*kept, *(day for day in days if not any(s.start < day.end and day.start < s.end for s in kept))]
    )


def _without_role(text: str, span: PhiSpan) -> PhiSpan:
    if span.type is not PhiType.NAME:
        return span
    role = _ROLE.match(text, span.start, span.end)
    if role is None or role.end() >= span.end:
        return span
    return PhiSpan(role.end(), span.end, span.type, span.score)
