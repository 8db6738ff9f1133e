"""Keys of a tenant: listing them, and rotating them."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import keys_pb2, keys_pb2_grpc


class KeyClient(Calls):
    """One operator's calls; close it, or use it in a `with`.

    `key` makes a repeated call safe across processes; a fresh one otherwise. Every method raises AttendingApiError,
    and ReceiptError when the receipt does not hold under the log key that is pinned, or is of
    another kind of entry.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = keys_pb2_grpc.KeyServiceStub(self._channel)

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
        self._check([answer.receipt], "key.rotated")
        return answer
