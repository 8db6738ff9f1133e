"""Keys of a tenant: listing them, and rotating them."""

from __future__ import annotations

import uuid
from types import TracebackType
from typing import Self

from attending.client.connection import Connection
from attending.client.errors import ReceiptError, translated
from attending.ledger.entry import parse_entry
from attending.ledger.errors import VerificationError
from attending.ledger.proof import verify_receipt
from attending.v1 import common_pb2, keys_pb2, keys_pb2_grpc

TIMEOUT_SECONDS = 60.0


class KeyClient:
    """One operator's calls; close it, or use it in a `with`.

    `key` makes a repeated call safe across processes; a fresh one otherwise. Every method raises AttendingApiError,
    and ReceiptError when the receipt does not hold under the log key that is pinned, or is of another entry.
    """

    def __init__(self, connection: Connection) -> None:
        self._log_key = connection.log_key
        self._channel = connection.channel()
        self._stub = keys_pb2_grpc.KeyServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    @translated
    def list(self) -> keys_pb2.ListKeysResponse:
        """Every key of the tenant's log, without the keys."""
        return self._stub.ListKeys(keys_pb2.ListKeysRequest(), timeout=TIMEOUT_SECONDS)

    @translated
    def rotate(
        self, kind: keys_pb2.KeyKind.ValueType, *, subject: str = "", key: str | None = None
    ) -> keys_pb2.RotateKeyResponse:
        """Rotates a key; on record when it returns. When the answer is not `done`, the same call says later."""
        request = keys_pb2.RotateKeyRequest(
            idempotency_key=key or uuid.uuid4().hex, kind=kind, subject=subject
        )
        answer = self._stub.RotateKey(request, timeout=TIMEOUT_SECONDS)
        self._verify(answer.receipt)
        return answer

    def _verify(self, receipt: common_pb2.Receipt) -> None:
        if self._log_key is None:
            return
        try:
            verify_receipt(receipt.tlog_proof, receipt.entry, [self._log_key])
            entry = parse_entry(receipt.entry)
        except VerificationError as err:
            raise ReceiptError(f"receipt does not hold ({err.reason})") from err
        if entry.type != "key.rotated":
            raise ReceiptError(f"receipt is of `{entry.type}`, expected `key.rotated`")
