"""One dose of one drug on its way from the grammar to a statement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from attending.guardrails.clinical.amount import Amount
from attending.guardrails.clinical.frequency import Period, Rhythm, merge
from attending.guardrails.clinical.reading import Reading
from attending.guardrails.clinical.route import RouteWord


@dataclass(slots=True)
class Part:
    """One dose of one drug with everything said of it; normalised offsets, ready to become a Statement."""

    mention: int
    reading: Reading
    amount: Amount | None = None
    rhythms: list[Rhythm] = field(default_factory=list)
    route: RouteWord | None = None
    rapid: bool = False
    period: Period | None = None
    infusion: Period | None = None
    daily_limit: Amount | None = None
    single_limit: Amount | None = None
    concentration: Amount | None = None
    loading: bool = False
    sum_group: int | None = None
    total: bool = False

    @property
    def frequency(self) -> Rhythm | None:
        """All frequency phrases of the dose as one."""
        return merge(self.rhythms)


def absorb(into: Part, other: Part) -> None:
    """Moves what was said of `other` to `into`."""
    into.rhythms.extend(r for r in other.rhythms if r not in into.rhythms)
    into.route = into.route or other.route
    into.rapid = into.rapid or other.rapid
    into.period = into.period or other.period
    into.infusion = into.infusion or other.infusion
    into.loading = into.loading or other.loading
    if other.amount is not None and into.amount is not None:
        into.amount = replace(into.amount, end=max(into.amount.end, other.amount.end))
