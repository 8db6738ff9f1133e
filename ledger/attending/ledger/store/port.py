"""The store port: what the sequencer writes in one transaction and what readers may ask for.

Rows are named tuples in the column order of `attending.ledger.store.schema`, so that a store can bind them
as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import MetaData, Row, Select, Table


class LogRow(NamedTuple):
    log_id: str
    origin: str
    verifier_key: str
    created_at: str


class HeadRow(NamedTuple):
    """A log's head: `last_leaf` is the leaf hash of entry size-1 (32 zero bytes at size 0)."""

    log_id: str
    size: int
    root: bytes
    last_leaf: bytes
    time: str


class HeadMove(NamedTuple):
    """Moves a head from `old_size`; a store refuses it when the head is not there (compare-and-set)."""

    old_size: int
    head: HeadRow


class EntryRow(NamedTuple):
    log_id: str
    entry_index: int
    data: bytes
    leaf_hash: bytes
    stream: str
    stream_version: int
    type: str


class TileRow(NamedTuple):
    log_id: str
    level: int
    tile_index: int
    hashes: bytes


class ClaimRow(NamedTuple):
    """`first_index` and `entries` (a count) are where the entries of the claiming append lie."""

    log_id: str
    key: str
    fingerprint: bytes
    stream: str
    created_at: str
    first_index: int
    entries: int


class PayloadRow(NamedTuple):
    log_id: str
    record: str
    entry_index: int
    kind: str
    subject: str
    sealed: bytes
    wrapped_key: bytes


class SubjectRow(NamedTuple):
    log_id: str
    lookup: bytes
    pseudonym: str


class ErasureRow(NamedTuple):
    log_id: str
    pseudonym: str
    entry_index: int


class RemovalRow(NamedTuple):
    """A payload that is gone: it belonged to entry `entry_index`, and entry `removed_by` (`subject.erased` or
    `payload.pruned`) says why.
    """

    log_id: str
    record: str
    entry_index: int
    removed_by: int


class IntroductionRow(NamedTuple):
    """The introduction (text) of the signing key that entry `entry_index` brings."""

    log_id: str
    entry_index: int
    data: bytes


class StopRow(NamedTuple):
    """Why a log takes no entries (a reason, UPPER_SNAKE); None lets it take them again, unless it is sealed."""

    log_id: str
    reason: str | None


class Leaf(NamedTuple):
    """What a process must know of an entry that another one appended: its hash and its stream's new version."""

    leaf_hash: bytes
    stream: str
    stream_version: int


class ProjectionRow(NamedTuple):
    """A projection row to write: `values` update an existing row or complete a new one; None deletes it."""

    table: Table
    key: Mapping[str, Any]
    values: Mapping[str, Any] | None


@dataclass(slots=True)
class Batch:
    """Everything of one transaction. Projection rows are applied in order, after all else."""

    logs: list[LogRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    tiles: list[TileRow] = field(default_factory=list)
    heads: list[HeadMove] = field(default_factory=list)
    payloads: list[PayloadRow] = field(default_factory=list)
    claims: list[ClaimRow] = field(default_factory=list)
    subjects: list[SubjectRow] = field(default_factory=list)
    erasures: list[ErasureRow] = field(default_factory=list)
    """Also removes the subjects' rows of the pseudonym map."""
    removals: list[RemovalRow] = field(default_factory=list)
    """Each deletes its payload row and keeps the removal in its place; after entries and erasures."""
    expired_claims: list[tuple[str, str]] = field(default_factory=list)
    """(log_id, time): claims of the log created before that time go."""
    stops: list[StopRow] = field(default_factory=list)
    introductions: list[IntroductionRow] = field(default_factory=list)
    epoch: bool = False
    """Raises the epoch: a commit of its own even when nothing else is written."""
    rows: list[ProjectionRow] = field(default_factory=list)


@dataclass(slots=True)
class Question:
    """What a transaction must know before it can admit appends; all by log id.

    `sizes` names the logs to lock and the size up to which the asker knows each; `leaves` past that come with
    the answer. `streams`, `claims` and `subjects` are names whose versions, claims and erasures are wanted.
    """

    sizes: dict[str, int] = field(default_factory=dict)
    streams: dict[str, set[str]] = field(default_factory=dict)
    claims: dict[str, set[str]] = field(default_factory=dict)
    subjects: dict[str, set[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Answer:
    """State of the logs asked for, under their locks. What does not exist is left out."""

    heads: dict[str, HeadRow] = field(default_factory=dict)
    stops: dict[str, str] = field(default_factory=dict)
    leaves: dict[str, list[Leaf]] = field(default_factory=dict)
    """Entries past the known size, in order, at most MAX_LEAVES of a log."""
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    """(log_id, stream): number of its entries."""
    claims: dict[tuple[str, str], ClaimRow] = field(default_factory=dict)
    erased: set[tuple[str, str]] = field(default_factory=set)
    """(log_id, pseudonym)."""


MAX_LEAVES: Final = 65_536


class RowRefused(Exception):  # noqa: N818 - says what happened
    """A payload, claim, subject or projection row breaks a constraint of its table. The transaction must be
    rolled back; nothing of it is stored. The sequencer turns it into an error of that one append.
    """


class StoreFault(Exception):  # noqa: N818 - says what happened
    """The store failed: full, unreadable, or not in the state that the sequencer believes.

    After `begin` or `apply` nothing is stored once `rollback` or `recover` has returned; after `commit` the
    outcome is unknown until `recover` has.
    """


class Store(Protocol):
    """Storage of logs, payloads and projections.

    Writing (`begin` to `recover`, `create_tables`) is done by one thread at a time. Reading is safe from any
    thread, at any time, and sees committed transactions only. Nothing is retried by a store.

    `shared` tells whether other processes may write to the same logs; then a head that is read may be older
    than the next one read, and only a locked one is the last.

    Atomic and durable: when `commit` returns, all of what `apply` was given since `begin` is on disk; when
    it raises, all or nothing of it is, and `recover` tells which by what can be read after it. `recover`
    first makes everything that is visible durable, so that a head read after it may be signed.
    """

    shared: bool

    def create_tables(self, metadata: Collection[MetaData]) -> None:
        """Creates the ledger's tables and those of `metadata` where they are missing, and checks the ledger's
        tables and triggers; raises UnsafeSettings or CorruptLog.

        Where there are entries already, a projection table that was missing or has another shape than `metadata`
        says lacks what they led to: a rebuild is then noted as begun, in the same transaction.
        """

    def begin(self, question: Question) -> Answer:
        """Opens a transaction, locks the logs' heads in the order of their ids and answers under the locks.

        Nobody else can append to a locked log until `commit`, `rollback` or `recover`. Raises StoreFault, with
        nothing locked once `rollback` or `recover` has returned.
        """

    def apply(self, batch: Batch) -> None:
        """Writes the batch within the transaction. Raises RowRefused or StoreFault."""

    def clear_rows(self, log_id: str, tables: Collection[Table]) -> None:
        """Deletes the log's rows of those projection tables within the transaction. A table of another shape is
        made anew, without rows. Raises StoreFault.
        """

    def mark_rebuilding(self, unfinished: bool) -> None:
        """Within the transaction, notes that projections are being made again, or that they are whole again.
        Raises StoreFault.
        """

    def commit(self) -> None:
        """Ends the transaction durably. Raises StoreFault: the outcome is unknown."""

    def rollback(self) -> None:
        """Ends the transaction without a trace. Raises StoreFault."""

    def recover(self) -> None:
        """Makes the store usable after a fault; see the class. Raises StoreFault while it cannot."""

    def close(self) -> None:
        """Ends everything; a transaction under way is rolled back."""

    def heads(self) -> list[tuple[LogRow, HeadRow]]:
        """Every log with its head, by log id."""

    def head_size(self, log_id: str) -> int | None:
        """The log's size, as committed; None when there is no such log."""

    def stops(self) -> dict[str, str]:
        """Reason of every log that takes no entries."""

    def entries(self, log_id: str, start: int, limit: int) -> list[bytes]:
        """Stored bytes of the entries from `start`, in order, at most `limit`."""

    def leaf_hashes(self, log_id: str, start: int, limit: int) -> list[bytes]:
        """Leaf hashes as stored beside the entries, like `entries`."""

    def tile(self, log_id: str, level: int, index: int) -> bytes | None:
        """The 256 hashes (8,192 bytes) of a full tile, None when it is not stored."""

    def stream_entries(self, log_id: str, stream: str, start: int, limit: int) -> list[bytes]:
        """Stored bytes of the stream's entries from version `start`, in order, at most `limit`."""

    def read_stream_version(self, log_id: str, stream: str) -> int:
        """Number of entries of the stream, as committed."""

    def read_stream_versions(self, log_id: str, streams: Collection[str]) -> dict[str, int]:
        """Number of entries of each of the streams, as committed; one without entries is left out."""

    def payload(self, log_id: str, record: str) -> PayloadRow | None:
        """A sealed payload."""

    def read_claim(self, log_id: str, key: str) -> ClaimRow | None:
        """The claim on an idempotency key, as committed."""

    def pseudonym(self, log_id: str, lookup: bytes) -> str | None:
        """The pseudonym behind an identifier's HMAC."""

    def is_erased(self, log_id: str, pseudonym: str) -> bool:
        """Whether the subject's erasure is on record."""

    def erasures(self, log_id: str) -> list[ErasureRow]:
        """Every erased subject of the log."""

    def introductions(self, log_id: str) -> list[IntroductionRow]:
        """Every introduction of the log, by index."""

    def rebuilding(self) -> bool:
        """Whether a rebuild of the projections began and has not ended, as committed."""

    def beat(self, owner: str, seconds: float) -> None:
        """Says that the process `owner` is alive for the next `seconds`, by the store's clock; 0 says that it ends.

        Safe from any thread. Not durable and no part of the log: after a crash of the store an owner may look
        dead until it beats again. Nothing to do where `shared` is false. Raises StoreFault.
        """

    def live_owners(self) -> set[str]:
        """Owners whose last beat still holds. Empty where `shared` is false: nobody else can be alive there."""

    def erased_records(self, log_id: str, limit: int) -> list[RemovalRow]:
        """Payloads that are still stored though their subject's erasure is on record, at most `limit`."""

    def payload_counts(self, log_id: str, subject: str, below: int) -> dict[str, int]:
        """Stored payloads of a subject by kind, of entries with an index less than `below`."""

    def present_records(self, log_id: str, records: Collection[str]) -> set[str]:
        """Those of `records` that are stored."""

    def removal(self, log_id: str, record: str) -> RemovalRow | None:
        """What became of a payload that was stored and is not any more."""

    def vacuum(self) -> None:
        """Rewrites what is stored so that no byte of a deleted row is left in the store's own files.

        Any thread may call it; it waits for the transaction under way and holds up the next. Raises
        StoreFault when it could not finish, such as beside a long-running reader: nothing is lost then.
        """

    def query(self, select: Select[Any]) -> Sequence[Row[Any]]:
        """The rows of a SQLAlchemy Core select over committed projections, which cannot write. None at all, not even
        that of a count, where the select compares with text that the store cannot hold.
        """


def all_tables(metadata: Iterable[MetaData]) -> dict[str, Table]:
    """Table name to table over several metadata; ValueError when two share a name."""
    tables: dict[str, Table] = {}
    for collection in metadata:
        for name, table in collection.tables.items():
            if name in tables and tables[name] is not table:
                raise ValueError(f"two tables are named `{name}`")
            tables[name] = table
    return tables
