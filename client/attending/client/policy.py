"""Which versions of policies and knowledge a tenant is served under."""

from __future__ import annotations

import uuid
from datetime import datetime

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import policy_pb2, policy_pb2_grpc


class PolicyClient(Calls):
    """One person's calls; close it, or use it in a `with`.

    `key` makes a repeated call safe across processes; a fresh one otherwise. `policy` is a name, empty for the drug
    knowledge. Raises AttendingApiError, and ReceiptError when the receipt does not hold under the log key that is
    pinned, or is of another kind of entry.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = policy_pb2_grpc.PolicyServiceStub(self._channel)

    @translated
    def request(
        self, policy: str, content_hash: bytes, *, key: str | None = None
    ) -> policy_pb2.RequestActivationResponse:
        """Asks for a version of the server's folder to be activated; on record when it returns."""
        request = policy_pb2.RequestActivationRequest(
            idempotency_key=key or uuid.uuid4().hex, policy=policy, content_hash=content_hash
        )
        answer = self._stub.RequestActivation(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "policy.version" if policy else "knowledge.version")
        return answer

    @translated
    def approve(
        self, policy: str, content_hash: bytes, *, key: str | None = None
    ) -> policy_pb2.ApproveActivationResponse:
        """Approves what another person asked for; in force when it returns."""
        request = policy_pb2.ApproveActivationRequest(
            idempotency_key=key or uuid.uuid4().hex, policy=policy, content_hash=content_hash
        )
        answer = self._stub.ApproveActivation(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "policy.activated" if policy else "knowledge.activated")
        return answer

    @translated
    def retire(self, policy: str, *, key: str | None = None) -> policy_pb2.RetirePolicyResponse:
        """Ends a policy; on record when it returns."""
        request = policy_pb2.RetirePolicyRequest(idempotency_key=key or uuid.uuid4().hex, policy=policy)
        answer = self._stub.RetirePolicy(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "policy.retired")
        return answer

    @translated
    def activations(
        self, policy: str = "", *, at: datetime | None = None
    ) -> policy_pb2.ListActivationsResponse:
        """What is in force at `at` (an aware time; now when None), and how it came to be."""
        request = policy_pb2.ListActivationsRequest(policy=policy)
        if at is not None:
            request.at.FromDatetime(at)
        return self._stub.ListActivations(request, timeout=TIMEOUT_SECONDS)

    @translated
    def standby(
        self,
        policy: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        minutes_per_review: float = 0.0,
    ) -> policy_pb2.GetStandbyResponse:
        """What the policy released in its mode, and would have held or blocked; the last 90 days when left out."""
        request = policy_pb2.GetStandbyRequest(policy=policy, minutes_per_review=minutes_per_review)
        if since is not None:
            request.since.FromDatetime(since)
        if until is not None:
            request.until.FromDatetime(until)
        return self._stub.GetStandby(request, timeout=TIMEOUT_SECONDS)

    @translated
    def hazards(
        self, policy: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> policy_pb2.ListHazardsResponse:
        """The policy's hazards and what was seen of each in calls of the period; the last 90 days when left out."""
        request = policy_pb2.ListHazardsRequest(policy=policy)
        if since is not None:
            request.since.FromDatetime(since)
        if until is not None:
            request.until.FromDatetime(until)
        return self._stub.ListHazards(request, timeout=TIMEOUT_SECONDS)
