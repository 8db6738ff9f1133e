"""One provider's keys, kept up to date: fetched in the background, and at once for a key id that is not known.

Fails closed: keys that could not be confirmed for `max_age_seconds` are not used. A key that the provider no longer
lists is dropped with the next fetch. Nothing here trusts the provider's answer to be short, quick or well formed.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import httpx
import jwt
import structlog
from attending.server.auth.oidc.keys import KeySet, KeysRefused, read_json, read_keys
from attending.server.config import OidcSection, flaw_of_url
from attending.server.errors import Unavailable

log = structlog.get_logger()

DISCOVERY: Final = "/.well-known/openid-configuration"
"""OpenID Connect Discovery 1.0, section 4."""
MAX_BYTES: Final = 256 * 1024
MIN_SECONDS_BETWEEN: Final = 5.0
"""Between fetches that callers with unknown key ids can cause."""
RETRY_SECONDS: Final = 10.0
WAITING: Final = 32
"""Calls that wait for a fetch at once; a slow provider must not take the server's places."""


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """How the keys of one provider are. `age_seconds` is None before the first fetch that succeeded; `problem` is
    the constant reason of the newest fetch when it failed.
    """

    name: str
    keys: int
    age_seconds: float | None
    usable: bool
    problem: str | None


class Provider:
    """Belongs to one event loop. `run` keeps it fresh; without it keys are fetched when they are asked for."""

    def __init__(self, section: OidcSection, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.section = section
        self._monotonic = monotonic
        self._keys = KeySet(())
        self._fetched: float | None = None
        self._tried: float | None = None
        self._problem: str | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0
        self._client: httpx.AsyncClient | None = None
        # Read once: it takes tens of milliseconds, and a missing file is found at the start.
        self._tls = ssl.create_default_context(cafile=section.ca_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    async def key(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key that a token names, fetched anew when it is not known; None when the provider has none such.

        Raises Unavailable: IDENTITY_PROVIDER_UNAVAILABLE when there are no keys that are young enough,
        AUTHENTICATION_BUSY when too many calls wait for a fetch already.
        """
        if not self._usable():
            await self._renew()
        if not self._usable():
            raise Unavailable("IDENTITY_PROVIDER_UNAVAILABLE", retry_after_seconds=RETRY_SECONDS)
        found = self._keys.find(kid, algorithm)
        if found is None:
            await self._renew()
            found = self._keys.find(kid, algorithm)
        return found

    def lists(self, kid: str | None, algorithm: str, key: jwt.PyJWK) -> bool:
        """Whether the keys at hand still have `key` under that id. Unavailable (IDENTITY_PROVIDER_UNAVAILABLE) when
        they are too old to say.
        """
        if not self._usable():
            raise Unavailable("IDENTITY_PROVIDER_UNAVAILABLE", retry_after_seconds=RETRY_SECONDS)
        found = self._keys.find(kid, algorithm)
        # Each fetch makes the keys anew: the same one is another object then.
        return found is key or (found is not None and bool(found.key == key.key))

    async def renewed(self, key: jwt.PyJWK | None) -> jwt.PyJWK | None:
        """The key that stands where `key`, which had no id, stood, fetched anew; None when nothing has changed."""
        if key is None:
            return None
        await self._renew()
        found = self._keys.find(None, key.algorithm_name) if self._usable() else None
        return None if found is key else found

    def status(self) -> ProviderStatus:
        age = None if self._fetched is None else self._monotonic() - self._fetched
        return ProviderStatus(self.section.name, len(self._keys), age, self._usable(), self._problem)

    async def run(self) -> None:
        """Fetches again and again until cancelled."""
        while True:
            await self._fetch_once()
            failed = self._problem is not None
            seconds = self.section.refresh_seconds
            await asyncio.sleep(min(seconds, RETRY_SECONDS) if failed else seconds)

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            with suppress(asyncio.CancelledError):
                await self._fetching
        if self._client is not None:
            await self._client.aclose()

    def _usable(self) -> bool:
        return self._fetched is not None and self._monotonic() - self._fetched < self.section.max_age_seconds

    async def _renew(self) -> None:
        """Fetches for a caller, unless that was tried just now; joins a fetch that is under way."""
        recent = self._tried is not None and self._monotonic() - self._tried < MIN_SECONDS_BETWEEN
        if self._fetching is None and recent:
            return
        if self._waiting >= WAITING:
            raise Unavailable("AUTHENTICATION_BUSY", retry_after_seconds=RETRY_SECONDS)
        self._waiting += 1
        try:
            await self._fetch_once()
        finally:
            self._waiting -= 1

    async def _fetch_once(self) -> None:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch(), name="oidc-keys")
            self._fetching.add_done_callback(self._fetched_or_failed)
        # Shielded: a caller that hangs up does not take the keys from the others.
        await asyncio.shield(self._fetching)

    def _fetched_or_failed(self, _task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        """Replaces the keys, or leaves them and notes why; never raises."""
        self._tried = self._monotonic()
        try:
            async with asyncio.timeout(self.section.timeout_seconds):
                keys = read_keys(await self._get(await self._address()), self.section.algorithms)
        except KeysRefused as err:
            self._problem = str(err)
        except TimeoutError:
            self._problem = "TIMEOUT"
        except Exception as err:
            self._problem = "UNREACHABLE"
            log.info("auth.oidc_fetch_failed", provider=self.section.name, error_type=type(err).__name__)
        else:
            self._keys, self._fetched, self._problem = keys, self._monotonic(), None
            log.info("auth.oidc_keys", provider=self.section.name, count=len(keys))
            return
        log.warning(
            "auth.oidc_keys_not_renewed",
            provider=self.section.name,
            reason=self._problem,
            state="usable" if self._usable() else "unusable",
        )

    async def _address(self) -> str:
        """Where the keys are: as configured, or as the provider's discovery document says."""
        if self.section.jwks_uri is not None:
            return self.section.jwks_uri
        document = read_json(await self._get(self.section.issuer.rstrip("/") + DISCOVERY))
        # Discovery 1.0 section 4.3: it must be the issuer's own, to the letter.
        if document.get("issuer") != self.section.issuer:
            raise KeysRefused("WRONG_ISSUER")
        address = document.get("jwks_uri")
        if not isinstance(address, str) or flaw_of_url(address) is not None:
            raise KeysRefused("UNSAFE_JWKS_URI")
        return address

    async def _get(self, url: str) -> bytes:
        """The body of a plain 200; KeysRefused for a redirect, a compressed body, another status or too many bytes."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=self._tls,
                timeout=self.section.timeout_seconds,
                follow_redirects=False,
                trust_env=False,
                limits=httpx.Limits(max_connections=2, max_keepalive_connections=0),
            )
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        async with self._client.stream("GET", url, headers=headers) as response:
            if response.is_redirect:
                raise KeysRefused("REDIRECTED")
            if response.status_code != httpx.codes.OK:
                raise KeysRefused("WRONG_STATUS")
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise KeysRefused("COMPRESSED")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > MAX_BYTES:
                    raise KeysRefused("TOO_LARGE")
            return bytes(body)
