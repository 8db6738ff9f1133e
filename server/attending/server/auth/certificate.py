"""What a client certificate that TLS has verified says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from attending.server.errors import Unauthenticated
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """What a verified client certificate says, as far as identities are found by it."""

    sha256: str
    uris: tuple[str, ...]
    common_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    certificate: x509.Certificate = field(repr=False)


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
            certificate=certificate,
        )
    except ValueError:
        raise Unauthenticated("INVALID_CREDENTIAL") from None
