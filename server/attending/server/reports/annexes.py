"""The last pages of every report: one trace to redo by hand, each check, every figure, and what is attached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from attending.ledger.entry import Entry
from attending.ledger.verify.report import CHECKS, NOT_CHECKED
from attending.ledger.verify.statistics import figure_lines
from attending.server.reports.blocks import Block, Column, code, heading, pairs, table, text
from attending.server.reports.cover import BUNDLE
from attending.server.reports.source import Source

MOST_RESULTS: Final = 120


def trace(source: Source) -> Iterable[Block]:
    """One entry's hash, and the entry that states it, by `sha256sum` alone."""
    found = _pair(source.gathered.trace)
    if found is None:
        return
    (number, entry), after = found
    yield heading("One hash, redone by hand")
    yield text(
        f"Entry {entry.index} ({entry.type} of {entry.stream}) is line {number} of the bundle's entries. Its leaf",
        "hash is SHA-256 over a zero byte and the stored bytes (RFC 6962, section 2.1). With standard tools:",
    )
    yield code([leaf_command(number)])
    rows: list[tuple[str, object]] = [("Leaf hash", entry.leaf_hash.hex())]
    if after is not None:
        rows.append((f"Stated by entry {after.index}", after.prev.hex()))
    yield pairs(rows, mono=frozenset(name for name, _ in rows))
    yield text(
        "Each entry states the hash of the one before it, and all of them lead to the root hash on the first page.",
        "docs/format.md redoes the rest by hand, signatures included.",
        size=9.5,
    )


def leaf_command(line: int) -> str:
    """The shell command that prints the leaf hash of a line of the bundle's entries."""
    return f"(printf '\\0'; unzip -p {BUNDLE} entries.jsonl | sed -n '{line}p' | tr -d '\\n') | sha256sum"


def checks(source: Source) -> Iterable[Block]:
    """What the verifier said, check by check."""
    yield heading("Annex: checks of the verifier")
    results = source.report.results
    yield table(
        [
            Column("Check", 14, 8),
            Column("Result", 26, 16),
            Column("What holds, or does not", 0, 75),
            Column("Entry", 16, 9, right=True),
        ],
        [
            (
                one.check,
                one.status.value.replace("_", " ") + (" (note)" if one.advisory else ""),
                one.detail,
                "" if one.index is None else one.index,
            )
            for one in results[:MOST_RESULTS]
        ],
    )
    if len(results) > MOST_RESULTS:
        yield text(f"And {len(results) - MOST_RESULTS} more results, which the verifier prints.", size=9)
    yield heading("What each check means, and which are not made", 2)
    meanings = [*CHECKS.items(), *((name, f"not made: {why}") for name, why in NOT_CHECKED.items())]
    yield table([Column("Check", 24, 12), Column("Meaning", 0, 95)], meanings)


def figures(source: Source) -> Iterable[Block]:
    """Every figure, a line each, as it stands in `statistics.json`."""
    yield heading("Annex: Figures")
    yield text(
        "Every number of this report is one of these. They are counted from the entries by one function, which the",
        "verifier runs again (V20); statistics.json, in the bundle and attached, holds the same.",
        size=9.5,
    )
    lines = [f"{path} = {value}" for path, value in figure_lines(source.gathered.statistics)]
    yield {"kind": "figures", "lines": lines}


def attached(source: Source, files: Sequence[tuple[str, str, str]]) -> Iterable[Block]:
    """What the file carries: (name, SHA-256, what it is)."""
    yield heading("Annex: attachments")
    yield table(
        [Column("File", 36, 22), Column("What it is", 0, 34), Column("SHA-256", 76, 40, mono=True)],
        [(name, what, digest) for name, digest, what in files],
    )


def _pair(entries: Sequence[tuple[int, Entry]]) -> tuple[tuple[int, Entry], Entry | None] | None:
    """An entry and the one right after it in the log, where both are of the trace; else its first entry alone."""
    for one, (_number, after) in pairwise(entries):
        if after.index == one[1].index + 1:
            return one, after
    return (entries[0], None) if entries else None
