"""Signing at the pace of reading: what the desk asks of a signature besides that it is right.

The floor is the one of the version that held the text, as it stands in the entry. The entry of the signature says how
much there was to read, and whether it was too soon. How long somebody read is sealed in the vault under an entry of its
own, in the same append: it is kept as long as figures of people are, and not as long as the text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from attending.ledger.entry import Payload, PendingEntry
from attending.server import projections
from attending.server.auth.principal import Principal
from attending.server.clock import parse, stamp
from attending.server.errors import FailedPrecondition, InvalidRequest
from attending.server.oversight.projection import READING, READING_KIND, reading_stream
from attending.server.oversight.reading import NOT_GIVEN, REASONS, Reading, measured
from attending.server.phi.access import stream_of
from attending.server.review.item import Item
from attending.server.review.preparation import Preparation
from attending.server.review.record import Record
from sqlalchemy import select

_SIGNATURES = projections.review_signature
_LAST_LOOKS: Final = 200
"""Accesses of one person in which their first look at an item is sought; an earlier one counts as none."""
_NO_FLOOR: Final = 0
"""Words a minute of a text that may be signed at any pace."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the entry that held a text says of reading it; no floor where it is older than floors."""

    tier: str = "routine"
    words_per_minute: int = _NO_FLOOR
    raise_days: int = 0

    @property
    def waits(self) -> bool:
        """Whether nobody may sign before the floor."""
        return self.tier == "highest"


@dataclass(frozen=True, slots=True)
class Pace:
    """A reading, and what it was held against."""

    reading: Reading
    terms: Terms


class Pacing(Record):
    """The measure of reading; signing goes on from it."""

    async def pace(
        self, principal: Principal, prepared: Preparation, claimed_seconds: float | None = None
    ) -> Pace:
        """How long `principal` has read the text to be signed by now. `claimed_seconds` is what their page says, None
        where none does. A refusal releases nothing, and may be as quick as it likes.
        """
        item = await self._row(principal.tenant, prepared.ticket_id)
        terms = await self._terms(principal.tenant, item)
        looked = await self._first_look(principal, item)
        bound = 0.0 if looked is None else (self._now() - parse(looked)).total_seconds()
        reading = measured(
            prepared.text,
            claimed_seconds,
            bound,
            words_per_minute=_NO_FLOOR if prepared.rejection is not None else terms.words_per_minute,
            severity_rank=item.severity_rank,
        )
        return Pace(reading, terms)

    async def _paced(self, principal: Principal, pace: Pace, reason: str) -> dict[str, Any]:
        """What the entry of a signature says of its reading.

        FailedPrecondition (READING_TOO_SHORT) where the text's tier lets nobody sign before the floor; InvalidRequest
        for a reason that is none.
        """
        reading, terms = pace.reading, pace.terms
        if reason and reason not in REASONS:
            raise InvalidRequest([("reading_reason", "must be one of " + ", ".join(sorted(REASONS)))])
        if reading.short and terms.waits:
            raise FailedPrecondition(
                "READING_TOO_SHORT",
                retry_after_seconds=float(reading.missing_seconds),
                metadata={"floor_seconds": str(reading.floor_seconds), "seconds": str(reading.seconds)},
            )
        raised = reading.short or await self._short_lately(principal, terms.raise_days)
        code = (reason or NOT_GIVEN) if reading.short else None
        return reading.body(code, raised=raised, tier=terms.tier)

    def _read(self, principal: Principal, item: Item, nonce: str, reading: Reading) -> PendingEntry:
        """The entry under which the seconds lie, of the signature with that nonce."""
        content = json.dumps(reading.payload(), sort_keys=True).encode("ascii")
        return PendingEntry(
            type=READING,
            stream=reading_stream(principal.name),
            actor=principal.actor,
            subject=item.subject,
            body={"nonce": nonce, "tag": "peer_review"},
            payloads=(Payload(READING_KIND, content),),
            occurred_at=self._now(),
        )

    async def _terms(self, tenant: str, item: Item) -> Terms:
        said = (await self._held_body(tenant, item)).get("oversight")
        return Terms(said["tier"], said["words_per_minute"], said["raise_days"]) if said else Terms()

    async def _first_look(self, principal: Principal, item: Item) -> str | None:
        """When they were first shown the item, as far as their last accesses tell."""
        stream = stream_of(principal)
        version = await self._ledger.stream_version(principal.tenant, stream)
        start = max(0, version - _LAST_LOOKS)
        looks = await self._ledger.stream_entries(principal.tenant, stream, start, _LAST_LOOKS)
        return next((one.time for one in looks if one.body.get("ticket") == item.ticket_id), None)

    async def _short_lately(self, principal: Principal, days: int) -> bool:
        since = stamp(self._now() - timedelta(days=days))
        rows = await self._ledger.query(
            select(_SIGNATURES.c.nonce)
            .where(
                _SIGNATURES.c.log_id == principal.tenant,
                _SIGNATURES.c.signer == principal.name,
                _SIGNATURES.c.signed_at > since,
                _SIGNATURES.c.short.is_(True),
            )
            .limit(1)
        )
        return bool(rows)
