"""Signing in with an OpenID Connect provider: the code flow (Core 1.0, section 3.1) with PKCE (RFC 7636, S256).

What the provider answers is believed as far as its ID token verifies: signature, issuer, audience and times as for any
token (`auth.oidc`), and the nonce of this very sign-in. Who that is, and what they may do, is said by the identity that
names issuer and subject, never by a claim.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import structlog
from attending.ledger.files import read_private
from attending.server.auth.oidc.keys import KeysRefused, read_json
from attending.server.auth.oidc.provider import DISCOVERY, MAX_BYTES, RETRY_SECONDS
from attending.server.auth.oidc.token import TokenVerifier, VerifiedToken
from attending.server.config import ConsoleOidcSection, OidcSection, flaw_of_url
from attending.server.console.begun import Flows
from attending.server.errors import Unauthenticated, Unavailable

log = structlog.get_logger()

MAX_CODE_CHARS: Final = 4_096


class CodeFlow:
    """One provider's. Belongs to one event loop."""

    def __init__(
        self,
        section: ConsoleOidcSection,
        provider: OidcSection,
        back: Callable[[], str],
        now: Callable[[], datetime],
    ) -> None:
        """`back` is the address to which the provider sends people back. Reads the client's secret, if there is one."""
        self.section = section
        self._provider = provider
        self._back = back
        secret = section.client_secret_file
        self._secret = None if secret is None else read_private(secret).decode("utf-8").strip()
        self._verifier = TokenVerifier([provider.model_copy(update={"audience": section.client_id})], now)
        self._tls = ssl.create_default_context(cafile=provider.ca_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._flows: Flows[str] = Flows(now)

    async def begin(self, next_path: str) -> tuple[str, str]:
        """(address at the provider, state that the browser must bring back). Unavailable without an answer of it."""
        self._flows.require_room()
        address = (await self._addresses())["authorization_endpoint"]
        begun = self._flows.begin(next_path)
        query = {
            "response_type": "code",
            "client_id": self.section.client_id,
            "redirect_uri": self._back(),
            "scope": "openid",
            **begun.query(),
        }
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", begun.state

    async def finish(self, query: Mapping[str, str], cookie: str) -> tuple[VerifiedToken, str]:
        """(verified ID token, path to go on to) of what a browser brought back; `cookie` is the state that it has.

        Raises FailedPrecondition (CEREMONY_OVER: not begun here, by this browser, or too long ago), Unauthenticated,
        and Unavailable. A code is asked about once, whatever comes of it.
        """
        begun = self._flows.take(query, cookie)
        # RFC 9207: a provider that says who it is must be the one that was asked.
        if query.get("iss", self._provider.issuer) != self._provider.issuer:
            raise self._refused("WRONG_ISSUER")
        code = query.get("code", "")
        if not code or len(code) > MAX_CODE_CHARS or "error" in query:
            raise self._refused("NO_CODE")
        token = await self._exchange(code, begun.verifier)
        verified = await self._verifier.verify(token)
        if not begun.is_of(token):
            raise self._refused("WRONG_NONCE")
        return verified, begun.about

    async def close(self) -> None:
        await self._verifier.close()

    # --- inside ----------------------------------------------------------------------------------------

    async def _exchange(self, code: str, verifier: str) -> str:
        """The ID token for a code (Core 1.0, section 3.1.3)."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._back(),
            "code_verifier": verifier,
        }
        if self._secret is None:
            form["client_id"] = self.section.client_id
        auth = None if self._secret is None else httpx.BasicAuth(self.section.client_id, self._secret)
        address = (await self._addresses())["token_endpoint"]
        token = (await self._ask("POST", address, data=form, auth=auth)).get("id_token")
        if not isinstance(token, str):
            raise self._refused("NO_ID_TOKEN")
        return token

    async def _addresses(self) -> dict[str, str]:
        """The provider's two addresses, as its discovery document says: its own, to the letter (Discovery 1.0, 4.3)."""
        document = await self._ask("GET", self._provider.issuer.rstrip("/") + DISCOVERY)
        found = {name: document.get(name) for name in ("authorization_endpoint", "token_endpoint")}
        usable = all(
            isinstance(url, str) and flaw_of_url(url.partition("?")[0]) is None for url in found.values()
        )
        if document.get("issuer") != self._provider.issuer or not usable:
            log.warning("auth.oidc_discovery_refused", provider=self._provider.name)
            raise Unavailable("IDENTITY_PROVIDER_UNAVAILABLE", retry_after_seconds=RETRY_SECONDS)
        return {name: str(url) for name, url in found.items()}

    async def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        """A JSON object from the provider; Unauthenticated for a refusal of it, Unavailable for anything else."""
        try:
            async with (
                httpx.AsyncClient(
                    verify=self._tls,
                    timeout=self._provider.timeout_seconds,
                    follow_redirects=False,
                    trust_env=False,
                ) as client,
                client.stream(method, url, headers={"Accept": "application/json"}, **more) as answer,
            ):
                body = bytearray()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_BYTES:
                        raise KeysRefused("TOO_LARGE")
            if answer.status_code in (400, 401):
                raise self._refused("CODE_REFUSED")
            if answer.status_code != httpx.codes.OK:
                raise KeysRefused("WRONG_STATUS")
            return read_json(bytes(body))
        except (httpx.HTTPError, KeysRefused) as err:
            log.warning("auth.oidc_not_answered", provider=self._provider.name, error_type=type(err).__name__)
            raise Unavailable("IDENTITY_PROVIDER_UNAVAILABLE", retry_after_seconds=RETRY_SECONDS) from None

    def _refused(self, reason: str) -> Unauthenticated:
        log.info("auth.sign_in_refused", provider=self._provider.name, reason=reason)
        return Unauthenticated("INVALID_CREDENTIAL")
