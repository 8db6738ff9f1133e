"""Custody over one ledger: show, link, unlink, hold, lift, erase. Each change is one conditional append.

A change reads the custody streams of every closure that it touches, decides by the rules of `state`, and appends
with the versions that it read. Who loses a race reads again and decides again: an erasure that was overtaken by a
hold is then refused, and the other way round.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from attending.ledger.appended import Appended
from attending.ledger.custody import tables
from attending.ledger.custody.state import (
    MAX_CLOSURE,
    Closure,
    Custody,
    ErasureReason,
    HoldGround,
    closure_over,
    custody_of,
    may_erase,
    require_no_hold,
    require_present,
    stream_of,
)
from attending.ledger.entry import Entry, PendingEntry, parse_entry
from attending.ledger.errors import (
    ClosureTooLarge,
    CorruptLog,
    CustodyChanged,
    ExpectationFailed,
    NotFound,
    RowRejected,
    StoreUnavailable,
    SubjectErased,
    VerificationError,
)
from attending.ledger.keys import KeyFolder
from attending.ledger.projection import EntryIndex, RowWrite
from attending.ledger.store.port import Store
from attending.ledger.submission import Claim, Expectation, Removal

T = TypeVar("T")

ATTEMPTS: Final = 8
"""Times that a change is decided anew after losing a race; then ExpectationFailed is the answer."""
SWEEP: Final = 256
"""Payload rows that one transaction removes at most."""
_PAGE: Final = 1_000


class Write(Protocol):
    """Appends entries, or none, with what only custody may add: erasures and removals."""

    def __call__(
        self,
        log_id: str,
        entries: Sequence[PendingEntry],
        *,
        expect: Sequence[Expectation] = (),
        claim: Claim | None = None,
        rows: Sequence[RowWrite] = (),
        erases: Sequence[str] = (),
        removes: Sequence[Removal] = (),
    ) -> Awaitable[Appended | None]: ...


class Run(Protocol):
    """Runs a blocking read off the event loop; a failing store becomes StoreUnavailable."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Inside:
    """What the ledger lends to custody. `size` is that of a log (NotFound), `erased` its erased pseudonyms."""

    store: Store
    keys: KeyFolder
    run: Run
    write: Write
    size: Callable[[str], int]
    erased: dict[str, set[str]]


@dataclass(frozen=True, slots=True)
class SubjectView:
    """A subject as it stands: its closure, and payloads still stored of each pseudonym, by kind."""

    closure: Closure
    payloads: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Order:
    """Who asks for a change, on whose approval, and what is appended with it.

    `approved_by` is the second person's name, as whoever asks gives it. `claim` and `rows` are as in an append.
    """

    actor: str = "system"
    approved_by: str | None = None
    claim: Claim | None = None
    rows: Sequence[RowWrite] = field(default=())


class CustodyReads:
    """Reads custody out of the streams; shared by the changes and by pruning."""

    def __init__(self, inside: Inside) -> None:
        self._in = inside

    async def closure(self, log_id: str, subject: str) -> Closure:
        """The closure of a subject, each member with its custody. Raises NotFound, CorruptLog."""
        await self._require(log_id, subject)
        states: dict[str, Custody] = {}
        await self._extend(log_id, subject, states)
        return Closure(subject, states)

    async def show(self, log_id: str, subject: str) -> SubjectView:
        """A subject as it stands. Raises NotFound, CorruptLog."""
        closure = await self.closure(log_id, subject)
        size = self._in.size(log_id)
        counts = {
            name: await self._in.run(self._in.store.payload_counts, log_id, name, size)
            for name in closure.subjects
        }
        return SubjectView(closure, counts)

    async def _extend(self, log_id: str, subject: str, states: dict[str, Custody]) -> None:
        """Puts the custody of everything that links lead to from `subject` into `states`."""
        waiting = [subject]
        while waiting:
            name = waiting.pop()
            if name not in states:
                states[name] = await self._state(log_id, name)
                waiting += states[name].links

    async def _pair(self, log_id: str, subject: str, other: str) -> tuple[Closure, Closure]:
        """Two closures from one reading. Read apart, somebody in both could be seen at two moments, and an append
        can expect only one of them.
        """
        await self._require(log_id, subject)
        await self._require(log_id, other)
        states: dict[str, Custody] = {}
        await self._extend(log_id, subject, states)
        await self._extend(log_id, other, states)
        one, two = (
            Closure(
                name, {member: states[member] for member in closure_over(name, lambda n: states[n].links)}
            )
            for name in (subject, other)
        )
        return one, two

    async def _state(self, log_id: str, subject: str) -> Custody:
        """Custody of one subject. The version is the number of entries read, so that an append which expects it
        rests on exactly these.
        """

        def load() -> list[Entry]:
            entries: list[Entry] = []
            while True:
                stored = self._in.store.stream_entries(log_id, stream_of(subject), len(entries), _PAGE)
                entries += [parse_entry(data) for data in stored]
                if len(stored) < _PAGE:
                    return entries

        try:
            return custody_of(subject, await self._in.run(load))
        except VerificationError as err:
            raise CorruptLog("a custody entry does not read", index=err.index, reason=err.reason) from err

    async def _require(self, log_id: str, subject: str) -> None:
        """NotFound unless the log has, or had, this subject."""
        self._in.size(log_id)
        if subject in self._in.erased.get(log_id, ()):
            return
        try:
            await self._in.run(self._in.keys.get, log_id, subject)
        except SubjectErased as err:
            # A lost key is no erasure: what it sealed can still be shown as held, and certified as gone.
            if not await self._in.run(self._in.store.payload_counts, log_id, subject, self._in.size(log_id)):
                raise NotFound("no such subject") from err


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

        appended, closure = await self._decided(attempt)
        await self._destroy(log_id, closure.subjects)
        await self.sweep(log_id)
        return appended

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
        """Destroys the keys of subjects whose erasure is on record."""
        self._in.erased.setdefault(log_id, set()).update(subjects)
        try:
            for name in subjects:
                await self._in.run(self._in.keys.destroy, log_id, name)
        except OSError as err:
            raise StoreUnavailable(
                "erasure is on record, and a key could not be destroyed yet: ask again"
            ) from err

    async def _was_placed(self, log_id: str, subject: str, hold_id: str) -> bool:
        stored = await self._in.run(self._in.store.stream_entries, log_id, stream_of(subject), 0, _PAGE)
        entries = [parse_entry(data) for data in stored]
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
