"""Who is calling: from the client certificate of the connection, or a bearer token in the call's metadata.

A wrong credential answers the same whether it is unknown, malformed or somebody else's; only a credential that was
right until its date is told that it has expired. docs/identity.md says what each refused caller is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import structlog
from attending.server import clock
from attending.server.auth.certificate import CertificateNames, read_certificate
from attending.server.auth.identities import Identities, IdentitySource
from attending.server.auth.key_verifier import KeyVerifier
from attending.server.auth.oidc.token import MAX_TOKEN_CHARS, TokenRefused, TokenVerifier
from attending.server.auth.principal import Credential, Principal
from attending.server.auth.revocation import Verdict
from attending.server.auth.service_key import START, prefix_of
from attending.server.config import IdentitySection, ServiceKeySection
from attending.server.errors import Unauthenticated, Unavailable

log = structlog.get_logger()

_LOGGED: Final[dict[Verdict, str]] = {
    "revoked": "CERTIFICATE_REVOKED",
    "no_list": "CRL_MISSING",
    "out_of_date": "CRL_OUT_OF_DATE",
}
REVOCATION_RETRY_SECONDS: Final = 60.0
_MAX_HEADER_CHARS: Final = MAX_TOKEN_CHARS + len("Bearer ")


class Directory:
    """Finds the caller among the identities of the configuration and of the sources that were added.

    Belongs to one event loop.
    """

    def __init__(
        self,
        identities: Iterable[IdentitySection],
        now: Callable[[], datetime] = clock.now,
        *,
        keys: KeyVerifier | None = None,
        tokens: TokenVerifier | None = None,
        revocation: Callable[[bytes, int], Verdict] = lambda _issuer, _serial: "good",
    ) -> None:
        """`revocation` says of an issuer's name (DER) and a serial number whether that certificate is revoked."""
        self._now = now
        self._sources: list[IdentitySource] = [Identities(identities)]
        self._revocation = revocation
        self._keys = keys or KeyVerifier(now)
        self.tokens = tokens or TokenVerifier((), now)
        self._mark: Callable[[Principal], Principal] = lambda principal: principal

    def mark_with(self, mark: Callable[[Principal], Principal]) -> None:
        """From now on `mark` says of each caller what holds of them at this moment, such as emergency access."""
        self._mark = mark

    def add(self, source: IdentitySource) -> None:
        """From now on identities may come from `source`, too. A credential that two sources claim for different
        identities names nobody.
        """
        self._sources.append(source)

    async def authenticate(
        self, peer: Mapping[str, Iterable[bytes]], metadata: Sequence[tuple[str, str | bytes]]
    ) -> Principal:
        """The caller; Unauthenticated otherwise, and the errors of `KeyVerifier.check` and `TokenVerifier.verify`.

        `peer` is gRPC's authentication context of a TLS connection, `metadata` the call's. When a certificate
        and a token are both given, both must be good and name the same identity.
        """
        headers = [value for key, value in metadata if key.lower() == "authorization"]
        pems = list(peer.get("x509_pem_cert", ()))
        found: list[tuple[IdentitySection, Credential]] = []
        if headers:
            # First, since it may take a while, in which a certificate can lose its identity.
            found.append(await self._by_header(headers))
        if pems:
            found.append((self._by_certificate(read_certificate(pems[0])), "mtls"))
        if not found:
            raise Unauthenticated("MISSING_CREDENTIAL")
        identity, credential = found[-1]
        if any(other != identity for other, _kind in found):
            raise Unauthenticated("INVALID_CREDENTIAL")
        if identity.expires is not None and self._now() >= identity.expires:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        return self._mark(_principal(identity, credential))

    def principals(self) -> list[Principal]:
        """Everybody who is known now, as if called with their certificate."""
        return [_principal(identity, "mtls") for source in self._sources for identity in source.current().all]

    def _by_certificate(self, names: CertificateNames) -> IdentitySection:
        # TLS checks dates at the handshake only, and a connection can live for long.
        if not names.not_before <= self._now() < names.not_after:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        found = [identity for source in self._sources for identity in source.current().by_certificate(names)]
        if len(found) != 1:
            # None, or names of several identities: nobody in particular.
            raise Unauthenticated("INVALID_CREDENTIAL")
        verdict = self._revocation(names.issuer, names.serial)
        if verdict == "good":
            return found[0]
        log.warning("auth.certificate_refused", reason=_LOGGED[verdict], identity=found[0].name)
        if verdict == "revoked":
            raise Unauthenticated("INVALID_CREDENTIAL")
        # Ours to mend, and not the caller's: a list is missing or has not been renewed.
        raise Unavailable("REVOCATION_UNKNOWN", retry_after_seconds=REVOCATION_RETRY_SECONDS)

    async def _by_header(self, headers: Sequence[str | bytes]) -> tuple[IdentitySection, Credential]:
        header = headers[0]
        if len(headers) != 1 or not isinstance(header, str) or len(header) > _MAX_HEADER_CHARS:
            raise Unauthenticated("INVALID_CREDENTIAL")
        scheme, _space, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("INVALID_CREDENTIAL")
        if token.startswith(START):
            return await self._by_service_key(token), "token"
        return await self._by_oidc(token), "oidc"

    async def _by_oidc(self, token: str) -> IdentitySection:
        try:
            verified = await self.tokens.verify(token)
        except TokenRefused as err:
            log.info("auth.token_refused", reason=err.detail)
            raise
        found = [
            identity
            for source in self._sources
            if (identity := source.current().by_oidc(verified.issuer, verified.subject)) is not None
        ]
        if len(found) != 1:
            log.info("auth.token_refused", reason="UNKNOWN_SUBJECT", provider=verified.issuer)
            raise Unauthenticated("INVALID_CREDENTIAL")
        if verified.expired:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        return found[0]

    async def _by_service_key(self, token: str) -> IdentitySection:
        prefix = prefix_of(token)
        if prefix is None:
            raise Unauthenticated("INVALID_CREDENTIAL")
        _identity, key = self._owner_of_key(token, prefix)
        await self._keys.check(token, prefix, key.hash, key.expires)
        # Again: it may have been revoked while argon2 ran.
        identity, after = self._owner_of_key(token, prefix)
        if after.hash != key.hash:
            raise Unauthenticated("INVALID_CREDENTIAL")
        return identity

    def _owner_of_key(self, token: str, prefix: str) -> tuple[IdentitySection, ServiceKeySection]:
        owners = [source.current().by_key_prefix(prefix) for source in self._sources]
        found = [owner for owner in owners if owner is not None]
        if len(found) != 1:
            # Answered at once: a prefix is public, so how long this takes tells nothing that is not known.
            self._keys.forget(token)
            raise Unauthenticated("INVALID_CREDENTIAL")
        return found[0]


def _principal(identity: IdentitySection, credential: Credential) -> Principal:
    return Principal(
        name=identity.name,
        tenant=identity.tenant,
        kind=identity.kind,
        roles=frozenset(identity.roles),
        display_name=identity.display_name or identity.name,
        credential=credential,
        licence_expires=identity.licence_expires,
        competency_expires=identity.competency_expires,
        signing_public_key=identity.signing_key_bytes,
        default_purpose=identity.purpose_of_use,
    )
