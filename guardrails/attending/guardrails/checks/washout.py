"""How long a drug acts on others after its last dose, as the labels tell it.

`over` asks whether a drug that has ended still counts, `switch` whether what follows it begins too soon.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final

from attending.guardrails.checks.port import KnowledgePort


@dataclass(frozen=True, slots=True)
class Washout:
    """After the last dose of `ended` (drugs or classes) `begun` waits `hours`."""

    id: str
    ended: tuple[str, ...]
    begun: tuple[str, ...]
    hours: int
    check: str


WASHOUTS: Final = (
    Washout("acei-arni", ("acei",), ("arni", "sacubitril"), 36, "sacubitril/valsartan label, section 4"),
    Washout("arni-acei", ("arni", "sacubitril"), ("acei",), 36, "sacubitril/valsartan label, section 4"),
    Washout("fluoxetine-maoi", ("fluoxetine",), ("maoi",), 35 * 24, "fluoxetine label, section 4"),
    Washout(
        "serotonergic-maoi", ("ssri", "snri", "tca"), ("maoi",), 14 * 24, "MAO inhibitor labels, section 4"
    ),
    Washout(
        "maoi-serotonergic", ("maoi",), ("ssri", "snri", "tca", "triptan"), 14 * 24, "SSRI labels, section 4"
    ),
)
_DAYS_ACTING: Final = {
    "methotrexate": 90,
    "leflunomide": 730,
    "isotretinoin": 30,
    "acitretin": 1095,
    "amiodarone": 90,
    "strong_cyp3a4_inducer": 14,
    "mineralocorticoid": 2,
}
"""Drugs and classes that act on more than one other drug, or on a pregnancy, and for how many days."""


def hours_acting(kinds: Set[str]) -> int:
    """Hours for which a drug of these names and classes acts on others after its last dose; 0 for most."""
    waits = (washout.hours for washout in WASHOUTS if not kinds.isdisjoint(washout.ended))
    days = (days for kind, days in _DAYS_ACTING.items() if kind in kinds)
    return max((*waits, *(24 * number for number in days)), default=0)


def acts_on(knowledge: KnowledgePort, drug: str, others: Iterable[str]) -> bool:
    """Whether a drug that is over may still act on one of the `others`, or on a pregnancy."""
    kinds = {drug, *knowledge.classes_of(drug)}
    if not kinds.isdisjoint(_DAYS_ACTING):
        return True
    begun = {kind for washout in WASHOUTS if not kinds.isdisjoint(washout.ended) for kind in washout.begun}
    return bool(begun) and any(
        other != drug and not begun.isdisjoint({other, *knowledge.classes_of(other)}) for other in others
    )
