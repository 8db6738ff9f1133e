"""One identity's channel to a server, and the check of what the server shows as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import grpc
from attending.client.connection import Connection
from attending.client.errors import AttendingApiError, ReceiptError, translate
from attending.ledger import checkpoint as checkpoints
from attending.ledger.checkpoint import Term, Verifier
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.introduction import follow, learned
from attending.ledger.merkle import verify_consistency
from attending.ledger.proof import verify_receipt
from attending.v1 import common_pb2, ledger_pb2, ledger_pb2_grpc

TIMEOUT_SECONDS = 60.0

_TELL = "do not use it, and tell the operator"
_NEXT = {
    "UNKNOWN_KEY": "ask the operator, by another way than this server, which verifier key the log has, and pin that",
    "KEY_TERM": "somebody signs with a key that the log has replaced: do not use it, and tell the operator",
}


class Calls:
    """A channel that is closed at the end of a `with`. Thread-safe, as the channel is.

    Every public method of a client that makes calls raises AttendingApiError, and ReceiptError when a receipt does not
    hold under the log key that is pinned, or is of an entry of another kind than the call makes.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._channel = connection.channel()
        key = connection.log_key
        self._known: tuple[Verifier | str, ...] = () if key is None else (key,)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def check_receipt(self, receipt: common_pb2.Receipt) -> bool:
        """True when the receipt holds under the pinned log key, or one that the log introduced from there; False
        without a pinned key; raises ReceiptError.
        """
        if self._connection.log_key is None:
            return False
        try:
            try:
                verify_receipt(receipt.tlog_proof, receipt.entry, self._known)
            except VerificationError as err:
                if err.reason != "UNKNOWN_KEY":
                    raise
                self.learn_keys()
                verify_receipt(receipt.tlog_proof, receipt.entry, self._known)
        except AttendingApiError as err:
            detail = f"receipt of entry {receipt.index} is signed by a key that is not the pinned one"
            raise ReceiptError(f"{detail}, and who introduced it cannot be asked: {err.reason}") from err
        except VerificationError as err:
            detail = f"receipt of entry {receipt.index} does not verify: {err.reason}"
            raise ReceiptError(f"{detail}; next: {_NEXT.get(err.reason, _TELL)}") from err
        return True

    def learn_keys(self) -> str:
        """The verifier key that the log signs with now, once it is proved that the pinned one leads there.

        Asks the server for its newest head and the introductions up to it, and trusts neither: each introduction must
        hold, from the pinned key on, and the head must extend the tree of each. Raises ReceiptError, AttendingApiError;
        ValueError without a pinned key.
        """
        pinned = self._connection.log_key
        if pinned is None:
            raise ValueError("no log key is pinned")
        ledger = ledger_pb2_grpc.LedgerServiceStub(self._channel)
        try:
            answer = ledger.GetCheckpoint(ledger_pb2.GetCheckpointRequest(), timeout=TIMEOUT_SECONDS)
            known = learned([pinned], list(answer.introductions))
            head = checkpoints.verify(answer.checkpoint, known)
            for item in follow(answer.introductions, head.origin):
                request = ledger_pb2.GetConsistencyProofRequest(size1=item.rotation.size, size2=head.size)
                proof = ledger.GetConsistencyProof(request, timeout=TIMEOUT_SECONDS).hashes
                verify_consistency(item.rotation.size, head.size, item.root, head.root, list(proof))
        except VerificationError as err:
            detail = f"the log's present key is not introduced by the pinned one: {err.reason}"
            raise ReceiptError(f"{detail}; next: {_NEXT.get(err.reason, _TELL)}") from err
        except grpc.RpcError as err:
            raise translate(err) from None
        self._known = known
        newest = known[-1]
        return str(newest.key if isinstance(newest, Term) else newest)  # terms are in the order of the log

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
