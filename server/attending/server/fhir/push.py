"""Written back to a record system: of each review its Task, of a released text the document with its provenance.

One target of the outbox (`notices.outbox`): the log says what changed, how far the target is, and what was given up.
Sent is what holds when it is sent, so that a change that comes late says no less than the newest. Ids are ours: what is
sent again after a kill is the same resource.

That a recipient is given a patient's content is an entry (`access.disclosed`) before it is, one for each state of an
inference that was sent: the accounting of disclosures (45 CFR 164.528) is a walk over entries, like that of accesses.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from attending.ledger.entry import Entry, PendingEntry
from attending.ledger.errors import ExpectationFailed, LedgerError, PayloadPruned, SubjectErased
from attending.ledger.ledger import Ledger
from attending.ledger.submission import Expectation
from attending.ledger.verify.fhir import Resource
from attending.server.config import FhirEndpointSection
from attending.server.errors import NotFound, Unavailable
from attending.server.fhir.gather import require_published, settled
from attending.server.fhir.record_system import RecordSystem
from attending.server.fhir.resources import document, provenance, task
from attending.server.notices.delivery import NotDelivered
from attending.server.notices.notice import TEST, Notice, notice_id, notice_of
from attending.server.phi.purpose import Purpose
from attending.server.practice.mark import Marks

log = structlog.get_logger()

KIND: Final = "fhir"
CHANGES: Final = frozenset(
    (
        *("inference.held", "inference.blocked", "inference.released", "inference.withdrawn"),
        *("review.claimed", "review.reassigned", "review.escalated", "review.signed"),
        *("review.adjudicated", "review.rejected", "review.expired"),
    )
)
"""Entries of an inference after which a resource of it is another."""
_KNOWN: Final = 10_000


@dataclass(slots=True)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    wanted: int = 0


class FhirPush:
    """One record system of one tenant. Safe from several tasks of one event loop."""

    kind = KIND

    def __init__(
        self,
        section: FhirEndpointSection,
        system: RecordSystem,
        ledger: Ledger,
        owner: str,
        now: Callable[[], datetime],
        marks: Marks | None = None,
    ) -> None:
        """`owner` names this process in entries."""
        self.name = section.name
        self._section = section
        self._system = system
        self._ledger = ledger
        self._marks = marks or Marks(ledger)
        self._owner = owner
        self._now = now
        self._sent: OrderedDict[str, int] = OrderedDict()
        """Up to which entry an inference was sent: what came before it is told already."""
        self._turns: dict[str, _Turn] = {}

    def read(self, entry: Entry, tenant: str, item: Mapping[str, Any] | None) -> Notice | None:
        if entry.type not in CHANGES or not entry.stream.startswith("inf_"):
            # What is sent on request is the same for every target.
            return notice_of(entry, tenant, item) if entry.type == "notice.tested" else None
        return Notice(
            id=notice_id(entry.origin, entry.index),
            event=entry.type,
            tenant=tenant,
            index=entry.index,
            time=entry.time,
            data={"inference": entry.stream},
        )

    def wants(self, notice: Notice) -> bool:
        return notice.event == TEST or "inference" in notice.data

    async def send(self, notice: Notice) -> None:
        if notice.event == TEST:
            await self._system.ask()
            return
        inference = notice.data["inference"]
        async with self._turn(inference):
            if self._sent.get(inference, -1) >= notice.index:
                return
            try:
                if await self._is_practice(inference):
                    # Nobody's record is told of what is read for practice.
                    return
                self._know(inference, await self._write(inference))
            except (SubjectErased, PayloadPruned, NotFound) as err:
                raise NotDelivered(err.reason, permanent=True) from None
            except (LedgerError, Unavailable) as err:
                raise NotDelivered(err.reason) from None

    async def close(self) -> None:
        await self._system.close()

    # --- inside ----------------------------------------------------------------------------------------

    async def _is_practice(self, inference: str) -> bool:
        try:
            return await self._marks.of(self._section.tenant, inference) is not None
        except ValueError:
            # A mark of a later version: what it means is not guessed.
            raise NotDelivered("PRACTICE_MARK", permanent=True) from None

    @asynccontextmanager
    async def _turn(self, inference: str) -> AsyncIterator[None]:
        """One after the other for one inference: the older of two states must not be the last to arrive."""
        turn = self._turns.setdefault(inference, _Turn())
        turn.wanted += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[inference]

    async def _write(self, inference: str) -> int:
        """Sends what holds of an inference; the index of the newest entry that it says."""
        tenant = self._section.tenant
        # Read at one moment: an old row under a new entry would pass for the newest state, and stay.
        row, record = await settled(self._ledger, tenant, inference)
        if record.text is not None:
            await require_published(self._ledger, tenant, row)
        made = [document(record)]
        if made[0] is not None:
            made.append(provenance(record))
        # Last, because it refers to the document.
        made.append(task(record))
        resources = [one for one in made if one is not None]
        newest = record.entries[-1].index
        if resources:
            await self._disclose(row, newest, resources, text=record.text is not None)

            async def require_given() -> None:
                # Opening fails once the patient is erased, for all that was written of them.
                await self._ledger.open_payload(tenant, row["request_record"])

            for resource in resources:
                await self._system.put(resource, require_given)
        return newest

    async def _disclose(
        self, row: Mapping[str, Any], newest: int, resources: list[Resource], *, text: bool
    ) -> None:
        """Returns when it is on record that this state of the inference is given. Once for each state: a crash after it
        leaves a disclosure on record of what nobody received, and what is tried again is the same one.
        """
        inference = row["inference_id"]
        entry = PendingEntry(
            type="access.disclosed",
            stream=f"disclosed/{self.name}/{inference}/{newest}",
            actor=f"system:{self._owner}",
            subject=row["subject"],
            body={
                "what": "fhir",
                "recipient": self.name,
                "host": self._section.host,
                "purpose_of_use": Purpose.TREATMENT.value,
                "inference": inference,
                "resources": [str(one["resourceType"]) for one in resources],
                "text": text,
            },
            occurred_at=self._now(),
        )
        try:
            await self._ledger.append(self._section.tenant, [entry], expect=[Expectation(entry.stream, 0)])
        except ExpectationFailed:
            return

    def _know(self, inference: str, index: int) -> None:
        self._sent.pop(inference, None)
        self._sent[inference] = index
        if len(self._sent) > _KNOWN:
            self._sent.popitem(last=False)
