"""The sections of a retention and erasure report: the certificates, the holds, and how to check one."""

from __future__ import annotations

from collections.abc import Iterable

from attending.server.reports.blocks import ENTRY, Block, Column, heading, table, text
from attending.server.reports.listed import first_of, moment
from attending.server.reports.source import Source


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    rows = source.rows
    yield heading("Certificates of erasure")
    yield text(
        "Each says that the key of one pseudonym was destroyed: what was sealed under it is gone from every copy,",
        "backups included, while its entries and their proofs stay and go on verifying. The number of payloads is that",
        "stored then.",
    )
    yield from _table(source, "erasure", "Nobody was erased in the period.")
    yield heading("Removed at the end of their retention")
    yield text(
        "Batches of payloads that the rules, named by their hash, no longer kept. No entry is ever removed.",
    )
    yield from _table(source, "pruned", "Nothing was removed in the period.")
    yield heading("Legal holds of the period")
    yield from _table(source, "hold", "None was placed or lifted.")
    yield heading("Legal holds in force at its end")
    yield text(f"At {source.asked.until}: what they cover is neither erased nor pruned.")
    if rows.of("standing"):
        yield from first_of(rows, "standing")
        yield table(
            [
                ENTRY,
                Column("Placed", 30, 20),
                Column("Hold", 44, 27, mono=True),
                Column("Person (pseudonym)", 46, 28, mono=True),
                Column("Ground", 0, 20),
            ],
            [
                (entry, moment(time), name, subject or "", str(reason).replace("_", " "))
                for _, entry, time, name, subject, reason, *_ in rows.of("standing")
            ],
            size=8,
        )
    else:
        yield text("None.")
    yield text(
        "The verifier (V19) fails a payload that is called erased without its certificate, an erasure under a hold,",
        "and the erasure of a person by halves.",
        size=9.5,
    )


def _table(source: Source, name: str, none: str) -> Iterable[Block]:
    rows = source.rows
    if not rows.of(name):
        yield text(none)
        return
    yield from first_of(rows, name)
    yield table(
        [
            Column("Entry", 13, 8, right=True),
            Column("Time", 29, 19),
            Column("What", 22, 14),
            Column("Person", 28, 17, mono=True),
            Column("Reason", 24, 15),
            Column("Payloads", 15, 9, right=True),
            Column("By, and approved by", 0, 24),
        ],
        [
            (
                entry,
                moment(time),
                what,
                subject or "",
                str(reason or "").replace("_", " "),
                "" if payloads is None else payloads,
                f"{by}; {approved}" if approved else by,
            )
            for _, entry, time, what, subject, reason, payloads, by, approved, _ in rows.of(name)
        ],
        size=8,
    )
    yield heading("In detail", 2)
    yield table(
        [Column("Entry", 16, 9, right=True), Column("As recorded", 0, 85, mono=True)],
        [(row[1], row[9] or "") for row in rows.of(name)],
    )
