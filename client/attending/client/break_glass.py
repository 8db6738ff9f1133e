"""Calls about break-glass: release without sign-offs where the policy permits, list, review."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import break_glass_pb2, break_glass_pb2_grpc, emergency_pb2

PAGE = 200


class BreakGlassClient(Calls):
    """Calls of a clinical role or an officer; close it, or use it in a `with`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = break_glass_pb2_grpc.BreakGlassServiceStub(self._channel)

    @translated
    def use(
        self,
        ticket_id: str,
        reason: emergency_pb2.EmergencyReason.ValueType,
        note: str,
        *,
        key: str | None = None,
    ) -> break_glass_pb2.BreakGlassUse:
        """Releases the text as it was held; a review by somebody else is due from then on."""
        request = break_glass_pb2.BreakGlassRequest(
            idempotency_key=key or uuid.uuid4().hex, ticket_id=ticket_id, reason=reason, note=note
        )
        answer = self._stub.BreakGlass(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "break_glass.used", "inference.released")
        return answer.use

    @translated
    def review(
        self,
        inference_id: str,
        outcome: emergency_pb2.EmergencyOutcome.ValueType,
        *,
        note: str = "",
        key: str | None = None,
    ) -> break_glass_pb2.BreakGlassUse:
        """Closes its review, as an officer."""
        request = break_glass_pb2.ReviewBreakGlassRequest(
            idempotency_key=key or uuid.uuid4().hex, inference_id=inference_id, outcome=outcome, note=note
        )
        answer = self._stub.ReviewBreakGlass(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "break_glass.reviewed")
        return answer.use

    @translated
    def uses(self, *, only_open: bool = False) -> list[break_glass_pb2.BreakGlassUse]:
        """Releases by break-glass, newest first, all pages."""
        found: list[break_glass_pb2.BreakGlassUse] = []
        request = break_glass_pb2.ListBreakGlassRequest(open=only_open, page_size=PAGE)
        while True:
            page = self._stub.ListBreakGlass(request, timeout=TIMEOUT_SECONDS)
            found += page.uses
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return found
