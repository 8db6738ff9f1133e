"""Appending events from outside: each sequence of an emitter once, with what is known of it kept in the same write.

An emitter is named by who sends (the identity) and the name that they chose; its entries stand on a stream of its
own, `emitter/<actor>/<name>`, whose version counts them. Every append is conditional on that version, so that two
at once, in this process or another, can never both take a sequence: the loser reads again.

What a crash leaves: nothing of an append, or all of it with its rows. An acknowledgement that was lost on the way is
given again when the sequence comes again.
"""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from attending.ledger.appended import Appended
from attending.ledger.entry import Entry, PendingEntry, format_time
from attending.ledger.errors import ClaimConflict, DuplicateClaim, ExpectationFailed
from attending.ledger.ledger import Ledger
from attending.ledger.projection import EntryIndex
from attending.ledger.submission import Expectation
from attending.ledger.verify.emitters import CLOSING_TYPE, closing_body, emitter_body
from attending.server import projections
from attending.server.auth.context import stated
from attending.server.auth.principal import Principal
from attending.server.errors import Aborted, AlreadyExists, FailedPrecondition
from attending.server.events.check import Event
from attending.server.events.projection import NOTHING, Known, emitter_row, event_rows, known_of
from attending.server.idempotency import Once, claimed
from sqlalchemy import select

T = TypeVar("T")

MAX_PARTS: Final = 1_000
"""Unbroken ranges of sequences that one emitter may leave: a client that skips at will is refused in the end."""
_ATTEMPTS: Final = 16
_PAUSE_SECONDS: Final = 0.1
_CACHED: Final = 4_096
_QUERY_NUMBERS: Final = 500
_EMITTER, _EVENT = projections.emitter, projections.emitter_event


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where an event is. `appended` is the write that just made it, None when it was there before."""

    sequence: int
    index: int
    appended: Appended | None


def stream_of(actor: str, emitter: str) -> str:
    """The stream that an emitter's entries stand on."""
    return f"emitter/{actor}/{emitter}"


class EventLog:
    """Appends events to the tenants' logs. One instance a server; belongs to one event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: OrderedDict[tuple[str, str, str], Known] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[str, str, str], asyncio.Lock] = WeakValueDictionary()

    async def append(
        self,
        principal: Principal,
        emitter: str,
        events: Sequence[Event],
        *,
        expect: Sequence[Expectation] = (),
        once: Once | None = None,
    ) -> list[Recorded]:
        """Where each event is, when all of them are durable; nothing of it was stored when it raises.

        A sequence that is there with the same content is answered with its first entry. A caller that leaves
        does not stop it. Raises AlreadyExists (SEQUENCE_REUSED, IDEMPOTENCY_KEY_REUSED), FailedPrecondition
        (EMITTER_CLOSED, TOO_MANY_GAPS), Aborted, and as `Ledger.append`.
        """
        if once is not None:
            await claimed(self._ledger, principal.tenant, once)
        work = self._locked(
            principal, emitter, lambda: self._append(principal, emitter, events, expect, once)
        )
        return await asyncio.shield(asyncio.ensure_future(work))

    async def close(self, principal: Principal, emitter: str, issued: int, once: Once) -> tuple[int, Known]:
        """The index of the entry that declares the emitter's last sequence, and what is known of it then.

        The same declaration again is answered with the first. Raises AlreadyExists (EMITTER_CLOSED: with another
        number), FailedPrecondition (ISSUED_BELOW_RECEIVED), Aborted, and as `Ledger.append`.
        """
        await claimed(self._ledger, principal.tenant, once)
        work = self._locked(principal, emitter, lambda: self._close(principal, emitter, issued, once))
        return await asyncio.shield(asyncio.ensure_future(work))

    async def known(self, tenant: str, actor: str, emitter: str) -> Known:
        """What the log has of an emitter, as committed; NOTHING for one that it does not know."""
        rows = await self._ledger.query(
            select(_EMITTER).where(
                _EMITTER.c.log_id == tenant, _EMITTER.c.actor == actor, _EMITTER.c.emitter == emitter
            )
        )
        return known_of(rows[0]._mapping) if rows else NOTHING

    async def listed(
        self, tenant: str, actor: str | None, emitter: str | None, *, limit: int, offset: int
    ) -> list[tuple[str, str, Known]]:
        """(actor, emitter, known) of the log's emitters, by name; only those of `actor`, or so named, if given."""
        query = select(_EMITTER).where(_EMITTER.c.log_id == tenant)
        if actor is not None:
            query = query.where(_EMITTER.c.actor == actor)
        if emitter is not None:
            query = query.where(_EMITTER.c.emitter == emitter)
        rows = await self._ledger.query(
            query.order_by(_EMITTER.c.actor, _EMITTER.c.emitter).limit(limit).offset(offset)
        )
        return [(row._mapping["actor"], row._mapping["emitter"], known_of(row._mapping)) for row in rows]

    # --- inside ----------------------------------------------------------------------------------------

    async def _locked(self, principal: Principal, emitter: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """Runs `attempt` alone for its emitter, again when another process was faster."""
        key = (principal.tenant, principal.actor, emitter)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            for number in range(_ATTEMPTS):
                if number:
                    # By chance, so that two processes in step do not meet again and again.
                    await asyncio.sleep(random.uniform(0, min(_PAUSE_SECONDS, 0.001 * 2**number)))
                try:
                    return await attempt()
                except DuplicateClaim:
                    # The same request was faster: the next look finds all of it there.
                    self._known.pop(key, None)
                except ExpectationFailed as err:
                    self._known.pop(key, None)
                    if err.stream != stream_of(principal.actor, emitter):
                        raise
                except ClaimConflict:
                    raise AlreadyExists("IDEMPOTENCY_KEY_REUSED") from None
                except BaseException:
                    # INVARIANT: what is cached was committed; after an unknown outcome it is read again.
                    self._known.pop(key, None)
                    raise
        raise Aborted("LOST_RACE")

    async def _append(
        self,
        principal: Principal,
        emitter: str,
        events: Sequence[Event],
        expect: Sequence[Expectation],
        once: Once | None,
    ) -> list[Recorded]:
        tenant, actor = principal.tenant, principal.actor
        known = await self._current(tenant, actor, emitter)
        new = [event for event in events if event.sequence not in known.sequences]
        old = [event for event in events if event.sequence in known.sequences]
        places = await self._recorded(tenant, actor, emitter, old)
        if not new:
            return [Recorded(event.sequence, places[event.sequence], None) for event in events]
        after = known.sequences.copy()
        for event in new:
            if known.issued is not None and event.sequence > known.issued:
                raise FailedPrecondition("EMITTER_CLOSED", metadata={"issued": str(known.issued)})
            after.add(event.sequence)
        if after.parts > max(MAX_PARTS, known.sequences.parts):
            raise FailedPrecondition("TOO_MANY_GAPS", metadata={"limit": str(MAX_PARTS)})
        subjects = await self._subjects(tenant, new)
        stream = stream_of(actor, emitter)
        done = await self._ledger.append(
            tenant,
            [
                PendingEntry(
                    type=event.type,
                    stream=stream,
                    actor=actor,
                    subject=subjects.get(event.subject_ref or ""),
                    body=emitter_body(emitter, event.sequence, event.body),
                    payloads=event.payloads,
                    occurred_at=event.occurred_at,
                )
                for event in new
            ],
            expect=[Expectation(stream, known.version), *expect],
            claim=None if once is None else once.claim(stream),
            rows=[
                emitter_row(actor, emitter, known, after, version=known.version + len(new)),
                *event_rows(actor, emitter, [event.sequence for event in new]),
            ],
        )
        self._keep(
            (tenant, actor, emitter),
            replace(
                known,
                version=known.version + len(new),
                sequences=after,
                first_time=known.first_time or done.time,
                last_time=done.time,
            ),
        )
        made = {event.sequence: number for number, event in enumerate(new)}
        return [
            Recorded(event.sequence, done.first_index + made[event.sequence], done)
            if event.sequence in made
            else Recorded(event.sequence, places[event.sequence], None)
            for event in events
        ]

    async def _close(self, principal: Principal, emitter: str, issued: int, once: Once) -> tuple[int, Known]:
        tenant, actor = principal.tenant, principal.actor
        known = await self._current(tenant, actor, emitter)
        if known.issued is not None and known.closed_index is not None:
            if known.issued != issued:
                raise AlreadyExists("EMITTER_CLOSED", metadata={"issued": str(known.issued)})
            return known.closed_index, known
        if issued < known.sequences.highest:
            raise FailedPrecondition(
                "ISSUED_BELOW_RECEIVED", metadata={"highest": str(known.sequences.highest)}
            )
        stream = stream_of(actor, emitter)
        entry = PendingEntry(CLOSING_TYPE, stream, actor, None, closing_body(emitter, issued))
        closed = {"issued": issued, "closed_index": EntryIndex(0)}
        row = emitter_row(actor, emitter, known, known.sequences, version=known.version + 1, closed=closed)
        done = await self._ledger.append(
            tenant,
            [entry],
            expect=[Expectation(stream, known.version)],
            claim=once.claim(stream),
            rows=[row],
        )
        after = replace(
            known,
            version=known.version + 1,
            issued=issued,
            closed_index=done.first_index,
            first_time=known.first_time or done.time,
            last_time=done.time,
        )
        self._keep((tenant, actor, emitter), after)
        return done.first_index, after

    async def _current(self, tenant: str, actor: str, emitter: str) -> Known:
        cached = self._known.get((tenant, actor, emitter))
        return cached if cached is not None else await self.known(tenant, actor, emitter)

    def _keep(self, key: tuple[str, str, str], known: Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        while len(self._known) > _CACHED:
            self._known.popitem(last=False)

    async def _recorded(
        self, tenant: str, actor: str, emitter: str, events: Sequence[Event]
    ) -> dict[int, int]:
        """Sequence to index of events that are there; AlreadyExists when one came with other content."""
        places: dict[int, int] = {}
        numbers = [event.sequence for event in events]
        for start in range(0, len(numbers), _QUERY_NUMBERS):
            rows = await self._ledger.query(
                select(_EVENT.c.sequence, _EVENT.c.entry_index).where(
                    _EVENT.c.log_id == tenant,
                    _EVENT.c.actor == actor,
                    _EVENT.c.emitter == emitter,
                    _EVENT.c.sequence.in_(numbers[start : start + _QUERY_NUMBERS]),
                )
            )
            places.update({row._mapping["sequence"]: row._mapping["entry_index"] for row in rows})
        for event in events:
            entry = await self._ledger.get_entry(tenant, places[event.sequence])
            if not await self._same(tenant, emitter, entry, event):
                raise AlreadyExists("SEQUENCE_REUSED", metadata={"sequence": str(event.sequence)})
        return places

    async def _same(self, tenant: str, emitter: str, entry: Entry, event: Event) -> bool:
        """Whether an entry is what this event made. Compared with the content itself: a digest that is kept for
        this alone would be one more thing that erasure had to reach.
        """
        occurred_at = None if event.occurred_at is None else format_time(event.occurred_at)
        if (
            entry.type != event.type
            or entry.occurred_at != occurred_at
            or stated(entry.body) != emitter_body(emitter, event.sequence, event.body)
            or (entry.subject is None) != (event.subject_ref is None)
            or [item.kind for item in entry.commitments] != [item.kind for item in event.payloads]
        ):
            return False
        for commitment, payload in zip(entry.commitments, event.payloads, strict=True):
            if await self._ledger.open_payload(tenant, commitment.record) != payload.content:
                return False
        if event.subject_ref is None:
            return True
        return await self._ledger.pseudonym(tenant, event.subject_ref) == entry.subject

    async def _subjects(self, tenant: str, events: Sequence[Event]) -> dict[str, str]:
        """Identifier to pseudonym; each is made durable before an entry names it."""
        references = sorted({event.subject_ref for event in events if event.subject_ref is not None})
        names = await asyncio.gather(*(self._ledger.pseudonym(tenant, one) for one in references))
        return dict(zip(references, names, strict=True))
