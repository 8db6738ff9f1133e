"""The sections of an access report: who looked at what about one person, when, and by what right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attending.server.reports.blocks import Block, Column, heading, pairs, table, text
from attending.server.reports.listed import first_of, moment
from attending.server.reports.source import Source


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    asked, rows = source.asked, source.rows
    yield heading("Who came to know what")
    yield pairs(
        [
            ("From", asked.since or "the beginning of the log"),
            ("To, this moment not included", asked.until),
            *(("Person (pseudonym)", one) for one in asked.subjects),
            ("Accesses on record", rows.total("access")),
        ],
        left=58,
    )
    yield text(
        "Whatever gives personal content is an entry before it is given, so that each look is here, and at the most a",
        "look too many: where a process ended between entry and answer, nobody got what the entry says.",
    )
    if not rows.of("access"):
        yield text("None is on record.")
        return
    yield from first_of(rows, "access")
    yield table(
        [
            Column("Entry", 13, 8, right=True),
            Column("Time", 29, 19),
            Column("Who", 27, 17),
            Column("For", 22, 14),
            Column("What", 30, 19),
            Column("Purpose", 18, 11),
            Column("Right", 0, 19),
        ],
        [
            (
                entry,
                moment(time),
                who,
                given_for or "",
                what,
                purpose or "",
                f"{right or ''} {emergency or ''}".strip(),
            )
            for _, entry, time, who, given_for, what, _, purpose, right, emergency in rows.of("access")
        ],
        size=8,
    )
    yield text(
        "Purposes are codes of HL7 v3 PurposeOfUse; a right is the authorisation policy that let the call through, and",
        "the emergency access where there was one. rows.csv says which text or case.",
        size=9,
    )
    shown = Counter(str(row[3]) for row in rows.of("access"))
    yield heading("By whom, of those printed", 2)
    yield table(
        [Column("Who", 0, 80), Column("Accesses", 24, 12, right=True)],
        [(who, count) for who, count in shown.most_common()],
    )
