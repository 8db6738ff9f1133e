"""What an append came to, and what became of an idempotency key."""

from __future__ import annotations

from dataclasses import dataclass

from attending.ledger.entry import Commitment, Entry, parse_entry
from attending.ledger.errors import OutOfRange
from attending.ledger.submission import GroupReceipts, Sequenced


@dataclass(frozen=True, slots=True)
class StoredClaim:
    """An idempotency key that was claimed: the stream it began, and the body's fingerprint."""

    key: str
    fingerprint: bytes
    stream: str
    created_at: str


class Appended:
    """What an append came to: durable, and under the signed head `checkpoint`."""

    __slots__ = (
        "_entries",
        "_receipts",
        "checkpoint",
        "commitments",
        "data",
        "first_index",
        "log_id",
        "time",
    )

    def __init__(
        self,
        log_id: str,
        sequenced: Sequenced,
        receipts: GroupReceipts,
        commitments: tuple[tuple[Commitment, ...], ...],
    ) -> None:
        self.log_id = log_id
        self.first_index = sequenced.first_index
        self.time = sequenced.time
        self.data = sequenced.data
        """Stored bytes of each entry."""
        self.commitments = commitments
        """Of each entry, one for each payload, in order."""
        self.checkpoint = receipts.note
        """Signed note of the integrated head that covers the append."""
        self._receipts = receipts
        self._entries: tuple[Entry, ...] | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, in order."""
        if self._entries is None:
            self._entries = tuple(map(parse_entry, self.data))
        return self._entries

    def receipt(self, number: int = 0) -> str:
        """The receipt (C2SP tlog-proof text) of entry `number` of the append, under `checkpoint`."""
        if not 0 <= number < len(self.data):
            raise OutOfRange("append does not have that many entries")
        return self._receipts.receipt(self.first_index + number)
