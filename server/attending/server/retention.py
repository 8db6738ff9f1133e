"""What the clinical policies add to the rules of retention: when a policy version ended, and how long it asks to keep.

Both are read from the tenant's log. The seed of a draw that nobody has opened is kept, or what it draws would never be
known. A version is in force from a `policy.activated` that names its hash until the next
entry of its policy that names another, or retires it; an earlier version can come into force again. What cannot be
told is kept: an unknown version counts as in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from attending.ledger.custody.retention import NO_TERMS, Start, Terms
from attending.ledger.draw import COMMITTED
from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.ledger.verify.activations import stream_of
from attending.server import clock, projections
from attending.server.content_hash import digits
from sqlalchemy import select

KEPT: Final = Terms(None, ((1, Start.POLICY_RETIRED),))
"""Terms under which nothing is ever due."""
_MAX_IDS: Final = 500
_STARTS: Final = {"creation": Start.ENTRY, "policy_retired": Start.POLICY_RETIRED}


def terms_of_policy(entries: Iterable[Entry]) -> dict[str, Terms]:
    """Policy hash (64 hex digits) to its terms, from all `policy.*` entries of one policy in log order."""
    terms: dict[str, Terms] = {}
    current: str | None = None
    for entry in entries:
        named = entry.body.get("policy_hash")
        retired = entry.type == "policy.retired" and named in (None, current)
        if current is not None and (retired or (entry.type == "policy.activated" and named != current)):
            terms[current] = Terms(clock.parse(entry.time), terms[current].at_least)
            current = None
        if entry.type == "policy.activated" and type(named) is str:
            asked = _asked(entry.body.get("retention"))
            # The longest that this version was ever on record with; in force again means not ended.
            before = terms[named].at_least if named in terms else ()
            terms[named] = Terms(None, tuple(sorted({*before, asked})))
            current = named
    return terms


def _asked(retention: object) -> tuple[int, Start]:
    """(days, start) of the body of a `policy.activated`; of one that does not say, what keeps for ever."""
    match retention:
        case {"payload_days": int(days), "starts": str(starts)} if days > 0 and starts in _STARTS:
            return days, _STARTS[starts]
    return 2**53, Start.ENTRY


class PolicyTerms:
    """The terms of entries of inferences and their reviews. One for each prune: it remembers what it read."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._policies: dict[str, dict[str, Terms]] = {}

    async def __call__(self, log_id: str, entries: Sequence[Entry]) -> list[Terms]:
        """The terms of each entry: those of the policy of its inference, none for what is of no inference."""
        streams = sorted({entry.stream for entry in entries if entry.stream.startswith("inf_")})
        known: dict[str, Mapping[str, Any]] = {}
        table = projections.inference
        for at in range(0, len(streams), _MAX_IDS):
            rows = await self._ledger.query(
                select(table.c.inference_id, table.c.policy, table.c.policy_hash).where(
                    table.c.log_id == log_id, table.c.inference_id.in_(streams[at : at + _MAX_IDS])
                )
            )
            known.update({str(row._mapping["inference_id"]): dict(row._mapping) for row in rows})
        opened = await self._opened(log_id, [one for one in entries if one.type == COMMITTED])
        found = []
        for entry in entries:
            if entry.type == COMMITTED:
                found.append(NO_TERMS if entry.body.get("draw") in opened else KEPT)
                continue
            if not entry.stream.startswith("inf_"):
                found.append(NO_TERMS)
                continue
            row = known.get(entry.stream)
            found.append(
                KEPT if row is None else await self._terms(log_id, row["policy"], row["policy_hash"])
            )
        return found

    async def _opened(self, log_id: str, committed: Sequence[Entry]) -> set[str]:
        """Ids of those draws that were opened."""
        if not committed:
            return set()
        table = projections.oversight_draw
        rows = await self._ledger.query(
            select(table.c.draw_id).where(
                table.c.log_id == log_id,
                table.c.committed_index.in_([one.index for one in committed]),
                table.c.opened_index.is_not(None),
            )
        )
        return {str(row[0]) for row in rows}

    async def _terms(self, log_id: str, policy: str, policy_hash: str) -> Terms:
        if policy not in self._policies:
            self._policies[policy] = terms_of_policy(
                await self._ledger.whole_stream(log_id, stream_of(policy))
            )
        return self._policies[policy].get(digits(policy_hash), KEPT)
