"""Signing on the item page: the statement is prepared, shown, and signed by the reviewer's own passkey."""

from __future__ import annotations

import asyncio

from attending.ledger.ledger import Ledger
from attending.server.console import words
from attending.server.console.gate import Visit, text_of
from attending.server.console.item import permit_of
from attending.server.console.passkeys import credential_of
from attending.server.console.present import difference
from attending.server.console.reading import Readings, seconds_of
from attending.server.errors import FailedPrecondition, InvalidRequest
from attending.server.passkeys.door import Passkeys
from attending.server.passkeys.responses import read_assertion, signing_options
from attending.server.phi.access import PhiAccess
from attending.server.review.desk import Desk
from attending.server.review.preparation import Rejection
from attending.server.services.begun import once_of
from attending.v1 import review_pb2
from starlette.responses import JSONResponse, Response

SECONDS = 120.0
"""For the device to verify its person."""


class Signature:
    """One instance a server."""

    def __init__(
        self, desk: Desk, ledger: Ledger, phi: PhiAccess, passkeys: Passkeys, readings: Readings
    ) -> None:
        self._readings = readings
        self._desk = desk
        self._ledger = ledger
        self._phi = phi
        self._passkeys = passkeys

    async def prepare(self, visit: Visit) -> Response:
        """What will be signed, in words and as the device's challenge, which is the statement's. With `rejection` it
        refuses the text.
        """
        fields = await visit.fields()
        ticket, lease = str(visit.request.path_params["ticket"]), text_of(fields, "lease")
        edited = fields.get("text")
        if edited is not None and not isinstance(edited, str):
            raise InvalidRequest([("text", "must be a string, or left out for the text as it is")])
        have = await self._passkeys.of(visit.principal)
        wanted = text_of(fields, "key_id", required=False)
        chosen = [one for one in have if not wanted or one.key_id == wanted]
        if not chosen:
            raise FailedPrecondition("KEY_UNKNOWN")
        # The newest: whoever made another one on this device means that.
        one = chosen[-1]
        permit = await permit_of(self._phi, visit.principal)
        refusal = fields.get("rejection")
        if refusal is not None and not isinstance(refusal, dict):
            raise InvalidRequest([("rejection", "must have a reason and a note, or be left out")])
        rejection = None
        if refusal is not None:
            rejection = Rejection(text_of(refusal, "reason_code"), text_of(refusal, "note", required=False))
        # Facts may have been added in another window: what is signed is what this one shows.
        seen = text_of(fields, "judged", required=False)
        prepared = await self._desk.prepare(permit, ticket, lease, edited, one.key_id, rejection, seen=seen)
        statement = prepared.statement
        seconds = self._readings.add(visit.principal, ticket, seconds_of(fields))
        pace = await self._desk.pace(visit.principal, prepared, seconds)
        written = text_of(fields, "shown")
        changes = await asyncio.to_thread(difference, written, prepared.text)
        return JSONResponse(
            {
                "preparation": prepared.preparation_id,
                "options": signing_options(prepared.key, statement.challenge(), SECONDS),
                "name": visit.principal.display_name,
                "role": words.ROLES.get(statement.role, statement.role),
                "time": statement.time,
                "meaning": words.MEANINGS[statement.meaning.value],
                "as_shown": prepared.text == written,
                "changes": [[change.kind, change.text] for change in changes],
                "reading": {
                    "seconds": pace.reading.seconds,
                    "floor_seconds": pace.reading.floor_seconds,
                    "short": pace.reading.short,
                    "waits": pace.terms.waits,
                },
            }
        )

    async def sign(self, visit: Visit) -> Response:
        fields = await visit.fields()
        ticket, lease = str(visit.request.path_params["ticket"]), text_of(fields, "lease")
        preparation, answer = text_of(fields, "preparation"), read_assertion(credential_of(fields))
        request = review_pb2.SignRequest(
            idempotency_key=text_of(fields, "idempotency_key"),
            ticket_id=ticket,
            lease_id=lease,
            preparation_id=preparation,
            signature=answer.proof.signature,
            reading_reason=text_of(fields, "reading_reason", required=False),
        )
        seconds = self._readings.add(
            visit.principal, ticket, seconds_of(fields), step=request.idempotency_key
        )
        item, _version, indexes = await self._desk.sign(
            visit.principal,
            ticket,
            lease,
            preparation,
            answer.proof.signature,
            await once_of(self._ledger, visit.principal, request),
            answer.proof.assertion,
            read_seconds=seconds,
            reading_reason=request.reading_reason,
        )
        return JSONResponse({"state": item.state, "entries": list(indexes)})
