"""PasskeyService: both halves of codes for people of the caller's tenant."""

from __future__ import annotations

from typing import Any

from attending.ledger.ledger import Ledger
from attending.server import clock
from attending.server.auth.context import current_principal
from attending.server.auth.principal import NAME
from attending.server.passkeys.code import INVITATION
from attending.server.passkeys.invitations import Invitations
from attending.server.people.account import METHODS
from attending.server.rpc import Context
from attending.server.services.begun import begun, once_of
from attending.server.services.identity import proof_method
from attending.server.services.receipts import receipt_message
from attending.server.wire.violations import Violations
from attending.v1 import passkey_pb2, passkey_pb2_grpc


class PasskeyService(passkey_pb2_grpc.PasskeyServiceServicer):
    """One instance a server. Every write is repeated safely under its idempotency key."""

    def __init__(self, ledger: Ledger, invitations: Invitations) -> None:
        self._ledger = ledger
        self._invitations = invitations

    async def IssuePasskeyCode(  # noqa: N802
        self, request: passkey_pb2.IssuePasskeyCodeRequest, context: Context
    ) -> passkey_pb2.IssuePasskeyCodeResponse:
        principal = current_principal()
        _of_user(request).raise_if_any()
        half = await self._invitations.issue(
            principal, request.name, await once_of(self._ledger, principal, request)
        )
        response = passkey_pb2.IssuePasskeyCodeResponse(
            invitation_id=half.invitation.invitation,
            code=half.code,
            receipt=await receipt_message(self._ledger, principal.tenant, half.index),
        )
        response.expires.FromDatetime(clock.parse(half.invitation.expires))
        return response

    async def ConfirmPasskeyCode(  # noqa: N802
        self, request: passkey_pb2.ConfirmPasskeyCodeRequest, context: Context
    ) -> passkey_pb2.ConfirmPasskeyCodeResponse:
        principal = current_principal()
        v = _of_user(request)
        v.check(
            bool(INVITATION.fullmatch(request.invitation_id)),
            "invitation_id",
            "must be from the administrator",
        )
        method = proof_method(request.method)
        v.check(method in METHODS["human"], "method", "is required, and one of those of a person")
        v.raise_if_any()
        half = await self._invitations.confirm(
            principal,
            request.name,
            request.invitation_id,
            method,
            await once_of(self._ledger, principal, request),
        )
        response = passkey_pb2.ConfirmPasskeyCodeResponse(
            code=half.code,
            receipt=await receipt_message(self._ledger, principal.tenant, half.index),
        )
        response.expires.FromDatetime(clock.parse(half.invitation.expires))
        return response


def _of_user(request: Any) -> Violations:
    """Violations of what every change has: key and name."""
    v = begun(request)
    _check_name(request.name, v)
    return v


def _check_name(name: str, v: Violations) -> None:
    v.check(bool(NAME.fullmatch(name)), "name", "must be 1 to 64 of a-z 0-9 . _ @ -, beginning with a-z 0-9")
