"""The sections of an incident file: what happened, which clocks run, what was done."""

from __future__ import annotations

from collections.abc import Iterable

from attending.server.reports.blocks import ENTRY, Block, Column, heading, table, text
from attending.server.reports.listed import first_of, moment
from attending.server.reports.source import Source


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    rows = source.rows
    yield heading("Incidents")
    if not rows.of("incident"):
        yield text("None was opened in the period, or none of that id.")
        return
    yield from first_of(rows, "incident")
    yield table(
        [
            ENTRY,
            Column("Opened", 30, 20),
            Column("Incident", 38, 24, mono=True),
            Column("State", 24, 15),
            Column("As stated", 0, 40),
        ],
        [
            (entry, moment(time), name, state, said)
            for _, name, entry, time, _, _, _, state, _, said in rows.of("incident")
        ],
        size=8,
    )
    yield heading("Clocks")
    yield text(
        f"As of {source.asked.until}. A clock runs from awareness or discovery, as the entries state it, in days of 24",
        "hours; it is met by a notice to that recipient about the incident. The duties of Article 73 of the AI Act for",
        "high-risk systems apply from 2 December 2027 (Annex III) and 2 August 2028 (Annex I), as of November 2026.",
        "Whether an incident is a breach or a serious incident is for people to say: where they did not, the stricter",
        "clock is shown, and says so.",
    )
    if rows.of("clock"):
        yield from first_of(rows, "clock")
        yield table(
            [
                Column("Incident", 30, 19, mono=True),
                Column("What is due", 40, 26),
                Column("Rule", 34, 21),
                Column("Due", 22, 13),
                Column("Done", 22, 13),
                Column("State", 0, 12),
            ],
            [
                (name, what, rule, moment(due), moment(time) or "not yet", state)
                for _, name, _, time, what, rule, due, state, _, _ in rows.of("clock")
            ],
            size=8,
        )
    else:
        yield text("None runs for these.")
    yield heading("What was done, entry by entry")
    yield from first_of(rows, "event")
    yield table(
        [
            ENTRY,
            Column("Time", 30, 20),
            Column("Incident", 30, 19, mono=True),
            Column("What", 30, 20),
            Column("By", 28, 18),
            Column("Detail", 0, 22),
        ],
        [
            ("" if entry is None else entry, moment(time), name, what, by or "", said or "")
            for _, name, entry, time, what, _, _, _, by, said in rows.of("event")
        ],
        size=8,
    )
    yield text("Descriptions and resolutions are sealed beside the log, and stand in no report.", size=9)
