"""What an officer signs with a passkey once it is prepared: the period of an examination, or a report."""

from __future__ import annotations

from typing import Protocol

from attending.ledger.entry import Entry
from attending.ledger.ledger import Ledger
from attending.ledger.webauthn import Assertion
from attending.server.auth.principal import Principal
from attending.server.console.gate import Visit, text_of
from attending.server.console.passkeys import credential_of
from attending.server.errors import FailedPrecondition
from attending.server.idempotency import Once
from attending.server.passkeys.door import Passkeys
from attending.server.passkeys.responses import read_assertion
from attending.server.services.begun import once_of
from attending.v1 import examination_pb2, report_pb2
from starlette.responses import JSONResponse, Response

Request = examination_pb2.SignExaminationRequest | report_pb2.SignOffReportRequest


class Signing(Protocol):
    """A desk that holds what is prepared."""

    async def sign(
        self,
        principal: Principal,
        preparation_id: str,
        signature: bytes,
        once: Once,
        assertion: Assertion | None = None,
    ) -> Entry:
        """Verifies the signature and puts it on record; the entry."""


async def key_of(passkeys: Passkeys, principal: Principal) -> str:
    """The id of the newest passkey: whoever made another one on this device means that. FailedPrecondition
    (KEY_UNKNOWN) where there is none.
    """
    have = await passkeys.of(principal)
    if not have:
        raise FailedPrecondition("KEY_UNKNOWN")
    return have[-1].key_id


async def sign_prepared(visit: Visit, ledger: Ledger, desk: Signing, asked: type[Request]) -> Response:
    """Signs with what the device answered; the same call of the console and of the API is the same to the log."""
    fields = await visit.fields()
    preparation, answer = text_of(fields, "preparation"), read_assertion(credential_of(fields))
    request = asked(
        idempotency_key=text_of(fields, "idempotency_key"),
        preparation_id=preparation,
        signature=answer.proof.signature,
    )
    call = await once_of(ledger, visit.principal, request)
    entry = await desk.sign(
        visit.principal, preparation, answer.proof.signature, call, answer.proof.assertion
    )
    return JSONResponse({"entry": entry.index})
