"""IdentityService."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from attending.v1 import identity_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from tests.matrix.making import Things, key, maker


def _soon() -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(datetime.now(UTC) + timedelta(days=1))
    return stamp


@maker("IdentityService/EnrolUser", "operator", own=True)
def enrol_user(things: Things) -> identity_pb2.EnrolUserRequest:
    return identity_pb2.EnrolUserRequest(
        idempotency_key=key(),
        name=f"matrix-{key()}",
        kind=identity_pb2.USER_KIND_PERSON,
        roles=["clinician"],
    )


@maker("IdentityService/ProofUser", "safety_officer", fresh=True)
def proof_user(things: Things) -> identity_pb2.ProofUserRequest:
    return identity_pb2.ProofUserRequest(
        idempotency_key=key(),
        name=things.user,
        expected_version=things.user_version,
        method=identity_pb2.PROOF_METHOD_SYSTEM_OWNER,
    )


# After the proofing: whoever changes somebody does not proof them.
@maker("IdentityService/EnrolUser", "operator", variant="changed", fresh=True)
def change_user(things: Things) -> identity_pb2.EnrolUserRequest:
    return identity_pb2.EnrolUserRequest(
        idempotency_key=key(),
        name=things.user,
        kind=identity_pb2.USER_KIND_APPLICATION,
        roles=["app"],
        expected_version=things.user_version,
    )


@maker("IdentityService/RevokeUser", "privacy_officer", fresh=True)
def revoke_user(things: Things) -> identity_pb2.RevokeUserRequest:
    return identity_pb2.RevokeUserRequest(
        idempotency_key=key(), name=things.user, reason=identity_pb2.REVOCATION_REASON_LEFT
    )


@maker("IdentityService/ListUsers", "auditor", own=True)
def list_users(things: Things) -> identity_pb2.ListUsersRequest:
    return identity_pb2.ListUsersRequest()


@maker("IdentityService/GetUser", "auditor")
def get_user(things: Things) -> identity_pb2.GetUserRequest:
    return identity_pb2.GetUserRequest(name=things.user)


@maker("IdentityService/IssueKey", "operator", fresh=True)
def issue_key(things: Things) -> identity_pb2.IssueKeyRequest:
    return identity_pb2.IssueKeyRequest(idempotency_key=key(), name=things.user, expires=_soon())


@maker("IdentityService/RevokeKey", "safety_officer", fresh=True)
def revoke_key(things: Things) -> identity_pb2.RevokeKeyRequest:
    return identity_pb2.RevokeKeyRequest(
        idempotency_key=key(),
        name=things.user,
        credential_id=things.credential,
        reason=identity_pb2.REVOCATION_REASON_REPLACED,
    )
