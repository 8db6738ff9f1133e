"""Who is calling: from the client certificate of the connection, or a bearer token in the call's metadata.

Two steps: what a caller proves to hold (`recognise`, once a call), and whether that is good now (`standing`, at the
start and again while the call runs). All that can be revoked or run out is in the second.

A wrong credential answers the same whether it is unknown, malformed or somebody else's; only a credential that was
right until its date is told that it has expired. docs/identity.md says what each refused caller is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from attending.server import clock
from attending.server.auth.certificate import CertificateNames, read_certificate
from attending.server.auth.identities import Identities, IdentitySource
from attending.server.auth.key_verifier import KeyVerifier
from attending.server.auth.oidc.token import MAX_TOKEN_CHARS, TokenRefused, TokenVerifier, VerifiedToken
from attending.server.auth.principal import Credential, Principal
from attending.server.auth.revocation import Verdict
from attending.server.auth.service_key import START, prefix_of
from attending.server.config import IdentitySection, ServiceKeySection
from attending.server.errors import Unauthenticated, Unavailable
from cryptography import x509

log = structlog.get_logger()

_LOGGED: Final[dict[Verdict, str]] = {
    "revoked": "CERTIFICATE_REVOKED",
    "no_list": "CRL_MISSING",
    "out_of_date": "CRL_OUT_OF_DATE",
}
REVOCATION_RETRY_SECONDS: Final = 60.0
_MAX_HEADER_CHARS: Final = MAX_TOKEN_CHARS + len("Bearer ")


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A service key that a caller held: by its public prefix, and the hash that it fitted."""

    prefix: str
    phc: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a caller has proved to hold, which says nothing of whether it is still good: see `Directory.standing`."""

    header: HeldKey | VerifiedToken | None
    certificate: CertificateNames | None


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
        revocation: Callable[[x509.Certificate], Verdict] = lambda _certificate: "good",
    ) -> None:
        """`revocation` says of a certificate that TLS has verified whether it is revoked."""
        self._now = now
        self._sources: list[IdentitySource] = [Identities(identities)]
        self._revocation = revocation
        self.keys = keys or KeyVerifier(now)
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
        """`standing` of what `recognise` gives."""
        return self.standing(await self.recognise(peer, metadata))

    async def recognise(
        self, peer: Mapping[str, Iterable[bytes]], metadata: Sequence[tuple[str, str | bytes]]
    ) -> Shown:
        """What the caller proves to hold; Unauthenticated when that is nothing, and the errors of `KeyVerifier.check`
        and `TokenVerifier.verify`.

        `peer` is gRPC's authentication context of a TLS connection, `metadata` the call's.
        """
        headers = [value for key, value in metadata if key.lower() == "authorization"]
        pems = list(peer.get("x509_pem_cert", ()))
        if not headers and not pems:
            raise Unauthenticated("MISSING_CREDENTIAL")
        held = await self._by_header(headers) if headers else None
        return Shown(held, read_certificate(pems[0]) if pems else None)

    def standing(self, shown: Shown) -> Principal:
        """Who that is, as of now; Unauthenticated once it is revoked, has run out or is nobody's any more, and
        Unavailable when that cannot be known. Never waits.

        When a certificate and a token were both given, both must be good and name the same identity.
        """
        found: list[tuple[IdentitySection, Credential]] = []
        match shown.header:
            case HeldKey() as held:
                found.append((self._owner_of_held(held), "token"))
            case VerifiedToken() as token:
                found.append((self._owner_of_token(token), "oidc"))
        if shown.certificate is not None:
            found.append((self._by_certificate(shown.certificate), "mtls"))
        identity, credential = found[-1]
        if any(other != identity for other, _kind in found):
            raise Unauthenticated("INVALID_CREDENTIAL")
        if identity.expires is not None and self._now() >= identity.expires:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        return self._mark(_principal(identity, credential))

    def fhir_user(self, token: VerifiedToken) -> str | None:
        """Who somebody is in a record system, as their identity says of the token's issuer and subject; None where it
        says nothing. Raises as `standing`.
        """
        identity = self._owner_of_token(token)
        found = [one for one in identity.oidc if (one.issuer, one.subject) == (token.issuer, token.subject)]
        return found[0].fhir_user if found else None

    def named(self, tenant: str, name: str, credential: Credential) -> Principal:
        """Who of a tenant has that name, as of now, for a session that `credential` began; Unauthenticated once they
        are revoked or have run out. Never waits.
        """
        found = [
            identity
            for source in self._sources
            if (identity := source.current().by_name(tenant, name)) is not None
        ]
        if len(found) != 1:
            raise Unauthenticated("INVALID_CREDENTIAL")
        if found[0].expires is not None and self._now() >= found[0].expires:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        return self._mark(_principal(found[0], credential))

    def principals(self, *, expired: bool = True) -> list[Principal]:
        """Everybody who is known now, as if called with their certificate; also those whose time has run out, unless
        told otherwise.
        """
        now = self._now()
        return [
            _principal(identity, "mtls")
            for source in self._sources
            for identity in source.current().all
            if expired or identity.expires is None or now < identity.expires
        ]

    def _by_certificate(self, names: CertificateNames) -> IdentitySection:
        # TLS checks dates at the handshake only, and a connection can live for long.
        if not names.not_before <= self._now() < names.not_after:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        found = [identity for source in self._sources for identity in source.current().by_certificate(names)]
        if len(found) != 1:
            # None, or names of several identities: nobody in particular.
            raise Unauthenticated("INVALID_CREDENTIAL")
        verdict = self._revocation(names.certificate)
        if verdict == "good":
            return found[0]
        log.warning("auth.certificate_refused", reason=_LOGGED[verdict], identity=found[0].name)
        if verdict == "revoked":
            raise Unauthenticated("INVALID_CREDENTIAL")
        # Ours to mend, and not the caller's: a list is missing or has not been renewed.
        raise Unavailable("REVOCATION_UNKNOWN", retry_after_seconds=REVOCATION_RETRY_SECONDS)

    async def _by_header(self, headers: Sequence[str | bytes]) -> HeldKey | VerifiedToken:
        header = headers[0]
        if len(headers) != 1 or not isinstance(header, str) or len(header) > _MAX_HEADER_CHARS:
            raise Unauthenticated("INVALID_CREDENTIAL")
        scheme, _space, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("INVALID_CREDENTIAL")
        if token.startswith(START):
            return await self._by_service_key(token)
        try:
            return await self.tokens.verify(token)
        except TokenRefused as err:
            log.info("auth.token_refused", reason=err.detail)
            raise

    def _owner_of_token(self, token: VerifiedToken) -> IdentitySection:
        try:
            self.tokens.require_listed(token)
        except TokenRefused as err:
            log.info("auth.token_refused", reason=err.detail, provider=token.issuer)
            raise
        found = [
            identity
            for source in self._sources
            if (identity := source.current().by_oidc(token.issuer, token.subject)) is not None
        ]
        if len(found) != 1:
            log.info("auth.token_refused", reason="UNKNOWN_SUBJECT", provider=token.issuer)
            raise Unauthenticated("INVALID_CREDENTIAL")
        if token.expired(self._now()):
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        return found[0]

    async def _by_service_key(self, token: str) -> HeldKey:
        prefix = prefix_of(token)
        if prefix is None:
            raise Unauthenticated("INVALID_CREDENTIAL")
        owner = self._owner_of_key(prefix)
        if owner is None:
            # Answered at once: a prefix is public, so how long this takes tells nothing that is not known.
            self.keys.forget(token)
            raise Unauthenticated("INVALID_CREDENTIAL")
        _identity, key = owner
        await self.keys.check(token, prefix, key.hash, key.expires)
        return HeldKey(prefix, key.hash)

    def _owner_of_held(self, held: HeldKey) -> IdentitySection:
        owner = self._owner_of_key(held.prefix)
        if owner is None or owner[1].hash != held.phc:
            raise Unauthenticated("INVALID_CREDENTIAL")
        identity, key = owner
        if key.expires is not None and self._now() >= key.expires:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        return identity

    def _owner_of_key(self, prefix: str) -> tuple[IdentitySection, ServiceKeySection] | None:
        """Whose service key that would be; None when it is nobody's in particular."""
        owners = [source.current().by_key_prefix(prefix) for source in self._sources]
        found = [owner for owner in owners if owner is not None]
        return found[0] if len(found) == 1 else None


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
