"""One identity's channel to a server, and the check of what the server shows as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from attending.client.connection import Connection
from attending.client.errors import ReceiptError
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.proof import verify_receipt
from attending.v1 import common_pb2

TIMEOUT_SECONDS = 60.0


class Calls:
    """A channel that is closed at the end of a `with`. Thread-safe, as the channel is.

    Every public method of a client that makes calls raises AttendingApiError, and ReceiptError when a receipt does not
    hold under the log key that is pinned, or is of an entry of another kind than the call makes.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel = connection.channel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def check_receipt(self, receipt: common_pb2.Receipt) -> bool:
        """True when the receipt holds under the pinned log key, False without a pinned key; raises ReceiptError."""
        if self._connection.log_key is None:
            return False
        try:
            verify_receipt(receipt.tlog_proof, receipt.entry, [self._connection.log_key])
        except VerificationError as err:
            raise ReceiptError(f"receipt of entry {receipt.index} does not verify: {err.reason}") from err
        return True

    def _check(
        self, receipts: Sequence[common_pb2.Receipt], first: str, *others: str, needed: bool = True
    ) -> None:
        """Each holds; the first is of an entry of type `first`, each after it of that or one of `others`. Without
        `needed` there may be none, for a change that may find nothing to change.
        """
        if needed and not receipts:
            raise ReceiptError(f"the server sent no receipt of `{first}`")
        for number, receipt in enumerate(receipts):
            try:
                kind = parse_entry(receipt.entry).type
            except VerificationError as err:
                raise ReceiptError(f"receipt of entry {receipt.index} does not verify: {err.reason}") from err
            if kind != first and (number == 0 or kind not in others):
                raise ReceiptError(f"receipt of entry {receipt.index} is not of `{first}`")
            self.check_receipt(receipt)
