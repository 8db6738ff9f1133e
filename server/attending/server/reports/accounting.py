"""The sections of an accounting of disclosures (45 CFR 164.528)."""

from __future__ import annotations

from collections.abc import Iterable

from attending.server.reports.blocks import ENTRY, Block, Column, bars, heading, pairs, table, text
from attending.server.reports.listed import first_of, moment
from attending.server.reports.source import Source


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    asked, rows = source.asked, source.rows
    yield heading("Accounting of disclosures")
    yield pairs(
        [
            ("From", asked.since or "the beginning of the log"),
            ("To, this moment not included", asked.until),
            *(("Person (pseudonym)", one) for one in asked.subjects),
            ("Disclosures that are listed", rows.total("disclosure")),
        ],
        left=58,
    )
    yield text(
        "Listed is what was disclosed about this person to others: when, to whom, what and why (45 CFR 164.528(b)). It",
        "goes back six years at the most. Not listed are disclosures for treatment, payment and health care",
        "operations, those to the person, and those with their permission (164.528(a)(1)); how many of these are on",
        "record is said below.",
    )
    if rows.of("disclosure"):
        yield from first_of(rows, "disclosure")
        yield table(
            [
                Column("Date", 30, 20),
                Column("Recipient", 34, 21),
                Column("Address", 26, 16),
                Column("What", 32, 20),
                Column("Why", 0, 15),
                ENTRY,
            ],
            [
                (moment(time), recipient, address, what, purpose, entry)
                for _, entry, time, recipient, address, what, purpose, _, _ in rows.of("disclosure")
            ],
            size=8,
        )
    else:
        yield text("None is on record.")
    described = [row for row in rows.of("disclosure") if row[7] is not None]
    if described:
        yield heading("Descriptions", 2)
        yield text(
            "Name and address of a recipient, and what was disclosed in words, are sealed beside the log where they",
            "were given. No text of a person stands in a report: whoever gives this accounting adds them, by these",
            "records.",
            size=9.5,
        )
        yield table(
            [Column("Entry", 18, 10, right=True), Column("Record of the description", 0, 60, mono=True)],
            [(row[1], row[7]) for row in described],
        )
    yield heading("Not accounted for", 2)
    yield bars(
        "Disclosures",
        "Entries",
        [(str(row[5]), int(row[8] or 0)) for row in rows.of("left_out")] or [("none", 0)],
    )
    yield text(
        "What is listed is what this log has. A disclosure that nobody recorded here, by another system or by word of",
        "mouth, is in no entry of it.",
        size=9.5,
    )
