"""Pruning: payloads whose retention has ended go, in bounded batches, each one append of `payload.pruned`.

Entries and tiles stay for ever. What was pruned is named by index ranges in the entry, together with the hash of
the rules that it went by and the *minimum*: from that index on, no payload of the log was ever pruned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from attending.ledger.appended import Appended
from attending.ledger.custody.door import ATTEMPTS
from attending.ledger.custody.reads import CustodyReads, Inside, Order
from attending.ledger.custody.retention import NO_TERMS, Rules, Terms, minimum_after, ranges_of
from attending.ledger.custody.state import RETENTION_STREAM, Custody, closure_over, stream_of
from attending.ledger.entry import Entry, PendingEntry, parse_entry, parse_time
from attending.ledger.errors import CorruptLog, ExpectationFailed, OutOfRange, RowRejected, VerificationError
from attending.ledger.submission import Expectation, Removal

T = TypeVar("T")

MAX_PRUNED_ENTRIES: Final = 256
"""Entries whose payloads one batch removes at most: its own entry stays small, and writers wait briefly."""
MAX_SCANNED_ENTRIES: Final = 10_000
"""Entries that one batch looks at."""
_MAX_EXPECTATIONS: Final = 1_024
_PAGE: Final = 500

TermsOf = Callable[[str, Sequence[Entry]], Awaitable[Sequence[Terms]]]
"""(log id, entries) to the terms of each: when its policy was retired, and what that policy asks for."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one batch removed, or would remove in a dry run (`appended` is None then, and when nothing was due).

    `records` counts payloads by kind, `ranges` are the half-open index ranges of their entries, `held` counts
    entries that are due and stay because of a hold. `minimum` is the published one after it. `next_index` is
    where to go on, `done` says that nothing after it is old enough.
    """

    appended: Appended | None
    records: Mapping[str, int]
    ranges: tuple[tuple[int, int], ...]
    held: int
    minimum: int
    next_index: int
    done: bool


@dataclass(slots=True)
class _Plan:
    minimum: int
    version: int
    next_index: int
    done: bool = False
    held: int = 0
    going: list[tuple[int, bool]] = field(default_factory=list)
    """(index, goes) of every entry with stored payloads."""
    removals: list[Removal] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    states: dict[str, Custody] = field(default_factory=dict)

    @property
    def entries(self) -> int:
        return sum(goes for _, goes in self.going)


class Pruner(CustodyReads):
    """Prunes over one ledger. Safe for many tasks: of two batches at once one is decided anew."""

    def __init__(self, inside: Inside, now: Callable[[], datetime]) -> None:
        super().__init__(inside)
        self._now = now

    async def minimum(self, log_id: str) -> int:
        """The published minimum: no payload of an entry at or past it was ever pruned. 0 before any prune."""
        return (await self._published(log_id))[0]

    async def prune(
        self,
        log_id: str,
        rules: Rules,
        order: Order,
        *,
        terms_of: TermsOf | None = None,
        start: int = 0,
        dry_run: bool = False,
    ) -> Pruned:
        """One batch from entry `start` on: removes the payloads that are due and that no hold covers.

        `terms_of` lengthens single entries; without it no policy is known to be retired. With `dry_run` nothing
        changes. Removal and `payload.pruned` entry are one transaction: a crash leaves both or neither. Raises
        NotFound, OutOfRange (start past the head), CorruptLog, and as an append.
        """
        for attempt in range(ATTEMPTS):
            plan = await self._plan(log_id, rules, terms_of, start)
            ranges = ranges_of(plan.going)
            minimum = minimum_after(plan.minimum, ranges)
            records = dict(sorted(plan.kinds.items()))
            result = Pruned(None, records, tuple(ranges), plan.held, minimum, plan.next_index, plan.done)
            if dry_run or not plan.removals:
                return result
            entry = PendingEntry(
                "payload.pruned",
                RETENTION_STREAM,
                order.actor,
                None,
                {
                    "rules_hash": rules.content_hash,
                    "entries": [list(item) for item in ranges],
                    "records": result.records,
                    "minimum": minimum,
                    "approved_by": order.approved_by,
                },
            )
            expect = [Expectation(RETENTION_STREAM, plan.version)]
            expect += [Expectation(stream_of(name), state.version) for name, state in plan.states.items()]
            try:
                appended = await self._in.write(
                    log_id,
                    [entry],
                    expect=expect,
                    claim=order.claim,
                    rows=order.rows,
                    removes=plan.removals,
                )
            except (ExpectationFailed, RowRejected):
                # A hold, a link, an erasure or another prune came first: what is due is decided anew.
                if attempt == ATTEMPTS - 1:
                    raise
                continue
            return replace(result, appended=appended)
        raise AssertionError("unreachable")

    async def _published(self, log_id: str) -> tuple[int, int]:
        """(minimum, version of the retention stream): the last `payload.pruned` says it."""
        self._in.size(log_id)

        def load() -> tuple[int, int]:
            version = self._in.store.read_stream_version(log_id, RETENTION_STREAM)
            if version == 0:
                return 0, 0
            [data] = self._in.store.stream_entries(log_id, RETENTION_STREAM, version - 1, 1)
            entry = parse_entry(data)
            minimum = entry.body.get("minimum")
            if type(minimum) is not int:
                raise VerificationError("`minimum` is missing", reason="ENTRY_SCHEMA", index=entry.index)
            return minimum, version

        return await self._parsed(load)

    async def _plan(self, log_id: str, rules: Rules, terms_of: TermsOf | None, start: int) -> _Plan:
        minimum, version = await self._published(log_id)
        size = self._in.size(log_id)
        if not 0 <= start <= size:
            raise OutOfRange("start is past the tree size")
        plan = _Plan(minimum, version, start)
        now, shortest = self._now(), rules.shortest_days
        if shortest is None:
            plan.done = True
            return plan
        newest = now - timedelta(days=shortest)
        end = min(size, start + MAX_SCANNED_ENTRIES)
        while plan.next_index < end:
            limit = min(_PAGE, end - plan.next_index)
            entries = await self._read(log_id, plan.next_index, limit)
            terms = [NO_TERMS] * len(entries) if terms_of is None else await terms_of(log_id, entries)
            records = [item.record for entry in entries for item in entry.commitments]
            present = (
                await self._in.run(self._in.store.present_records, log_id, records) if records else set()
            )
            for entry, term in zip(entries, terms, strict=True):
                if parse_time(entry.time) > newest:
                    # Times never go back, so nothing from here on is old enough for any rule.
                    plan.done = True
                    return plan
                if plan.entries >= MAX_PRUNED_ENTRIES or len(plan.states) >= _MAX_EXPECTATIONS:
                    return plan
                await self._judge(log_id, plan, entry, rules, term, now, present)
                plan.next_index = entry.index + 1
        plan.done = plan.next_index >= size
        return plan

    async def _judge(
        self,
        log_id: str,
        plan: _Plan,
        entry: Entry,
        rules: Rules,
        terms: Terms,
        now: datetime,
        present: set[str],
    ) -> None:
        items = [item for item in entry.commitments if item.record in present]
        if not items:
            return
        goes = rules.due(entry.type, parse_time(entry.time), now, terms)
        if goes and entry.subject is not None:
            await self._extend(log_id, entry.subject, plan.states)
            if self._held(entry.subject, plan.states):
                plan.held += 1
                goes = False
        plan.going.append((entry.index, goes))
        if goes:
            plan.removals += [Removal(item.record, entry.index) for item in items]
            plan.kinds.update(item.kind for item in items)

    def _held(self, subject: str, states: Mapping[str, Custody]) -> bool:
        return any(states[name].holds for name in closure_over(subject, lambda name: states[name].links))

    async def _read(self, log_id: str, start: int, limit: int) -> list[Entry]:
        return await self._parsed(
            lambda: [parse_entry(data) for data in self._in.store.entries(log_id, start, limit)]
        )

    async def _parsed(self, load: Callable[[], T]) -> T:
        try:
            return await self._in.run(load)
        except VerificationError as err:
            raise CorruptLog("a stored entry does not parse", index=err.index) from err
