"""The entries about one person, all pseudonyms together: what a report that is given to that person may hold.

A link counts where it was made before the report was asked for, so that the same entries are found again. What an
agency had suspended at that time is left out (45 CFR 164.528(a)(2)), and so are legal holds.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from attending.ledger import errors
from attending.ledger.custody.state import custody_of, stream_of
from attending.ledger.entry import Entry, parse_time
from attending.ledger.ledger import Ledger
from attending.ledger.verify.registers import Asked
from attending.ledger.verify.registers.suspension import Suspension, suspension_stream, suspensions, withheld
from attending.server.clock import stamp
from attending.server.errors import FailedPrecondition, NotFound

MOST_ENTRIES: Final = 50_000
"""Entries about one person in one report: each carries a proof."""
_BLOCK: Final = 1_000
_LINKS: Final = frozenset({"subject.linked", "subject.unlinked", "subject.erased"})


async def pseudonyms(ledger: Ledger, tenant: str, subject: str, size: int | None = None) -> tuple[str, ...]:
    """Every pseudonym of the person, sorted, by the first `size` entries of the log, or all.

    Raises NotFound (UNKNOWN_SUBJECT), also for one of another tenant.
    """
    try:
        await ledger.custody.closure(tenant, subject)
    except errors.NotFound:
        raise NotFound("UNKNOWN_SUBJECT") from None
    found, waiting = set[str](), [subject]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += custody_of(name, await _stream(ledger, tenant, stream_of(name), size)).links
    return tuple(sorted(found))


async def about_person(
    ledger: Ledger, tenant: str, types: Collection[str], asked: Asked, entries: range, at: str
) -> tuple[set[int], set[str]]:
    """Indexes of the entries about the person, of those types and within the period, without what is suspended at that
    time, which is not that of the period's end; with the links between the
    pseudonyms, and the log's first entry, so that there is one. And the inferences among them, whose own entries say by
    what they were released. Raises FailedPrecondition (TOO_MANY_CHOSEN).
    """
    found, inferences, running = {0}, set[str](), list[Suspension]()
    for name in asked.subjects:
        custody = await _stream(ledger, tenant, stream_of(name), entries.stop)
        found |= {entry.index for entry in custody if entry.type in _LINKS}
        running += suspensions(await _stream(ledger, tenant, suspension_stream(name), entries.stop))
    for start in range(entries.start, entries.stop, _BLOCK):
        block = await ledger.list_entries(tenant, start, min(_BLOCK, entries.stop - start))
        about = [one for one in block if one.subject in asked.subjects and one.type in types]
        for entry in about:
            if asked.within(entry.time) and not withheld(entry, running, at):
                found.add(entry.index)
                if entry.type == "inference.requested":
                    inferences.add(entry.stream)
        if len(found) > MOST_ENTRIES:
            raise FailedPrecondition("TOO_MANY_CHOSEN", metadata={"most": str(MOST_ENTRIES)})
    return found, inferences


async def suspended(ledger: Ledger, tenant: str, subjects: Sequence[str], now: str) -> list[Suspension]:
    """The suspensions that run now."""
    found = [
        one
        for name in subjects
        for one in suspensions(await ledger.whole_stream(tenant, suspension_stream(name)))
    ]
    return [one for one in found if one.since <= now < one.until]


async def require_givable(
    ledger: Ledger, tenant: str, running: Sequence[Suspension], entries: Sequence[int], now: str
) -> None:
    """Returns where a report that was made of these entries may be given to the person while these run.

    Raises FailedPrecondition (ACCOUNTING_SUSPENDED) where an agency had it suspended since.
    """
    for index in entries:
        if withheld(await ledger.get_entry(tenant, index), running, now):
            raise FailedPrecondition("ACCOUNTING_SUSPENDED")


def years_before(time: str, years: int) -> str:
    """The same day so many years before, canonical; of the 29th of February the 28th where there is none."""
    moment = parse_time(time)
    try:
        return stamp(moment.replace(year=moment.year - years))
    except ValueError:
        return stamp(moment.replace(year=moment.year - years, day=28))


async def _stream(ledger: Ledger, tenant: str, stream: str, size: int | None) -> list[Entry]:
    found = await ledger.whole_stream(tenant, stream)
    return [entry for entry in found if size is None or entry.index < size]
