"""An append on its way to the sequencer, and a log's committed state with the signature over its head."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from attending.ledger.entry import GENESIS_PREV, PreparedEntry
from attending.ledger.note import VerifierKey
from attending.ledger.projection import RowWrite
from attending.ledger.proof import format_shared_receipt, hash_lines
from attending.ledger.signing import Signing
from attending.ledger.store.port import HeadRow, LogRow, SubjectRow
from attending.ledger.store.schema import SEALED
from attending.ledger.tiles import EMPTY_EDGE, Edge, Growth
from attending.ledger.vault import SealedPayload
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Expectation:
    """`stream` must hold exactly `version` entries of this log (0: must not exist)."""

    stream: str
    version: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Claims an idempotency key for `stream`; `fingerprint` is a keyed digest of the request's body.

    `earlier` are key and fingerprint of the same call as made with keys before, under which it may have been claimed.
    `generation` is that of the key that it was made with: it is sequenced while that key is in force, or refused with
    ClaimStale. None: made with no key of the log.
    """

    key: str
    fingerprint: bytes = field(repr=False)
    stream: str
    earlier: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    generation: int | None = None


AWAITS_PREDECESSOR: Final = "LOG_AWAITS_PREDECESSOR"
"""Stop of a successor whose first entry, which names the sealed log, has not been written yet."""
FROZEN: Final = frozenset({SEALED, AWAITS_PREDECESSOR})


@dataclass(frozen=True, slots=True)
class Stop:
    """Sets why a log takes no entries, durably; None lets it take them again.

    The append that carries it is admitted although the log is stopped for the reason `replaces`.
    """

    reason: str | None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class LogState:
    """A log at a committed size. Immutable: the sequencer swaps it for the next one."""

    row: LogRow
    signing: Signing = field(repr=False)
    edge: Edge = field(repr=False)
    root: bytes
    last_leaf: bytes
    time: str
    note: str
    """The signed checkpoint of this size: integrated, not yet published."""
    stopped: str | None = None
    """Why the log takes no entries, as stored."""


class GroupReceipts:
    """Receipts of the entries that one group added to a log, under the head that it made (signed `note`)."""

    __slots__ = ("_growth", "_rest", "note")

    def __init__(self, growth: Growth, note: str) -> None:
        self._growth = growth
        self._rest: str | None = None
        self.note = note

    def receipt(self, index: int) -> str:
        """The receipt of entry `index` (C2SP tlog-proof text); OutOfRange when it is not of the group."""
        if self._rest is None:
            self._rest = f"{hash_lines(self._growth.shared_proof())}\n{self.note}"
        return format_shared_receipt(index, self._growth.own_proof(index), self._rest)


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Where an append went: its entries are `first_index` onwards; no `receipts` where there were no entries."""

    first_index: int
    time: str
    data: tuple[bytes, ...] = field(repr=False)
    receipts: GroupReceipts | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewSigner:
    """A signing key that is in its folder and takes over from `old`, of which the append's last entry tells."""

    generation: int
    old: VerifierKey
    new: VerifierKey
    private: Ed25519PrivateKey = field(repr=False)


class Removal(NamedTuple):
    """A payload row that goes, on the strength of entry `removed_by` (the append's own first when None)."""

    record: str
    entry_index: int
    removed_by: int | None = None


@dataclass(slots=True, eq=False)
class Submission:
    """One append on its way: everything that could be checked or encoded has been."""

    log_id: str
    entries: Sequence[PreparedEntry]
    future: asyncio.Future[Sequenced]
    payloads: Sequence[Sequence[SealedPayload]] = ()
    expect: Sequence[Expectation] = ()
    claim: Claim | None = None
    claim_term: tuple[str | None, str | None] = (None, None)
    """Since and until when the key that the claim was made with is in force (`format_time`)."""
    rows: Sequence[RowWrite] = ()
    new_log: tuple[LogRow, Signing] | None = None
    rotates: NewSigner | None = None
    """Brings a new signing key into force with its last entry; then it is a group of its own."""
    subject: SubjectRow | None = None
    erases: Sequence[str] = ()
    """Subjects that the append's first entries certify as erased, in their order."""
    removes: Sequence[Removal] = ()
    expires_claims: str | None = None
    stop: Stop | None = None
    refreshes: bool = False
    """Only brings this process up to what others appended, under a head that it may sign."""
    urgent: bool = False
    """Goes before whatever waits, also into a full queue."""
    size_bytes: int = 0


def new_state(row: LogRow, signing: Signing) -> LogState:
    """The state of a log without entries."""
    root = EMPTY_EDGE.root
    note = signing.head(row.origin, 0, root)
    return LogState(row, signing, EMPTY_EDGE, root, GENESIS_PREV, row.created_at, note)


def signed_state(row: LogRow, signing: Signing, edge: Edge, head: HeadRow, stopped: str | None) -> LogState:
    """The state of a log as read from its store; the caller has checked that `edge` and `head` agree."""
    note = signing.head(row.origin, head.size, head.root)
    return LogState(row, signing, edge, head.root, head.last_leaf, head.time, note, stopped)
