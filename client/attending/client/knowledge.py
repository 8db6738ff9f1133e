"""Facts of the drug knowledge that two people attest."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import knowledge_pb2, knowledge_pb2_grpc


class KnowledgeClient(Calls):
    """One person's calls; close it, or use it in a `with`.

    `key` makes a repeated call safe across processes; a fresh one otherwise. Raises AttendingApiError, and ReceiptError
    when the receipt does not hold under the log key that is pinned, or is of another kind of entry.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = knowledge_pb2_grpc.KnowledgeServiceStub(self._channel)

    @translated
    def attest(self, digest: bytes, *, key: str | None = None) -> knowledge_pb2.AttestFactResponse:
        """Attests the curated fact whose row has this SHA-256; on record when it returns."""
        request = knowledge_pb2.AttestFactRequest(idempotency_key=key or uuid.uuid4().hex, digest=digest)
        answer = self._stub.AttestFact(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "knowledge.attested")
        return answer
