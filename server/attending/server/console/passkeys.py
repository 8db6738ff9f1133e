"""Passkeys in the browser: making one, signing in with one, and the account page that lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attending.server.console.gate import Gate, Visit, read_fields, text_of
from attending.server.console.render import Pages
from attending.server.errors import InvalidRequest
from attending.server.limits.rates import Rates
from attending.server.passkeys.ceremonies import Ceremony
from attending.server.passkeys.door import Passkeys
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class PasskeyPages:
    """One instance a server."""

    def __init__(self, gate: Gate, passkeys: Passkeys, rates: Rates, pages: Pages) -> None:
        self._gate = gate
        self._passkeys = passkeys
        self._rates = rates
        self._pages = pages

    async def begin_sign_in(self, request: Request) -> Response:
        """A challenge for the device. Costs nothing that is not bounded, and tells nothing of who is known."""
        await read_fields(request)
        return _told(self._passkeys.begin_sign_in())

    async def finish_sign_in(self, request: Request) -> Response:
        fields = await read_fields(request)
        with self._rates.credential(_host(request), ()):
            found = await self._passkeys.finish_sign_in(text_of(fields, "ceremony"), credential_of(fields))
        return await self._gate.signed_in(request, found.principal, key_id=found.key_id)

    async def account(self, visit: Visit) -> Response:
        """Who one is here, until when one may sign, and with which keys."""
        return self._pages.page(
            "account.html", visit=visit, passkeys=await self._passkeys.of(visit.principal)
        )

    async def page(self, _request: Request) -> Response:
        """For who has both halves of a code, signed in or not: the passkey may be what they are to sign in with."""
        return self._pages.page("passkey.html")

    async def begin(self, request: Request) -> Response:
        fields = await read_fields(request)
        with self._rates.credential(_host(request), ()):
            ceremony = await self._passkeys.begin_registration(
                text_of(fields, "administrator_code"), text_of(fields, "officer_code")
            )
        return _told(ceremony)

    async def finish(self, request: Request) -> Response:
        fields = await read_fields(request)
        bound = await self._passkeys.finish_registration(text_of(fields, "ceremony"), credential_of(fields))
        return JSONResponse({"key_id": bound.key_id})


def credential_of(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a browser's authenticator answered; InvalidRequest."""
    value = fields.get("credential")
    if not isinstance(value, dict) or not isinstance(value.get("response"), dict):
        raise InvalidRequest([("credential", "must be what the browser gave")])
    return value


def _told(ceremony: Ceremony) -> Response:
    return JSONResponse({"ceremony": ceremony.ceremony_id, "options": ceremony.options})


def _host(request: Request) -> str:
    return request.client.host if request.client else ""
