"""Reading custody out of the streams, and what the ledger lends to those who read and change it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from attending.ledger.appended import Appended
from attending.ledger.custody.state import Closure, Custody, closure_over, custody_of, stream_of
from attending.ledger.entry import Entry, PendingEntry, parse_entry
from attending.ledger.errors import CorruptLog, NotFound, SubjectErased, VerificationError
from attending.ledger.keys import KeyFolder
from attending.ledger.projection import RowWrite
from attending.ledger.store.port import Store
from attending.ledger.submission import Claim, Expectation, NewSigner, Removal

T = TypeVar("T")

_PAGE: Final = 1_000


class Write(Protocol):
    """Appends entries, or none, with what only custody may add, erasures and removals, and rotation: a new signer."""

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
        rotates: NewSigner | None = None,
    ) -> Awaitable[Appended | None]: ...


class Run(Protocol):
    """Runs a blocking read off the event loop; a failing store becomes StoreUnavailable."""

    def __call__(self, function: Callable[..., T], *arguments: Any) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Inside:
    """What the ledger lends to custody. `size` is that of a log (NotFound), `erased` its erased pseudonyms.

    `aside` is as `run`, on threads that no reader needs: for what waits for a lock that others hold, or for a root.
    """

    store: Store
    keys: KeyFolder
    run: Run
    aside: Run
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

        try:
            return custody_of(subject, await self._stream(log_id, subject))
        except VerificationError as err:
            raise CorruptLog("a custody entry does not read", index=err.index, reason=err.reason) from err

    async def _stream(self, log_id: str, subject: str) -> list[Entry]:
        """Every entry of the subject's custody stream."""

        def load() -> list[Entry]:
            entries: list[Entry] = []
            while True:
                stored = self._in.store.stream_entries(log_id, stream_of(subject), len(entries), _PAGE)
                entries += [parse_entry(data) for data in stored]
                if len(stored) < _PAGE:
                    return entries

        return await self._in.run(load)

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
