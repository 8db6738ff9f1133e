"""The sections of a guardrail report: rails, findings, and the same by subgroup."""

from __future__ import annotations

from collections.abc import Iterable

from attending.ledger.verify.registers import Asked
from attending.ledger.verify.registers.subgroups import MINIMUM, NOT_COLLECTED
from attending.server.reports.blocks import Block, Column, heading, table, text
from attending.server.reports.listed import first_of
from attending.server.reports.source import Rows, Source


def sections(source: Source) -> Iterable[Block]:
    """All of them, in order."""
    return pages(source.asked, source.rows)


def pages(asked: Asked, rows: Rows) -> Iterable[Block]:
    """The same, of the rows of a register that was asked so."""
    yield heading("Rails")
    if rows.of("rail"):
        yield from first_of(rows, "rail")
        yield table(
            [
                Column("Rail", 66, 42),
                *(
                    Column(title, 0, 14, right=True)
                    for title in ("Runs", "Flagged", "In a hundred", "Did not judge")
                ),
            ],
            [
                (name, texts, flagged, _share(flagged, texts), silent)
                for _, name, texts, flagged, _, _, _, _, _, silent in rows.of("rail")
            ],
        )
        yield text("A rail that did not judge a text holds it: nothing fails open.", size=9)
    else:
        yield text("No text was judged in the period.")
    yield heading("Findings, and what reviewers made of them")
    if rows.of("finding"):
        yield from first_of(rows, "finding")
        yield table(
            [
                Column("Finding", 66, 42),
                *(
                    Column(title, 0, 14, right=True)
                    for title in ("Texts", "Upheld", "Overridden", "Upheld in a hundred")
                ),
            ],
            [
                (code, texts, upheld, overridden, _share(upheld, _sum(upheld, overridden)))
                for _, code, texts, _, _, _, overridden, upheld, _, _ in rows.of("finding")
            ],
        )
        yield text(
            "Upheld: the text was corrected for it. Of a text that no reviewer saw nobody said whether a finding was",
            "right, and what no rail found is in none of these numbers.",
            size=9,
        )
    else:
        yield text("None in the period.")
    yield heading("By subgroup")
    if not asked.group or all(row[1] == NOT_COLLECTED for row in rows.of("group")):
        yield text(
            "Not collected. The gate collects no attribute of a person: whoever calls it may give one as a tag of the",
            "call, such as an age band, and ask for this table by the tag's name (`--group`)."
            + (f" No call of the period has the tag {asked.group}." if asked.group else ""),
        )
        return
    yield text(
        f"By the tag {asked.group}, as callers gave it; groups of fewer than {MINIMUM} texts are put together. Shares",
        "are of texts. A difference is a reason to look and no finding: groups differ in what is asked for.",
    )
    yield from first_of(rows, "group")
    yield table(
        [
            Column("Group", 44, 27),
            *(
                Column(title, 0, 10, right=True)
                for title in ("Texts", "Flagged", "Held", "Blocked", "Overridden", "Withdrawn")
            ),
        ],
        [
            (
                name,
                "" if texts is None else texts,
                *(_both(count, texts) for count in (flagged, held, blocked)),
                "" if overridden is None else overridden,
                _both(withdrawn, texts),
            )
            for _, name, texts, flagged, held, blocked, overridden, _, withdrawn, _ in rows.of("group")
        ],
    )
    yield text(
        "In brackets: in a hundred texts of the group; overridden are findings, and have no share.", size=9
    )


def _share(part: object, whole: object) -> str:
    """So many in a hundred, with one digit; nothing of nothing."""
    if type(part) is not int or type(whole) is not int or not whole:
        return ""
    return f"{part * 1000 // whole / 10:.1f}"


def _sum(*parts: object) -> int:
    return sum(part for part in parts if type(part) is int)


def _both(part: object, whole: object) -> str:
    share = _share(part, whole)
    return f"{part} ({share})" if share else "" if part is None else str(part)
