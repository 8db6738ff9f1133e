"""PasskeyService."""

from __future__ import annotations

from attending.v1 import identity_pb2, passkey_pb2

from tests.matrix.making import Things, key, maker


@maker("PasskeyService/IssuePasskeyCode", "operator")
def issue_passkey_code(things: Things) -> passkey_pb2.IssuePasskeyCodeRequest:
    return passkey_pb2.IssuePasskeyCodeRequest(idempotency_key=key(), name=things.person)


@maker("PasskeyService/ConfirmPasskeyCode", "privacy_officer", fresh=True)
def confirm_passkey_code(things: Things) -> passkey_pb2.ConfirmPasskeyCodeRequest:
    return passkey_pb2.ConfirmPasskeyCodeRequest(
        idempotency_key=key(),
        name=things.person,
        invitation_id=things.invitation,
        method=identity_pb2.PROOF_METHOD_VIDEO,
    )
