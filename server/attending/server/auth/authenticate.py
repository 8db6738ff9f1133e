"""Who is calling: from the client certificate of the connection, or a bearer token in the call's metadata.

Tokens are 256 random bits, kept as SHA-256 only: with that much entropy a slow hash adds nothing. A wrong
credential answers the same whether it is unknown, malformed or somebody else's; only a credential that was
right until its date is told that it has expired.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from attending.server import clock
from attending.server.auth.principal import Credential, Principal
from attending.server.config import IdentitySection
from attending.server.errors import Unauthenticated
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

_TOKEN: Final = re.compile(r"att_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")
_MAX_HEADER_CHARS: Final = 256


def new_token() -> str:
    """A fresh bearer token `att_<prefix>_<secret>`: the prefix tells tokens apart, the secret is 256 bits."""
    return f"att_{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"


def token_sha256(token: str) -> str:
    """What the configuration keeps of a token, in hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """What a verified client certificate says, as far as identities are found by it."""

    sha256: str
    uris: tuple[str, ...]
    common_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime


@lru_cache(maxsize=4096)
def read_certificate(pem: bytes) -> CertificateNames:
    """The names of a PEM certificate that TLS has verified; Unauthenticated when it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            uris = tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
        except x509.ExtensionNotFound:
            uris = ()
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return CertificateNames(
            sha256=certificate.fingerprint(hashes.SHA256()).hex(),
            uris=uris,
            common_names=tuple(str(name.value) for name in common),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )
    except ValueError:
        raise Unauthenticated("INVALID_CREDENTIAL") from None


class Directory:
    """The identities of the configuration, found by credential. Immutable."""

    def __init__(
        self, identities: Iterable[IdentitySection], now: Callable[[], datetime] = clock.now
    ) -> None:
        self._now = now
        self._tokens: dict[str, IdentitySection] = {}
        self._certificates: dict[str, IdentitySection] = {}
        self._uris: dict[str, IdentitySection] = {}
        self._common_names: dict[str, IdentitySection] = {}
        self._identities = tuple(identities)
        for identity in self._identities:
            self._tokens.update(dict.fromkeys(identity.token_sha256, identity))
            self._certificates.update(dict.fromkeys(identity.certificate_sha256, identity))
            self._uris.update(dict.fromkeys(identity.certificate_uri, identity))
            self._common_names.update(dict.fromkeys(identity.certificate_common_name, identity))

    def authenticate(
        self, peer: Mapping[str, Iterable[bytes]], metadata: Sequence[tuple[str, str | bytes]]
    ) -> Principal:
        """The caller; Unauthenticated otherwise.

        `peer` is gRPC's authentication context of a TLS connection, `metadata` the call's. When a certificate
        and a token are both given, both must be good and name the same identity.
        """
        headers = [value for key, value in metadata if key.lower() == "authorization"]
        pems = list(peer.get("x509_pem_cert", ()))
        found: list[tuple[IdentitySection, Credential]] = []
        if pems:
            found.append((self._by_certificate(read_certificate(pems[0])), "mtls"))
        if headers:
            found.append((self._by_header(headers), "token"))
        if not found:
            raise Unauthenticated("MISSING_CREDENTIAL")
        identity, credential = found[0]
        if any(other is not identity for other, _kind in found):
            raise Unauthenticated("INVALID_CREDENTIAL")
        if identity.expires is not None and self._now() >= identity.expires:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        return _principal(identity, credential)

    def principals(self) -> list[Principal]:
        """Everybody who is configured, as if called with their certificate."""
        return [_principal(identity, "mtls") for identity in self._identities]

    def _by_certificate(self, names: CertificateNames) -> IdentitySection:
        # TLS checks dates at the handshake only, and a connection can live for long.
        if not names.not_before <= self._now() < names.not_after:
            raise Unauthenticated("CREDENTIAL_EXPIRED")
        by_names = [self._certificates.get(names.sha256)]
        by_names += [self._uris.get(uri) for uri in names.uris]
        by_names += [self._common_names.get(name) for name in names.common_names]
        identities = {id(identity): identity for identity in by_names if identity is not None}
        if len(identities) != 1:
            # None, or names of several identities: nobody in particular.
            raise Unauthenticated("INVALID_CREDENTIAL")
        return next(iter(identities.values()))

    def _by_header(self, headers: Sequence[str | bytes]) -> IdentitySection:
        header = headers[0]
        if len(headers) != 1 or not isinstance(header, str) or len(header) > _MAX_HEADER_CHARS:
            raise Unauthenticated("INVALID_CREDENTIAL")
        scheme, _space, token = header.partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
            raise Unauthenticated("INVALID_CREDENTIAL")
        digest = token_sha256(token)
        identity = self._tokens.get(digest)
        # The lookup is by a hash, which an attacker cannot steer byte by byte; the comparison costs nothing.
        if identity is None or not any(hmac.compare_digest(digest, known) for known in identity.token_sha256):
            raise Unauthenticated("INVALID_CREDENTIAL")
        return identity


def _principal(identity: IdentitySection, credential: Credential) -> Principal:
    return Principal(
        name=identity.name,
        tenant=identity.tenant,
        kind=identity.kind,
        roles=frozenset(identity.roles),
        display_name=identity.display_name or identity.name,
        credential=credential,
        licence_expires=identity.licence_expires,
        signing_public_key=identity.signing_key_bytes,
    )
