"""Custody over one ledger: show, link, unlink, hold, lift, erase. Each change is one conditional append.

A change reads the custody streams of every closure that it touches, decides by the rules of `state`, and appends
with the versions that it read. Who loses a race reads again and decides again: an erasure that was overtaken by a
hold is then refused, and the other way round.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar

from attending.ledger.appended import Appended
from attending.ledger.custody import tables
from attending.ledger.custody.reads import CustodyReads, Inside, Order
from attending.ledger.custody.state import (
    MAX_CLOSURE,
    Closure,
    ErasureReason,
    HoldGround,
    may_erase,
    require_no_hold,
    require_present,
    stream_of,
)
from attending.ledger.entry import PendingEntry
from attending.ledger.errors import (
    ClosureTooLarge,
    CustodyChanged,
    ExpectationFailed,
    LedgerError,
    NotFound,
    RowRejected,
    StoreUnavailable,
    SubjectErased,
)
from attending.ledger.projection import EntryIndex, RowWrite
from attending.ledger.submission import Expectation, Removal

T = TypeVar("T")

ATTEMPTS: Final = 8
"""Times that a change is decided anew after losing a race; then ExpectationFailed is the answer."""
SWEEP: Final = 256
"""Payload rows that one transaction removes at most."""


class Custodian(CustodyReads):
    """The door methods. Safe for many tasks of the ledger's event loop."""

    def __init__(self, inside: Inside) -> None:
        super().__init__(inside)
        self._running: set[asyncio.Task[Appended | None]] = set()

    async def link(self, log_id: str, subject: str, other: str, order: Order) -> Appended | None:
        """Says that two pseudonyms are one person: one `subject.linked` entry in the stream of each.

        A hold on either side covers the other from then on. None when they are linked already. Raises
        NotFound, ValueError (the same twice), SubjectErased, ClosureTooLarge, and as an append.
        """
        if subject == other:
            raise ValueError("a subject cannot be linked to itself")

        async def attempt() -> Appended | None:
            one, two = await self._pair(log_id, subject, other)
            if other in one.states[subject].links:
                return None
            require_present(one)
            require_present(two)
            if len(one.states.keys() | two.states.keys()) > MAX_CLOSURE:
                raise ClosureTooLarge(f"more than {MAX_CLOSURE} pseudonyms would be one person")
            rows = [
                tables.link_row(subject, other, EntryIndex(0)),
                tables.link_row(other, subject, EntryIndex(1)),
            ]
            for here, there in ((one, two), (two, one)):
                fresh = sorted(there.states.keys() - here.states.keys())
                for hold in here.holds:
                    rows += tables.cover_rows(hold, fresh)
            entries = [
                self._entry("subject.linked", subject, order, {"other": other}),
                self._entry("subject.linked", other, order, {"other": subject}),
            ]
            return await self._append(log_id, entries, order, rows, one, two)

        return await self._decided(attempt)

    async def unlink(self, log_id: str, subject: str, other: str, order: Order) -> Appended | None:
        """Takes a link back, in both streams: an erasure does not follow it any more.

        Refused under a hold (SubjectHeld): whoever could unlink could take data out of its reach. None when they
        are not linked. Raises NotFound, SubjectErased, and as an append.
        """

        async def attempt() -> Appended | None:
            closure = await self.closure(log_id, subject)
            await self._require(log_id, other)
            if other not in closure.states[subject].links:
                return None
            require_present(closure)
            require_no_hold(closure)
            rows = [tables.link_gone(subject, other), tables.link_gone(other, subject)]
            entries = [
                self._entry("subject.unlinked", subject, order, {"other": other}),
                self._entry("subject.unlinked", other, order, {"other": subject}),
            ]
            return await self._append(log_id, entries, order, rows, closure)

        return await self._decided(attempt)

    async def hold(self, log_id: str, subject: str, ground: HoldGround, order: Order) -> Appended:
        """Places a hold, `hold.placed`; its id is in the body as `hold`. It covers the subject's closure.

        Several may stand at once, each is lifted by itself. Raises NotFound, SubjectErased, and as an append.
        """
        hold_id = "hold_" + secrets.token_hex(12)

        async def attempt() -> Appended:
            closure = await self.closure(log_id, subject)
            require_present(closure)
            rows = tables.placed_rows(hold_id, subject, ground.value, closure.subjects)
            body = {"hold": hold_id, "ground": ground.value}
            entries = [self._entry("hold.placed", subject, order, body)]
            return await self._append(log_id, entries, order, rows, closure)

        return await self._decided(attempt)

    async def lift(self, log_id: str, subject: str, hold_id: str, order: Order) -> Appended | None:
        """Lifts a hold that covers the subject, `hold.lifted` in the stream of the one that it was placed on.

        None when it was lifted before. Raises NotFound (no such subject or hold), and as an append.
        """

        async def attempt() -> Appended | None:
            closure = await self.closure(log_id, subject)
            found = next((hold for hold in closure.holds if hold.hold_id == hold_id), None)
            if found is None:
                for name in closure.subjects:
                    if await self._was_placed(log_id, name, hold_id):
                        return None
                raise NotFound("no such hold covers the subject")
            rows = tables.lifted_rows(hold_id, closure.subjects)
            body = {"hold": hold_id, "ground": found.ground, "placed": found.index}
            entries = [self._entry("hold.lifted", found.subject, order, body)]
            return await self._append(log_id, entries, order, rows, closure)

        return await self._decided(attempt)

    async def erase(
        self,
        log_id: str,
        subject: str,
        reason: ErasureReason,
        order: Order,
        *,
        expected: Collection[str] | None = None,
    ) -> Appended | None:
        """Erases a subject and everything linked to it, for good, wherever copies lie.

        One atomic append with a certificate, `subject.erased`, for each pseudonym of the closure; then their keys
        are destroyed; then the sealed rows go. None when it was erased before (what a crash left undone is done
        then). `expected` are the pseudonyms that the caller means to erase, when it matters.

        Raises NotFound, SubjectHeld (a hold covers one of them), CustodyChanged (others are linked than
        `expected`), StoreUnavailable (also: the erasure is on record and a key could not be destroyed yet), and
        as an append.

        Order: entries first, then keys. A crash between leaves a recorded erasure that the next start carries
        out; the other order could destroy without a record, or half of a person without the other half.
        """

        task = asyncio.ensure_future(self._erase(log_id, subject, reason, order, expected))
        # A caller who goes away changes nothing: what is on record is carried out.
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    async def sweep(self, log_id: str) -> int:
        """Removes the rows of payloads whose subject is erased; their number.

        What a crash leaves are rows that no key opens, for the next sweep. Raises StoreUnavailable and the errors
        of an append.
        """
        removed = refused = 0
        while True:
            rows = await self._in.run(self._in.store.erased_records, log_id, SWEEP)
            if not rows:
                return removed
            removals = [Removal(row.record, row.entry_index, row.removed_by) for row in rows]
            try:
                await self._in.write(log_id, (), removes=removals)
            except RowRejected:
                # Somebody else removed them meanwhile.
                refused += 1
                if refused > ATTEMPTS:
                    raise
            else:
                removed += len(removals)

    async def _erase(
        self,
        log_id: str,
        subject: str,
        reason: ErasureReason,
        order: Order,
        expected: Collection[str] | None,
    ) -> Appended | None:
        async def attempt() -> tuple[Appended | None, Closure]:
            closure = await self.closure(log_id, subject)
            if expected is not None and set(expected) != set(closure.subjects):
                raise CustodyChanged("other pseudonyms are linked than those that were to be erased")
            rest = may_erase(closure)
            if not rest:
                return None, closure
            certificates = await self._certificates(log_id, rest, reason, order)
            appended = await self._append(log_id, certificates, order, (), closure, erases=rest)
            return appended, closure

        try:
            appended, closure = await self._decided(attempt)
        except StoreUnavailable:
            # The append does not know whether its certificates are there; what is stored now does.
            with contextlib.suppress(LedgerError):
                await self._carry_out(log_id, await self.closure(log_id, subject))
            raise
        if appended is None:
            await self._carry_out(log_id, closure)
        else:
            await self._destroy(log_id, closure.subjects)
        return appended

    async def _carry_out(self, log_id: str, closure: Closure) -> None:
        """Destroys what certificates on record say is erased; nothing when the closure has none.

        INVARIANT: no key goes before its certificate is durable. What can be read after a failed commit may still be
        lost in a crash; under a head that the sequencer has signed it cannot.
        """
        certificates = [state.erased for state in closure.states.values() if state.erased is not None]
        if len(certificates) < len(closure.states):
            return
        if max(certificates) >= self._in.size(log_id):
            await self._in.write(log_id, ())  # has the sequencer read the heads again
            if max(certificates) >= self._in.size(log_id):
                raise StoreUnavailable("erasure is not known to be durable yet: ask again")
        await self._destroy(log_id, closure.subjects)

    def _done(self, task: asyncio.Task[Appended | None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # told to whoever waits, if anybody still does

    async def _certificates(
        self, log_id: str, subjects: Sequence[str], reason: ErasureReason, order: Order
    ) -> list[PendingEntry]:
        """The certificates: enums, counts, random ids and hashes of nothing personal.

        `records` counts payloads of the first `counted_to` entries, so that it says something exact although
        appends go on; `key_id` tells which key was destroyed, to whoever holds a copy of it.
        """
        erasure = "era_" + secrets.token_hex(12)
        certificates = []
        for name in subjects:
            size = self._in.size(log_id)
            counts = await self._in.run(self._in.store.payload_counts, log_id, name, size)
            body = {
                "erasure": erasure,
                "reason": reason.value,
                "closure": len(subjects),
                "counted_to": size,
                "records": dict(sorted(counts.items())),
                "key_id": await self._key_id(log_id, name),
            }
            certificates.append(self._entry("subject.erased", name, order, body))
        return certificates

    async def _key_id(self, log_id: str, subject: str) -> str | None:
        try:
            return await self._in.run(self._in.keys.key_id, log_id, subject)
        except SubjectErased:
            return None

    async def _destroy(self, log_id: str, subjects: Sequence[str]) -> None:
        """Destroys the keys of subjects whose erasure is durably on record, then what they sealed."""
        self._in.erased.setdefault(log_id, set()).update(subjects)
        try:
            for name in subjects:
                await self._in.run(self._in.keys.destroy, log_id, name)
        except OSError as err:
            raise StoreUnavailable(
                "erasure is on record, and a key could not be destroyed yet: ask again"
            ) from err
        await self.sweep(log_id)

    async def _was_placed(self, log_id: str, subject: str, hold_id: str) -> bool:
        entries = await self._stream(log_id, subject)
        return any(e.type == "hold.placed" and e.body.get("hold") == hold_id for e in entries)

    def _entry(self, type_: str, subject: str, order: Order, body: Mapping[str, Any]) -> PendingEntry:
        full = {**body, "approved_by": order.approved_by}
        return PendingEntry(type_, stream_of(subject), order.actor, subject, full)

    async def _append(
        self,
        log_id: str,
        entries: Sequence[PendingEntry],
        order: Order,
        rows: Sequence[RowWrite],
        *closures: Closure,
        erases: Sequence[str] = (),
    ) -> Appended:
        """One append that holds only if no custody of these closures has moved since it was read."""
        versions = {name: state.version for closure in closures for name, state in closure.states.items()}
        appended = await self._in.write(
            log_id,
            entries,
            expect=[Expectation(stream_of(name), version) for name, version in sorted(versions.items())],
            claim=order.claim,
            rows=[*rows, *order.rows],
            erases=erases,
        )
        assert appended is not None, "an append with entries came to nothing"
        return appended

    async def _decided(self, attempt: Callable[[], Awaitable[T]]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return await attempt()
            except ExpectationFailed:
                continue
        return await attempt()
