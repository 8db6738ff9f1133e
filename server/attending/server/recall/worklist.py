"""The recall worklist: released texts that would not be released under the drug knowledge that is in force now.

Each stands there by an entry, and leaves it by one: the text is taken back (`recall.desk`), or somebody looked at it
and says in a code why it needs no recall. The list holds ids, pseudonyms and codes, never a word of a text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from attending.ledger.entry import Entry, Payload, PendingEntry
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, FailedPrecondition, NotFound, PermissionDenied
from attending.server.idempotency import Once, answered, index_of
from attending.server.inference.watch import Changes
from attending.server.replay.reducers import rows_of_append
from sqlalchemy import RowMapping, Select, func, select

_CANDIDATES, _ITEMS = projections.recall_candidate, projections.review_item
REASONS: Final = frozenset(
    {"not_harmful", "already_acted_on", "superseded", "never_used", "wrong_knowledge", "other"}
)
"""Why a proposed text needs no recall."""
REJUDGED: Final = "knowledge/rejudged"
"""The stream that says how far released texts were judged again."""
OPEN, RECALLED, DISMISSED = "open", "recalled", "dismissed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One line. `released_by` is policy or signature, `now` what would become of it: hold or block; `subject` the
    patient's pseudonym; `ticket_id` is empty for what never was an item of the queue.
    """

    inference_id: str
    ticket_id: str
    policy: str
    subject: str | None
    released_by: str
    now: str
    codes: tuple[str, ...]
    deliveries: int
    activation: int
    knowledge_hash: str
    proposed_at: str
    state: str
    closed_at: str | None
    closed_by: str | None
    reason: str | None

    @classmethod
    def from_row(cls, row: RowMapping) -> Candidate:
        names = {name: row[name] for name in cls.__dataclass_fields__}
        return cls(
            **names
            | {"codes": tuple(filter(None, row["codes"].split(","))), "ticket_id": row["ticket_id"] or ""}
        )


@dataclass(frozen=True, slots=True)
class Counts:
    """Lines by state, under its name. `patients` and `deliveries` are those of the open ones."""

    open: int = 0
    recalled: int = 0
    dismissed: int = 0
    patients: int = 0
    deliveries: int = 0


class Worklist:
    """Shared by all calls of one server process."""

    def __init__(self, ledger: Ledger, changes: Changes, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._changes = changes
        self._now = now

    async def page(self, tenant: str, *, only_open: bool, limit: int, offset: int) -> list[Candidate]:
        """Lines, the worst and oldest first: what would be blocked before what would be held."""
        where = [_CANDIDATES.c.log_id == tenant]
        if only_open:
            where.append(_CANDIDATES.c.state == OPEN)
        rows = await self._ledger.query(
            _lines()
            .where(*where)
            .order_by(
                (_CANDIDATES.c.state != OPEN), (_CANDIDATES.c.now != "block"), _CANDIDATES.c.proposed_index
            )
            .limit(limit)
            .offset(offset)
        )
        return [Candidate.from_row(row._mapping) for row in rows]

    async def of(self, tenant: str, inference_id: str) -> Candidate:
        """One line. Raises NotFound (NOT_PROPOSED)."""
        rows = await self._ledger.query(
            _lines().where(_CANDIDATES.c.log_id == tenant, _CANDIDATES.c.inference_id == inference_id)
        )
        if not rows:
            raise NotFound("NOT_PROPOSED")
        return Candidate.from_row(rows[0]._mapping)

    async def waits(self, tenant: str) -> int:
        """How many lines are open: what every page of the queue says, each time that it looks again."""
        rows = await self._ledger.query(
            select(func.count()).where(_CANDIDATES.c.log_id == tenant, _CANDIDATES.c.state == OPEN)
        )
        return int(rows[0][0]) if rows else 0

    async def counts(self, tenant: str) -> Counts:
        rows = await self._ledger.query(
            select(
                _CANDIDATES.c.state,
                func.count().label("lines"),
                func.count(func.distinct(_CANDIDATES.c.subject)).label("patients"),
                func.sum(_CANDIDATES.c.deliveries).label("deliveries"),
            )
            .where(_CANDIDATES.c.log_id == tenant)
            .group_by(_CANDIDATES.c.state)
        )
        found = {row._mapping["state"]: row._mapping for row in rows}
        counts = {state: int(row["lines"]) for state, row in found.items()}
        waits = found.get(OPEN)
        return Counts(
            **counts,
            patients=0 if waits is None else int(waits["patients"]),
            deliveries=0 if waits is None else int(waits["deliveries"]),
        )

    async def last(self, tenant: str) -> Entry | None:
        """The newest `knowledge.rejudged`, None where there is none."""
        version = await self._ledger.stream_version(tenant, REJUDGED)
        if not version:
            return None
        return (await self._ledger.stream_entries(tenant, REJUDGED, version - 1, 1))[0]

    async def dismiss(
        self, principal: Principal, inference_id: str, reason: str, note: str, once: Once
    ) -> tuple[Candidate, int]:
        """Puts on record that a proposed text needs no recall; the line and the entry's index.

        Raises NotFound (NOT_PROPOSED), FailedPrecondition (CANDIDATE_CLOSED), Aborted (LOST_RACE).
        """
        tenant = principal.tenant
        if principal.kind != "human":
            raise PermissionDenied("ROLE_NOT_PERMITTED")
        if (done := await answered(self._ledger, tenant, once)) is not None:
            return await self.of(tenant, inference_id), done[0]
        # INVARIANT: the version is not newer than the row read after it, so a recall in between is told as a race.
        version = await self._ledger.stream_version(tenant, inference_id)
        found = await self.of(tenant, inference_id)
        if found.state != OPEN:
            raise FailedPrecondition("CANDIDATE_CLOSED", metadata={"state": found.state})
        entry = PendingEntry(
            type="recall.dismissed",
            stream=inference_id,
            actor=principal.actor,
            subject=found.subject,
            body={"reason_code": reason, "activation": found.activation},
            payloads=(Payload("note", note.encode()),) if note else (),
            occurred_at=self._now(),
        )
        append = self._ledger.append(
            tenant,
            [entry],
            expect=[Expectation(inference_id, version)],
            claim=once.claim(inference_id),
            rows=rows_of_append([entry]),
        )
        index = await index_of(self._ledger, tenant, once, append, Aborted("LOST_RACE"))
        self._changes.announce(tenant, inference_id)
        return await self.of(tenant, inference_id), index


def _lines() -> Select[Any]:
    """Lines with the ticket of their text, where it was an item."""
    ticket = (
        select(func.min(_ITEMS.c.ticket_id))
        .where(_ITEMS.c.log_id == _CANDIDATES.c.log_id, _ITEMS.c.inference_id == _CANDIDATES.c.inference_id)
        .scalar_subquery()
    )
    return select(_CANDIDATES, ticket.label("ticket_id"))
