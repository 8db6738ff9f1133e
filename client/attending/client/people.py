"""Calls about identities and emergency access: enrol, proof, revoke; begin, end, list, review."""

from __future__ import annotations

import uuid

from attending.client.calls import TIMEOUT_SECONDS, Calls
from attending.client.connection import Connection
from attending.client.errors import translated
from attending.v1 import (
    emergency_pb2,
    emergency_pb2_grpc,
    identity_pb2,
    identity_pb2_grpc,
    passkey_pb2,
    passkey_pb2_grpc,
)

PAGE = 200


class PeopleClient(Calls):
    """Calls of an operator, an officer or an auditor; close it, or use it in a `with`.

    `key` makes a repeated call safe across processes; a fresh one otherwise.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = identity_pb2_grpc.IdentityServiceStub(self._channel)
        self._passkeys = passkey_pb2_grpc.PasskeyServiceStub(self._channel)

    @translated
    def enrol(self, request: identity_pb2.EnrolUserRequest) -> identity_pb2.EnrolUserResponse:
        """Enrols or changes a user; a request without an idempotency key is given one."""
        asked = identity_pb2.EnrolUserRequest()
        asked.CopyFrom(request)
        asked.idempotency_key = request.idempotency_key or uuid.uuid4().hex
        answer = self._stub.EnrolUser(asked, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "user.enrolled", "credential.bound")
        return answer

    @translated
    def proof(
        self, name: str, version: int, method: identity_pb2.ProofMethod.ValueType, *, key: str | None = None
    ) -> identity_pb2.ProofUserResponse:
        """Proofs the user as they were shown at `version`."""
        request = identity_pb2.ProofUserRequest(
            idempotency_key=key or uuid.uuid4().hex, name=name, expected_version=version, method=method
        )
        answer = self._stub.ProofUser(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "user.proofed", "key.enrolled")
        return answer

    @translated
    def revoke(
        self, name: str, reason: identity_pb2.RevocationReason.ValueType, *, key: str | None = None
    ) -> identity_pb2.RevokeUserResponse:
        """Ends an identity for good."""
        request = identity_pb2.RevokeUserRequest(
            idempotency_key=key or uuid.uuid4().hex, name=name, reason=reason
        )
        answer = self._stub.RevokeUser(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "user.revoked", "key.revoked")
        return answer

    @translated
    def users(
        self,
        state: identity_pb2.UserState.ValueType = identity_pb2.USER_STATE_UNSPECIFIED,
        *,
        awaiting_proof: bool = False,
    ) -> list[identity_pb2.User]:
        """Users by name, all pages."""
        users: list[identity_pb2.User] = []
        token = ""
        while True:
            page = self._stub.ListUsers(
                identity_pb2.ListUsersRequest(
                    page_size=PAGE, page_token=token, state=state, awaiting_proof=awaiting_proof
                ),
                timeout=TIMEOUT_SECONDS,
            )
            users += page.users
            token = page.next_page_token
            if not token:
                return users

    @translated
    def get(self, name: str) -> identity_pb2.User:
        request = identity_pb2.GetUserRequest(name=name)
        return self._stub.GetUser(request, timeout=TIMEOUT_SECONDS).user

    @translated
    def issue_key(self, request: identity_pb2.IssueKeyRequest) -> identity_pb2.IssueKeyResponse:
        """A new service key, whose token is in this answer and nowhere else."""
        asked = identity_pb2.IssueKeyRequest()
        asked.CopyFrom(request)
        asked.idempotency_key = request.idempotency_key or uuid.uuid4().hex
        answer = self._stub.IssueKey(asked, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "credential.issued")
        return answer

    @translated
    def revoke_key(
        self,
        name: str,
        credential_id: str,
        reason: identity_pb2.RevocationReason.ValueType,
        *,
        key: str | None = None,
    ) -> identity_pb2.RevokeKeyResponse:
        """Ends one credential for good."""
        request = identity_pb2.RevokeKeyRequest(
            idempotency_key=key or uuid.uuid4().hex, name=name, credential_id=credential_id, reason=reason
        )
        answer = self._stub.RevokeKey(request, timeout=TIMEOUT_SECONDS)
        self._check(answer.receipts, "credential.revoked", "key.revoked")
        return answer

    @translated
    def issue_passkey_code(
        self, name: str, *, key: str | None = None
    ) -> passkey_pb2.IssuePasskeyCodeResponse:
        """An administrator's half of a code; empty when this key was used before."""
        request = passkey_pb2.IssuePasskeyCodeRequest(idempotency_key=key or uuid.uuid4().hex, name=name)
        answer = self._passkeys.IssuePasskeyCode(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "credential.issued")
        return answer

    @translated
    def confirm_passkey_code(
        self,
        name: str,
        invitation_id: str,
        method: identity_pb2.ProofMethod.ValueType,
        *,
        key: str | None = None,
    ) -> passkey_pb2.ConfirmPasskeyCodeResponse:
        """An officer's half of a code; empty when this key was used before."""
        request = passkey_pb2.ConfirmPasskeyCodeRequest(
            idempotency_key=key or uuid.uuid4().hex, name=name, invitation_id=invitation_id, method=method
        )
        answer = self._passkeys.ConfirmPasskeyCode(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "credential.issued")
        return answer


class EmergencyClient(Calls):
    """Calls about emergency access; close it, or use it in a `with`. `key` as in PeopleClient."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._stub = emergency_pb2_grpc.EmergencyServiceStub(self._channel)

    @translated
    def begin(
        self,
        reason: emergency_pb2.EmergencyReason.ValueType,
        *,
        minutes: int = 0,
        key: str | None = None,
    ) -> emergency_pb2.EmergencyAccess:
        """Opens access for the caller; 0 minutes is as long as the server allows."""
        request = emergency_pb2.BeginEmergencyAccessRequest(
            idempotency_key=key or uuid.uuid4().hex, reason=reason, minutes=minutes
        )
        answer = self._stub.BeginEmergencyAccess(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "break_glass.used")
        return answer.access

    @translated
    def end(self, access_id: str, *, key: str | None = None) -> emergency_pb2.EmergencyAccess:
        """Ends it before its time."""
        request = emergency_pb2.EndEmergencyAccessRequest(
            idempotency_key=key or uuid.uuid4().hex, access_id=access_id
        )
        answer = self._stub.EndEmergencyAccess(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "break_glass.ended")
        return answer.access

    @translated
    def accesses(
        self, state: emergency_pb2.EmergencyState.ValueType = emergency_pb2.EMERGENCY_STATE_UNSPECIFIED
    ) -> tuple[list[emergency_pb2.EmergencyAccess], int]:
        """Accesses, newest first, all pages; and how many reviews are overdue."""
        found: list[emergency_pb2.EmergencyAccess] = []
        token = ""
        while True:
            page = self._stub.ListEmergencyAccess(
                emergency_pb2.ListEmergencyAccessRequest(page_size=PAGE, page_token=token, state=state),
                timeout=TIMEOUT_SECONDS,
            )
            found += page.accesses
            token = page.next_page_token
            if not token:
                return found, page.overdue

    @translated
    def review(
        self,
        access_id: str,
        outcome: emergency_pb2.EmergencyOutcome.ValueType,
        *,
        note: str = "",
        key: str | None = None,
    ) -> emergency_pb2.EmergencyAccess:
        """Closes its review."""
        request = emergency_pb2.ReviewEmergencyAccessRequest(
            idempotency_key=key or uuid.uuid4().hex, access_id=access_id, outcome=outcome, note=note
        )
        answer = self._stub.ReviewEmergencyAccess(request, timeout=TIMEOUT_SECONDS)
        self._check([answer.receipt], "break_glass.reviewed")
        return answer.access
