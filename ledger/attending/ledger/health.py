"""How a ledger is, from outside: sizes, stops, published heads and what is wrong, read without keys or locks.

What is said to be well is what a start would find well: the head agrees with the newest entries and the right edge of
the tree, and a published head is the log's own. The full verification is `attending ledger verify`, or a backup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from attending.ledger.checkpoint import Checkpoint, verify
from attending.ledger.entry import format_time
from attending.ledger.errors import CorruptLog, VerificationError
from attending.ledger.opening import check_head
from attending.ledger.publish import check_head_against
from attending.ledger.roots import root_of
from attending.ledger.signing import Chain, check_chain, read_chain
from attending.ledger.store.port import HeadRow, LogRow
from attending.ledger.store.read_only import ReadOnlyStore
from attending.ledger.tiles import Edge

EMITTER_TABLE: Final = "emitter"


class Level(StrEnum):
    """What a finding means."""

    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a log that is wrong, or cannot be told; `index` is the entry concerned."""

    level: Level
    reason: str
    detail: str
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows and bytes of one log; what takes a reading of the whole table."""

    entry_bytes: int
    payloads: int
    payload_bytes: int
    subjects: int
    erasures: int
    claims: int
    expired_claims: int


@dataclass(frozen=True, slots=True)
class LogHealth:
    """One log: its head, what was published, why it takes no entries, and findings (none: it is well)."""

    row: LogRow
    head: HeadRow
    stopped: str | None
    published: Checkpoint | None
    """The published head, its signature verified; not when it is unreadable or of another history."""
    counts: Counts | None
    emitters: list[dict[str, Any]]
    findings: tuple[Finding, ...]
    edge: Edge | None = field(repr=False)
    """None when the head does not agree with what it is over."""
    chain: Chain | None = None
    """The log's keys; None when they do not follow from each other, which a finding says."""


def examine(
    store: ReadOnlyStore,
    published: Mapping[str, str],
    *,
    now: datetime,
    claim_retention: timedelta,
    count: bool = True,
) -> list[LogHealth]:
    """Every log, by its id. Call within a snapshot that began after `published` (notes by log) was read.

    `count` reads whole tables. Raises CorruptLog (DATABASE_DAMAGED) and StoreFault: then nothing can be said.
    """
    stops = store.stops()
    result = []
    for row, head in store.heads():
        edge, checkpoint, findings = examine_head(store, row, head, published.get(row.log_id))
        result.append(
            LogHealth(
                row=row,
                head=head,
                stopped=stops.get(row.log_id),
                published=checkpoint,
                counts=_counts(store, row.log_id, now - claim_retention) if count else None,
                emitters=store.named_rows(EMITTER_TABLE, row.log_id),
                findings=tuple(findings),
                edge=edge,
                chain=_chain(store, row),
            )
        )
    return result


def examine_head(
    store: ReadOnlyStore, row: LogRow, head: HeadRow, note: str | None
) -> tuple[Edge | None, Checkpoint | None, list[Finding]]:
    """(edge, published head, findings) of one log: the checks that a start makes."""
    findings: list[Finding] = []
    edge = checkpoint = None
    try:
        edge = check_head(store, row, head)
    except CorruptLog as err:
        if err.reason == CorruptLog.DAMAGED:
            raise
        findings.append(Finding(Level.FAILED, err.reason, str(err), err.index))
    try:
        chain = read_chain(store, row)
        if edge is not None:
            check_chain(store, row.log_id, edge, chain)
    except CorruptLog as err:
        if err.reason == CorruptLog.DAMAGED:
            raise
        # Without its keys nothing that was published can be held against it.
        findings.append(Finding(Level.FAILED, err.reason, str(err), err.index))
        return edge, None, findings
    if chain.pending is not None:
        detail = f"the rotation of the signing key of log `{row.log_id}` is not finished"
        findings.append(Finding(Level.UNDECIDED, "INTRODUCTION_PENDING", detail, chain.pending.index))
    if note is None:
        if head.size:
            findings.append(
                Finding(Level.UNDECIDED, "NOT_PUBLISHED", f"no head of log `{row.log_id}` is published")
            )
        return edge, None, findings
    try:
        found = verify(note, chain.terms)
    except VerificationError:
        detail = f"published head of log `{row.log_id}` is not one that this log signed"
        findings.append(Finding(Level.FAILED, "PUBLISHED_HEAD_UNREADABLE", detail))
        return edge, None, findings
    if found.size > head.size and store.standby:
        detail = (
            f"log `{row.log_id}` has {head.size} entries here, {found.size} were published: a standby may lag"
        )
        findings.append(Finding(Level.UNDECIDED, "STANDBY_BEHIND", detail))
        return edge, found, findings
    if edge is None and found.size <= head.size:
        return edge, found, findings  # the tree cannot be read: said above
    usable = edge
    try:
        checkpoint = check_head_against(
            row, chain.terms, head.size, note, lambda size: root_of(store, row.log_id, _present(usable), size)
        )
    except CorruptLog as err:
        if err.reason == CorruptLog.DAMAGED:
            raise
        findings.append(Finding(Level.FAILED, err.reason, str(err), err.index))
        if err.reason == CorruptLog.ROLLBACK:
            checkpoint = found
    return edge, checkpoint, findings


def _chain(store: ReadOnlyStore, row: LogRow) -> Chain | None:
    try:
        return read_chain(store, row)
    except CorruptLog:
        return None


def _counts(store: ReadOnlyStore, log_id: str, expired_before: datetime) -> Counts:
    def one(sql: str, *more: Any) -> tuple[int, ...]:
        return tuple(int(value) for value in store.rows(sql, log_id, *more)[0])

    (entry_bytes,) = one("SELECT coalesce(SUM(LENGTH(data)), 0) FROM entry WHERE log_id = ?")
    payloads, payload_bytes = one(
        "SELECT COUNT(*), coalesce(SUM(LENGTH(sealed) + LENGTH(wrapped_key)), 0) FROM payload WHERE log_id = ?"
    )
    (subjects,) = one("SELECT COUNT(*) FROM subject_map WHERE log_id = ?")
    (erasures,) = one("SELECT COUNT(*) FROM erasure WHERE log_id = ?")
    (claims,) = one("SELECT COUNT(*) FROM idempotency WHERE log_id = ?")
    (expired,) = one(
        "SELECT COUNT(*) FROM idempotency WHERE log_id = ? AND created_at < ?", format_time(expired_before)
    )
    return Counts(entry_bytes, payloads, payload_bytes, subjects, erasures, claims, expired)


def _present(edge: Edge | None) -> Edge:
    if edge is None:  # INVARIANT: a larger published head is refused before any root is read
        raise AssertionError("root of an unreadable tree")
    return edge
