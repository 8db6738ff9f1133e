"""The stop button: halt, resume, and what is halted."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import admin_pb2, admin_pb2_grpc


class AdminClient(Calls):
    """One person's calls; close it, or use it in a `with`.

    `key` makes a repeated call safe across processes; a fresh one otherwise. `policy` names one policy; everything
    when it is empty. Every method raises AttendingApiError, and ReceiptError when the receipt does not hold under the
    log key that is pinned, or is of another kind of entry than the one asked for.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = admin_pb2_grpc.AdminServiceStub(self._channel)

    @translated
    def halt(
        self,
        reason: admin_pb2.HaltReason.ValueType,
        *,
        policy: str = "",
        note: str = "",
        key: str | None = None,
    ) -> admin_pb2.HaltResponse:
        """Stops the tenant or one policy; durable when it returns."""
        request = admin_pb2.HaltRequest(
            idempotency_key=key or uuid.uuid4().hex, reason=reason, policy=policy, note=note
        )
        answer = self._stub.Halt(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "system.halted")
        return answer

    @translated
    def resume(
        self,
        reason: admin_pb2.ResumeReason.ValueType,
        *,
        policy: str = "",
        note: str = "",
        key: str | None = None,
    ) -> admin_pb2.ResumeResponse:
        """Ends a halt; durable when it returns."""
        request = admin_pb2.ResumeRequest(
            idempotency_key=key or uuid.uuid4().hex, reason=reason, policy=policy, note=note
        )
        answer = self._stub.Resume(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "system.resumed")
        return answer

    @translated
    def standings(self) -> list[admin_pb2.HaltStanding]:
        """The whole tenant first, then each policy that is halted."""
        answer = self._stub.GetHalt(admin_pb2.GetHaltRequest(), timeout=TIMEOUT_SECONDS)
        return list(answer.standings)
