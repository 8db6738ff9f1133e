"""What somebody decided before on a finding of the same patient, as it is shown beside the finding and signed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server.errors import FailedPrecondition
from attending.server.inference.decided import Decisions
from attending.server.review.item import Item


@dataclass(frozen=True, slots=True)
class DecidedBefore:
    """The decision of `by` at `at`, on another text. `stands` is False once that text was taken back, or somebody who
    read it again said otherwise: the finding is then to be disposed of.
    """

    finding: int
    by: str
    at: str
    disposition: str
    reason_code: str
    entry: int
    ticket: str
    stands: bool

    def to_json(self) -> dict[str, Any]:
        """As a view document holds it."""
        return {
            "finding": self.finding,
            "by": self.by,
            "at": self.at,
            "disposition": self.disposition,
            "reason_code": self.reason_code,
            "entry": self.entry,
            "stands": self.stands,
        }


async def decided_before(ledger: Ledger, tenant: str, item: Item) -> tuple[DecidedBefore, ...]:
    """The earlier decisions on findings of the item, by ordinal, from their entries."""
    if not item.suppressed:
        return ()
    entries = {one.entry for one in item.suppressed.values()}
    standing, _expect = await Decisions(ledger).standing(tenant, entries)
    found = []
    for ordinal, one in sorted(item.suppressed.items()):
        made = await ledger.get_entry(tenant, one.entry)
        found.append(
            DecidedBefore(
                finding=ordinal,
                by=made.actor.partition(":")[2],
                at=made.time,
                disposition=str(made.body["disposition"]),
                reason_code=str(made.body["reason_code"] or ""),
                entry=one.entry,
                ticket=str(made.body["ticket"]),
                stands=one.entry in standing,
            )
        )
    return tuple(found)


async def require_standing(ledger: Ledger, tenant: str, item: Item) -> tuple[Expectation, ...]:
    """What a signature of the item has to expect of the inferences that its earlier decisions are about.

    FailedPrecondition (DECISION_LAPSED) where one of them stands no more and nobody has disposed of its finding since.
    """
    resting = {n: one.entry for n, one in item.suppressed.items() if n not in item.disposed}
    if not resting:
        return ()
    standing, expect = await Decisions(ledger).standing(tenant, set(resting.values()))
    if lapsed := [n for n, entry in resting.items() if entry not in standing]:
        raise FailedPrecondition("DECISION_LAPSED", metadata={"findings": _listed(lapsed)})
    return expect


def _listed(ordinals: Iterable[int]) -> str:
    return ",".join(map(str, sorted(ordinals)))
